import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memorySource } from '../byte-source.ts'
import { readDataSet } from './data-set.ts'
import { DicomError } from './errors.ts'
import { binary, el, fragments, part10Of } from './fixture.ts'
import { alignBits, decodeFrameTable, encodeFrameTable, type FrameTable, frameRanges, frameTable } from './frames.ts'
import { openPart10 } from './open.ts'
import { pixelElement } from './pixel-element.ts'
import type { WriteElement } from './write.ts'

const JPEG = '1.2.840.10008.1.2.4.50'
const RLE = '1.2.840.10008.1.2.5'
const H264 = '1.2.840.10008.1.2.4.102'

function tableOf(elements: WriteElement[], uid?: string): { table: FrameTable | null; bytes: Uint8Array } {
  const { dataSet, encoding, transferSyntax } = openPart10(memorySource(part10Of(elements, uid)))
  const pixel = pixelElement(readDataSet(dataSet, encoding))
  assert(pixel !== null)
  const table = frameTable(pixel, transferSyntax, dataSet)
  if (table !== null) assert.deepEqual(decodeFrameTable(encodeFrameTable(table)), table)
  return { table, bytes: dataSet.read(0, dataSet.size) }
}

/** Every frame's bytes as text, `-` for one that is not available. */
function framesOf(elements: WriteElement[], uid?: string): { by: string; frames: string[] } {
  const { table, bytes } = tableOf(elements, uid)
  assert(table !== null)
  const frames = Array.from({ length: table.count }, (_, index) => {
    const found = frameRanges(table, index + 1)
    if (found === undefined) return '-'
    return Buffer.concat(found.ranges.map(({ start, end }) => bytes.subarray(start, end))).toString('latin1')
  })
  return { by: table.kind === 'native' ? 'native' : table.foundBy, frames }
}

function dimensions(rows: number, columns: number, bits: number, frames?: number, samples = 1): WriteElement[] {
  return [
    el(0x00280002, 'US', String(samples)),
    ...(frames === undefined ? [] : [el(0x00280008, 'IS', String(frames))]),
    el(0x00280010, 'US', String(rows)),
    el(0x00280011, 'US', String(columns)),
    el(0x00280100, 'US', String(bits)),
  ]
}

function table32(...offsets: number[]): Uint8Array {
  const bytes = Buffer.alloc(offsets.length * 4)
  for (const [index, offset] of offsets.entries()) bytes.writeUInt32LE(offset >>> 0, index * 4)
  return bytes
}

function table64(...offsets: number[]): Uint8Array {
  const bytes = Buffer.alloc(offsets.length * 8)
  for (const [index, offset] of offsets.entries()) bytes.writeBigUInt64LE(BigInt(offset), index * 8)
  return bytes
}

const text = (value: string) => Buffer.from(value, 'latin1')
/** A fragment that begins like a JPEG codestream. */
const soi = (rest: string) => text(`\xff\xd8\xff${rest}`)
const NONE = new Uint8Array(0)

test('frames: native frames lie one after the other', () => {
  const elements = [...dimensions(1, 2, 8, 3), binary(0x7fe00010, 'OW', text('aabbcc'))]
  assert.deepEqual(framesOf(elements), { by: 'native', frames: ['aa', 'bb', 'cc'] })
})

test('frames: float pixels have their own element', () => {
  const elements = [...dimensions(1, 1, 32, 2), binary(0x7fe00008, 'OF', text('aaaabbbb'))]
  assert.deepEqual(framesOf(elements).frames, ['aaaa', 'bbbb'])
  const doubles = [...dimensions(1, 1, 64), binary(0x7fe00009, 'OD', text('aaaabbbb'))]
  assert.deepEqual(framesOf(doubles).frames, ['aaaabbbb'])
})

test('frames: uncompressed 4:2:2 has two samples per pixel', () => {
  const elements = [...dimensions(1, 2, 8, 2, 3), el(0x00280004, 'CS', 'YBR_FULL_422')]
  assert.deepEqual(framesOf([...elements, binary(0x7fe00010, 'OB', text('aaaabbbb'))]).frames, ['aaaa', 'bbbb'])
})

