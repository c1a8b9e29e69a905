import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { DocumentError } from '../document-error.ts'
import { cdaBodyBytes, readCdaHeader } from './header.ts'
import { hl7Time, xdsTime } from './time.ts'

const cda = (inner: string, declaration = '<?xml version="1.0"?>') =>
  `${declaration}<ClinicalDocument xmlns="urn:hl7-org:v3">${inner}</ClinicalDocument>`
const header = (inner: string) => readCdaHeader(Buffer.from(cda(inner)))

test('CDA header: patient, author and encounter', () => {
  const found = header(`
    <id root="1.2" extension="a"/><setId root="1.3"/><versionNumber value="2"/>
    <code code="11506-3" codeSystem="2.16.840.1.113883.6.1" displayName="Note"/>
    <title>  Verlauf <x>bericht</x></title><effectiveTime value="20190502100000+0200"/>
    <languageCode code="de_CH"/>
    <recordTarget><patientRole><id root="1.9" extension="77"/><id nullFlavor="UNK" root="1.8"/>
      <patient><name use="P"><family>Wrong</family></name><name use="L"><prefix>Dr</prefix><given>A</given><given>B</given><family>C^D</family></name>
      <administrativeGenderCode code="UN"/><birthTime value="19800203101500"/></patient></patientRole></recordTarget>
    <author><time value="2019"/><assignedAuthor><id root="1.7" extension="x"/><assignedAuthoringDevice><manufacturerModelName>M</manufacturerModelName><softwareName>S</softwareName></assignedAuthoringDevice><representedOrganization><id root="1.6"/><name>Clinic</name></representedOrganization></assignedAuthor></author>
    <relatedDocument typeCode="RPLC"><parentDocument><id root="1.2" extension="0"/></parentDocument></relatedDocument>
    <relatedDocument typeCode="BAD"><parentDocument><id root="1"/></parentDocument></relatedDocument>
    <inFulfillmentOf><order><id root="1.5" extension="ACC"/></order></inFulfillmentOf>
    <documentationOf><serviceEvent><code nullFlavor="OTH"><translation code="XR" codeSystem="9.9"/></code><effectiveTime><low value="201905"/><high value="20190502"/></effectiveTime></serviceEvent></documentationOf>
    <componentOf><encompassingEncounter><id root="1.4" extension="E"/><effectiveTime value="2019"/><location><healthCareFacility><code code="HOSP" codeSystem="2.16.840.1.113883.5.111"/></healthCareFacility></location></encompassingEncounter></componentOf>`)
  assert.deepEqual(found.patients, [
    { ids: [{ root: '1.9', extension: '77' }], name: 'C D^A^B^Dr', birthDate: '19800203', sex: 'O' },
  ])
  assert.deepEqual(
    [found.authors[0]?.device, found.authors[0]?.institution, found.authors[0]?.time],
    ['M S', 'Clinic', '2019'],
  )
  assert.deepEqual(found.related, [{ type: 'RPLC', id: { root: '1.2', extension: '0' }, setId: null }])
  assert.deepEqual(found.orders, [{ root: '1.5', extension: 'ACC' }])
  assert.deepEqual(found.services[0]?.code, { code: 'XR', system: '9.9', display: '' })
  assert.deepEqual([found.services[0]?.start, found.services[0]?.stop], ['2019-05', '2019-05-02'])
  assert.deepEqual(found.encounter?.facilityType?.system, 'http://terminology.hl7.org/CodeSystem/v3-RoleCode')
  assert.deepEqual(
    [found.title, found.created, found.language, found.version],
    ['Verlauf bericht', '2019-05-02T08:00:00Z', 'de-CH', 2],
  )
})

const body = (attributes: string, content: string) =>
  `<component><nonXMLBody><text ${attributes}>${content}</text></nonXMLBody></component>`
