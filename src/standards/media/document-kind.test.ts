import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memorySource } from '../byte-source.ts'
import { documentKindOf } from './document-kind.ts'

const bytes = (...parts: readonly (string | readonly number[])[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))))
const box = (type: string, body: string): Uint8Array => {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(8 + body.length)
  head.write(type, 4, 'latin1')
  return Buffer.concat([head, Buffer.from(body, 'latin1')])
}
const cda = (inner: string) =>
  `<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3">${inner}</ClinicalDocument>`
const template = (root: string, extension = '') =>
  `<templateId root="${root}"${extension === '' ? '' : ` extension="${extension}"`}/>`
const US = '2.16.840.1.113883.10.20.22.1.1'
const unstructured = (type: string) =>
  `<component><nonXMLBody><text mediaType="${type}" representation="B64">AA==</text></nonXMLBody></component>`
const stl = (triangles: number, length: number) => {
  const file = Buffer.alloc(length)
  file.write('solid made by a program')
  file.writeUInt32LE(triangles, 80)
  return file
}
const transport = (length: number, lead = 0) => {
  const file = Buffer.alloc(length * 8, 1)
  for (let at = lead; at < file.length; at += length) file.set([0x47, 0x40, 0x11, 0x10], at)
  return file
}

// One byte away from a kind must not be that kind; and what is no document must not become a text by accident.
const cases: readonly [name: string, content: Uint8Array | string, is: string | null][] = [
  ['PDF', '%PDF-1.7\n', 'pdf application/pdf'],
  ['PDF behind blanks', '\r\n %PDF-1.4\n', 'pdf application/pdf'],
  ['a text that mentions PDF', 'see %PDF-1.4', 'text text/plain'],
  ['PDF without its dash', '%PDF 1.7', 'text text/plain'],
  ['JPEG', bytes([0xff, 0xd8, 0xff, 0xe1, 0, 4, 0, 0]), 'jpeg image/jpeg'],
  ['JPEG-LS', bytes([0xff, 0xd8, 0xff, 0xf7, 0, 4, 0, 0]), null],
  ['JPEG that ends at once', bytes([0xff, 0xd8, 0xff, 0xd9]), null],
  ['PNG', bytes([0x89], 'PNG\r\n', [26], '\n', [0, 0, 0, 13]), 'png image/png'],
  ['PNG damaged by a text transfer', bytes([0x89], 'PNG\n', [26], '\n'), null],
  ['GIF', 'GIF89a\x01\x00', 'gif image/gif'],
  ['GIF of no version', 'GIF88a\x01\x00', null],
  ['TIFF', bytes('II', [42, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 'tiff image/tiff'],
  ['TIFF of mixed byte order', bytes('II', [0, 42, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), null],
  ['HEIC', box('ftyp', 'heic\0\0\0\0mif1heic'), 'heic image/heic heic'],
  ['HEIF by its brands', box('ftyp', 'mif1\0\0\0\0mif1heic'), 'heic image/heic heic'],
  ['HEIF of another codec', box('ftyp', 'mif1\0\0\0\0mif1miaf'), 'heic image/heif heif'],
  ['AVIF', box('ftyp', 'avif\0\0\0\0mif1avif'), 'heic image/avif avif'],
  ['MP4', box('ftyp', 'isom\0\0\x02\0isomiso2avc1mp41'), 'mp4 video/mp4'],
  ['QuickTime', box('ftyp', 'qt  \0\0\x02\0qt  '), 'quicktime video/quicktime'],
  ['QuickTime of old', box('wide', ''), 'quicktime video/quicktime'],
  ['boxes of an unknown brand', box('ftyp', 'zzzz\0\0\0\0zzzz'), null],
  ['ftyp longer than the file', bytes([0, 0, 1, 0], 'ftypisom'), null],
  [
    'program stream',
    bytes([0, 0, 1, 0xba, 0x44, 0, 4, 0, 4, 1, 1, 0x89, 0xc3, 0xf8]),
    'mpeg video/mpeg program-stream',
  ],
  ['program stream without marker bits', bytes([0, 0, 1, 0xba, 0x44, 0, 0, 0, 0, 0, 0, 0, 0]), null],
  ['video stream', bytes([0, 0, 1, 0xb3, 0x16, 0, 0xf0, 0x15, 0xff, 0xff, 0xe0, 0x18]), 'mpeg video/mpeg video-stream'],
  ['transport stream', transport(188), 'mpeg video/mp2t transport-stream'],
  ['transport stream with time stamps', transport(192, 4), 'mpeg video/mp2t transport-stream'],
  ['a G every 187 bytes', transport(187), null],
  ['text', 'Befund: unauffällig', 'text text/plain'],
  ['text in UTF-16', new Uint8Array(Buffer.from('\ufeffBefund', 'utf16le')), 'text text/plain'],
  ['text in UTF-16 without a mark', new Uint8Array(Buffer.from('Befund: unauffällig', 'utf16le')), 'text text/plain'],
  ['nothing', '', null],
  ['blanks', '  \r\n', null],
  ['random bytes', bytes([1, 2, 3, 0, 0, 5, 6, 200]), null],
  ['RTF', '{\\rtf1\\ansi hello}', 'rtf application/rtf'],
  ['a brace', '{note} see above', 'text text/plain'],
  ['HTML', '<!DOCTYPE html><html><p>hi', 'html text/html'],
  ['HTML without its head', '<!-- export --><table><tr><td>1</table>', 'html text/html'],
  ['XHTML', '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>', 'html text/html'],
  ['XML', '<?xml version="1.0"?><report><p>x</p></report>', 'xml text/xml'],
  ['SVG', '<svg xmlns="http://www.w3.org/2000/svg"/>', null],
  ['a text that begins with a sign', '< 5 mg', 'text text/plain'],
  ['CDA', cda('<id root="1.2"/>'), 'cda text/xml'],
  ['CDA of another namespace', '<ClinicalDocument xmlns="urn:other"/>', 'xml text/xml'],
  ['CDA with a document type', `<!DOCTYPE ClinicalDocument [<!ENTITY a "b">]>${cda('').slice(21)}`, 'xml text/xml'],
  ['ECG', '<AnnotatedECG xmlns="urn:hl7-org:v3"/>', 'aecg text/xml'],
  [
    'FHIR document',
    '{"resourceType":"Bundle","type":"document","entry":[]}',
    'fhir-document application/fhir+json json',
  ],
  [
    'FHIR document, type last',
    '{"entry":[{"type":"x","a":"}"}],"type":"document","resourceType":"Bundle"}',
    'fhir-document application/fhir+json json',
  ],
  ['FHIR transaction', '{"resourceType":"Bundle","type":"transaction"}', null],
  ['type only within', '{"resourceType":"Bundle","meta":{"type":"document"}}', null],
  [
    'FHIR document in XML',
    '<Bundle xmlns="http://hl7.org/fhir"><id value="1"/><type value="document"/></Bundle>',
    'fhir-document application/fhir+xml xml',
  ],
  ['FHIR transaction in XML', '<Bundle xmlns="http://hl7.org/fhir"><type value="transaction"/></Bundle>', null],
  ['other JSON', '{"a":[1,2,{"b":"c"}]}', null],
  ['a list', '[1] first, [2] second', 'text text/plain'],
  ['a message', 'MSH|^~\\&|A|B\rPID|1', null],
  ['a script', '#!/bin/sh\necho', null],
  ['a program', bytes('MZ', [0x90, 0, 3, 0, 0, 0]), null],
  ['an archive', bytes('PK', [3, 4, 20, 0, 0, 0]), null],
  ['DICOM', bytes(new Array<number>(128).fill(0), 'DICM', [2, 0, 0, 0]), null],
  ['STL', stl(2, 184), 'stl model/stl binary'],
  ['STL one byte longer', stl(2, 185), 'stl model/stl binary'],
  ['STL two bytes longer', stl(2, 186), null],
  ['STL without triangles', stl(0, 84), null],
  ['STL as text', 'solid a\nfacet normal 0 0 1\nouter loop\n', 'stl model/stl ascii'],
  ['a text about something solid', 'solid mass in the left lung', 'text text/plain'],
  ['OBJ', '# x\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n', 'obj model/obj'],
  ['OBJ without vertices', 'o a\ng b\ns off\n', 'text text/plain'],
  ['MTL', 'newmtl skin\nKd 1 0 0\n', 'mtl model/mtl'],
  ['v in a list of words', 'v 1\nb 2\nc 3\nd 4\n', 'text text/plain'],
]

for (const [name, content, is] of cases) {
  test(`document kind: ${name}`, () => {
    const found = documentKindOf(memorySource(typeof content === 'string' ? Buffer.from(content) : content))
    const told =
      found === null ? null : [found.word, found.mediaType, ...(found.form === null ? [] : [found.form])].join(' ')
    assert.equal(told, is)
  })
}

const formats: readonly [name: string, content: string, code: string][] = [
  [
    'C-CDA 2.1',
    cda(template(US, '2015-08-01') + '<component><structuredBody/></component>'),
    'urn:hl7-org:sdwg:ccda-structuredBody:2.1',
  ],
  [
    'C-CDA 1.1',
    cda(template(US) + '<component><structuredBody/></component>'),
    'urn:hl7-org:sdwg:ccda-structuredBody:1.1',
  ],
  ['C-CDA both releases', cda(template(US, '2015-08-01') + template(US)), 'urn:hl7-org:sdwg:ccda-structuredBody:2.1'],
  [
    'C-CDA unstructured',
    cda(template(US, '2015-08-01') + unstructured('application/pdf')),
    'urn:hl7-org:sdwg:ccda-nonXMLBody:2.1',
  ],
  [
    'scanned PDF',
    cda(template('1.3.6.1.4.1.19376.1.2.20') + unstructured('application/pdf')),
    'urn:ihe:iti:xds-sd:pdf:2008',
  ],
  [
    'scanned text',
    cda(template('1.3.6.1.4.1.19376.1.2.20') + unstructured('text/plain')),
    'urn:ihe:iti:xds-sd:text:2008',
  ],
  [
    'template of a section',
    cda(`<component><structuredBody>${template(US)}</structuredBody></component>`),
    'urn:ihe:iti:xds:2017:mimeTypeSufficient',
  ],
  ['no template', cda(''), 'urn:ihe:iti:xds:2017:mimeTypeSufficient'],
]

for (const [name, content, code] of formats) {
  test(`format code: ${name}`, () => {
    assert.equal(documentKindOf(memorySource(Buffer.from(content)))?.formatCode.code, code)
  })
}

test('document kind: nesting and size of hostile input cost little and throw nothing', () => {
  const hostile = [
    `<?xml version="1.0"?>${'<a>'.repeat(200_000)}`,
    `<a ${'b="c" '.repeat(100_000)}`,
    '['.repeat(2_000_000),
    '{"a":'.repeat(500_000),
    `{"resourceType":"Bundle","type":"${'x'.repeat(3_000_000)}`,
    '{\\rtf'.repeat(1000),
    '<'.repeat(1_000_000),
    'v 0 0 0\n'.repeat(500_000),
  ]
  const start = performance.now()
  for (const text of hostile) documentKindOf(memorySource(Buffer.from(text)))
  assert.ok(performance.now() - start < 5000)
})
