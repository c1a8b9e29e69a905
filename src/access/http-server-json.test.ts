import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ArchiveError } from '#errors.ts'
import { parseStrictJson } from './http-server-json.ts'

const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)

// What one reader drops and another keeps is how a check is passed with one value and acted on with another.
const refused: { name: string; text: string }[] = [
  { name: 'duplicate name', text: '{"a":1,"a":2}' },
  { name: 'duplicate name, escaped', text: '{"a":1,"\\u0061":2}' },
  { name: 'duplicate __proto__', text: '{"__proto__":1,"__proto__":2}' },
  { name: '65 levels', text: nested(65) },
  { name: '1,000,000 levels', text: nested(1_000_000) },
  { name: 'comma at the end', text: '[1,]' },
  { name: 'text after the end', text: '{} {}' },
  { name: 'nothing', text: '' },
  { name: 'single quotes', text: "{'a':1}" },
  { name: 'unfinished text', text: '"abc' },
  { name: 'unfinished escape', text: '"abc\\' },
  { name: 'raw line break', text: '"a\nb"' },
  { name: 'bad escape', text: '"\\x41"' },
  { name: 'NaN', text: '[NaN]' },
  { name: 'leading zero', text: '01' },
  { name: 'comment', text: '{/**/}' },
  { name: 'unfinished object', text: '{"a":1' },
]
for (const { name, text } of refused) {
  test(`JSON refused: ${name}`, () => {
    assert.throws(
      () => parseStrictJson(text, 64),
      (error) => error instanceof ArchiveError && error.code === 'request.malformed',
    )
  })
}

test('JSON: 64 levels pass', () => assert.ok(Array.isArray(parseStrictJson(nested(64), 64))))

test('JSON: __proto__ is a name like any other', () => {
  const value = parseStrictJson('{"__proto__":{"admin":true}}', 64) as Record<string, unknown>
  assert.equal(Object.getPrototypeOf(value), null)
  assert.equal((value as { admin?: boolean }).admin, undefined)
  assert.deepEqual(Object.keys(value), ['__proto__'])
})

test('JSON: reads what the platform reads', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const plain = (value: unknown) => JSON.stringify(value)
      let expected: string
      try {
        expected = plain(JSON.parse(text))
      } catch {
        return
      }
      if (/"(?:[^"\\]|\\.)*"\s*:/.test(text) && expected.length !== plain(JSON.parse(text)).length) return
      try {
        assert.equal(plain(parseStrictJson(text, 64)), expected)
      } catch (error) {
        if (!(error instanceof ArchiveError) || !error.message.includes('duplicate')) throw error
      }
    }),
    { numRuns: 300 },
  )
})
