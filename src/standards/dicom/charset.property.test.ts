import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeText, encodeText, splitValues } from './charset.ts'

const TERMS = [
  '',
  'ISO_IR 100',
  'ISO_IR 13',
  'ISO 2022 IR 87',
  'ISO 2022 IR 149',
  'ISO 2022 IR 58',
  'ISO_IR 192',
  'GB18030',
  'GBK',
  'ISO 2022 IR 144',
  'SJIS',
  'x',
]
const anyCharsets = fc.array(fc.constantFrom(...TERMS), { maxLength: 4 })
const anyKind = fc.constantFrom('text', 'pn', 'single')
/** Bytes in which escape sequences and delimiters are frequent. */
const anyBytes = fc
  .array(
    fc.oneof(
      fc.nat(255).map((byte) => [byte]),
      fc.constantFrom(
        ...['\x1b$B', '\x1b(B', '\x1b$)C', '\x1b-L', '\\', '^', '=', '\r\n'].map((text) => [
          ...Buffer.from(text, 'latin1'),
        ]),
      ),
    ),
  )
  .map((parts) => Uint8Array.from(parts.flat()))

test('charset: no bytes make it throw, and cutting loses none', () => {
  fc.assert(
    fc.property(anyBytes, anyCharsets, anyKind, (input, charsets, kind) => {
      decodeText(input, charsets, kind)
      const values = splitValues(input, charsets)
      assert.equal(values.reduce((sum, value) => sum + value.length, 0) + values.length - 1, input.length)
    }),
    { numRuns: 2000, seed: 5 },
  )
})

test('charset: what it writes it reads', () => {
  const letters = fc.string({ unit: fc.constantFrom(...'aZ ^=ﾔﾏ山田やまだ길동张东äéЛк中文'), maxLength: 20 })
  fc.assert(
    fc.property(letters, anyCharsets, anyKind, (text, charsets, kind) => {
      const written = encodeText(text, charsets, kind)
      if (written !== undefined) assert.equal(decodeText(written, charsets, kind), text)
    }),
    { numRuns: 3000, seed: 5 },
  )
})
