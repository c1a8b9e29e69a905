import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { type Elements, part10 } from '../../../test/fixtures/dicom-builder.ts'
import { cdaObject, cdaXml, modelObject, pdfObject, stl } from '../../../test/fixtures/objects.ts'
import { PDFS, plainPdf } from '../../../test/fixtures/pdf.ts'
import { elfHeader, mzHeader, peFile, zip } from '../../../test/fixtures/programs.ts'
import { judge, type VerdictRow } from '../../../test/support/screening-fixture.ts'

const of = (elements: Elements) => () => part10({ elements })
const pdf = (name: string) => of(pdfObject((PDFS[name] as () => Uint8Array)()))
const typed = (type: string, bytes: Uint8Array) => of({ ...pdfObject(bytes), MIMETypeOfEncapsulatedDocument: type })
const cda = (more: { head?: string; body?: string }) => of(cdaObject(cdaXml(more)))
const b64 = (type: string, bytes: Uint8Array) =>
  cda({
    body: `<observationMedia><value mediaType="${type}" representation="B64">${Buffer.from(bytes).toString('base64')}</value></observationMedia>`,
  })
const quarantined = (names: readonly string[], rule: string): VerdictRow[] =>
  names.map((name) => ({ name: `${rule}: ${name}`, bytes: pdf(name), verdict: 'quarantine', rule }))
const accepted = (names: readonly string[], rule: string): VerdictRow[] =>
  names.map((name) => ({ name: `${rule}: ${name}`, bytes: pdf(name), verdict: 'accept' }))

/** A PDF whose text mentions what D1 looks for, in places where it is only text. */
function talking(): Uint8Array {
  return plainPdf(['The word /JavaScript in a text (and /Launch too).', 'http://example.org/JS'])
}

