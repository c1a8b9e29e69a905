import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Preamble, readPreamble } from './preamble.ts'

// The exception for whole-slide files must not become a hole: one byte away from a TIFF mark is `other`.
const cases: { name: string; bytes: number[]; is: Preamble }[] = [
  { name: 'all zero', bytes: [], is: { kind: 'zero' } },
  {
    name: 'little-endian TIFF',
    bytes: [0x49, 0x49, 0x2a, 0, 8],
    is: { kind: 'tiff', byteOrder: 'II', big: false, firstIfdOffset: 8 },
  },
  {
    name: 'big-endian TIFF',
    bytes: [0x4d, 0x4d, 0, 0x2a, 0, 0, 1, 0],
    is: { kind: 'tiff', byteOrder: 'MM', big: false, firstIfdOffset: 256 },
  },
  {
    name: 'little-endian BigTIFF',
    bytes: [0x49, 0x49, 0x2b, 0, 8, 0, 0, 0, 16],
    is: { kind: 'tiff', byteOrder: 'II', big: true, firstIfdOffset: 16 },
  },
  {
    name: 'big-endian BigTIFF',
    bytes: [0x4d, 0x4d, 0, 0x2b, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16],
    is: { kind: 'tiff', byteOrder: 'MM', big: true, firstIfdOffset: 16 },
  },
  { name: 'BigTIFF with offsets of 4 bytes', bytes: [0x49, 0x49, 0x2b, 0, 4, 0, 0, 0, 16], is: { kind: 'other' } },
  { name: 'mixed byte order', bytes: [0x49, 0x49, 0, 0x2a, 8], is: { kind: 'other' } },
  { name: 'Windows executable', bytes: [0x4d, 0x5a, 0x90], is: { kind: 'other' } },
  { name: 'one stray byte', bytes: [...new Array(18).fill(0), 1], is: { kind: 'other' } },
]

for (const { name, bytes, is } of cases) {
  test(`preamble: ${name}`, () => {
    const preamble = new Uint8Array(128)
    preamble.set(bytes)
    assert.deepEqual(readPreamble(preamble), is)
  })
}

test('preamble: another length is the caller’s mistake', () => {
  assert.throws(() => readPreamble(new Uint8Array(127)), RangeError)
})
