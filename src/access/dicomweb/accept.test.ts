import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseJsonOrXml, parseAccept, weightOf } from './accept.ts'

function shown(header: string | undefined, query: string | null = null): string[] {
  return parseAccept(header, query).map(
    ({ type, subtype, params, q }) => `${type}/${subtype}${[...params].map(([n, v]) => `;${n}=${v}`).join('')} ${q}`,
  )
}

// A header read wrongly is a viewer that shows nothing: real clients quote, forget to quote, and weigh.
const headers: { name: string; header?: string; query?: string; is: string[] }[] = [
  { name: 'absent', is: [] },
  { name: 'empty', header: ' ', is: [] },
  {
    name: 'quoted and weighed',
    header: 'application/json;q=0.5, multipart/related; type="application/dicom+xml"; transfer-syntax=*',
    is: ['multipart/related;type=application/dicom+xml;transfer-syntax=* 1', 'application/json 0.5'],
  },
  {
    name: 'comma and semicolon inside quotes',
    header: 'a/b; x="1,2;3\\"4", c/d',
    is: ['a/b;x=1,2;3"4 1', 'c/d 1'],
  },
  {
    name: 'unquoted type parameter',
    header: 'multipart/related; type=application/octet-stream',
    is: ['multipart/related;type=application/octet-stream 1'],
  },
  { name: 'upper case', header: 'Application/DICOM+JSON; Q=0.3', is: ['application/dicom+json 0.3'] },
  { name: 'one bad range among good ones', header: 'html, */json, image/*;q=2', is: ['image/* 1'] },
  { name: 'query wins', header: 'image/png', query: 'image/jpeg', is: ['image/jpeg 1'] },
  { name: 'plus sign eaten by form decoding', query: 'application/dicom json', is: ['application/dicom+json 1'] },
  { name: 'refusal stands last', header: 'a/b;q=0, c/d;q=0.1', is: ['c/d 0.1', 'a/b 0'] },
]

for (const { name, header, query, is } of headers) {
  test(`accept: ${name}`, () => assert.deepEqual(shown(header, query ?? null), is))
}

// The limits keep a hostile header from costing more than a friendly one.
const refused: { name: string; header: string }[] = [
  { name: 'nothing readable', header: 'json' },
  { name: 'too long', header: `a/b;x=${'y'.repeat(9000)}` },
  { name: 'too many ranges', header: Array.from({ length: 65 }, () => 'a/b').join() },
  { name: 'too many parameters', header: `a/b${';x=1'.repeat(17)}` },
]

for (const { name, header } of refused) {
  test(`accept refused: ${name}`, () => {
    assert.throws(() => parseAccept(header, null), { code: 'request.malformed' })
  })
}

const forms: { header: string | undefined; is: string | undefined }[] = [
  { header: undefined, is: 'application/dicom+json' },
  { header: '*/*', is: 'application/dicom+json' },
  { header: 'application/*', is: 'application/dicom+json' },
  { header: 'application/json', is: 'application/json' },
  { header: 'text/html, application/json;q=0.9, */*;q=0.1', is: 'application/json' },
  { header: 'multipart/related; type="application/dicom+xml"', is: 'xml' },
  { header: 'multipart/related', is: undefined },
  { header: 'multipart/related, application/json;q=0.1', is: 'application/json' },
  { header: 'application/dicom+xml', is: 'xml' },
  { header: 'multipart/related; type="application/dicom+xml";q=0.5, application/dicom+json;q=0.4', is: 'xml' },
  { header: 'multipart/related; type="application/dicom"', is: undefined },
  { header: 'image/png', is: undefined },
  { header: 'application/dicom+json;q=0', is: undefined },
  { header: '*/*, application/dicom+json;q=0', is: 'application/json' },
]

for (const { header, is } of forms) {
  test(`search form for ${header}`, () => {
    const form = chooseJsonOrXml(parseAccept(header, null))
    assert.equal(form?.is === 'json' ? form.contentType : form?.is, is)
  })
}

test('the most specific range gives the weight', () => {
  const ranges = parseAccept('*/*;q=0.1, image/*;q=0.2, image/png;q=0.3', null)
  assert.deepEqual(
    [weightOf(ranges, 'image', 'png'), weightOf(ranges, 'image', 'gif'), weightOf(ranges, 'a', 'b')],
    [0.3, 0.2, 0.1],
  )
})