// Rows D1 to D12: legal records are accepted unchanged unless the row says otherwise.
const rows: VerdictRow[] = [
  ...quarantined(
    [
      'javascript',
      'javascript-hex-name',
      'javascript-object-stream',
      'javascript-second-revision',
      'launch',
      'import-data',
      'submit-form',
      'goto-remote',
      'rich-media',
      'xfa-script',
      'attached-program',
    ],
    'D1',
  ),
  { name: 'D1 near: plain', bytes: pdf('plain'), verdict: 'accept' },
  { name: 'D1 near: the words in a text', bytes: of(pdfObject(talking())), verdict: 'accept' },
  ...accepted(['attached-text', 'open-at-page', 'uri-link'], 'D2'),
  {
    name: 'D2: site holds links',
    bytes: pdf('uri-link'),
    how: { policy: { rules: { D2: 'quarantine' } } },
    verdict: 'quarantine',
    rule: 'D2',
  },
  { name: 'D3: a program that says PDF', bytes: of(pdfObject(peFile())), verdict: 'quarantine', rule: 'D3' },
  {
    name: 'D3: text that says PDF',
    bytes: of(pdfObject(Buffer.from('not a PDF at all'))),
    verdict: 'quarantine',
    rule: 'D3',
  },
  { name: 'D3: a PDF that says XML', bytes: of(cdaObject(Buffer.from(plainPdf()))), verdict: 'quarantine', rule: 'D3' },
  {
    name: 'D3: a program of another type',
    bytes: typed('application/octet-stream', elfHeader(64)),
    verdict: 'quarantine',
    rule: 'D3',
  },
  {
    name: 'D3 near: a type nobody knows, harmless',
    bytes: typed('application/x-other', Buffer.from('data')),
    verdict: 'accept',
  },
  { name: 'D4: behind the end', bytes: pdf('after-end'), verdict: 'quarantine', rule: 'D4' },
  { name: 'D4: before the start', bytes: pdf('before-start'), verdict: 'quarantine', rule: 'D4' },
  {
    name: 'D4: 1,025 bytes behind',
    bytes: of(pdfObject(Buffer.concat([plainPdf(), Buffer.alloc(1025, 0x41)]))),
    verdict: 'quarantine',
    rule: 'D4',
  },
  {
    name: 'D4 near: 1,000 bytes behind',
    bytes: of(pdfObject(Buffer.concat([plainPdf(), Buffer.alloc(1000, 0x41)]))),
    verdict: 'accept',
  },
  { name: 'D4 near: line ends', bytes: pdf('short-tail'), verdict: 'accept' },
  { name: 'D5: encrypted', bytes: pdf('encrypted'), verdict: 'quarantine', rule: 'D5' },
  {
    name: 'D5: site takes it as opaque',
    bytes: pdf('encrypted'),
    how: { policy: { rules: { D5: 'keep' } } },
    verdict: 'accept',
  },
  { name: 'D6: document type', bytes: cda({ head: '<!DOCTYPE ClinicalDocument>' }), verdict: 'reject', rule: 'D6' },
  {
    name: 'D6: entity',
    bytes: cda({ head: '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' }),
    verdict: 'reject',
    rule: 'D6',
  },
  {
    name: 'D6: UTF-16',
    bytes: of(cdaObject(Buffer.from('\ufeff<!DOCTYPE a><a/>', 'utf16le'))),
    verdict: 'reject',
    rule: 'D6',
  },
  {
    name: 'D6: UTF-7',
    bytes: of(cdaObject(Buffer.from('<?xml version="1.0" encoding="UTF-7"?><a/>'))),
    verdict: 'reject',
    rule: 'D6',
  },
  {
    name: 'D6: never ends',
    bytes: of(cdaObject(Buffer.from('<!DOCTYPE a [<!ENTITY b "c">'))),
    verdict: 'reject',
    rule: 'D6',
  },
  { name: 'D6 near: only the word', bytes: cda({ body: '<p>DOCTYPE and ENTITY are words</p>' }), verdict: 'accept' },
  { name: 'D6 near: UTF-16 without', bytes: of(cdaObject(Buffer.from('\ufeff<a/>', 'utf16le'))), verdict: 'accept' },
  {
    name: 'D7: stylesheet',
    bytes: cda({ head: '<?xml-stylesheet type="text/xsl" href="http://example.org/x.xsl"?>' }),
    verdict: 'accept',
  },
  {
    name: 'D8: javascript:',
    bytes: cda({ body: '<linkHtml href="java&#10;script:1">x</linkHtml>' }),
    verdict: 'quarantine',
    rule: 'D8',
  },
  {
    name: 'D8: data:',
    bytes: cda({ body: '<reference value="data:text/html,x"/>' }),
    verdict: 'quarantine',
    rule: 'D8',
  },
  { name: 'D8: a body that lies', bytes: b64('application/pdf', peFile()), verdict: 'quarantine', rule: 'D8' },
  { name: 'D8 near: a body that does not', bytes: b64('application/pdf', plainPdf()), verdict: 'accept' },
  { name: 'D8: event attribute, shown inert', bytes: cda({ body: '<td onclick="x()"/>' }), verdict: 'accept' },
  {
    name: 'D8: remote image, shown inert',
    bytes: cda({ body: '<reference value="http://example.org/pixel.png"/>' }),
    verdict: 'accept',
  },
  {
    name: 'D8 near: a link to click',
    bytes: cda({ body: '<linkHtml href="http://example.org/">x</linkHtml>' }),
    verdict: 'accept',
  },
  {
    name: 'D9: beyond the value',
    bytes: of({ ...pdfObject(), EncapsulatedDocumentLength: 1_000_000 }),
    verdict: 'quarantine',
    rule: 'D9',
  },
  {
    name: 'D9: two bytes short',
    bytes: of({ ...pdfObject(), EncapsulatedDocumentLength: 10 }),
    verdict: 'quarantine',
    rule: 'D9',
  },
  {
    name: 'D9 near: the pad byte',
    bytes: of({ ...pdfObject(Buffer.concat([plainPdf(), Buffer.from(plainPdf().length % 2 === 0 ? '\n' : '')])) }),
    verdict: 'accept',
  },
  { name: 'D10: right', bytes: of(modelObject('stl')), verdict: 'accept' },
  {
    name: 'D10: header begins with solid',
    bytes: of(modelObject('stl', Buffer.concat([Buffer.from('solid'), stl(4).subarray(5)]))),
    verdict: 'accept',
  },
  {
    name: 'D10: one triangle missing',
    bytes: of(modelObject('stl', stl(4).subarray(0, -50))),
    verdict: 'quarantine',
    rule: 'D10',
  },
  {
    name: 'D10: four thousand million triangles',
    bytes: of(modelObject('stl', Buffer.concat([stl(4).subarray(0, 80), Buffer.alloc(4, 0xff), stl(4).subarray(84)]))),
    verdict: 'quarantine',
    rule: 'D10',
  },
  {
    name: 'D10: a program',
    bytes: of(modelObject('stl', Buffer.concat([mzHeader(64), stl(4).subarray(64)]))),
    verdict: 'quarantine',
  },
  {
    name: 'D11: OBJ with names',
    bytes: of(modelObject('obj', Buffer.from('mtllib ../../x.mtl\nv 0 0 0\n'))),
    verdict: 'accept',
  },
  { name: 'D11: MTL', bytes: of(modelObject('mtl')), verdict: 'accept' },
  {
    name: 'D11: OBJ that is no text',
    bytes: of(modelObject('obj', Buffer.alloc(40))),
    verdict: 'quarantine',
    rule: 'D3',
  },
  { name: 'D12: SVG', bytes: typed('image/svg+xml', Buffer.from('<svg/>')), verdict: 'reject', rule: 'D12' },
  {
    name: 'D12: Office',
    bytes: typed('application/vnd.openxmlformats-officedocument.wordprocessingml.document', zip([])),
    verdict: 'reject',
    rule: 'D12',
  },
  {
    name: 'D12: site takes it as attachment',
    bytes: typed('image/svg+xml', Buffer.from('<svg/>')),
    how: { policy: { rules: { D12: 'keep' } } },
    verdict: 'accept',
  },
]

for (const { name, bytes, verdict, rule, how } of rows) {
  test(`documents: ${name}`, () => {
    const screened = judge(bytes(), how)
    const told = screened.findings.map((finding) => `${finding.rule} ${finding.severity}`).join(', ')
    assert.equal(screened.verdict, verdict, `${screened.reason} (${told})`)
    if (rule !== undefined) assert.match(screened.reason, new RegExp(`^${rule}:`))
  })
}
