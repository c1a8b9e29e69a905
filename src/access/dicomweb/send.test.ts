import assert from 'node:assert/strict'
import { test } from 'node:test'
import { coalesced, isNotModified, parseRange, RangedReads } from './send.ts'

const ranges: { header: string | undefined; is: ReturnType<typeof parseRange> }[] = [
  { header: undefined, is: undefined },
  { header: 'bytes=0-0', is: { start: 0, end: 1 } },
  { header: 'bytes=0-99', is: { start: 0, end: 100 } },
  { header: 'bytes=10-', is: { start: 10, end: 100 } },
  { header: 'bytes=-1', is: { start: 99, end: 100 } },
  { header: 'bytes=-1000', is: { start: 0, end: 100 } },
  { header: 'BYTES= 1 - 2 ', is: { start: 1, end: 3 } },
  { header: 'bytes=100-', is: 'unsatisfiable' },
  { header: 'bytes=-0', is: 'unsatisfiable' },
  { header: 'bytes=5-4', is: undefined },
  { header: 'bytes=-', is: undefined },
  { header: 'bytes=0-1,2-3', is: undefined },
  { header: 'bytes=a-b', is: undefined },
  { header: `bytes=${'9'.repeat(200)}-`, is: undefined },
]
for (const { header, is } of ranges) {
  test(`Range: ${header?.slice(0, 30)}`, () => assert.deepEqual(parseRange(header, 100), is))
}

for (const [header, is] of [
  ['"a"', true],
  ['W/"a"', true],
  ['"b", "a"', true],
  ['*', true],
  ['"b"', false],
  [undefined, false],
] as const) {
  test(`If-None-Match: ${header}`, () => assert.equal(isNotModified(header, '"a"'), is))
}

/** A store whose pieces begin with their position, which remembers how much was asked for at once. */
function counting(length: number) {
  const asked: number[] = []
  const segments = {
    async read(_: unknown, range?: { start: number; end: number }) {
      const { start, end } = range ?? { start: 0, end: length }
      asked.push(end - start)
      const bytes = new Uint8Array(end - start)
      bytes[0] = start & 255
      return bytes
    },
  }
  return { segments, asked, at: { segment: 's', offset: 0, length } }
}

test('pieces are the range asked for, whatever their size', async () => {
  const { segments, at } = counting(9_000_000)
  const reads = new RangedReads(segments)
  for (const [start, end] of [
    [0, 0],
    [3, 4],
    [100, 5_000_100],
  ] as const) {
    let position = start
    for await (const piece of reads.pieces(at, start, end)) {
      assert.equal(piece[0], position & 255)
      position += piece.byteLength
    }
    assert.equal(position, end)
  }
})

// 1,000 callers who read slowly must not hold 1,000 times the largest piece.
test('the more answers are under way, the smaller their pieces', async () => {
  const { segments, asked, at } = counting(100_000_000)
  const reads = new RangedReads(segments)
  const open = Array.from({ length: 500 }, () => reads.pieces(at, 0, at.length))
  for (const pieces of open) await pieces.next()
  assert.ok(asked.reduce((sum, bytes) => sum + bytes, 0) <= 300 * 1024 * 1024)
  assert.equal(asked.at(-1), 64 * 1024)
  for (const pieces of open) await pieces.return()
  assert.equal(reads.pieceBytes, 1024 * 1024)
})

test('a segment that is gone is damage, not an empty answer', async () => {
  const reads = new RangedReads({ read: async () => undefined })
  await assert.rejects(reads.read({ segment: 's', offset: 0, length: 5 }, 0, 5), { code: 'storage.damaged' })
})

test('small pieces travel together, large ones are not copied', () => {
  const large = Buffer.alloc(100)
  const joined = coalesced([Buffer.from('a'), Buffer.from('b'), large, Buffer.from('c')], 50)
  assert.equal(Buffer.concat(joined).length, 103)
  assert.equal(joined.length, 3)
  assert.equal(joined[1], large)
})
