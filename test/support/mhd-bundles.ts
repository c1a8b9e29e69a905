/** Bundles of IHE ITI-65, made by code. */
import { createHash } from 'node:crypto'
import type { Bundle, BundleEntry, DocumentReference, List, Parameters } from '@medplum/fhirtypes'

export const MHD = 'https://profiles.ihe.net/ITI/MHD'
export const PATIENTS = 'http://example.org/patients'
export const DEE = { issuer: PATIENTS, id: 'mrn-1234' }

export type Profile = 'Minimal' | 'Comprehensive' | 'UnContained.Comprehensive'

export const profileUrl = (profile: Profile): string => `${MHD}/StructureDefinition/IHE.MHD.${profile}.ProvideBundle`

export const coded = (system: string, code: string) => ({ coding: [{ system, code }] })

const uri = (value: string) => ({ system: 'urn:ietf:rfc:3986', value })

/** `urn:uuid:` addresses that stay the same from run to run. */
export const address = (n: number): string => `urn:uuid:00000000-0000-4000-8000-${String(n).padStart(12, '0')}`

export interface Sent {
  /** Last arc of its unique id. */
  readonly n: number
  readonly bytes: Uint8Array | string
  readonly contentType?: string
  /** `Patient/id` or a logical reference. */
  readonly subject?: DocumentReference['subject']
  readonly relatesTo?: DocumentReference['relatesTo']
  readonly said?: Partial<DocumentReference>
}

/** Comprehensive metadata, with the patient as the source knows them. */
export function documentReference({
  n,
  bytes,
  contentType = 'text/plain',
  subject,
  relatesTo,
  said,
}: Sent): DocumentReference {
  const content = Buffer.from(bytes)
  return {
    resourceType: 'DocumentReference',
    contained: [
      {
        resourceType: 'Patient',
        id: 'source',
        identifier: [{ system: PATIENTS, value: DEE.id }],
        name: [{ family: 'Schmidt', given: ['Dee'] }],
      },
      { resourceType: 'Practitioner', id: 'author', name: [{ family: 'Welby', given: ['Marcus'] }] },
    ],
    masterIdentifier: uri(`urn:oid:1.2.3.4.65.${n}`),
    status: 'current',
    type: coded('http://loinc.org', '60591-5'),
    category: [coded('http://loinc.org', '11369-6')],
    subject: subject ?? { reference: 'Patient/ex-patient' },
    date: '2026-05-02T10:00:00Z',
    author: [{ reference: '#author' }],
    securityLabel: [coded('http://terminology.hl7.org/CodeSystem/v3-Confidentiality', 'N')],
    ...(relatesTo === undefined ? {} : { relatesTo }),
    content: [
      {
        attachment: {
          contentType: contentType as 'text/plain',
          language: 'en' as never,
          url: address(1000 + n),
          size: content.byteLength,
          hash: createHash('sha1').update(content).digest('base64'),
          title: `Document ${n}`,
          creation: '2026-05-01T09:00:00Z',
        },
        format: {
          system: 'http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode',
          code: 'urn:ihe:iti:xds:2017:mimeTypeSufficient',
        },
      },
    ],
    context: {
      event: [coded('http://dicom.nema.org/resources/ontology/DCM', 'CT')],
      period: { start: '2026-04-30T08:00:00Z', end: '2026-04-30T09:00:00Z' },
      facilityType: coded('http://snomed.info/sct', '82242000'),
      practiceSetting: coded('http://snomed.info/sct', '408467006'),
      sourcePatientInfo: { reference: '#source' },
    },
    ...said,
  } as DocumentReference
}

export function submissionSet(n: number, items: readonly string[], said: Partial<List> = {}): List {
  return {
    resourceType: 'List',
    extension: [
      {
        url: `${MHD}/StructureDefinition/ihe-designationType`,
        valueCodeableConcept: coded('http://snomed.info/sct', '225728007'),
      },
      { url: `${MHD}/StructureDefinition/ihe-sourceId`, valueIdentifier: { value: 'urn:oid:1.2.3.4' } },
    ],
    identifier: [{ use: 'usual', ...uri(`urn:oid:1.2.3.4.66.${n}`) }],
    status: 'current',
    mode: 'working',
    code: coded(`${MHD}/CodeSystem/MHDlistTypes`, 'submissionset'),
    subject: { reference: 'Patient/ex-patient' },
    date: '2026-05-02T10:00:00Z',
    entry: items.map((reference) => ({ item: { reference } })),
    ...said,
  } as List
}

export function folder(n: number, items: readonly string[], said: Partial<List> = {}): List {
  return {
    resourceType: 'List',
    extension: [
      {
        url: `${MHD}/StructureDefinition/ihe-designationType`,
        valueCodeableConcept: coded('http://snomed.info/sct', '2341000146107'),
      },
    ],
    identifier: [{ use: 'usual', ...uri(`urn:oid:1.2.3.4.67.${n}`) }],
    status: 'current',
    mode: 'working',
    title: `Folder ${n}`,
    code: coded(`${MHD}/CodeSystem/MHDlistTypes`, 'folder'),
    subject: { reference: 'Patient/ex-patient' },
    entry: items.map((reference) => ({ item: { reference } })),
    ...said,
  } as List
}

/** One submission set with its documents, in the order set, references, bytes; `more` stands behind them. */
export function provideBundle(
  set: number,
  documents: readonly Sent[],
  options: { readonly profile?: Profile; readonly more?: readonly BundleEntry[]; readonly set?: Partial<List> } = {},
): Bundle {
  const addresses = documents.map(({ n }) => address(n))
  const { profile = 'Comprehensive', more = [] } = options
  return {
    resourceType: 'Bundle',
    meta: { profile: [profileUrl(profile)] },
    type: 'transaction',
    entry: [
      {
        fullUrl: address(5000 + set),
        resource: submissionSet(set, addresses, options.set),
        request: { method: 'POST', url: 'List' },
      },
      ...documents.map(
        (sent, i): BundleEntry => ({
          fullUrl: addresses[i] ?? '',
          resource: documentReference(sent),
          request: { method: 'POST', url: 'DocumentReference' },
        }),
      ),
      ...documents.map(
        ({ n, bytes, contentType = 'text/plain' }): BundleEntry => ({
          fullUrl: address(1000 + n),
          resource: { resourceType: 'Binary', contentType, data: Buffer.from(bytes).toString('base64') },
          request: { method: 'POST', url: 'Binary' },
        }),
      ),
      ...more,
    ],
  }
}

/** The entry that says of a document that it is superseded. IHE.MHD.Patch.Parameters */
export function supersedes(reference: string): BundleEntry {
  const resource: Parameters = {
    resourceType: 'Parameters',
    parameter: [
      {
        name: 'operation',
        part: [
          { name: 'type', valueCode: 'replace' },
          { name: 'path', valueString: 'DocumentReference.status' },
          { name: 'value', valueCode: 'superseded' },
        ],
      },
    ],
  }
  return { fullUrl: address(9000), resource, request: { method: 'PATCH', url: reference } }
}

const entriesOf = (answer: object): BundleEntry[] => ('entry' in answer ? (answer.entry as BundleEntry[]) : [])

/** `Type/id` of the entries of an answer. */
export function placesOf(answer: object): string[] {
  return entriesOf(answer).map(({ response }) => (response?.location ?? '').replace(/\/_history\/.*$/, ''))
}

export const statusesOf = (answer: object): (string | undefined)[] =>
  entriesOf(answer).map(({ response }) => response?.status)
