import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitJson } from './stow-json.ts'

// One data set that cannot be read must not take the others with it, and a bracket in a text is no bracket.
const cases: { text: string; pieces: string[] }[] = [
  { text: '[{"a":1},{"b":[{"c":{}}]}]', pieces: ['{"a":1}', '{"b":[{"c":{}}]}'] },
  { text: ' {"a":{"b":2}} ', pieces: ['{"a":{"b":2}}'] },
  { text: '[ {"a":"}]\\"{["} , {"b":"\\\\"} ]', pieces: ['{"a":"}]\\"{["}', '{"b":"\\\\"}'] },
  { text: '[{"a":1},{bad},{"c":3}]', pieces: ['{"a":1}', '{bad}', '{"c":3}'] },
  { text: '[]', pieces: ['[]'] },
  { text: '"x"', pieces: ['"x"'] },
  { text: '[{"a":1}', pieces: ['[{"a":1}'] },
  { text: '', pieces: [''] },
]
for (const { text, pieces } of cases) {
  test(`data sets of ${text}`, () => {
    assert.deepEqual(
      splitJson(Buffer.from(text)).map((piece) => Buffer.from(piece).toString()),
      pieces,
    )
  })
}
