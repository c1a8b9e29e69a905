import type { CodeableConcept, DiagnosticReport } from '@medplum/fhirtypes'
import type { StoredDocument } from '#model/document.ts'
import type { DocumentQuery } from '#model/document-desk.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { LOINC } from './coded.ts'
import { compact, type Loose, type LooseReference } from './compact.ts'
import type { Criteria } from './criteria.ts'
import { authorsOf } from './document-author.ts'
import { conceptOf, uniqueIdUri } from './document-reference.ts'
import { studyIdentifier } from './imaging-study.ts'
import type { Caller, FhirSources, ResourceKind } from './kind.ts'

/** Classes of documents that are reports of a diagnostic service, with the section they come from. HL7 v2 table 0074. */
const REPORTS: { readonly [classCode: string]: { readonly code: string; readonly display: string } | null } = {
  '18726-0': { code: 'RAD', display: 'Radiology' },
  '26441-6': null,
  '27898-6': { code: 'PAT', display: 'Pathology (gross & histopath, not surgical)' },
  '11502-2': { code: 'LAB', display: 'Laboratory' },
  '52027-1': null,
}

const CLASS_CODES = Object.keys(REPORTS).map((code) => ({ code, system: LOINC }))

function isReport({ metadata, status }: StoredDocument): boolean {
  const { classCode } = metadata
  return status !== 'superseded' && classCode?.system === LOINC && Object.hasOwn(REPORTS, classCode.code)
}

function statusOf({ status, phase }: StoredDocument): DiagnosticReport['status'] {
  if (status === 'entered-in-error') return 'entered-in-error'
  return phase ?? 'final'
}

function categories({ metadata }: StoredDocument): (Loose<CodeableConcept> | undefined)[] {
  const section = REPORTS[metadata.classCode?.code ?? '']
  return [
    ...(section ? [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0074', ...section }] }] : []),
    conceptOf(metadata.classCode),
  ]
}

function diagnosticReportOf(
  { issuers, fhir, onTheWay }: FhirSources,
  document: StoredDocument,
  { origin }: Pick<Caller, 'origin'>,
): DiagnosticReport {
  const { metadata, patientId } = document
  const register = issuers()
  const stated = onTheWay.documents.stated(document)
  const authors = authorsOf(
    metadata.authors.filter(({ device }) => device === null),
    'author',
    register,
  )
  const interpreter =
    metadata.legalAuthenticator === null || metadata.legalAuthenticator.device !== null
      ? { contained: [], references: [] }
      : authorsOf([metadata.legalAuthenticator], 'authenticator', register)
  const studies = new Set(metadata.references.flatMap(({ type, id }) => (type === 'study' ? [id] : [])))
  if (document.studyInstanceUID !== null) studies.add(document.studyInstanceUID)
  const numbers = metadata.references.flatMap(({ type, id }) => (type === 'order' || type === 'accession' ? [id] : []))
  const orders =
    numbers.length === 0 || patientId === null
      ? []
      : fhir.orders({ numbers, patientIds: [patientId], limit: 10 }, EVERYTHING).items
  return compact<DiagnosticReport>({
    resourceType: 'DiagnosticReport',
    id: document.entryUuid,
    meta: { versionId: String(document.version), lastUpdated: document.lastUpdated },
    contained: [...authors.contained, ...interpreter.contained] as DiagnosticReport['contained'],
    identifier: [{ system: 'urn:ietf:rfc:3986', value: uniqueIdUri(document.uniqueId) }],
    basedOn: orders.map(({ order }) => ({ reference: `ServiceRequest/${order.id}` })),
    status: statusOf(document),
    category: categories(document),
    code: conceptOf(metadata.typeCode) ?? { text: metadata.title ?? 'Report' },
    subject: patientId === null ? undefined : { reference: `Patient/${patientId}` },
    effectiveDateTime: metadata.serviceStart ?? metadata.creationTime,
    issued: document.created,
    performer: authors.references as LooseReference[],
    resultsInterpreter: interpreter.references as LooseReference[],
    imagingStudy: [...studies].map((uid) => ({ reference: `ImagingStudy/${uid}`, identifier: studyIdentifier(uid) })),
    presentedForm: [
      {
        contentType: document.mediaType,
        language: metadata.language,
        url: `${origin}/fhir/Binary/${document.entryUuid}`,
        size: stated?.size,
        hash: stated === null ? undefined : Buffer.from(stated.sha1, 'hex').toString('base64'),
        title: metadata.title,
        creation: metadata.creationTime,
      },
    ],
  })
}

function queryOf(criteria: Criteria): Omit<DocumentQuery, 'order' | 'limit'> {
  const ids = criteria.values('_id')
  const patientIds = criteria.patients()
  const types = criteria.tokens('code')
  const studies = criteria.references('ImagingStudy', 'imaging-study')
  return {
    classCodes: CLASS_CODES,
    statuses: ['current', 'entered-in-error'],
    ...(ids === undefined ? {} : { entryUuids: ids }),
    ...(patientIds === undefined ? {} : { patientIds }),
    ...(types === undefined ? {} : { typeCodes: types }),
    ...(studies === undefined ? {} : { aboutStudies: studies }),
  }
}

export const diagnosticReportKind: ResourceKind = {
  type: 'DiagnosticReport',
  made: 'derived',
  owner: 'the document panel: documents whose class is a report of radiology, cardiology, pathology or laboratory',
  writable: 'nothing: 405; a report is a DocumentReference, or comes by HL7 v2; former versions are DocumentReferences',
  versions: 'version of the document; history under DocumentReference',
  needs: { read: 'document.read' },
  parameters: [
    ...['patient', 'subject', 'identifier', 'status', 'code', 'category', 'date', 'issued', 'based-on'],
    'imaging-study',
  ],
  includes: ['patient', 'subject', 'based-on', 'imaging-study'],
  revIncludes: [],
  sorts: ['-date', 'date', '-_lastUpdated'],
  history: false,
  source(sources) {
    const { documents } = sources
    return {
      async read(id, caller) {
        const document = await documents.document(id, caller.visibility)
        if (document?.entryUuid !== id.toLowerCase() || !isReport(document)) return undefined
        return diagnosticReportOf(sources, document, caller)
      },
      async search(criteria, { limit, cursor, sort }, caller) {
        const order = sort === 'date' ? 'oldest' : sort === '-_lastUpdated' ? 'updated' : 'newest'
        const page = await documents.documents(
          { ...queryOf(criteria), order, limit, ...(cursor === undefined ? {} : { cursor }) },
          caller.visibility,
        )
        const resources = page.items.map(({ document }) => diagnosticReportOf(sources, document, caller))
        return { resources, next: page.next }
      },
    }
  },
}