test('frames: what Pixel Data is too short for is not available', () => {
  const elements = [...dimensions(1, 2, 8, 3), binary(0x7fe00010, 'OW', text('aabb'))]
  assert.deepEqual(framesOf(elements).frames, ['aa', 'bb', '-'])
})

// 3 x 3 one-bit pixels: the second frame begins with the second bit of the second byte.
test('frames: bit-packed frames begin within a byte and are aligned on the way out', () => {
  const { table, bytes } = tableOf([
    ...dimensions(3, 3, 1, 2),
    binary(0x7fe00010, 'OB', Uint8Array.of(0xff, 0x55, 0x02)),
  ])
  assert(table !== null)
  const second = frameRanges(table, 2)
  assert(second !== undefined)
  assert.deepEqual([second.bitOffset, second.bitLength, second.length], [1, 9, 2])
  const { start, end } = second.ranges[0]!
  // Bits from the lowest: 1010 1010 | 0100 0000; without the first one 0101 0100 1.
  assert.deepEqual([...alignBits(bytes.subarray(start, end), 1, 9)], [0b00101010, 0b1])
})

test('frames: dimensions whose product is beyond 2^53 describe no frame', () => {
  const elements = [...dimensions(65535, 65535, 65535, 1, 65535), binary(0x7fe00010, 'OW', text('aa'))]
  assert.equal(tableOf(elements).table, null)
  assert.equal(tableOf([...dimensions(0, 4, 8), binary(0x7fe00010, 'OW', text('aa'))]).table, null)
})

