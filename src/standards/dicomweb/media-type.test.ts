import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseMediaType, parseMediaTypes } from './media-type.ts'

// Clients quote or do not quote `type`, and put white space where they like: each row is one that was seen.
const readable: { text: string; essence: string; params: { [name: string]: string } }[] = [
  { text: 'application/dicom', essence: 'application/dicom', params: {} },
  {
    text: 'multipart/related; type="application/dicom"; boundary=abc',
    essence: 'multipart/related',
    params: { type: 'application/dicom', boundary: 'abc' },
  },
  {
    text: 'Multipart/Related ;TYPE=application/dicom+json;boundary = "a b;c=\\"d\\""',
    essence: 'multipart/related',
    params: { type: 'application/dicom+json', boundary: 'a b;c="d"' },
  },
  { text: 'image/jpeg;;transfer-syntax=1.2;', essence: 'image/jpeg', params: { 'transfer-syntax': '1.2' } },
  { text: 'a/b; x=1; x=2', essence: 'a/b', params: { x: '1' } },
]

for (const { text, essence, params } of readable) {
  test(`media type: ${text}`, () => {
    const read = parseMediaType(text)
    assert.equal(read?.essence, essence)
    assert.deepEqual(Object.fromEntries(read?.params ?? []), params)
  })
}

for (const text of ['', 'dicom', '/dicom', 'a/', 'a b/c', 'a/b c', `a/${'b'.repeat(5000)}`]) {
  test(`not a media type: ${text.slice(0, 20)}`, () => assert.equal(parseMediaType(text), undefined))
}

test('a list is ordered by weight, and what is refused is left out', () => {
  const types = parseMediaTypes('text/html;q=0.2, application/dicom+xml, image/png;q=0, rubbish, a/b;q=0.5')
  assert.deepEqual(
    types.map((type) => type.essence),
    ['application/dicom+xml', 'a/b', 'text/html'],
  )
})

test('a long header of repeated quotes is read in linear time', () => {
  const started = performance.now()
  parseMediaTypes(`${'"\\'.repeat(2000)},a/b`)
  assert.ok(performance.now() - started < 50)
})
