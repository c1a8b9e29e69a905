import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { memorySource } from '#standards/byte-source.ts'
import { number, readDataSet, sequence, string, strings } from '#standards/dicom/data-set.ts'
import { EXPLICIT_LE } from '#standards/dicom/encoding.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import {
  buildPart10,
  DEFLATED_LE,
  ENCAPSULATED_UNCOMPRESSED,
  EXPLICIT_BE,
  IMPLICIT_LE,
  nestedSequences,
  part10,
} from './fixtures/dicom-builder.ts'
import { CONTRADICTORY, HARMLESS, HOSTILE } from './fixtures/hostile.ts'
import { jpeg } from './fixtures/jpeg.ts'
import { largeFrame, largeObject } from './fixtures/large.ts'
import { ctDose, ctSeries, encapsulatedMultiFrame, frameBytes } from './fixtures/objects.ts'
import { PDFS } from './fixtures/pdf.ts'
import { eicar } from './fixtures/programs.ts'
import { staleTiffPreamble, tiffSlide } from './fixtures/slides.ts'

function open(bytes: Uint8Array) {
  const file = openPart10(memorySource(bytes))
  return { file, dataSet: readDataSet(file.dataSet, file.encoding) }
}

// Builder and reader were written apart from each other; what one writes the other must read alike in every encoding.
for (const [name, options] of Object.entries({
  'implicit little endian': { transferSyntax: IMPLICIT_LE },
  'explicit big endian': { transferSyntax: EXPLICIT_BE },
  deflated: { transferSyntax: DEFLATED_LE },
  'undefined lengths': { undefinedLengths: true },
})) {
  test(`fixtures: ${name} says the same as explicit little endian`, () => {
    const [plain, other] = [open(part10({ elements: ctDose() })), open(part10({ elements: ctDose(), ...options }))]
    assert.deepEqual([...other.dataSet.elements.keys()], [...plain.dataSet.elements.keys()])
    for (const tag of plain.dataSet.elements.keys()) {
      assert.deepEqual(strings(other.dataSet, tag), strings(plain.dataSet, tag))
    }
    const counts = [plain, other].map(({ dataSet }) => sequence(dataSet, 0x0040a730).length)
    assert.equal(counts[0], counts[1])
    assert.deepEqual(other.dataSet.problems, [])
  })
}

test('fixtures: a series has one study, one series and a UID for each slice', () => {
  const read = ctSeries(5).map((elements) => open(part10({ elements })).dataSet)
  const different = (tag: number) => new Set(read.map((dataSet) => string(dataSet, tag))).size
  assert.deepEqual([different(0x0020000d), different(0x0020000e), different(0x00080018)], [1, 1, 5])
})

test('fixtures: offset tables and fragments stand where the builder says', () => {
  const frames = [0, 1, 2].map((frame) => frameBytes(frame, 16))
  const elements = encapsulatedMultiFrame(frames, { perFrame: 2 })
  const built = buildPart10({ elements, transferSyntax: ENCAPSULATED_UNCOMPRESSED })
  assert.equal(built.fragments.length, 6)
  const joined = Buffer.concat(built.fragments.map(({ start, end }) => built.bytes.subarray(start, end)))
  assert.deepEqual(joined, Buffer.concat(frames))
})

test('fixtures: nested sequences go as deep as asked', () => {
  for (const open of [false, true]) {
    let level = readDataSet(memorySource(nestedSequences(40, open)), EXPLICIT_LE)
    let depth = 0
    for (; ; depth++) {
      const item = sequence(level, 0x00081140)[0]
      if (item === undefined) break
      level = item
    }
    assert.equal(depth, 40)
  }
})

test('fixtures: EICAR is the string every scanner knows', () => {
  const digest = createHash('sha256').update(eicar()).digest('hex')
  assert.equal(digest, '275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f')
})

test('fixtures: hostile files carry what their name says', () => {
  for (const name of ['pe-chain', 'pe-in-meta', 'pe-out-of-order']) {
    const bytes = HOSTILE[name]!()
    const at = bytes.readUInt32LE(0x3c)
    assert.equal(bytes.toString('latin1', 0, 2) + bytes.toString('latin1', at, at + 4), 'MZPE\0\0', name)
  }
  const elf = HOSTILE['elf-chain']!()
  assert.equal(elf.readUInt32LE(Number(elf.readBigUInt64LE(32))), 1)
  for (const [name, make] of Object.entries({ ...HOSTILE, ...HARMLESS })) {
    assert.doesNotThrow(() => open(make()), name)
  }
})

