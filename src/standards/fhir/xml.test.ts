import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { DocumentError } from '../document-error.ts'
import { FhirXmlError, fromXml } from './xml-read.ts'
import { type Json, toXml } from './xml-write.ts'

const bytes = (text: string) => Buffer.from(text)
const xml = (inner: string, type = 'Patient') => bytes(`<${type} xmlns="http://hl7.org/fhir">${inner}</${type}>`)

// A primitive's extension or id stands beside its value; lists keep their places, or a name gets another's birth place.
const roundTrips: { name: string; resource: Json }[] = [
  { name: 'numbers, booleans, texts', resource: { resourceType: 'Patient', active: false, multipleBirthInteger: 2 } },
  {
    name: 'extension beside a primitive',
    resource: { resourceType: 'Patient', _birthDate: { extension: [{ url: 'urn:x', valueCode: 'unknown' }] } },
  },
  {
    name: 'list of primitives of which one has an extension',
    resource: {
      resourceType: 'Patient',
      name: [
        { given: ['A', 'B', 'C'], _given: [null, { id: 'b', extension: [{ url: 'urn:x', valueString: 'y' }] }, null] },
      ],
    },
  },
  {
    name: 'a list entry without a value',
    resource: { resourceType: 'Patient', name: [{ given: ['A', null], _given: [null, { id: 'z' }] }] },
  },
  {
    name: 'line ends and quotes in values',
    resource: { resourceType: 'Patient', name: [{ text: 'a\n"b" <c> & \t' }] },
  },
  {
    name: 'contained resources and their ids',
    resource: {
      resourceType: 'List',
      contained: [{ resourceType: 'Patient', id: 'p' }],
      status: 'current',
      mode: 'working',
    },
  },
  {
    name: 'entries of a bundle, with an outcome',
    resource: {
      resourceType: 'Bundle',
      type: 'batch-response',
      entry: [
        {
          resource: { resourceType: 'Patient', id: '1' },
          response: {
            status: '200',
            outcome: { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'value' }] },
          },
        },
      ],
    },
  },
  {
    name: 'narrative with empty elements',
    resource: {
      resourceType: 'Patient',
      text: {
        status: 'generated',
        div: '<div xmlns="http://www.w3.org/1999/xhtml"><p class="x">a<br/>b &amp; c</p></div>',
      },
    },
  },
]

for (const { name, resource } of roundTrips) {
  test(`FHIR XML there and back: ${name}`, () => {
    assert.deepEqual(fromXml(bytes(toXml(resource))), resource)
  })
}

const refused: { name: string; xml: Buffer; at: string | RegExp }[] = [
  { name: 'an element nobody defined', xml: xml('<nickname value="x"/>'), at: 'Patient.nickname' },
  {
    name: 'a second value where one may be',
    xml: xml('<gender value="male"/><gender value="female"/>'),
    at: 'Patient.gender',
  },
  {
    name: 'two values of a choice',
    xml: xml('<deceasedBoolean value="true"/><deceasedDateTime value="2020"/>'),
    at: 'Patient.deceasedDateTime',
  },
  { name: 'a boolean that is none', xml: xml('<active value="yes"/>'), at: 'Patient.active' },
  { name: 'a primitive without value', xml: xml('<gender/>'), at: 'Patient.gender' },
  {
    name: 'an extension without url',
    xml: xml('<extension><valueString value="x"/></extension>'),
    at: 'Patient.extension',
  },
  { name: 'text between elements', xml: xml('<name>Smith</name>'), at: 'Patient.name[0]' },
  { name: 'a resource that is not known', xml: xml('', 'Nonsense'), at: '' },
  { name: 'another namespace', xml: bytes('<Patient xmlns="urn:hl7-org:v3"/>'), at: '' },
]

for (const { name, xml: text, at } of refused) {
  test(`FHIR XML is refused: ${name}`, () => {
    assert.throws(
      () => fromXml(text),
      (error: unknown) => error instanceof FhirXmlError && error.expression === at,
    )
  })
}

test('a document type declaration is refused before anything is read', () => {
  const text = '<!DOCTYPE Patient [<!ENTITY x SYSTEM "file:///etc/passwd">]><Patient xmlns="http://hl7.org/fhir"/>'
  assert.throws(
    () => fromXml(bytes(text)),
    (error: unknown) => error instanceof DocumentError && error.fault === 'doctype',
  )
})

const samples = join(process.env['DIPTYCH_SAMPLES'] ?? '../shared/data', 'fhir')

/** A quotation mark in text may be written either way. */
const plain = (text: string): unknown =>
  JSON.parse(text, (name, value: unknown) =>
    name === 'div' ? String(value).replaceAll('&quot;', '"').replaceAll(/\s+/g, ' ') : value,
  )

test('samples of FHIR R4 and MHD go to XML and back', { skip: !existsSync(samples) && 'no samples here' }, () => {
  for (const folder of ['r4', 'mhd']) {
    for (const file of readdirSync(join(samples, folder))) {
      const content = readFileSync(join(samples, folder, file))
      const resource = file.endsWith('.xml') ? fromXml(content) : (JSON.parse(content.toString()) as Json)
      const back = fromXml(bytes(toXml(resource)))
      assert.deepEqual(plain(JSON.stringify(back)), plain(JSON.stringify(resource)), file)
      assert.deepEqual(fromXml(bytes(toXml(back))), back, `${file}, once more`)
    }
  }
})
