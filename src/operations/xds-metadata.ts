/** What is said of documents, in the words of XDS: for XDM packages and whoever else speaks ebRIM. ITI TF-3 section 4.2. */
import type {
  Code,
  DocumentAuthor,
  DocumentList,
  DocumentReferenceId,
  RelationKind,
  StoredDocument,
} from '#model/document.ts'
import type { Issuers } from '#security/issuers.ts'
import { isOid, systemOid } from '#standards/code-systems.ts'
import type {
  ExtraSlots,
  XdsAssociation,
  XdsAssociationType,
  XdsAuthor,
  XdsCode,
  XdsDocumentEntry,
  XdsFolder,
} from '#standards/xds/types.ts'
import { cx, cxi, dtm, escaped, type XdsIdentifier, xcn, xpn } from '#standards/xds/values.ts'

/** Slots of ours for what XDS has no attribute for. */
export const OWN_SLOTS = {
  department: 'urn:diptych:department',
  phase: 'urn:diptych:phase',
  device: 'urn:diptych:device',
} as const

/** Types of references. ITI TF-3 table 4.2.3.2.28-1. */
export const REFERENCE_TYPES: { readonly [type in DocumentReferenceId['type']]: string } = {
  accession: 'urn:ihe:iti:xds:2013:accession',
  study: 'urn:ihe:iti:xds:2016:studyInstanceUID',
  order: 'urn:ihe:iti:xds:2013:order',
  encounter: 'urn:ihe:iti:xds:2015:encounterId',
  'unique-id': 'urn:ihe:iti:xds:2013:uniqueId',
  referral: 'urn:ihe:iti:xds:2013:referral',
  workflow: 'urn:ihe:iti:xdw:2013:workflowInstanceId',
  other: 'urn:diptych:reference:other',
}

export const ASSOCIATION_TYPES: { readonly [kind in RelationKind]?: XdsAssociationType } = {
  replaces: 'RPLC',
  appends: 'APND',
  transforms: 'XFRM',
  'transform-replaces': 'XFRM_RPLC',
  signs: 'signs',
}

/** An identifier with the OID of its issuer; without one, with its name: receivers need an entry in `identity.issuers`. */
export function identifierOf(issuers: Issuers, issuer: string, id: string): XdsIdentifier {
  const entry = issuers.entry(issuer)
  const oid = entry?.oid ?? (isOid(issuer) ? issuer : null)
  if (oid !== null) return { id, universalId: oid, namespaceId: '' }
  if (/^(https?:\/\/|urn:)/i.test(issuer)) return { id, universalId: issuer, namespaceId: '' }
  return { id, universalId: '', namespaceId: issuer }
}

function codeOf({ code, system, display }: Code): XdsCode {
  return { code, scheme: systemOid(system), display }
}

const codeOrNull = (code: Code | null): XdsCode | null => (code === null ? null : codeOf(code))

function authorOf(issuers: Issuers, author: DocumentAuthor): XdsAuthor {
  const { person, identifier, institution, role, specialty, telecom, device } = author
  return {
    person: personOf(issuers, { person: person ?? device, identifier }),
    institutions: institution === null ? [] : [escaped(institution)],
    roles: role === null ? [] : [role],
    specialties: specialty === null ? [] : [specialty],
    telecommunications: telecom === null ? [] : [telecom],
  }
}

function personOf(
  issuers: Issuers,
  { person, identifier }: Pick<DocumentAuthor, 'person' | 'identifier'>,
): string | null {
  if (person === null && identifier === null) return null
  return xcn(person ?? '', identifier === null ? null : identifierOf(issuers, identifier.issuer, identifier.id))
}

/** An OID stands bare in XDS. */
const bareOid = (uniqueId: string): string => uniqueId.replace(/^urn:oid:/i, '')

/**
 * The DocumentEntry of a document.
 * @param patientId CX of who owns it now; null while nobody knows
 */
