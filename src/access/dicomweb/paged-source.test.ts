import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EXPLICIT_LE } from '#standards/dicom/encoding.ts'
import { findValues, parseBulkPath } from './bulk-path.ts'
import { PagedSource } from './paged-source.ts'
import { RangedReads } from './send.ts'

/** Element header of explicit VR little endian with a 32-bit length. */
function element(tag: number, vr: string, length: number): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt16LE(tag >>> 16, 0)
  bytes.writeUInt16LE(tag & 0xffff, 2)
  bytes.write(vr, 4)
  bytes.writeUInt32LE(length, 8)
  return bytes
}

function item(length: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt16LE(0xfffe, 0)
  bytes.writeUInt16LE(0xe000, 2)
  bytes.writeUInt32LE(length, 4)
  return bytes
}

const large = 3_000_000
const inner = Buffer.concat([element(0x54001010, 'OW', 4), Buffer.from('wave')])
const dataSet = Buffer.concat([
  element(0x00420011, 'OB', large),
  Buffer.alloc(large, 7),
  element(0x54000100, 'SQ', 2 * (8 + inner.length)),
  item(inner.length),
  inner,
  item(inner.length),
  inner,
  element(0x7fe00010, 'OW', large),
  Buffer.alloc(large, 9),
  element(0xfffcfffc, 'OB', 2),
  Buffer.alloc(2),
])

function opened() {
  let bytes = 0
  const reads = new RangedReads({
    async read(_, range) {
      const { start, end } = range ?? { start: 0, end: dataSet.length }
      bytes += end - start
      return dataSet.subarray(start, end)
    },
  })
  const at = { segment: 's', offset: 0, length: dataSet.length }
  return { source: new PagedSource(reads, at), read: () => bytes }
}

// The parser reads synchronously and the store does not: what matters is that only headers are fetched.
test('values behind large ones are found without reading those', async () => {
  const { source, read } = opened()
  const wanted = new Set(['54000100/1/54001010', '7FE00010', '00420011'])
  const found = await source.run((paged) => findValues(paged, EXPLICIT_LE, wanted))
  assert.deepEqual(
    [...found].map(([path, { length, vr }]) => [path, vr, length]),
    [
      ['00420011', 'OB', large],
      ['54000100/1/54001010', 'OW', 4],
      ['7FE00010', 'OW', large],
    ],
  )
  const wave = found.get('54000100/1/54001010')
  assert.equal(dataSet.toString('latin1', wave?.offset, (wave?.offset ?? 0) + 4), 'wave')
  assert.ok(read() < 1_000_000, `${read()} bytes were read`)
})

test('what is not there is not found, whatever the path resembles', async () => {
  const { source } = opened()
  const wanted = new Set(['54000100/2/54001010', '54001010', '54000100/0/00420011', '00420011/0/54001010', '54000100'])
  assert.equal((await source.run((paged) => findValues(paged, EXPLICIT_LE, wanted))).size, 0)
})

test('reads across pages, at the end and beyond', async () => {
  const { source } = opened()
  for (const [start, end] of [
    [0, 10],
    [65_530, 65_550],
    [65_536, 131_072],
    [100, 300_000],
    [dataSet.length - 5, dataSet.length + 5],
    [dataSet.length, dataSet.length + 1],
    [-5, 5],
  ] as const) {
    const bytes = await source.run((paged) => Buffer.from(paged.read(start, end)))
    assert.ok(bytes.equals(dataSet.subarray(Math.max(0, start), end)), `${start} to ${end}`)
  }
})

test('a parser that wants everything is told no, and not given a heap of memory', async () => {
  const at = { segment: 's', offset: 0, length: 1e12 }
  const paged = new PagedSource(
    new RangedReads({ read: async (_, range) => new Uint8Array((range?.end ?? 0) - (range?.start ?? 0)) }),
    at,
  )
  const greedy = paged.run((source) => {
    for (let offset = 0; offset < source.size; offset += 1e6) source.read(offset, offset + 8)
  })
  await assert.rejects(greedy, { code: 'dicom.limit' })
})

const paths: { text: string; is: string | undefined }[] = [
  { text: '7fe00010', is: '7FE00010' },
  { text: '54000100/0/54001010', is: '54000100/0/54001010' },
  { text: '54000100/00/54001010', is: '54000100/0/54001010' },
  { text: '54000100/0', is: undefined },
  { text: '54000100/x/54001010', is: undefined },
  { text: '54000100//54001010', is: undefined },
  { text: '7FE0001', is: undefined },
  { text: '../../etc', is: undefined },
  { text: `${'54000100/0/'.repeat(200)}54001010`, is: undefined },
]
for (const { text, is } of paths) {
  test(`bulk path ${text.slice(0, 40)}`, () => assert.equal(parseBulkPath(text), is))
}
