import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Framed, frame, MllpFramer } from './mllp.ts'

const text = (framed: readonly Framed[]) =>
  framed.map((one) =>
    one.is === 'message' ? Buffer.from(one.bytes).toString() : `${one.why}:${Buffer.from(one.head).toString()}`,
  )

// A framer that loses count of messages answers the wrong one, and the sender believes it.
const cases: { name: string; stream: string; is: string[]; max?: number; end?: string[] }[] = [
  { name: 'one message', stream: '\x0bMSH|1\x1c\r', is: ['MSH|1'] },
  { name: 'two in one read', stream: '\x0bA\x1c\r\x0bB\x1c\r', is: ['A', 'B'] },
  { name: 'end block without its CR', stream: '\x0bA\x1c\x0bB\x1c', is: ['A', 'B'] },
  { name: 'end block with LF', stream: '\x0bA\x1c\n\x0bB\x1c\r\n', is: ['A', 'B'] },
  { name: 'no start block', stream: 'MSH|1\x1c\rMSH|2\x1c\r', is: ['MSH|1', 'MSH|2'] },
  { name: 'noise between', stream: 'xxMSMSHa\x1c\r\n\n--\x0bB\x1c\r', is: ['MSHa', 'B'] },
  { name: 'no end block', stream: '\x0bA\x0bB\x1c\r', is: ['restarted:A', 'B'] },
  { name: 'empty', stream: '\x0b\x1c\r', is: [''] },
  { name: 'two start blocks', stream: '\x0b\x0bA\x1c\r', is: ['A'] },
  { name: 'exactly the limit', stream: '\x0b12345\x1c\r', is: ['12345'], max: 5 },
  { name: 'over the limit', stream: '\x0b123456\x1c\r\x0bB\x1c\r', is: ['oversized:12345', 'B'], max: 5 },
  { name: 'the stream ends', stream: '\x0bA\x1c\r\x0bBC', is: ['A'], end: ['ended:BC'] },
  { name: 'only noise', stream: 'GET / HTTP/1.1\r\n\r\n', is: [] },
]

for (const { name, stream, is, max = 100, end = [] } of cases) {
  const bytes = Buffer.from(stream, 'latin1')
  for (const size of [1, 2, 3, bytes.length]) {
    test(`MLLP: ${name}, ${size} bytes at a time`, () => {
      const framer = new MllpFramer(max)
      const found: Framed[] = []
      for (let at = 0; at < bytes.length; at += size) found.push(...framer.push(bytes.subarray(at, at + size)))
      const heads = (list: string[]) => list.map((one) => (one.startsWith('oversized') ? 'oversized' : one))
      assert.deepEqual(heads(text(found)), heads(is))
      assert.deepEqual(text(framer.end()), end)
      assert.deepEqual(framer.end(), [])
    })
  }
}

test('MLLP: bytes of an oversized message are not held', () => {
  const framer = new MllpFramer(1000)
  const chunk = Buffer.alloc(64 * 1024, 0x41)
  framer.push(Buffer.of(0x0b))
  let broken = 0
  for (let i = 0; i < 100; i++) broken += framer.push(chunk).length
  assert.equal(broken, 1)
  assert.ok(framer.held <= 4096, `${framer.held} bytes held`)
})

test('MLLP: a message of single bytes takes little more than its size', () => {
  const framer = new MllpFramer(1 << 20)
  framer.push(Buffer.of(0x0b))
  const byte = Buffer.of(0x41)
  for (let i = 0; i < 300_000; i++) framer.push(byte)
  assert.ok(framer.held <= 600_000, `${framer.held} bytes held`)
})

test('MLLP: what is framed is found again', () => {
  const framer = new MllpFramer(100)
  assert.deepEqual(text(framer.push(frame(Buffer.from('MSH|^~\\&')))), ['MSH|^~\\&'])
})
