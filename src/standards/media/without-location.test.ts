import assert from 'node:assert/strict'
import { test } from 'node:test'
import zlib from 'node:zlib'
import sharp from 'sharp'
import {
  box,
  exifBlock,
  film,
  heicPhotograph,
  jpegPhotograph,
  LATITUDE_BYTES,
  pngPhotograph,
  tiffPhotograph,
  XMP_PACKET,
} from '../../../test/fixtures/photographs.ts'
import { type ByteSource, memorySource } from '../byte-source.ts'
import { joinPieces } from '../dicom/pieces.ts'
import type { DocumentWord } from './document-kind.ts'
import { exifTime, readExif } from './exif.ts'
import { walkExif } from './exif-directories.ts'
import { withoutLocation } from './without-location.ts'
import { iptcLocations, xmpLocations } from './xmp-location.ts'

const strip = (word: DocumentWord, file: Uint8Array) => {
  const { pieces, ...told } = withoutLocation(word, memorySource(file))
  return { ...told, file: Buffer.from(joinPieces(pieces)) }
}
/** Bytes by which a place would be known, as the fixtures write it. */
const traces = [LATITUDE_BYTES, ...['46,57.2N', '7,26.9E', 'Bern', '+46.95'].map((text) => Buffer.from(text))]
const leaks = (file: Buffer) => traces.filter((trace) => file.includes(trace)).map(String)

const pictures = [
  ['jpeg', jpegPhotograph()],
  ['png', pngPhotograph()],
  ['tiff', tiffPhotograph()],
  ['heic', heicPhotograph()],
] as const

for (const [word, file] of pictures) {
  test(`without location: ${word} keeps all but the place`, () => {
    const before = readExif(word, memorySource(file))
    const is = {
      orientation: 6,
      taken: '2019-05-02T08:00:00Z',
      make: 'Maker',
      model: 'Model 1',
      software: null,
      hasPosition: true,
    }
    assert.deepEqual(before, is)
    assert.ok(leaks(file).length > 0)
    const after = strip(word, file)
    assert.deepEqual(leaks(after.file), [])
    assert.equal(after.doubt, null)
    assert.deepEqual(readExif(word, memorySource(after.file)), { ...is, hasPosition: false })
    assert.ok(after.file.includes('A title that is kept'))
    // In place: nothing behind has moved, so offsets to pixels hold.
    if (word !== 'png') assert.equal(after.file.length, file.length)
    assert.deepEqual(strip(word, after.file).file, after.file)
    assert.equal(strip(word, after.file).removed, 0)
  })
}

test('without location: a JPEG differs only within its metadata', () => {
  const file = jpegPhotograph()
  const { file: after } = strip('jpeg', file)
  const scan = file.lastIndexOf(Buffer.from([0xff, 0xda]))
  assert.deepEqual(after.subarray(scan), file.subarray(scan))
  assert.ok(after.includes('dc:format="image/jpeg"') && after.includes('<dc:title>Kept<') && after.includes('Title'))
})

test('without location: chunks of a PNG have the right check sums', () => {
  const { file } = strip('png', pngPhotograph())
  const types: string[] = []
  for (let at = 8; at < file.length; ) {
    const length = file.readUInt32BE(at)
    types.push(file.toString('latin1', at + 4, at + 8))
    assert.equal(file.readUInt32BE(at + 8 + length), zlib.crc32(file.subarray(at + 4, at + 8 + length)))
    at += 12 + length
  }
  assert.deepEqual(types, ['IHDR', 'eXIf', 'iTXt', 'tEXt', 'IDAT', 'IEND'])
})

test('without location: nothing to remove leaves every byte', () => {
  for (const [word, file] of [
    ['jpeg', jpegPhotograph({ position: false })],
    ['tiff', exifBlock({ position: false })],
    ['mp4', Buffer.concat([box('ftyp', 'isom\0\0\0\0isom'), box('moov', box('udta', box('\u00a9nam', 'x')))])],
    ['pdf', Buffer.from('%PDF-1.4')],
  ] as const) {
    const { pieces, removed, doubt } = withoutLocation(word, memorySource(file))
    assert.deepEqual([pieces.length, removed, doubt], [1, 0, null], word)
  }
})

test('without location: further pictures and a film behind the first', () => {
  const file = jpegPhotograph({ behind: Buffer.concat([jpegPhotograph(), film(), Buffer.from('SEFT trailer')]) })
  const after = strip('jpeg', file)
  assert.deepEqual(leaks(after.file), [])
  assert.equal(after.doubt, null)
  assert.equal(after.file.length, file.length)
})

test('without location: films', () => {
  for (const word of ['mp4', 'quicktime'] as const) {
    const file = film()
    const after = strip(word, file)
    assert.deepEqual([leaks(after.file), after.doubt, after.removed], [[], null, 3])
    assert.equal(after.file.length, file.length)
    assert.ok(
      after.file.includes('kept title') && after.file.includes('kept name') && after.file.includes('coded film'),
    )
  }
  assert.match(strip('mp4', film({ sample: 'gpmd' })).doubt ?? '', /track/)
  assert.match(strip('mp4', film().subarray(0, 200)).doubt ?? '', /damaged/)
})

