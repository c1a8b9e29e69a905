/** A photograph tells where it was made; what leaves does not, at any door, unless the site keeps it. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { memorySource } from '#standards/byte-source.ts'
import { readExif } from '#standards/media/exif.ts'
import { withoutLocation } from '#standards/media/without-location.ts'
import { jpeg } from '../fixtures/jpeg.ts'
import { exifBlock, film, LATITUDE_BYTES } from '../fixtures/photographs.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'

const place = temporaryDirectory('location')
let server: LiveServer

before(async () => {
  server = await startServer({ dataDirectory: place.path })
})

after(async () => {
  await server.stop()
  place.remove()
})

const rgb = new Uint8Array(32 * 16 * 3).map((_, index) => [200, 40, 40][index % 3] ?? 0)

/** A JPEG with pixels, lying on its side, made at a place. */
function photograph(comment: string): Buffer {
  const plain = Buffer.from(jpeg(rgb, 32, 16))
  const segment = (mark: number, content: Buffer) => {
    const head = Buffer.from([0xff, mark, 0, 0])
    head.writeUInt16BE(content.length + 2, 2)
    return Buffer.concat([head, content])
  }
  const exif = segment(0xe1, Buffer.concat([Buffer.from('Exif\0\0'), exifBlock()]))
  return Buffer.concat([plain.subarray(0, 2), exif, segment(0xfe, Buffer.from(comment)), plain.subarray(2)])
}

interface Item {
  readonly id: string
  readonly entryUuid: string
}

async function store(bytes: Buffer, patient: string): Promise<Item> {
  const query = `patient=${patient}&issuer=HOSP&title=Photo&class=72170-4&type=72170-4&specialty=Dermatology&facility=Hospital&language=en`
  const answer = await fetch(`${server.url}/api/v1/documents?${query}`, {
    method: 'POST',
    body: Uint8Array.from(bytes),
  })
  const told = (await answer.json()) as { items: Item[] }
  assert.equal(answer.status, 201, JSON.stringify(told))
  return told.items[0] ?? assert.fail('nothing was kept')
}

async function bytesOf(path: string, accept = '*/*'): Promise<{ status: number; headers: Headers; bytes: Buffer }> {
  const answer = await fetch(`${server.url}${path}`, { headers: { accept } })
  return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) }
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const tells = (bytes: Buffer) => bytes.includes(LATITUDE_BYTES)

test('the place is gone at every door out, everything else stays byte for byte', async () => {
  const original = photograph('one')
  assert.equal(tells(original), true)
  const { id, entryUuid } = await store(original, 'L1')
  const content = await bytesOf(`/api/v1/documents/${id}/content`)
  assert.equal(content.status, 200)
  assert.equal(tells(content.bytes), false)
  const expected = withoutLocation('jpeg', memorySource(original))
  assert.ok(expected.removed > 0)
  assert.equal(content.headers.get('etag'), `"${sha256(content.bytes)}"`)
  assert.notEqual(content.headers.get('etag'), `"${sha256(original)}"`)
  const exif = readExif('jpeg', memorySource(content.bytes))
  assert.deepEqual([exif?.hasPosition, exif?.orientation, exif?.model], [false, 6, 'Model 1'])

  const binary = await bytesOf(`/fhir/Binary/${entryUuid}`)
  assert.deepEqual(binary.bytes, content.bytes)
  const resource = JSON.parse((await bytesOf(`/fhir/Binary/${entryUuid}`, 'application/fhir+json')).bytes.toString())
  assert.deepEqual(Buffer.from(resource.data, 'base64'), content.bytes)
  const reference = JSON.parse(
    (await bytesOf(`/fhir/DocumentReference/${entryUuid}`, 'application/fhir+json')).bytes.toString(),
  )
  const { size, hash } = reference.content[0].attachment
  assert.equal(size, content.bytes.length)
  assert.equal(hash, createHash('sha1').update(content.bytes).digest('base64'), 'the digest is of what Binary gives')

  // A range of what leaves is a range of what leaves.
  const part = await fetch(`${server.url}/api/v1/documents/${id}/content`, { headers: { range: 'bytes=10-200' } })
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), content.bytes.subarray(10, 201))

  const face = await bytesOf(`/api/v1/documents/${id}/content`, 'application/dicom')
  assert.equal(face.status, 200, face.bytes.toString('latin1').slice(0, 300))
  assert.equal(tells(face.bytes), false)
  const display = await bytesOf(`/api/v1/documents/${id}/display?size=64`)
  assert.equal(display.status, 200)
  assert.equal(tells(display.bytes), false)
  const looked = await (await import('sharp')).default(display.bytes).metadata()
  assert.deepEqual(
    [looked.width, looked.height, looked.orientation ?? 1, looked.exif],
    [16, 32, 1, undefined],
    'upright',
  )

  const kept = await bytesOf(`/api/v1/documents/${id}/original`)
  assert.deepEqual(kept.bytes, original, 'the original is kept byte for byte')
  assert.equal(kept.headers.get('etag'), `"${sha256(original)}"`)
})

