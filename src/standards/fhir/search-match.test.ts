import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matches } from './search-match.ts'
import type { Filter } from './search-syntax.ts'

const study = {
  resourceType: 'ImagingStudy',
  id: '1.2.3',
  identifier: [
    { system: 'urn:dicom:uid', value: 'urn:oid:1.2.3' },
    { system: 'urn:acc', value: 'A,1' },
  ],
  status: 'available',
  subject: { reference: 'Patient/p1' },
  basedOn: [{ identifier: { system: 'urn:acc', value: 'A1' } }],
  started: '2026-03-04T10:00:00.000Z',
  series: [{ uid: '1.2.4', modality: { system: 'http://dicom.nema.org/resources/ontology/DCM', code: 'CT' } }],
}
const patient = { resourceType: 'Patient', name: [{ family: 'Müller', given: ['Anna Maria'] }], birthDate: '1980-02' }
const dose = {
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '1-8' }] },
  valueQuantity: { value: 100.2, system: 'http://unitsofmeasure.org', code: 'mGy' },
}

// One row per rule of the search chapter that a hasty reader gets wrong.
const cases: [name: string, resource: { [name: string]: unknown }, condition: string, matches: boolean | undefined][] =
  [
    ['token with its system', study, 'identifier=urn:dicom:uid|urn:oid:1.2.3', true],
    ['token of another system', study, 'identifier=urn:other|urn:oid:1.2.3', false],
    ['token without system', study, 'identifier=urn:oid:1.2.3', true],
    ['only the system', study, 'identifier=urn:acc|', true],
    ['an escaped comma is no alternative', study, 'identifier=urn:acc|A\\,1', true],
    ['alternatives', study, 'modality=MR,CT', true],
    ['none of the alternatives', study, 'modality=MR,US', false],
    ['not', study, 'modality:not=CT', false],
    ['missing', study, 'endpoint:missing=true', true],
    ['not missing', study, 'modality:missing=true', false],
    ['reference with type', study, 'patient=Patient/p1', true],
    ['reference without type', study, 'patient=p1', true],
    ['reference of another type', study, 'subject=Device/p1', false],
    ['reference with modifier', study, 'subject:Patient=p1', true],
    ['absolute reference', study, 'patient=https://a.example/fhir/Patient/p1', true],
    ['identifier of a reference', study, 'basedon:identifier=urn:acc|A1', true],
    ['a day', study, 'started=2026-03-04', true],
    ['the day before', study, 'started=lt2026-03-04', false],
    ['in the day is not after it', study, 'started=gt2026-03-04', false],
    ['at least', study, 'started=ge2026-03-04', true],
    ['starts after', study, 'started=sa2026-03-03', true],
    ['a month is within its year', patient, 'birthdate=1980', true],
    ['a month is not within a day', patient, 'birthdate=1980-02-03', false],
    ['accents and case do not count', patient, 'family=muller', true],
    ['unless exact', patient, 'family:exact=muller', false],
    ['contains', patient, 'family:contains=LLE', true],
    ['any word of a name', patient, 'given=maria', true],
    ['precision of a number', dose, 'value-quantity=100', true],
    ['more precision', dose, 'value-quantity=100.0', false],
    ['unit', dose, 'value-quantity=100||mSv', false],
    ['a parameter of another type', study, 'birthdate=2000', undefined],
  ]

for (const [name, resource, condition, expected] of cases) {
  test(`search matches: ${name}`, () => {
    const [left = '', value = ''] = condition.split(/=(.*)/s)
    const [code = '', modifier = null] = left.split(':')
    const values = value.split(/(?<!\\),/)
    const filter: Filter = { code, modifier, values }
    assert.equal(matches(resource, filter), expected)
  })
}
