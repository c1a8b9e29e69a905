import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { memorySource } from '../byte-source.ts'
import { type DocumentType, tellDocumentType } from './document-type.ts'

const stl = Buffer.concat([Buffer.alloc(80, 'solid'), Buffer.from([2, 0, 0, 0]), Buffer.alloc(100, 1)])
const ftyp = (...brands: readonly string[]) => {
  const body = Buffer.from(`ftyp${brands[0]}\0\0\0\0${brands.slice(1).join('')}`, 'latin1')
  return Buffer.concat([Buffer.from([0, 0, 0, body.length + 4]), body])
}

// By this it is decided what may be wrapped: a CDA that passes for plain XML would be.
const rows: { name: string; bytes: string | Uint8Array; is: DocumentType['is'] | null; mediaType?: string }[] = [
  { name: 'PDF behind a little junk', bytes: 'junk\n%PDF-1.7', is: 'pdf' },
  { name: 'PDF too far behind', bytes: `${' x'.repeat(600)}%PDF-1.7`, is: 'text' },
  { name: 'CDA', bytes: '<?xml version="1.0"?>\n<!-- <a> -->\n<ClinicalDocument>', is: 'cda' },
  {
    name: 'CDA behind a style sheet',
    bytes: '<?xml-stylesheet href="a.xsl"?><n1:ClinicalDocument xmlns:n1="urn:hl7-org:v3">',
    is: 'cda',
  },
  { name: 'CDA that calls itself PDF in a comment', bytes: '<!-- %PDF-1.4 --><ClinicalDocument/>', is: 'cda' },
  { name: 'CDA in UTF-16', bytes: Buffer.from('\ufeff<ClinicalDocument/>', 'utf16le'), is: 'cda' },
  { name: 'CDA with a byte order mark', bytes: '\ufeff<ClinicalDocument/>', is: 'cda' },
  { name: 'XML that speaks of CDA', bytes: '<letter>ClinicalDocument</letter>', is: 'xml' },
  { name: 'a comment that never ends', bytes: `<!--${'<!--'.repeat(16_000)}`, is: null },
  { name: 'aECG', bytes: '<AnnotatedECG xmlns="urn:hl7-org:v3">', is: 'aecg' },
  { name: 'FHIR XML', bytes: '<Patient xmlns="http://hl7.org/fhir">', is: 'fhir', mediaType: 'application/fhir+xml' },
  { name: 'FHIR JSON', bytes: '{ "resourceType" : "Bundle" }', is: 'fhir', mediaType: 'application/fhir+json' },
  { name: 'HTML', bytes: '<!DOCTYPE html><html>', is: 'html' },
  { name: 'RTF', bytes: '{\\rtf1 a}', is: 'rtf' },
  { name: 'binary STL', bytes: stl, is: 'stl' },
  { name: 'binary STL cut short', bytes: stl.subarray(0, -1), is: null },
  { name: 'text STL', bytes: 'solid x\n facet normal', is: 'stl' },
  { name: 'OBJ', bytes: '# made\nv 0 -1.5 .5\nf 1 1 1\n', is: 'obj' },
  { name: 'MTL', bytes: 'newmtl a\nKd 1 1 1\n', is: 'mtl' },
  { name: 'a letter', bytes: 'v is a letter\n', is: 'text' },
  { name: 'MP4', bytes: ftyp('isom', 'mp42'), is: 'mp4' },
  { name: 'HEIC', bytes: ftyp('heic', 'mif1'), is: 'heic' },
  { name: 'QuickTime', bytes: ftyp('qt  ', 'qt  '), is: 'quicktime' },
  { name: 'nothing', bytes: '', is: null },
  { name: 'noise', bytes: Uint8Array.from({ length: 100 }, (_, at) => (at * 37) & 255), is: null },
]

for (const { name, bytes, is, mediaType } of rows) {
  test(`document type: ${name}`, () => {
    const told = tellDocumentType(memorySource(Buffer.from(bytes)))
    assert.equal(told?.is ?? null, is)
    if (mediaType !== undefined) assert.equal(told?.mediaType, mediaType)
  })
}
