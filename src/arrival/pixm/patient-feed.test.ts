import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Patient } from '@medplum/fhirtypes'
import type { LedgerPatient, PatientKey } from '#model/identity.ts'
import { createIssuers } from '#security/issuers.ts'
import { type FeedContext, fedPatient } from './patient-feed.ts'

const RED = 'urn:oid:1.2.3'
const issuers = createIssuers([
  { name: 'RED', oid: '1.2.3', namespaceId: null, fhirSystem: null, aliases: [] },
  { name: 'BLUE', oid: '1.2.4', namespaceId: null, fhirSystem: 'http://blue.example', aliases: [] },
])

function context(mergedInto: PatientKey | null = null): FeedContext {
  return {
    issuers,
    known: ({ id }) =>
      id === 'gone' ? undefined : ({ mergedInto: id === 'old' ? mergedInto : null } as LedgerPatient),
    keyOf: (reference) => (reference === 'Patient/p1' ? { issuer: 'RED', id: 'by-id' } : undefined),
  }
}

const patient = (more: Partial<Patient> = {}): Patient => ({
  resourceType: 'Patient',
  identifier: [
    { system: RED, value: 'old' },
    { system: 'http://blue.example', value: 'b' },
    { system: 'http://blue.example', value: 'former', use: 'old' },
  ],
  name: [{ family: 'Mohr', given: ['Alice', 'Ann'], prefix: ['Dr.'] }],
  gender: 'female',
  birthDate: '1958-01-30',
  ...more,
})

const asked = { system: RED, value: 'old' }
const link = (other: object): NonNullable<Patient['link']> => [{ type: 'replaced-by', other: other as never }]

test('a patient is registered under the issuers of the site, with what is said and nothing else', () => {
  const { decisions, problems } = fedPatient(patient(), asked, context())
  assert.deepEqual(problems, [])
  assert.deepEqual(decisions, [
    {
      do: 'register',
      patient: { issuer: 'RED', id: 'old' },
      demographics: {
        name: 'Mohr^Alice^Ann^Dr.',
        birthDate: '19580130',
        sex: 'F',
        otherIds: [{ issuer: 'BLUE', id: 'b' }],
      },
      visit: null,
      authority: 'adt',
    },
  ])
})

test('a birth date that is only a year is no DICOM date and says nothing', () => {
  const [decision] = fedPatient(patient({ birthDate: '1958' }), asked, context()).decisions
  assert.equal(decision?.do === 'register' && 'birthDate' in decision.demographics, false)
})

test('replaced by: merged once, by identifier or by reference', () => {
  const into = { issuer: 'RED', id: 'young' }
  const byIdentifier = patient({ active: false, link: link({ identifier: { system: RED, value: 'young' } }) })
  assert.deepEqual(fedPatient(byIdentifier, asked, context()).decisions[1], {
    ...{ do: 'merge', from: { issuer: 'RED', id: 'old' }, into, how: 'merge' },
  })
  assert.equal(fedPatient(byIdentifier, asked, context(into)).decisions.length, 1, 'in force already')
  const byReference = fedPatient(patient({ link: link({ reference: 'Patient/p1' }) }), asked, context())
  assert.deepEqual(byReference.decisions[1], {
    ...{ do: 'merge', from: { issuer: 'RED', id: 'old' }, into: { issuer: 'RED', id: 'by-id' }, how: 'merge' },
  })
})

// What is let in here would stand in the ledger: each row is refused with the element that is wrong.
const wrong: { name: string; patient: Patient; at: string }[] = [
  {
    name: 'another identifier',
    patient: patient({ identifier: [{ system: RED, value: 'x' }] }),
    at: 'Patient.identifier',
  },
  { name: 'nameless', patient: patient({ name: [] }), at: 'Patient.name' },
  { name: 'a name too long for DICOM', patient: patient({ name: [{ family: 'x'.repeat(65) }] }), at: 'Patient.name' },
  { name: 'not active, by nobody', patient: patient({ active: false }), at: 'Patient.active' },
  { name: 'replaced by itself', patient: patient({ link: link({ identifier: asked }) }), at: 'Patient.link[0].other' },
  {
    name: 'replaced by nobody we know',
    patient: patient({ link: link({ identifier: { system: RED, value: 'gone' } }) }),
    at: 'Patient.link[0].other',
  },
  {
    name: 'a link that is decided here',
    patient: patient({ link: [{ type: 'seealso', other: { reference: 'Patient/p1' } }] }),
    at: 'Patient.link[0].type',
  },
]

for (const { name, patient: said, at } of wrong) {
  test(`feed refused: ${name}`, () => {
    const { problems } = fedPatient(said, asked, context())
    assert.deepEqual(
      problems.map(({ expression }) => expression),
      [at],
    )
  })
}
