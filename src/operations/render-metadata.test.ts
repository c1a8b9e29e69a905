import assert from 'node:assert/strict'
import { test } from 'node:test'
import { constants, crc32, deflateRawSync, gunzipSync, inflateRawSync } from 'node:zlib'
import type { RenderedMetadata, UnrenderedInstance } from '#model/archive-index.ts'
import type { MetadataChunk, StoredOverlayEvent } from '#model/archive-object.ts'
import { joinAsGzip } from '../access/dicomweb/metadata-join.ts'
import { renderChunk, renderedChunks, renderStudy } from './render-metadata.ts'

const UIDS = { studyInstanceUID: '1.2', seriesInstanceUID: '1.2.3', sopInstanceUID: '1.2.3.4' }

function chunkOf(json: object): MetadataChunk {
  const text = Buffer.from(JSON.stringify(json))
  const deflated = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH })
  return { crc32: crc32(text), rawLength: text.length, deflated }
}

const CHUNK = chunkOf({
  '00100020': { vr: 'LO', Value: ['P1'] },
  '00400275': {
    vr: 'SQ',
    Value: [{ '54001010': { vr: 'OW', BulkDataURI: '/dicom-web/x/bulkdata/00400275/0/54001010' } }],
  },
})

const event = (path: string, vr: string, value: string): StoredOverlayEvent => ({
  reason: 'CORRECT',
  modifyingSystem: 'D',
  source: '',
  time: '20260101',
  changes: [{ path, vr, values: [value] }],
})

const read = (chunk: MetadataChunk) =>
  JSON.parse(inflateRawSync(chunk.deflated, { finishFlush: constants.Z_SYNC_FLUSH }).toString())

test('a rendered chunk has its own checksum and length, and joins others into one gzip member', async () => {
  const rendered = await renderChunk(CHUNK, [event('00100020', 'LO', 'P2')], UIDS)
  const joined = JSON.parse(gunzipSync(Buffer.concat(joinAsGzip([CHUNK, rendered, CHUNK]))).toString())
  assert.deepEqual(
    joined.map((one: { [tag: string]: { Value: unknown[] } }) => one['00100020']?.Value[0]),
    ['P1', 'P2', 'P1'],
  )
})

test('an overlay that changes nothing leaves the chunk itself', async () => {
  assert.equal(await renderChunk(CHUNK, [event('00100020', 'LO', 'P1')], UIDS), CHUNK)
})

// The old value of a sequence stands in the record now, and so must the address of what it leaves out.
test('a bulk value in the record of changes has the address of its new place', async () => {
  const rendered = read(await renderChunk(CHUNK, [event('00400275/0/00400009', 'SH', 'step')], UIDS))
  const before = rendered['04000561'].Value[0]['04000550'].Value[0]['00400275'].Value[0]
  assert.equal(
    before['54001010'].BulkDataURI,
    '/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.4/bulkdata/04000561/0/04000550/0/00400275/0/54001010',
  )
})

test('only what is stale is rendered; without any the same array is given back', async () => {
  const chunks = [CHUNK, CHUNK]
  assert.equal(await renderedChunks({ chunks, etag: 'e' }), chunks)
  const overlay = [event('00100020', 'LO', 'P2')]
  const rendered = await renderedChunks({ chunks, etag: 'e', stale: [{ index: 1, ...UIDS, overlay }] })
  assert.equal(rendered[0], CHUNK)
  assert.deepEqual(read(rendered[1]!)['00100020'].Value, ['P2'])
  assert.equal(chunks[1], CHUNK)
})

test('the job renders in batches until nothing is left', async () => {
  const overlay = [event('00100020', 'LO', 'P2')]
  const left: UnrenderedInstance[] = Array.from({ length: 450 }, (_, i) => ({
    ...UIDS,
    objectId: `o${i}`,
    overlayVersion: 7,
    overlay,
    chunk: CHUNK,
  }))
  const kept: string[] = []
  const store: RenderedMetadata = {
    unrendered: (_study, limit) => left.slice(0, limit),
    putRendered(rendered) {
      for (const { objectId, overlayVersion, chunk } of rendered) {
        assert.equal(overlayVersion, 7)
        assert.deepEqual(read(chunk)['00100020'].Value, ['P2'])
        kept.push(objectId)
        left.splice(
          left.findIndex((one) => one.objectId === objectId),
          1,
        )
      }
    },
  }
  let commits = 0
  const commit = (fn: () => void) => {
    commits++
    fn()
  }
  await renderStudy(store, '1.2', commit, new AbortController().signal)
  assert.equal(new Set(kept).size, 450)
  assert.ok(commits >= 3)
})