export function documentEntryOf(
  issuers: Issuers,
  document: StoredDocument,
  patientId: string | null,
): XdsDocumentEntry {
  const { metadata } = document
  const { sourcePatient, legalAuthenticator, department } = metadata
  const source = sourcePatient === null ? null : cx(identifierOf(issuers, sourcePatient.issuer, sourcePatient.id))
  const devices = metadata.authors.flatMap(({ person, device }) => (person === null && device !== null ? [device] : []))
  const own: { [name: string]: readonly string[] } = {}
  if (department !== null) own[OWN_SLOTS.department] = [department]
  if (document.phase !== null) own[OWN_SLOTS.phase] = [document.phase]
  if (devices.length > 0) own[OWN_SLOTS.device] = devices
  return {
    entryUUID: `urn:uuid:${document.entryUuid}`,
    uniqueId: bareOid(document.uniqueId),
    objectType: 'stable',
    availabilityStatus: document.status === 'current' ? 'Approved' : 'Deprecated',
    mimeType: document.mediaType,
    title: metadata.title,
    comments: metadata.comments,
    author: metadata.authors.map((author) => authorOf(issuers, author)),
    classCode: codeOrNull(metadata.classCode),
    typeCode: codeOrNull(metadata.typeCode),
    formatCode: codeOrNull(metadata.formatCode),
    practiceSettingCode: codeOrNull(metadata.practiceSetting),
    healthcareFacilityTypeCode: codeOrNull(metadata.facilityType),
    confidentialityCode: metadata.confidentiality.map(codeOf),
    eventCodeList: metadata.eventCodes.map(codeOf),
    languageCode: metadata.language,
    creationTime: dtm(metadata.creationTime),
    serviceStartTime: dtm(metadata.serviceStart),
    serviceStopTime: dtm(metadata.serviceStop),
    legalAuthenticator: legalAuthenticator === null ? null : personOf(issuers, legalAuthenticator),
    patientId,
    sourcePatientId: source ?? patientId,
    sourcePatientInfo:
      sourcePatient === null
        ? []
        : [
            `PID-3|${source}`,
            ...(sourcePatient.name === null ? [] : [`PID-5|${xpn(sourcePatient.name)}`]),
            ...(sourcePatient.birthDate === null ? [] : [`PID-7|${sourcePatient.birthDate}`]),
            ...(sourcePatient.sex === null ? [] : [`PID-8|${sourcePatient.sex}`]),
          ],
    referenceIdList: metadata.references.map(({ type, id, issuer }) =>
      cxi(
        issuer === '' ? { id, universalId: '', namespaceId: '' } : identifierOf(issuers, issuer, id),
        REFERENCE_TYPES[type],
      ),
    ),
    hash: document.sha1,
    size: document.size,
    repositoryUniqueId: null,
    homeCommunityId: null,
    documentAvailability: null,
    URI: null,
    extra: { ...keptSlots(metadata.extra), ...own },
  }
}

/** Slots a sender gave that we do not read: they leave as they came. */
function keptSlots(extra: { readonly [name: string]: unknown }): ExtraSlots {
  return Object.fromEntries(
    Object.entries(extra).flatMap(([name, values]): [string, string[]][] =>
      Array.isArray(values) && values.every((value): value is string => typeof value === 'string')
        ? [[name, values]]
        : [],
    ),
  )
}

export function folderOf(list: DocumentList, patientId: string | null): XdsFolder {
  return {
    entryUUID: `urn:uuid:${list.id}`,
    uniqueId: bareOid(list.uniqueId),
    patientId,
    lastUpdateTime: dtm(list.time),
    title: list.title,
    comments: list.comments,
    codeList: list.codes.map(codeOf),
    availabilityStatus: list.status === 'current' ? 'Approved' : 'Deprecated',
    homeCommunityId: null,
    extra: keptSlots(list.extra),
  }
}

/** Relations among these documents. Faces and renditions are between panels: XDS has no word for them. */
export function associationsAmong(documents: readonly StoredDocument[], nextId: () => string): XdsAssociation[] {
  const uuids = new Map(documents.map(({ objectId, entryUuid }) => [objectId, `urn:uuid:${entryUuid}`]))
  return documents.flatMap(({ relations }) =>
    relations.flatMap(({ kind, from, to }): XdsAssociation[] => {
      const [type, source, target] = [ASSOCIATION_TYPES[kind], uuids.get(from), uuids.get(to)]
      if (type === undefined || source === undefined || target === undefined) return []
      return [{ entryUUID: nextId(), type, source, target, submissionSetStatus: null }]
    }),
  )
}
