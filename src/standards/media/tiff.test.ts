import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { memorySource } from '../byte-source.ts'
import { readNumbers, readTiffHeader, TIFF_ENTRIES_MAX, TIFF_IFDS_MAX, walkTiff } from './tiff.ts'

/** A classic little-endian file of directories with the entries given, each pointing at the next. */
function chain(
  directories: readonly (readonly (readonly [tag: number, type: number, count: number, value: number])[])[],
): Buffer {
  const pieces = [Buffer.from('49492a0008000000', 'hex')]
  let at = 8
  directories.forEach((entries, index) => {
    const bytes = Buffer.alloc(6 + entries.length * 12)
    bytes.writeUInt16LE(entries.length, 0)
    entries.forEach(([tag, type, count, value], i) => {
      bytes.writeUInt16LE(tag, 2 + i * 12)
      bytes.writeUInt16LE(type, 4 + i * 12)
      bytes.writeUInt32LE(count, 6 + i * 12)
      bytes.writeUInt32LE(value, 10 + i * 12)
    })
    at += bytes.length
    if (index < directories.length - 1) bytes.writeUInt32LE(at, bytes.length - 4)
    pieces.push(bytes)
  })
  return Buffer.concat([...pieces, Buffer.alloc(16)])
}

function walked(bytes: Buffer) {
  const header = readTiffHeader(bytes)
  assert.ok(header !== null)
  const { ifds, problems } = walkTiff(memorySource(bytes), header)
  return { ifds: ifds.length, problems: problems.map(({ is }) => is) }
}

const width = [256, 3, 1, 5] as const
const entries = (count: number) => Array.from({ length: count }, (_, i) => [400 + i, 3, 1, 0] as const)

// Limits at the limit and one beyond; nothing is believed before it is compared with the bytes that are there.
const cases: { name: string; bytes: () => Buffer; is: { ifds: number; problems: string[] } }[] = [
  { name: 'one directory', bytes: () => chain([[width]]), is: { ifds: 1, problems: [] } },
  { name: 'no entries', bytes: () => chain([[]]), is: { ifds: 0, problems: ['stale'] } },
  { name: '256 entries', bytes: () => chain([entries(TIFF_ENTRIES_MAX)]), is: { ifds: 1, problems: [] } },
  { name: '257 entries', bytes: () => chain([entries(TIFF_ENTRIES_MAX + 1)]), is: { ifds: 0, problems: ['stale'] } },
  { name: '256 directories', bytes: () => chain(Array(TIFF_IFDS_MAX).fill([width])), is: { ifds: 256, problems: [] } },
  {
    name: '257 directories',
    bytes: () => chain(Array(TIFF_IFDS_MAX + 1).fill([width])),
    is: { ifds: 256, problems: ['limit'] },
  },
  { name: 'a type that is none', bytes: () => chain([[[256, 14, 1, 0]]]), is: { ifds: 0, problems: ['stale'] } },
  { name: 'tags out of order', bytes: () => chain([[[257, 3, 1, 0], width]]), is: { ifds: 0, problems: ['stale'] } },
  {
    name: 'a count past the end',
    bytes: () => chain([[[273, 4, 0xffffffff, 8]]]),
    is: { ifds: 0, problems: ['overflow'] },
  },
  { name: 'a SubIFD at itself', bytes: () => chain([[[330, 4, 1, 8]]]), is: { ifds: 1, problems: ['cycle'] } },
  { name: 'a SubIFD nowhere', bytes: () => chain([[[330, 4, 1, 9999]]]), is: { ifds: 1, problems: ['stale'] } },
]
for (const { name, bytes, is } of cases) {
  test(`tiff: ${name}`, () => assert.deepEqual(walked(bytes()), is))
}

test('tiff: headers', () => {
  const head = (hex: string) => readTiffHeader(Buffer.from(hex.padEnd(32, '0'), 'hex'))
  assert.deepEqual(head('49492a0008000000'), { littleEndian: true, big: false, firstIfd: 8, headerLength: 8 })
  assert.deepEqual(head('4d4d002a00000008'), { littleEndian: false, big: false, firstIfd: 8, headerLength: 8 })
  assert.deepEqual(head('49492b00080000001000000000000000'), {
    littleEndian: true,
    big: true,
    firstIfd: 16,
    headerLength: 16,
  })
  for (const hex of ['49494d00', '4d4d2a00', '49492b0004000000', '49492b0008000100']) assert.equal(head(hex), null, hex)
})

test('tiff: every cut of a file ends', () => {
  const bytes = chain([[width, [330, 4, 1, 26]], [width]])
  for (let cut = 16; cut < bytes.length; cut++) walked(bytes.subarray(0, cut))
  const header = readTiffHeader(bytes)
  assert.ok(header !== null)
  const [ifd] = walkTiff(memorySource(bytes), header).ifds
  assert.deepEqual(readNumbers(memorySource(bytes), header, ifd!.entries[0]!, 9), [5])
})
