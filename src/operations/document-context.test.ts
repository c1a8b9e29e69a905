import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DocumentStatement } from '#model/document-desk.ts'
import type { StudyFacts } from '#model/document-store.ts'
import type { LedgerPatient, Order } from '#model/identity.ts'
import type { Originator } from '#model/settings.ts'
import { completeMetadata } from '#placement/complete-metadata.ts'
import { createValueSets } from '#placement/value-sets.ts'
import { SHIPPED_VALUES } from '#security/document-settings.ts'
import { createIssuers } from '#security/issuers.ts'
import { memorySource } from '#standards/byte-source.ts'
import { createDocumentContext, namedOwner } from './document-context.ts'

const ORDER = {
  ...{
    id: 'o',
    patient: { issuer: 'HOSP', id: '1' },
    placerOrderNumber: 'P1',
    placerIssuer: 'KIS',
    accessionNumber: 'A1',
  },
  ...{
    accessionIssuer: 'RIS',
    studyInstanceUID: '1.2.3',
    department: 'Dermatology',
    admissionId: 'V1',
    confidentiality: null,
  },
  codes: [{ value: '36643-5', scheme: '2.16.840.1.113883.6.1', meaning: 'Chest X-ray' }],
} as unknown as Order

const STUDY: StudyFacts = {
  ...{ studyInstanceUID: '1.2.3', instant: '2026-05-02T08:00:00.000Z', date: '20260502', modalities: ['CT'] },
  ...{ accessionNumber: 'A1', description: 'Thorax' },
}

const ORIGINATOR = {
  name: 'derm',
  issuer: 'DERM',
  department: 'Skin',
  specialty: 'cardiology',
  language: 'fr-CH',
} as unknown as Originator

function context(
  said: Partial<DocumentStatement>,
  bytes = Buffer.from('Hello'),
  with_: { order?: Order; originator?: Originator } = {},
) {
  const contextOf = createDocumentContext({
    ledger: {
      orders: ({ accessionNumber, studyInstanceUID }) => ({
        items:
          with_.order !== undefined && (accessionNumber === 'A1' || studyInstanceUID === '1.2.3') ? [with_.order] : [],
        next: null,
      }),
      patient: ({ id }) =>
        id !== '1'
          ? undefined
          : ({ visits: [{ admissionId: 'V1', issuer: 'KIS', location: 'Ward 7^12' }] } as unknown as LedgerPatient),
    },
    survivorOf: (owner) => (owner.by === 'study' ? 'local 1' : `${owner.issuer} ${owner.id}`),
    studies: {
      study: (uid) => (uid === '1.2.3' ? STUDY : undefined),
      ofAccession: (number) => (number === 'A1' ? STUDY : undefined),
    },
    terms: () => ({
      values: createValueSets(SHIPPED_VALUES, { dermatology: '394582007' }),
      defaults: { practiceSetting: null, facilityType: '22232009', confidentiality: 'N', language: 'de-DE' },
      issuers: createIssuers([{ name: 'HOSP', oid: '1.2.99', namespaceId: null, fhirSystem: null, aliases: [] }]),
      siteIssuer: 'local',
    }),
    originatorOf: () => with_.originator ?? null,
  })
  const statement = { metadata: {}, ...said }
  const found = contextOf(statement, {} as never, memorySource(bytes))
  return { ...found, ...completeMetadata([{ source: 'sender', says: statement.metadata }, ...found.voices]) }
}

test('what the sender says counts first; what nobody says comes from the site', () => {
  const { metadata, sources } = context({ metadata: { language: 'en-US' } })
  assert.equal(metadata.language, 'en-US')
  assert.equal(sources.language, 'sender')
  assert.equal(metadata.facilityType?.code, '22232009')
  assert.equal(sources.facilityType, 'site')
  assert.deepEqual(
    metadata.confidentiality.map(({ code }) => code),
    ['N'],
  )
  assert.equal(metadata.formatCode?.code, 'urn:ihe:iti:xds:2017:mimeTypeSufficient')
  assert.equal(sources.formatCode, 'content')
})

test('an accession number leads to the order, its department, encounter and study', () => {
  const references = [{ type: 'accession', id: 'A1', issuer: '' }] as const
  const { metadata, sources, owner } = context({ metadata: { references } }, undefined, { order: ORDER })
  assert.deepEqual(owner, { by: 'identifier', issuer: 'HOSP', id: '1', issuerAssumed: false })
  assert.equal(metadata.department, 'Dermatology')
  assert.equal(sources.department, 'order')
  assert.equal(metadata.practiceSetting?.display, 'Dermatology')
  assert.deepEqual(
    metadata.references.map(({ type, id }) => `${type} ${id}`),
    ['accession A1', 'order P1', 'study 1.2.3', 'encounter V1'],
  )
  assert.equal(metadata.serviceStart, '2026-05-02T08:00:00.000Z')
})