test('fixtures: every one is the same each time it is made', () => {
  for (const [name, make] of Object.entries({ ...HOSTILE, ...HARMLESS, ...CONTRADICTORY, ...PDFS })) {
    assert.deepEqual(make(), make(), name)
  }
})

/** Tile ranges of the first directory, read without any code that wrote it. TIFF 6.0, BigTIFF. */
function tilesOf(bytes: Buffer): { width: number; tiles: { offset: number; length: number }[] } {
  const little = bytes.toString('latin1', 0, 2) === 'II'
  const get = (at: number, size: number) =>
    size === 8
      ? Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at))
      : little
        ? bytes.readUIntLE(at, size)
        : bytes.readUIntBE(at, size)
  const big = get(2, 2) === 43
  const ifd = big ? get(8, 8) : get(4, 4)
  const values = new Map<number, number[]>()
  for (let index = 0; index < get(ifd, big ? 8 : 2); index++) {
    const entry = ifd + (big ? 8 + index * 20 : 2 + index * 12)
    const size = { 3: 2, 4: 4, 5: 8, 16: 8 }[get(entry + 2, 2)] ?? 1
    const count = get(entry + 4, big ? 8 : 4)
    const field = entry + (big ? 12 : 8)
    const start = count * size > (big ? 8 : 4) ? get(field, big ? 8 : 4) : field
    values.set(
      get(entry, 2),
      Array.from({ length: count }, (_, which) => get(start + which * size, size)),
    )
  }
  const lengths = values.get(325) ?? []
  const tiles = (values.get(324) ?? []).map((offset, which) => ({ offset, length: lengths[which] ?? 0 }))
  return { width: values.get(256)?.[0] ?? 0, tiles }
}

for (const byteOrder of ['II', 'MM'] as const) {
  for (const big of [false, true]) {
    for (const kind of ['native', 'jpeg'] as const) {
      test(`fixtures: slide ${byteOrder}, ${big ? 'BigTIFF' : 'classic'}, ${kind}: every tile is a frame`, () => {
        const bytes = tiffSlide({ byteOrder, big, tiles: kind })
        const { file, dataSet } = open(bytes)
        const { width, tiles } = tilesOf(bytes)
        assert.equal(width, number(dataSet, 0x00480006))
        const pixels = dataSet.get(0x7fe00010)!
        const base = file.base ?? 0
        const frames =
          pixels.fragments?.slice(1).map(({ offset }) => offset + base) ??
          tiles.map((_, index) => pixels.valueOffset + base + index * 32 * 32 * 3)
        assert.deepEqual(
          tiles.map(({ offset }) => offset),
          frames,
        )
        if (kind === 'jpeg') for (const { offset } of tiles) assert.equal(bytes.readUInt16BE(offset), 0xffd8)
        assert.ok(dataSet.get(0xfffcfffc))
      })
    }
  }
}

test('fixtures: a stale TIFF header points past every file', () => {
  assert.ok(staleTiffPreamble().readUInt32LE(4) > 1 << 30)
})

test('fixtures: JPEG refuses sizes it cannot cut into blocks', () => {
  assert.throws(() => jpeg(new Uint8Array(15 * 8 * 3), 15, 8), RangeError)
})

test('fixtures: a large object is made piece by piece and is as long as asked', () => {
  const { about, chunks } = largeObject(5_000_000)
  const bytes = Buffer.concat([...chunks])
  const { file, dataSet } = open(bytes)
  const pixels = dataSet.get(0x7fe00010)!
  assert.equal(pixels.valueLength, about.frames * 524288)
  const at = pixels.valueOffset + (file.base ?? 0) + 3 * 524288
  assert.deepEqual(bytes.subarray(at, at + 524288), largeFrame(3))
  assert.equal(string(dataSet, 0x00080018), about.sopInstanceUid)
})

test('fixtures: an object beyond 4 GiB is encapsulated, with an Extended Offset Table', () => {
  const { about, chunks } = largeObject(10_000_000_000)
  assert.equal(about.transferSyntax, ENCAPSULATED_UNCOMPRESSED)
  let length = 0
  let pieces = 0
  for (const chunk of chunks) {
    length += chunk.length
    if (++pieces === 3) assert.ok(length > about.frames * 16, 'the table is in the head')
    if (pieces > 20) break
  }
  assert.equal(about.frames, 19073)
})
