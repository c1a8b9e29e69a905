/** Both faces of one original, over HTTP: documents as DICOM, and what is inside DICOM objects as the bytes it was. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { memorySource } from '#standards/byte-source.ts'
import { readDataSet, string } from '#standards/dicom/data-set.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { joinPieces } from '#standards/dicom/pieces.ts'
import { nativePieces, unwrap } from '#standards/dicom/wrap/unwrap.ts'
import { jpeg } from '../fixtures/jpeg.ts'
import { plainPdf } from '../fixtures/pdf.ts'
import { mp4 } from '../fixtures/video.ts'
import { type LiveServer, startServer, temporaryDirectory } from '../live/server.ts'

const place = temporaryDirectory('faces')
let server: LiveServer

before(async () => {
  server = await startServer({ dataDirectory: place.path })
})

after(async () => {
  await server.stop()
  place.remove()
})

const red = new Uint8Array(32 * 16 * 3).map((_, index) => [200, 40, 40][index % 3] ?? 0)
const tetrahedron = Buffer.concat([Buffer.alloc(80), Buffer.from([1, 0, 0, 0]), Buffer.alloc(50, 1)])
const kinds: { name: string; bytes: Uint8Array; accept: string }[] = [
  { name: 'PDF', bytes: plainPdf(['A letter.']), accept: 'application/pdf' },
  { name: 'JPEG', bytes: jpeg(red, 32, 16), accept: 'image/jpeg' },
  { name: 'MP4', bytes: mp4(), accept: 'video/mp4' },
  { name: 'STL', bytes: tetrahedron, accept: 'model/stl' },
]

async function get(path: string, accept: string): Promise<{ status: number; type: string; bytes: Buffer }> {
  const answer = await fetch(`${server.url}${path}`, { headers: { accept } })
  const type = answer.headers.get('content-type') ?? ''
  return { status: answer.status, type, bytes: Buffer.from(await answer.arrayBuffer()) }
}

async function store(bytes: Uint8Array): Promise<{ id: string; entryUuid: string }> {
  const path = '/api/v1/documents?patient=F1&issuer=HOSP&title=One'
  const answer = await fetch(`${server.url}${path}`, { method: 'POST', body: Uint8Array.from(bytes) })
  const told = (await answer.json()) as { items: { id: string; entryUuid: string }[] }
  assert.equal(answer.status, 201, JSON.stringify(told))
  return told.items[0] ?? assert.fail('nothing was kept')
}

for (const { name, bytes, accept } of kinds) {
  test(`${name}: as DICOM in every standard place, kept on request, and back byte for byte`, async () => {
    const { id, entryUuid } = await store(bytes)
    const face = await get(`/api/v1/documents/${id}/content`, 'application/dicom')
    assert.equal(face.status, 200, face.bytes.toString('latin1').slice(0, 300))
    const part10 = openPart10(memorySource(face.bytes))
    const native = unwrap(part10) ?? assert.fail('nothing inside')
    assert.deepEqual(Buffer.from(joinPieces(nativePieces(native))), Buffer.from(bytes))
    assert.deepEqual(
      (await get(`/fhir/Binary/${entryUuid}`, 'application/dicom')).bytes,
      face.bytes,
      'the same each time',
    )

    const dataSet = readDataSet(part10.dataSet, part10.encoding)
    const uid = (tag: number) => string(dataSet, tag) ?? ''
    const [study, series, sop] = [uid(0x0020000d), uid(0x0020000e), uid(0x00080018)]
    const path = `/dicom-web/studies/${study}/series/${series}/instances/${sop}`
    assert.deepEqual((await get(path, 'application/dicom')).bytes, face.bytes, 'WADO-RS by its UIDs')
    assert.equal((await get(path.replace(series, '2.25.1'), 'application/dicom')).status, 404)
    const listed = () => get(`/dicom-web/studies/${study}/instances`, 'application/dicom+json')
    assert.equal((await listed()).status, 204, 'not listed while it is not kept')

    const keep = () =>
      fetch(`${server.url}/api/v1/documents/${id}/face`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      })
    const kept = await keep()
    assert.equal(kept.status, 201, await kept.clone().text())
    assert.equal(((await kept.json()) as { sopInstanceUid: string }).sopInstanceUid, sop)
    assert.equal((await keep()).status, 200, 'once')
    assert.equal((await listed()).status, 200)
    const inside = await get(path, accept)
    assert.equal(inside.status, 200, inside.bytes.toString('latin1').slice(0, 300))
    assert.equal(inside.type, accept)
    assert.deepEqual(inside.bytes, Buffer.from(bytes))
    assert.deepEqual((await get(`/api/v1/documents/${sop}/content`, '*/*')).bytes, Buffer.from(bytes))
  })
}

test('plain text has no DICOM face', async () => {
  const { id } = await store(Buffer.from('Only words.\n'))
  const face = await get(`/api/v1/documents/${id}/content`, 'application/dicom')
  assert.equal(face.status, 406)
  assert.equal(JSON.parse(face.bytes.toString()).code, 'document.no-face')
})
