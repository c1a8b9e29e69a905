import type { CodeableConcept, DocumentReference, DocumentReferenceRelatesTo, Identifier } from '@medplum/fhirtypes'
import type { Code, DocumentReferenceId, RelationKind, StoredDocument } from '#model/document.ts'
import type { DocumentQuery, DocumentReader } from '#model/document-desk.ts'
import type { Visibility } from '#model/visibility.ts'
import { systemOfIssuer } from '#security/issuer-systems.ts'
import type { Issuers } from '#security/issuers.ts'
import { type ExtensionPlace, putExtensionsBack } from '#standards/fhir/extensions.ts'
import { prefixed, spanOf, tokenOf, unescaped } from '#standards/fhir/search-syntax.ts'
import type { Json } from '#standards/fhir/xml-write.ts'
import { compact, type Loose, type LooseReference } from './compact.ts'
import type { AskedToken, Criteria } from './criteria.ts'
import { authorsOf } from './document-author.ts'
import { studyIdentifier } from './imaging-study.ts'
import type { Caller, FhirSources, ResourceKind } from './kind.ts'
import { fhirDate, genderOf, humanNames } from './patient.ts'

const UUID_SYSTEM = 'urn:ietf:rfc:3986'
const V2_0203 = 'http://terminology.hl7.org/CodeSystem/v2-0203'

export function conceptOf(code: Code | null): Loose<CodeableConcept> | undefined {
  if (code === null) return undefined
  return { coding: [{ system: code.system, code: code.code, display: code.display }] }
}

/** A unique id as a URI: OIDs and UUIDs get their URN, what is a URI already stays. */
export function uniqueIdUri(uniqueId: string): string {
  if (/^[0-2](\.\d+)+$/.test(uniqueId)) return `urn:oid:${uniqueId}`
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uniqueId)) return `urn:uuid:${uniqueId.toLowerCase()}`
  return uniqueId
}

const STATUSES = { current: 'current', superseded: 'superseded', 'entered-in-error': 'entered-in-error' } as const

const RELATES: { readonly [kind in RelationKind]?: DocumentReferenceRelatesTo['code'] } = {
  replaces: 'replaces',
  'transform-replaces': 'replaces',
  transforms: 'transforms',
  rendition: 'transforms',
  signs: 'signs',
  appends: 'appends',
}

function relatedOf({ type, id, issuer }: DocumentReferenceId, issuers: Issuers): LooseReference {
  if (type === 'study') return { reference: `ImagingStudy/${id}`, identifier: studyIdentifier(id) }
  const system = issuer === '' ? undefined : systemOfIssuer(issuers, issuer)
  const coded = (code: string): Loose<Identifier> => ({
    type: { coding: [{ system: V2_0203, code }] },
    system,
    value: id,
  })
  if (type === 'accession') return { identifier: coded('ACSN') }
  if (type === 'order') return { identifier: coded('PLAC') }
  if (type === 'encounter') return { identifier: coded('VN') }
  return { identifier: { system, value: type === 'unique-id' ? uniqueIdUri(id) : id } }
}

/** Extensions a sender gave and nobody here reads: given back as they came. Policy `fhir.extensions`, docs/reference/fhir.md. */
function keptExtensions(extra: { readonly [name: string]: unknown }): DocumentReference['extension'] {
  const kept = extra['fhirExtension']
  return Array.isArray(kept) ? (kept as DocumentReference['extension']) : undefined
}

