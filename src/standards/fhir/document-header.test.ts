import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DocumentError } from '../document-error.ts'
import { readFhirDocumentHeader } from './document-header.ts'

const document = (composition: object, ...others: readonly object[]) =>
  Buffer.from(
    JSON.stringify({
      resourceType: 'Bundle',
      type: 'document',
      identifier: { system: 'urn:ietf:rfc:3986', value: 'urn:oid:1.2.3' },
      entry: [
        { resource: { resourceType: 'Composition', ...composition } },
        ...others.map((resource) => ({ resource })),
      ],
    }),
  )

test('FHIR document: what the Composition and what it refers to say', () => {
  const header = readFhirDocumentHeader(
    document(
      {
        identifier: { value: 'set-1' },
        status: 'final',
        language: 'de-CH',
        title: 'Bericht',
        date: '2019-05-02T10:00:00+02:00',
        confidentiality: 'R',
        type: { coding: [{ system: 'http://loinc.org', code: '18748-4', display: 'Imaging' }] },
        subject: { reference: 'Patient/p' },
        author: [{ reference: 'PractitionerRole/r' }, { reference: 'Device/d' }, { display: 'Dr. Nobody' }],
        attester: [{ mode: 'personal' }, { mode: 'legal', time: '2019-05-02', party: { reference: 'Practitioner/a' } }],
        relatesTo: [
          { code: 'replaces', targetIdentifier: { value: 'old' } },
          { code: 'invented', targetIdentifier: { value: 'x' } },
        ],
        encounter: { reference: 'http://example.org/Encounter/e' },
        event: [{ period: { start: '2019-05-01' }, detail: [{ reference: 'ServiceRequest/s' }] }],
      },
      {
        resourceType: 'Patient',
        id: 'p',
        identifier: [{ system: 'urn:oid:1.9', value: '77' }],
        name: [
          { use: 'usual', text: 'x' },
          { use: 'official', family: 'A^B', given: ['C', 'D'] },
        ],
        birthDate: '1980-02',
        gender: 'female',
      },
      {
        resourceType: 'PractitionerRole',
        id: 'r',
        practitioner: { reference: 'Practitioner/a' },
        organization: { display: 'Clinic' },
        specialty: [{ coding: [{ code: '394914008' }] }],
      },
      {
        resourceType: 'Practitioner',
        id: 'a',
        name: [{ family: 'Author', prefix: ['Dr.'] }],
        telecom: [{ system: 'phone', value: '1' }],
      },
      { resourceType: 'Device', id: 'd', manufacturer: 'Maker', modelNumber: 'M1' },
      { resourceType: 'Encounter', id: 'e', identifier: [{ value: 'E1' }], period: { start: '2019-05-01' } },
      { resourceType: 'ServiceRequest', id: 's', identifier: [{ system: 'urn:x', value: 'O1' }] },
    ),
  )
  assert.deepEqual(header.id, { system: 'urn:ietf:rfc:3986', value: 'urn:oid:1.2.3' })
  assert.deepEqual(header.patient, {
    identifiers: [{ system: 'urn:oid:1.9', value: '77' }],
    name: 'A B^C^D',
    birthDate: '198002',
    sex: 'F',
  })
  assert.deepEqual(
    header.authors.map((one) => [one.person, one.institution, one.device, one.specialty?.code ?? null, one.telecom]),
    [
      ['Author^^^Dr.', 'Clinic', null, '394914008', 'tel:1'],
      [null, null, 'Maker M1', null, null],
      ['Dr. Nobody', null, null, null, null],
    ],
  )
  assert.deepEqual([header.legalAuthenticator?.person, header.legalAuthenticator?.time], ['Author^^^Dr.', '2019-05-02'])
  assert.deepEqual(header.related, [{ type: 'RPLC', id: { system: '', value: 'old' } }])
  assert.deepEqual(header.encounter?.identifiers, [{ system: '', value: 'E1' }])
  assert.deepEqual(header.orders, [{ system: 'urn:x', value: 'O1' }])
  assert.equal(header.confidentiality?.code, 'R')
  assert.deepEqual([header.language, header.title, header.code?.code], ['de-CH', 'Bericht', '18748-4'])
})

const refused: readonly [name: string, content: string, fault: string][] = [
  ['another Bundle', '{"resourceType":"Bundle","type":"searchset"}', 'malformed'],
  [
    'no Composition',
    '{"resourceType":"Bundle","type":"document","entry":[{"resource":{"resourceType":"Patient"}}]}',
    'malformed',
  ],
  ['an array', '[]', 'malformed'],
  ['depth', '['.repeat(65), 'limit'],
  ['bytes that are no UTF-8', '{"a":"\xff"}', 'encoding'],
]
for (const [name, content, fault] of refused) {
  test(`FHIR document refused: ${name}`, () => {
    assert.throws(
      () => readFhirDocumentHeader(Buffer.from(content, 'latin1')),
      (thrown) => thrown instanceof DocumentError && thrown.fault === fault,
    )
  })
}

test('FHIR document: values of the wrong type and references in circles are nothing', () => {
  const odd = [
    1,
    null,
    true,
    [],
    [[]],
    {},
    [{}],
    ['x'],
    { coding: 'x' },
    { reference: '#a' },
    { reference: 'Composition/c' },
  ]
  const names = [
    'identifier',
    'type',
    'subject',
    'author',
    'attester',
    'relatesTo',
    'encounter',
    'event',
    'custodian',
    'contained',
    'meta',
    'category',
  ]
  for (const value of odd) {
    const composition = Object.fromEntries(names.map((name) => [name, value]))
    const header = readFhirDocumentHeader(document({ id: 'c', ...composition }))
    assert.equal(header.title, null)
  }
})