test('the package of documents is without the place too', async () => {
  const { id } = await store(photograph('package'), 'L2')
  const zip = await bytesOf(`/api/v1/document-package?id=${id}`)
  assert.equal(zip.status, 200, zip.bytes.toString('latin1').slice(0, 300))
  assert.equal(tells(zip.bytes), false)
  const content = await bytesOf(`/api/v1/documents/${id}/content`)
  const hash = createHash('sha1').update(content.bytes).digest('hex')
  assert.ok(zip.bytes.includes(hash), 'its metadata name the bytes that are in it')
})

test('a film loses its place as well', async () => {
  const original = film()
  const expected = withoutLocation('mp4', memorySource(original))
  const { id } = await store(original, 'L3')
  const content = await bytesOf(`/api/v1/documents/${id}/content`)
  if (expected.doubt !== null) {
    assert.equal(content.status, 409)
    return
  }
  assert.ok(expected.removed > 0)
  assert.equal(content.bytes.includes('+46'), false)
  assert.equal(content.bytes.length, original.length)
})

test('what may tell a place nobody can take out is withheld; it can be looked at, and administrators have it', async () => {
  // EXIF that ends in the middle of its directory: whether a position follows cannot be told.
  const whole = photograph('two')
  const at = whole.indexOf('Exif')
  const broken = Buffer.from(whole)
  broken.writeUInt32BE(0x00ffffff, at + 6 + 4)
  assert.notEqual(withoutLocation('jpeg', memorySource(broken)).doubt, null)
  const { id } = await store(broken, 'L4')
  const content = await bytesOf(`/api/v1/documents/${id}/content`)
  assert.equal(content.status, 409)
  assert.equal(JSON.parse(content.bytes.toString()).code, 'document.withheld')
  assert.equal((await bytesOf(`/api/v1/documents/${id}/display`)).status, 200)
  assert.deepEqual((await bytesOf(`/api/v1/documents/${id}/original`)).bytes, broken)
  const face = await bytesOf(`/api/v1/documents/${id}/content`, 'application/dicom')
  assert.equal(face.status, 200)
  assert.equal(tells(face.bytes), false, 'pixels hold no place')
})

test('the original is given to administrators and archivists only', async () => {
  const closed = temporaryDirectory('location-rights')
  const own = await startServer({ dataDirectory: closed.path, open: false })
  try {
    for (const [role, status] of [
      ...([
        ['administrator', 404],
        ['archivist', 404],
        ['clinician', 403],
      ] as const),
      ...([
        ['technologist', 403],
        ['reader', 403],
        ['front-desk', 403],
      ] as const),
    ]) {
      const { lines } = await runCommand(['token', 'create', '--role', role, '--data', closed.path, '--json'])
      const [told] = lines as { token: string }[]
      const answer = await fetch(`${own.url}/api/v1/documents/1.2.3/original`, {
        headers: { authorization: `Bearer ${told?.token}` },
      })
      assert.equal(answer.status, status, role)
    }
  } finally {
    await own.stop()
    closed.remove()
  }
})

test('a site may keep the place', async () => {
  const set = await fetch(`${server.url}/api/v1/settings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ 'documents.location': 'keep' }),
  })
  assert.ok(set.ok, await set.text())
  const original = photograph('three')
  const { id } = await store(original, 'L5')
  const content = await bytesOf(`/api/v1/documents/${id}/content`)
  assert.deepEqual(content.bytes, original)
  assert.equal(content.headers.get('etag'), `"${sha256(original)}"`)
})