test('XMP: names under any prefix, in either quote, in elements and nested', () => {
  const blank = (text: string) => {
    const bytes = Buffer.from(text)
    for (const { start, end } of xmpLocations(bytes)) bytes.fill(0x2e, start, end)
    return bytes.toString()
  }
  assert.equal(blank(`<a e:GPSLatitude='1' f:City="" g:x="GPS"/>`), `<a e:GPSLatitude='.' f:City="" g:x="GPS"/>`)
  assert.equal(blank('<q:City rdf:y="1">Bern</q:City><b>c</b>'), '<q:City rdf:y="1">....</q:City><b>c</b>')
  assert.equal(
    blank('<e:LocationShown><x e:City="B"/></e:LocationShown>z'),
    '<e:LocationShown>...............</e:LocationShown>z',
  )
  assert.equal(blank('<e:GPSLatitude>1'), '<e:GPSLatitude>.')
  assert.equal(blank('<a e:GPSLatitude="1'), '<a e:GPSLatitude=".')
  assert.equal(blank('<x:Capacity>1</x:Capacity>'), '<x:Capacity>1</x:Capacity>')
  assert.equal(blank('<!ENTITY a "b">'), '.'.repeat(15))
  const start = performance.now()
  xmpLocations(Buffer.from('<e:City>'.repeat(200_000)))
  xmpLocations(Buffer.from(' e:City="'.repeat(200_000)))
  xmpLocations(Buffer.from(`e:City${' '.repeat(500_000)}`))
  xmpLocations(Buffer.from(`e:GPS${'A'.repeat(500_000)}`))
  xmpLocations(Buffer.from(`${'a'.repeat(1_000_000)}:City`))
  assert.ok(performance.now() - start < 5000)
})

test('IPTC: only records of places', () => {
  const records = Buffer.from('\x1c\x02\x5a\0\x04Bern\x1c\x02\x69\0\x05Title\x1c\x02\x5a\xff\xff', 'latin1')
  assert.deepEqual(iptcLocations(records), [{ start: 5, end: 9 }])
})

test('without location: pictures of another writer, decoded by it before and after', async () => {
  const picture = () =>
    sharp({ create: { width: 32, height: 16, channels: 3, background: '#a04020' } })
      .withExif({ IFD0: { Make: 'M' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '46/1 57/1 11/1' } })
      .withXmp(XMP_PACKET)
  for (const [word, encoded] of [
    ['jpeg', picture().jpeg()],
    ['png', picture().png()],
    ['tiff', picture().tiff()],
    ['heic', picture().avif()],
  ] as const) {
    const file = await encoded.toBuffer()
    const after = strip(word, file)
    assert.ok(after.removed > 0 && after.doubt === null, word)
    assert.deepEqual(leaks(after.file), [], word)
    assert.equal(readExif(word, memorySource(after.file))?.hasPosition ?? false, false, word)
    const pixels = (bytes: Buffer) => sharp(bytes).raw().toBuffer()
    assert.deepEqual(await pixels(after.file), await pixels(file), word)
  }
})

const times: readonly [value: string | null, offset: string | null, is: string | null][] = [
  ['2019:05:02 10:00:00', '+02:00', '2019-05-02T08:00:00Z'],
  ['2019:05:02 10:00:00', null, '2019-05-02T10:00:00'],
  ['2019:05:02 10:00:00', 'nonsense', '2019-05-02T10:00:00'],
  ['0000:00:00 00:00:00', null, null],
  ['    :  :     :  :  ', null, null],
  ['2019:13:02 10:00:00', null, null],
  [null, '+02:00', null],
]
for (const [value, offset, is] of times)
  test(`EXIF time ${value} ${offset}`, () => assert.equal(exifTime(value, offset), is))

test('EXIF: counts that lie, circles and deserts end', () => {
  const head = Buffer.from([0x4d, 0x4d, 0, 42, 0, 0, 0, 8])
  const lies = [
    Buffer.concat([head, Buffer.from([0xff, 0xff])]),
    Buffer.concat([head, Buffer.from([0, 1, 0x88, 0x25, 0, 4, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 8, 0, 0, 0, 8])]),
    Buffer.concat([head.subarray(0, 4), Buffer.from([0xff, 0xff, 0xff, 0xff])]),
    Buffer.from('MM'),
    Buffer.alloc(0),
  ]
  for (const file of lies) {
    walkExif(memorySource(file))
    strip('tiff', file)
  }
})

/** A small generator of its own, so that a failure can be repeated by its seed. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 0x1_0000_0000
  }
}

for (const [word, file] of [...pictures, ['mp4', film()]] as const) {
  test(`without location: a damaged ${word} throws nothing and grows by nothing`, () => {
    for (let seed = 1; seed <= 500; seed++) {
      const next = random(seed)
      const bytes = Buffer.from(file)
      for (let i = 0; i < 1 + (seed % 8); i++) bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256)
      const cut = seed % 3 === 0 ? bytes.subarray(0, Math.floor(next() * bytes.length)) : bytes
      const after = strip(word, cut)
      assert.ok(after.file.length <= cut.length, `seed ${seed}`)
      if (word !== 'mp4') readExif(word, memorySource(cut))
    }
  })
}

test('without location: a source that reuses its buffer is read rightly', () => {
  const buffer = new Uint8Array(8 * 1024 * 1024)
  const reusing = (file: Buffer): ByteSource => ({
    size: file.length,
    read(start, end) {
      const part = file.subarray(start, Math.min(end, file.length))
      buffer.set(part)
      return buffer.subarray(0, part.length)
    },
  })
  for (const [word, file] of [...pictures, ['mp4', film()]] as const) {
    const pieces = withoutLocation(word, reusing(file)).pieces
    assert.deepEqual(Buffer.from(joinPieces(pieces)), strip(word, file).file, word)
  }
})
