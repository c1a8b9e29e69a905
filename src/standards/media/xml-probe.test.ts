import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { probeXml } from './xml-probe.ts'

const probe = (text: string) => probeXml(Buffer.from(text))

// Encodings are a way to hide a DTD from whoever searches for it; nesting and attributes are a way to use us up.
const cases: { name: string; bytes: Buffer; doctype: boolean; error: boolean; refused?: string }[] = [
  { name: 'plain', bytes: Buffer.from('<a/>'), doctype: false, error: false },
  { name: 'padded with NUL', bytes: Buffer.from('<a/>\0'), doctype: false, error: false },
  {
    name: 'Latin 1',
    bytes: Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe4</a>', 'latin1'),
    doctype: false,
    error: false,
  },
  { name: 'DTD', bytes: Buffer.from('<!DOCTYPE a><a/>'), doctype: true, error: false },
  {
    name: 'DTD in UTF-16 little endian',
    bytes: Buffer.from('<!DOCTYPE a><a/>', 'utf16le'),
    doctype: true,
    error: false,
  },
  {
    name: 'DTD in UTF-16 big endian',
    bytes: Buffer.from('\ufeff<!DOCTYPE a><a/>', 'utf16le').swap16(),
    doctype: true,
    error: false,
  },
  { name: 'DTD after a comment', bytes: Buffer.from('<!-- x --><!doctype a><a/>'), doctype: true, error: true },
  { name: 'undeclared entity', bytes: Buffer.from('<a>&b;</a>'), doctype: false, error: true },
  { name: 'not closed', bytes: Buffer.from('<a><b></a>'), doctype: false, error: true },
  {
    name: 'UTF-7',
    bytes: Buffer.from('<?xml version="1.0" encoding="utf-7"?><a/>'),
    doctype: false,
    error: false,
    refused: 'utf-7',
  },
  { name: 'EBCDIC', bytes: Buffer.from('4c6fa7949340a58599', 'hex'), doctype: false, error: true },
  { name: '256 levels', bytes: Buffer.from('<a>'.repeat(256) + '</a>'.repeat(256)), doctype: false, error: false },
  { name: '257 levels', bytes: Buffer.from('<a>'.repeat(257) + '</a>'.repeat(257)), doctype: false, error: true },
]
for (const { name, bytes, doctype, error, refused } of cases) {
  test(`xml: ${name}`, () => {
    const found = probeXml(bytes)
    assert.equal(found.doctype, doctype)
    assert.equal(found.error !== null, error, found.error ?? '')
    assert.equal(found.refusedEncoding, refused ?? null)
  })
}

test('xml: references by what a browser would do with them', () => {
  const found = probe(
    '<a><x href="java&#9;script:1"/><x href=" DATA:text/html,1"/><x src="http://h/i.png"/><x href="http://h/"/><x y="a:b"/></a>',
  )
  assert.equal(found.activeReferences.length, 2)
  assert.equal(found.remoteReferences.length, 1)
})

test('xml: base64 bodies with the type they claim', () => {
  const found = probe('<a><text mediaType="application/pdf" representation="B64">JVBE\nRi0=</text></a>')
  assert.deepEqual(found.bodies, [{ mediaType: 'application/pdf', base64: 'JVBE\nRi0=', path: 'a/text' }])
})
