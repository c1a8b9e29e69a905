import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { constants, deflateRawSync } from 'node:zlib'
import { memorySource } from '../byte-source.ts'
import { deflateDataSet, inflateDataSet } from './deflate.ts'
import { InflateError, Inflater } from './inflater.ts'
import { DEFAULT_LIMITS } from './limits.ts'

const MIB = 1024 * 1024

function inflate(deflated: Uint8Array, limits = DEFAULT_LIMITS) {
  const { source, end } = inflateDataSet(memorySource(deflated), 0, deflated.length, limits)
  return { bytes: Buffer.from(source.read(0, source.size)), end }
}

test('deflate: what was deflated comes back, and the pad byte is told from the stream', () => {
  const data = Buffer.from('0123456789'.repeat(1000))
  const deflated = deflateDataSet(data)
  assert.equal(deflated.length % 2, 0)
  const { bytes, end } = inflate(deflated)
  assert.deepEqual(bytes, data)
  assert.equal(end, deflateRawSync(data).length)
})

const refused: { name: string; deflated: Uint8Array; code: string }[] = [
  { name: 'no deflated bytes', deflated: Buffer.from('this is no deflated data set'), code: 'dicom.malformed' },
  { name: 'nothing', deflated: new Uint8Array(0), code: 'dicom.malformed' },
  {
    name: 'a stream that was cut',
    deflated: deflateRawSync(randomBytes(1000)).subarray(0, 500),
    code: 'dicom.malformed',
  },
  { name: 'a bomb', deflated: deflateRawSync(Buffer.alloc(16 * MIB)), code: 'dicom.limit' },
]

for (const { name, deflated, code } of refused) {
  test(`deflate: ${name} is ${code}`, () => {
    assert.throws(() => inflate(deflated), { name: 'DicomError', code })
  })
}

test('deflate: the ratio counts only after the first megabyte', () => {
  assert.equal(inflate(deflateRawSync(Buffer.alloc(MIB))).bytes.length, MIB)
  assert.throws(() => inflate(deflateRawSync(Buffer.alloc(MIB + 1))), { code: 'dicom.limit', rule: 'R6' })
})

test('deflate: ratio of the limit passes, one above does not', () => {
  const deflated = deflateRawSync(Buffer.alloc(2 * MIB))
  const limits = { ...DEFAULT_LIMITS, inflateRatio: Math.ceil((2 * MIB) / deflated.length) }
  assert.equal(inflate(deflated, limits).bytes.length, 2 * MIB)
  assert.throws(() => inflate(deflated, { ...limits, inflateRatio: limits.inflateRatio - 1 }), { rule: 'R6' })
})

// Above 64 MiB our own inflater takes over; it must say what zlib says.
const kinds: { name: string; data: Uint8Array; options: object }[] = [
  { name: 'stored blocks', data: randomBytes(200_000), options: { level: 0 } },
  { name: 'fixed codes', data: Buffer.from('abcabcabcd'.repeat(9000)), options: { strategy: constants.Z_FIXED } },
  {
    name: 'dynamic codes',
    data: Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) % 251)),
    options: { level: 9 },
  },
  {
    name: 'long distances',
    data: Buffer.concat([randomBytes(32_768), Buffer.alloc(700_000, 'x'), randomBytes(99)]),
    options: {},
  },
  { name: 'nothing', data: new Uint8Array(0), options: {} },
]

for (const { name, data, options } of kinds) {
  test(`inflater: ${name} as zlib reads them`, () => {
    const deflated = Buffer.concat([deflateRawSync(data, options), Buffer.from('tail')])
    const pieces: Buffer[] = []
    const inflater = new Inflater((bytes) => pieces.push(Buffer.from(bytes)))
    inflater.run((from, to) => deflated.subarray(from, to), 777)
    assert(Buffer.concat(pieces).equals(data))
    assert.equal(inflater.consumed, deflated.length - 4)
  })
}

test('inflater: every cut of a stream is an error', () => {
  const deflated = deflateRawSync(Buffer.from('a short text, a short text, and a little more of a text'))
  for (let length = 0; length < deflated.length; length++) {
    const inflater = new Inflater(() => {})
    assert.throws(() => inflater.run((from, to) => deflated.subarray(from, Math.min(to, length)), 64), InflateError)
  }
})

test('inflater: random bytes are an error or a text, never a crash', () => {
  let seed = 1
  for (let round = 0; round < 2000; round++) {
    const bytes = Uint8Array.from({ length: 64 }, () => {
      seed = (seed * 48271) % 0x7fffffff
      return seed & 0xff
    })
    try {
      new Inflater(() => {}).run((from, to) => bytes.subarray(from, to), 16)
    } catch (error) {
      assert(error instanceof InflateError)
    }
  }
})

test('deflate: more than memory takes goes to the sink, and the ratio is counted on the way', () => {
  // A ratio the limit allows, so that only the size of the output decides.
  const data = Buffer.alloc(65 * MIB)
  for (let i = 0; i < data.length; i += 4096) data.writeUInt32LE(Math.imul(i, 2654435761) >>> 0, i)
  const deflated = deflateRawSync(data, { level: 1 })
  let written = 0
  let first = 0
  const sink = () => ({
    write(bytes: Uint8Array) {
      first = written === 0 ? bytes[0]! : first
      written += bytes.length
    },
    finish: () => memorySource(new Uint8Array(0)),
  })
  const limits = { ...DEFAULT_LIMITS, inflateRatio: 2000 }
  inflateDataSet(memorySource(deflated), 0, deflated.length, limits, sink)
  assert.equal(written, data.length)
  assert.throws(() => inflateDataSet(memorySource(deflated), 0, deflated.length, limits), { code: 'dicom.limit' })
  const few = { ...limits, inflatedBytesMax: 65 * MIB - 1 }
  assert.throws(() => inflateDataSet(memorySource(deflated), 0, deflated.length, few, sink), { code: 'dicom.limit' })
})