const encapsulated: { name: string; elements: WriteElement[]; uid: string; by: string; frames: string[] }[] = [
  {
    name: 'one fragment per frame, no table',
    elements: [...dimensions(1, 1, 8, 2), fragments(NONE, text('aa'), text('bbbb'))],
    uid: RLE,
    by: 'one-per-frame',
    frames: ['aa', 'bbbb'],
  },
  {
    name: 'one frame in three fragments',
    elements: [...dimensions(1, 1, 8), fragments(NONE, text('aa'), text('bb'), text('cc'))],
    uid: JPEG,
    by: 'single',
    frames: ['aabbcc'],
  },
  {
    name: 'a table over several fragments',
    elements: [...dimensions(1, 1, 8, 2), fragments(table32(0, 22), soi('1'), text('aa'), soi('2'))],
    uid: JPEG,
    by: 'basic-table',
    frames: ['\xff\xd8\xff1aa', '\xff\xd8\xff2'],
  },
  {
    name: 'several fragments, no table, found by codestream',
    elements: [...dimensions(1, 1, 8, 2), fragments(NONE, soi('1'), text('aa'), soi('2'))],
    uid: JPEG,
    by: 'markers',
    frames: ['\xff\xd8\xff1aa', '\xff\xd8\xff2'],
  },
  {
    name: 'more fragments than frames and nothing to tell them by',
    elements: [...dimensions(1, 1, 8, 2), fragments(NONE, text('aa'), text('bb'), text('cc'))],
    uid: RLE,
    by: 'none',
    frames: ['-', '-'],
  },
  {
    name: 'a permuted table is not used',
    elements: [...dimensions(1, 1, 8, 2), fragments(table32(10, 0), text('aa'), text('bb'))],
    uid: RLE,
    by: 'one-per-frame',
    frames: ['aa', 'bb'],
  },
  {
    name: 'a table that points between fragments is not used',
    elements: [...dimensions(1, 1, 8, 2), fragments(table32(0, 16), soi('1'), text('aa'), soi('2'))],
    uid: JPEG,
    by: 'markers',
    frames: ['\xff\xd8\xff1aa', '\xff\xd8\xff2'],
  },
  {
    name: 'a table that points at the wrong fragment is not used',
    elements: [...dimensions(1, 1, 8, 2), fragments(table32(0, 12), soi('1'), text('aa'), soi('2'))],
    uid: JPEG,
    by: 'markers',
    frames: ['\xff\xd8\xff1aa', '\xff\xd8\xff2'],
  },
  {
    name: 'a table that wrapped at 32 bits is not used',
    elements: [...dimensions(1, 1, 8, 2), fragments(table32(0, 0), text('aa'), text('bb'))],
    uid: RLE,
    by: 'one-per-frame',
    frames: ['aa', 'bb'],
  },
  {
    name: 'a table for another number of frames is not used',
    elements: [...dimensions(1, 1, 8, 2), fragments(table32(0), text('aa'), text('bb'))],
    uid: RLE,
    by: 'one-per-frame',
    frames: ['aa', 'bb'],
  },
  {
    name: 'an extended table gives exact lengths',
    elements: [
      ...dimensions(1, 1, 8, 2),
      binary(0x7fe00001, 'OV', table64(0, 10)),
      binary(0x7fe00002, 'OV', table64(1, 2)),
      fragments(NONE, text('a\0'), text('bb')),
    ],
    uid: RLE,
    by: 'extended-table',
    frames: ['a', 'bb'],
  },
  {
    name: 'an extended table whose offsets lie is not used',
    elements: [
      ...dimensions(1, 1, 8, 2),
      binary(0x7fe00001, 'OV', table64(10, 0)),
      binary(0x7fe00002, 'OV', table64(1, 2)),
      fragments(NONE, text('a\0'), text('bb')),
    ],
    uid: RLE,
    by: 'one-per-frame',
    frames: ['a\0', 'bb'],
  },
  {
    name: 'lengths of an extended table that lie are not used',
    elements: [
      ...dimensions(1, 1, 8, 2),
      binary(0x7fe00001, 'OV', table64(0, 10)),
      binary(0x7fe00002, 'OV', table64(2, 200)),
      fragments(NONE, text('aa'), text('bb')),
    ],
    uid: RLE,
    by: 'extended-table',
    frames: ['aa', 'bb'],
  },
  {
    name: 'video is one stream whatever the frames',
    elements: [...dimensions(1, 1, 8, 50), fragments(NONE, text('aa'), text('bb'))],
    uid: H264,
    by: 'video',
    frames: ['aabb'],
  },
  {
    name: 'fewer fragments than frames',
    elements: [...dimensions(1, 1, 8, 3), fragments(NONE, soi('1'), soi('2'))],
    uid: JPEG,
    by: 'one-per-frame',
    frames: ['\xff\xd8\xff1', '\xff\xd8\xff2', '-'],
  },
  {
    name: 'no fragments',
    elements: [...dimensions(1, 1, 8, 2), fragments(NONE)],
    uid: JPEG,
    by: 'none',
    frames: ['-', '-'],
  },
]

for (const { name, elements, uid, by, frames } of encapsulated) {
  test(`frames: ${name}`, () => {
    assert.deepEqual(framesOf(elements, uid), { by, frames })
  })
}

test('frames: there is no frame 0, none behind the last, none between two', () => {
  const { table } = tableOf([...dimensions(1, 2, 8, 2), binary(0x7fe00010, 'OW', text('aabb'))])
  assert(table !== null)
  for (const number of [0, 3, -1, 1.5, Number.NaN]) assert.equal(frameRanges(table, number), undefined)
})

test('frames: a table cut or changed anywhere is a typed error or another table, never a crash', () => {
  const { table } = tableOf(
    [...dimensions(1, 1, 8, 2), fragments(table32(0, 22), soi('1'), text('aa'), soi('2'))],
    JPEG,
  )
  assert(table !== null)
  const bytes = encodeFrameTable(table)
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => decodeFrameTable(bytes.subarray(0, length)), DicomError)
  }
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice()
    changed[at] = changed[at]! ^ 0xff
    try {
      decodeFrameTable(changed)
    } catch (error) {
      assert(error instanceof DicomError)
    }
  }
})