const PDF = Buffer.from('%PDF-1.4 ä').toString('base64')
const bodies: readonly [name: string, file: Uint8Array, bytes: string | null][] = [
  [
    'plain',
    Buffer.from(cda(`<title>ä😀\r\n</title>${body('mediaType="application/pdf" representation="B64"', PDF)}`)),
    '%PDF-1.4 ä',
  ],
  [
    'on lines of its own',
    Buffer.from(
      cda(body('mediaType="application/pdf" representation="B64"', `\r\n${PDF.slice(0, 4)}\r\n${PDF.slice(4)}\n`)),
    ),
    '%PDF-1.4 ä',
  ],
  ['behind a byte order mark', Buffer.from(`\ufeff${cda(body('representation="B64"', PDF))}`), '%PDF-1.4 ä'],
  ['in UTF-16', Buffer.from(`\ufeff${cda(body('representation="B64"', PDF), '')}`, 'utf16le'), '%PDF-1.4 ä'],
  [
    'in Latin 1',
    Buffer.from(
      cda(`<title>ä</title>${body('representation="B64"', PDF)}`, '<?xml version="1.0" encoding="ISO-8859-1"?>'),
      'latin1',
    ),
    '%PDF-1.4 ä',
  ],
  [
    'claimed UTF-8 that is none',
    Buffer.from(cda(`<title>ä</title>${body('representation="B64"', PDF)}`), 'latin1'),
    '%PDF-1.4 ä',
  ],
  ['no base64', Buffer.from(cda(body('representation="B64"', 'not base64!'))), null],
  ['character references', Buffer.from(cda(body('representation="B64"', `&#65;${PDF}`))), null],
  ['plain text', Buffer.from(cda(body('mediaType="text/plain"', 'words'))), null],
  ['a reference', Buffer.from(cda(body('mediaType="application/pdf"', '<reference value="a.pdf"/>'))), null],
]
for (const [name, file, bytes] of bodies) {
  test(`CDA body: ${name}`, () => {
    const found = cdaBodyBytes(file, readCdaHeader(file))
    assert.equal(found === null ? null : Buffer.from(found).toString(), bytes)
  })
}

const refused: readonly [name: string, content: string, fault: string][] = [
  ['a document type', `<!DOCTYPE ClinicalDocument>${cda('', '')}`, 'doctype'],
  ['an external entity', `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>${cda('&b;', '')}`, 'doctype'],
  ['another root', '<Other xmlns="urn:hl7-org:v3"/>', 'malformed'],
  ['another namespace', '<ClinicalDocument/>', 'malformed'],
  ['depth', cda('<a>'.repeat(300)), 'limit'],
  ['attributes', cda(`<a ${Array.from({ length: 600 }, (_, i) => `a${i}="1"`).join(' ')}/>`), 'limit'],
  ['an end that is missing', cda('<a>'), 'malformed'],
]
for (const [name, content, fault] of refused) {
  test(`CDA header refused: ${name}`, () => {
    assert.throws(
      () => readCdaHeader(Buffer.from(content)),
      (thrown) => thrown instanceof DocumentError && thrown.fault === fault,
    )
  })
}

const times: readonly [value: string, iso: string | null][] = [
  ['2019', '2019'],
  ['201905', '2019-05'],
  ['20190502', '2019-05-02'],
  ['2019050210', '2019-05-02T10:00:00'],
  ['201905021030-0500', '2019-05-02T15:30:00Z'],
  ['20190502103015.123+0545', '2019-05-02T04:45:15Z'],
  ['20190502103015+02', '2019-05-02T08:30:15Z'],
  ['20191302', null],
  ['20190232', null],
  ['2019050224', null],
  ['201', null],
  ['20190502103015+9900', null],
  ['2019-05-02', null],
  ['', null],
]
for (const [value, iso] of times) test(`HL7 time ${value}`, () => assert.equal(hl7Time(value), iso))

const dtms: readonly [iso: string, dtm: string | null][] = [
  ['2019', '2019'],
  ['2019-05-02', '20190502'],
  ['2019-05-02T10:30:00+02:00', '20190502083000'],
  ['2019-05-02T10:30:00.123Z', '20190502103000'],
  ['2019-05-02T10:30', '20190502103000'],
  ['2019-05-02T25:30Z', null],
  ['yesterday', null],
]
for (const [iso, dtm] of dtms) test(`XDS time ${iso}`, () => assert.equal(xdsTime(iso), dtm))

const samples = process.env['DIPTYCH_SAMPLES'] ?? '../shared/data'
test('CDA header: samples', { skip: existsSync(samples) ? false : `no samples at ${samples}` }, () => {
  for (const path of globSync('cda/{c-cda-examples,embedded-content}/*', { cwd: samples })) {
    const file = readFileSync(join(samples, path))
    const found = readCdaHeader(file)
    assert.ok(found.id !== null && found.title !== null && found.patients.length === 1, path)
    assert.ok(found.patients[0]?.name !== null && found.created !== null && found.authors.length > 0, path)
    if (path.includes('Embedded_PDF'))
      assert.equal(
        Buffer.from(cdaBodyBytes(file, found) ?? [])
          .subarray(0, 5)
          .toString(),
        '%PDF-',
      )
  }
})