/** C.5 of services.md; IHE MHD 4.2 section 2:3.65.4.1.2. */
export async function documentReferenceOf(
  { documents, issuers, onTheWay }: Pick<FhirSources, 'documents' | 'issuers' | 'onTheWay'>,
  document: StoredDocument,
  { visibility, origin }: Pick<Caller, 'visibility' | 'origin'>,
): Promise<DocumentReference> {
  const { metadata } = document
  const register = issuers()
  const relatesTo: Loose<DocumentReferenceRelatesTo>[] = []
  for (const { kind, to } of document.relations) {
    const code = RELATES[kind]
    const target = code === undefined ? undefined : await documents.document(to, visibility)
    if (code !== undefined && target !== undefined) {
      relatesTo.push({ code, target: { reference: `DocumentReference/${target.entryUuid}` } })
    }
  }
  const authors = authorsOf(metadata.authors, 'author', register)
  const authenticator =
    metadata.legalAuthenticator === null ? null : authorsOf([metadata.legalAuthenticator], 'authenticator', register)
  const source = metadata.sourcePatient
  const encounters = metadata.references.filter(({ type }) => type === 'encounter')
  const references = metadata.references.filter(({ type }) => type !== 'encounter')
  const studies = new Set(references.flatMap(({ type, id }) => (type === 'study' ? [id] : [])))
  const { studyInstanceUID } = document
  if (studyInstanceUID !== null && !studies.has(studyInstanceUID)) {
    references.push({ type: 'study', id: studyInstanceUID, issuer: '' })
  }
  const stated = onTheWay.documents.stated(document)
  const instant = (time: string | null) => (time === null ? undefined : time)
  const resource: Loose<DocumentReference> = {
    resourceType: 'DocumentReference',
    id: document.entryUuid,
    meta: { versionId: String(document.version), lastUpdated: document.lastUpdated },
    contained: [
      ...authors.contained,
      ...(authenticator?.contained ?? []),
      ...(source === null
        ? []
        : [
            {
              resourceType: 'Patient' as const,
              id: 'source-patient',
              identifier: [{ system: systemOfIssuer(register, source.issuer), value: source.id }],
              name: humanNames(source.name),
              gender: source.sex === null ? undefined : genderOf(source.sex),
              birthDate: fhirDate(source.birthDate),
            },
          ]),
    ] as DocumentReference['contained'],
    extension: keptExtensions(metadata.extra),
    masterIdentifier: { system: UUID_SYSTEM, value: uniqueIdUri(document.uniqueId) },
    identifier: [{ use: 'official', system: UUID_SYSTEM, value: `urn:uuid:${document.entryUuid}` }],
    status: STATUSES[document.status],
    // MHD has no docStatus; it stands here only for reports that have one (HL7 OBR-25, TXA-17).
    docStatus: document.phase,
    type: conceptOf(metadata.typeCode),
    category: [conceptOf(metadata.classCode)],
    subject: document.patientId === null ? undefined : { reference: `Patient/${document.patientId}` },
    date: document.created,
    author: authors.references,
    authenticator: authenticator?.references[0],
    relatesTo,
    description: metadata.comments,
    securityLabel: metadata.confidentiality.map(conceptOf),
    content: [
      {
        attachment: {
          contentType: document.mediaType,
          language: metadata.language,
          url: `${origin}/fhir/Binary/${document.entryUuid}`,
          // Of the bytes that Binary gives; absent while it is not known what may leave of them.
          size: stated?.size,
          hash: stated === null ? undefined : Buffer.from(stated.sha1, 'hex').toString('base64'),
          title: metadata.title,
          creation: metadata.creationTime,
        },
        format:
          metadata.formatCode === null
            ? undefined
            : {
                system: metadata.formatCode.system,
                code: metadata.formatCode.code,
                display: metadata.formatCode.display,
              },
      },
    ],
    context: {
      encounter: encounters.map((one) => relatedOf(one, register)),
      event: metadata.eventCodes.map(conceptOf),
      period: { start: instant(metadata.serviceStart), end: instant(metadata.serviceStop) },
      facilityType: conceptOf(metadata.facilityType),
      practiceSetting: conceptOf(metadata.practiceSetting),
      sourcePatientInfo: source === null ? undefined : { reference: '#source-patient' },
      related: references.map((one) => relatedOf(one, register)),
    },
  }
  const made = compact<DocumentReference>(resource)
  const below = metadata.extra['fhirExtensionBelow']
  if (Array.isArray(below)) putExtensionsBack(made as unknown as Json, below as ExtensionPlace[])
  return made
}

const IDENTIFIERS_MAX = 100

const CODES = {
  type: 'typeCodes',
  category: 'classCodes',
  setting: 'practiceSettings',
  facility: 'facilityTypes',
  format: 'formatCodes',
  event: 'eventCodes',
  'security-label': 'confidentiality',
} as const

/** The range of instants a date condition may be about; taken away where it says exactly that. */
export function rangeAsked(
  criteria: Criteria,
  code: string,
): { readonly from?: string; readonly to?: string } | undefined {
  const filter = criteria.peek(code)
  const [only, ...more] = filter?.values ?? []
  if (filter === undefined || only === undefined || more.length > 0) return undefined
  const { prefix, value } = prefixed(only)
  const span = spanOf(value)
  if (span === undefined) return undefined
  const from = new Date(span.from).toISOString()
  const to = new Date(span.to).toISOString()
  if (prefix === 'eq') return { from, to }
  if (prefix === 'ge') return { from }
  if (prefix === 'gt' || prefix === 'sa') return { from: new Date(span.to - 1).toISOString() }
  return prefix === 'le' || prefix === 'lt' || prefix === 'eb' ? { to } : undefined
}

const DAY_MS = 86_400_000

/**
 * The range in whole years, for times that are kept as they were said (`2019`, `2019-05-02T10:00:00-05:00`) and compared as
 * texts: it loses none. What is found is compared exactly afterwards.
 */
export function yearsOf(
  range: { readonly from?: string; readonly to?: string } | undefined,
): { readonly from?: string; readonly to?: string } | undefined {
  if (range === undefined) return undefined
  const year = (instant: string, days: number) => new Date(Date.parse(instant) + days * DAY_MS).getUTCFullYear()
  return {
    ...(range.from === undefined ? {} : { from: String(year(range.from, -1)).padStart(4, '0') }),
    ...(range.to === undefined ? {} : { to: String(year(range.to, 1) + 1).padStart(4, '0') }),
  }
}

const ORDERS: { readonly [sort: string]: DocumentQuery['order'] } = { date: 'oldest', '-_lastUpdated': 'updated' }

type Asked = Omit<DocumentQuery, 'order' | 'limit'>

