import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import { cursorKeys, cursorText, keyBehind } from './cursor.ts'

const malformed = (error: unknown) => error instanceof ArchiveError && error.code === 'request.malformed'
const raw = (text: string) => Buffer.from(text).toString('base64url')

test('a cursor goes on where it was given', () => {
  assert.deepEqual(cursorKeys('patients', cursorText('patients', ['DOE^J\nÄ', 7]), ['', 0]), ['DOE^J\nÄ', 7])
  assert.equal(keyBehind('jobs', cursorText('jobs', [42])), 42)
  assert.equal(keyBehind('jobs', undefined), undefined)
})

// A made-up cursor that began anew, or ended the list, would be taken for an answer.
for (const [name, cursor] of Object.entries({
  empty: '',
  'a number': '5',
  'no base64': '€€',
  'one of another list': cursorText('arrivals', [5]),
  'one of another order': cursorText('jobs', ['a', 5]),
  'a text for a number': cursorText('jobs', ['5']),
  'without its checksum': raw('["jobs",5]'),
  'with the checksum of another': raw(
    `${
      Buffer.from(cursorText('jobs', [5]), 'base64url')
        .toString()
        .split(' ')[0]
    } ["jobs",6]`,
  ),
  'no JSON': raw('0 '),
  'cut off': cursorText('jobs', [123456]).slice(0, -4),
})) {
  test(`a cursor nobody gave is malformed: ${name}`, () => {
    assert.throws(() => keyBehind('jobs', cursor), malformed)
  })
}