test('a study without an order gives its owner, now and later, and what was done', () => {
  const { metadata, owner } = context({ studyInstanceUID: '1.2.3' })
  assert.deepEqual(owner, { by: 'study', studyInstanceUID: '1.2.3' })
  assert.deepEqual(
    metadata.eventCodes.map(({ code }) => code),
    ['CT'],
  )
})

test('the department somebody said outranks the specialty of the originator', () => {
  const own = context({}, undefined, { originator: ORIGINATOR }).metadata
  assert.equal(own.practiceSetting?.display, 'Cardiology')
  assert.equal(own.department, 'Skin')
  assert.equal(own.language, 'fr-CH')
  const said = context({ metadata: { department: 'Dermatology' } }, undefined, { originator: ORIGINATOR }).metadata
  assert.equal(said.practiceSetting?.display, 'Dermatology')
})

test('a type says its class', () => {
  const typeCode = { code: '18747-6', system: 'http://loinc.org', display: 'CT' }
  const { metadata, sources } = context({ metadata: { typeCode } })
  assert.equal(metadata.classCode?.code, '18726-0')
  assert.equal(sources.classCode, 'site')
})

test('a CDA says whose it is and what it is; its authority by the name of the register', () => {
  const cda = `<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3.4" extension="d"/>
    <code code="18842-5" codeSystem="2.16.840.1.113883.6.1" displayName="Discharge summary"/><title>Entlassbrief</title>
    <effectiveTime value="20260502101500+0200"/><confidentialityCode code="R" codeSystem="2.16.840.1.113883.5.25"/>
    <languageCode code="de-DE"/><recordTarget><patientRole><id root="1.2.99" extension="4711"/></patientRole></recordTarget>
    <component><structuredBody/></component></ClinicalDocument>`
  const { metadata, owner, sources } = context({}, Buffer.from(cda))
  assert.deepEqual(owner, { by: 'identifier', issuer: 'HOSP', id: '4711', issuerAssumed: false })
  assert.equal(metadata.title, 'Entlassbrief')
  assert.equal(metadata.typeCode?.code, '18842-5')
  assert.equal(metadata.creationTime, '2026-05-02T08:15:00Z')
  assert.deepEqual(
    metadata.confidentiality.map(({ code }) => code),
    ['R'],
  )
  assert.equal(sources.confidentiality, 'content')
})

test('a FHIR document says it too', () => {
  const bundle = {
    ...{ resourceType: 'Bundle', type: 'document' },
    entry: [
      {
        resource: {
          ...{ resourceType: 'Composition', title: 'Letter', date: '2026-05-02', confidentiality: 'N', language: 'fr' },
          ...{ type: { coding: [{ system: 'http://loinc.org', code: '51852-2' }] } },
          ...{ subject: { reference: 'urn:uuid:p' }, author: [{ display: 'Dr. Who' }] },
        },
      },
      {
        fullUrl: 'urn:uuid:p',
        resource: { resourceType: 'Patient', identifier: [{ system: 'urn:oid:1.2.99', value: '1' }] },
      },
    ],
  }
  const { metadata, owner } = context({}, Buffer.from(JSON.stringify(bundle)))
  assert.deepEqual(owner, { by: 'identifier', issuer: 'HOSP', id: '1', issuerAssumed: false })
  assert.equal(metadata.title, 'Letter')
  assert.equal(metadata.authors[0]?.person, 'Dr. Who')
})

test('an owner without an issuer gets the one of its sender, told as assumed', () => {
  const terms = { issuers: createIssuers([]), siteIssuer: 'local' }
  const owner = { by: 'identifier', issuer: '', id: '7', issuerAssumed: false } as const
  assert.deepEqual(namedOwner(owner, ORIGINATOR, terms), { ...owner, issuer: 'DERM', issuerAssumed: true })
  assert.deepEqual(namedOwner(owner, null, terms), { ...owner, issuer: 'local', issuerAssumed: true })
})

test('what is in no value set is named by its path', () => {
  const values = createValueSets(SHIPPED_VALUES, {})
  const { metadata } = context({ metadata: { typeCode: { code: 'zz', system: 'urn:oid:1.2', display: 'Z' } } })
  assert.deepEqual(
    values.strangers(metadata).map(({ path }) => path),
    ['metadata.typeCode'],
  )
})