async function queryOf(
  { documents }: Pick<FhirSources, 'documents'>,
  criteria: Criteria,
  { visibility }: Caller,
): Promise<Asked> {
  const codes: { [field: string]: readonly AskedToken[] } = {}
  for (const [parameter, field] of Object.entries(CODES)) {
    const tokens = criteria.tokens(parameter)
    if (tokens !== undefined) codes[field] = tokens
  }
  const ids = criteria.values('_id')
  const patientIds = criteria.patients()
  const statuses = criteria.peek('status')
  const status = statuses?.values.filter((value) => value in STATUSES) as DocumentQuery['statuses']
  if (statuses !== undefined) criteria.take(statuses)
  const identifiers = criteria.peek('identifier')?.values.map((value) => tokenOf(value).code ?? '')
  const studies = criteria.peek('related')?.values.map(unescaped)
  const studyUIDs = studies?.flatMap((value) => /^(?:.*\/)?ImagingStudy\/([0-9.]+)$/.exec(value)?.[1] ?? [])
  const updated = rangeAsked(criteria, '_lastUpdated')
  const service = yearsOf(rangeAsked(criteria, 'period'))
  const creation = yearsOf(rangeAsked(criteria, 'creation'))
  const family = criteria.values('author.family')
  const given = criteria.values('author.given')
  const author = { ...(family === undefined ? {} : { family }), ...(given === undefined ? {} : { given }) }
  const media = criteria.values('contenttype')
  return {
    ...codes,
    ...(ids === undefined ? {} : { entryUuids: ids }),
    ...(patientIds === undefined ? {} : { patientIds }),
    ...(status === undefined ? {} : { statuses: status }),
    ...(updated === undefined ? {} : { lastUpdated: updated }),
    ...(service === undefined ? {} : { service }),
    ...(creation === undefined ? {} : { creation }),
    ...(family === undefined && given === undefined ? {} : { author }),
    ...(media === undefined ? {} : { mediaTypes: media }),
    ...(identifiers === undefined || identifiers.includes('')
      ? {}
      : { objectIds: await objectsOf(documents, identifiers, visibility) }),
    ...(studyUIDs === undefined || studyUIDs.length !== studies?.length ? {} : { aboutStudies: studyUIDs }),
  }
}

/** Identifiers are unique ids or entry UUIDs: both are found by one look-up each, and compared with their system afterwards. */
async function objectsOf(
  documents: DocumentReader,
  identifiers: readonly string[],
  visibility: Visibility,
): Promise<string[]> {
  const found = await Promise.all(
    identifiers.slice(0, IDENTIFIERS_MAX).map((one) => documents.document(one, visibility)),
  )
  return found.flatMap((document) => (document === undefined ? [] : [document.objectId]))
}

export const documentReferenceKind: ResourceKind = {
  type: 'DocumentReference',
  made: 'primary',
  owner: 'the document panel (`model/document.ts`)',
  writable:
    'all that ITI-65 and ITI-105 send at creation; afterwards status, title, description, codes, authors, period, related; never the bytes',
  versions: 'version of the document; every former state is kept',
  needs: { read: 'document.read', create: 'document.store', change: 'document.write' },
  parameters: [
    ...['patient', 'subject', 'identifier', 'status', 'type', 'category', 'setting', 'facility', 'format', 'event'],
    ...['security-label', 'date', 'creation', 'period', 'related', 'encounter', 'relatesto', 'relation', 'author'],
    ...['author.given', 'author.family', 'authenticator', 'contenttype', 'language', 'location', 'description'],
  ],
  includes: ['patient', 'subject', 'related', 'relatesto', 'encounter'],
  revIncludes: ['List:item', 'DocumentReference:relatesto', 'Provenance:target'],
  sorts: ['-date', 'date', '-_lastUpdated'],
  history: true,
  source(sources) {
    const { documents } = sources
    const made = (document: StoredDocument, caller: Caller) => documentReferenceOf(sources, document, caller)
    return {
      async read(id, caller) {
        const document = await documents.document(id, caller.visibility)
        return document?.entryUuid === id.toLowerCase() ? made(document, caller) : undefined
      },
      async versions(id, caller) {
        const document = await documents.document(id, caller.visibility)
        if (document?.entryUuid !== id.toLowerCase()) return undefined
        const versions = (await documents.versions(document.objectId, caller.visibility)) ?? []
        return Promise.all(versions.map((version) => made(version.document, caller)))
      },
      async search(criteria, { limit, cursor, sort }, caller) {
        const query = await queryOf(sources, criteria, caller)
        const page = await documents.documents(
          { ...query, order: ORDERS[sort ?? ''] ?? 'newest', limit, ...(cursor === undefined ? {} : { cursor }) },
          caller.visibility,
        )
        const resources = await Promise.all(page.items.map(({ document }) => made(document, caller)))
        return { resources, next: page.next }
      },
      async count(criteria, caller) {
        const query = await queryOf(sources, criteria, caller)
        return documents.countDocuments({ ...query, order: 'newest', limit: 1 }, caller.visibility)
      },
    }
  },
}
