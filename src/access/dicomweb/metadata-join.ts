import { crc32 } from 'node:zlib'
import type { MetadataChunk } from '#model/archive-object.ts'

/** x^0 and the CRC-32 polynomial, both bit-reversed as zlib keeps them. */
const ONE = 0x80000000
const POLYNOMIAL = 0xedb88320

/** Product of two polynomials over GF(2), modulo the CRC-32 polynomial. */
function multiply(a: number, b: number): number {
  let product = 0
  let factor = b >>> 0
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= factor
    factor = (factor & 1) !== 0 ? (factor >>> 1) ^ POLYNOMIAL : factor >>> 1
  }
  return product >>> 0
}

/** x^(2^n), n from 0 to 31. */
const squares: number[] = [0x40000000]
for (let n = 1; n < 32; n++) squares.push(multiply(squares[n - 1]!, squares[n - 1]!))

const operators = new Map<number, number>()
const OPERATORS_MAX = 4096

/** What moves a checksum past `length` bytes: x^(8 length). Lengths repeat within a series, so operators are kept. */
function operatorFor(length: number): number {
  const kept = operators.get(length)
  if (kept !== undefined) return kept
  let operator = ONE
  let left = length
  for (let n = 3; left > 0; n++) {
    if (left % 2 === 1) operator = multiply(squares[n & 31]!, operator)
    left = Math.floor(left / 2)
  }
  if (operators.size >= OPERATORS_MAX) operators.clear()
  operators.set(length, operator)
  return operator
}

/** CRC-32 of two byte strings one after the other, from their checksums and the length of the second in bytes. */
export function combineCrc32(first: number, second: number, secondLength: number): number {
  return (multiply(operatorFor(secondLength), first) ^ second) >>> 0
}

// RFC 1952: deflate, no name, no time, unknown system.
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])
/** One byte as a stored deflate block that is not the last (RFC 1951 section 3.2.4). */
const stored = (text: string): Buffer => Buffer.from([0, 1, 0, 0xfe, 0xff, text.charCodeAt(0)])
const OPEN = stored('[')
const COMMA = stored(',')
const CLOSE = stored(']')
const COMMA_CRC = crc32(',')
const CLOSE_CRC = crc32(']')
/** An empty final block with fixed codes. */
const FINAL = Buffer.from([3, 0])

/** Length in bytes of the JSON array the chunks make. */
export function joinedLength(chunks: readonly MetadataChunk[]): number {
  let length = 2 + Math.max(0, chunks.length - 1)
  for (const { rawLength } of chunks) length += rawLength
  return length
}

/**
 * The JSON array of all chunks as **one** gzip member, without inflating any: chunks are raw deflate ended by a flush,
 * so they can stand one after the other, and their checksums combine. Several members would be legal gzip and are cut
 * short by Chromium and refused by curl. Each piece is one chunk at most; nothing is copied.
 */
export function joinAsGzip(chunks: readonly MetadataChunk[]): Uint8Array[] {
  const pieces: Uint8Array[] = [GZIP_HEADER, OPEN]
  let crc = crc32('[')
  chunks.forEach((chunk, i) => {
    if (i > 0) {
      pieces.push(COMMA)
      crc = combineCrc32(crc, COMMA_CRC, 1)
    }
    pieces.push(chunk.deflated)
    crc = combineCrc32(crc, chunk.crc32, chunk.rawLength)
  })
  crc = combineCrc32(crc, CLOSE_CRC, 1)
  const trailer = Buffer.alloc(8)
  trailer.writeUInt32LE(crc, 0)
  trailer.writeUInt32LE(joinedLength(chunks) % 2 ** 32, 4)
  pieces.push(CLOSE, FINAL, trailer)
  return pieces
}
