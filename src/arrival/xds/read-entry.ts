/** What a DocumentEntry or a package of XDS says, in our nouns. ITI TF-3 section 4.2.3. */
import type {
  Code,
  DocumentAuthor,
  DocumentMetadata,
  DocumentOwner,
  DocumentReferenceId,
  RelationKind,
  SourcePatient,
} from '#model/document.ts'
import type { DocumentStatement, SubmittedList } from '#model/document-desk.ts'
import { ASSOCIATION_TYPES, OWN_SLOTS, REFERENCE_TYPES } from '#operations/xds-metadata.ts'
import type { Issuers } from '#security/issuers.ts'
import { isOid, systemUri } from '#standards/code-systems.ts'
import type {
  XdsAssociationType,
  XdsAuthor,
  XdsCode,
  XdsDocumentEntry,
  XdsFolder,
  XdsSubmissionSet,
} from '#standards/xds/types.ts'
import { readCx, readCxi, readDtm, readXcn, readXon, readXpn, type XdsIdentifier } from '#standards/xds/values.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** The UUID of an entryUUID; undefined for a symbolic one. */
export function entryUuidOf(entryUUID: string): string | undefined {
  const bare = entryUUID.replace(/^urn:uuid:/i, '').toLowerCase()
  return UUID.test(bare) ? bare : undefined
}

/** An OID as its URN, so that the same document is the same whichever door it came through. */
function uniqueIdOf(uniqueId: string): string {
  return isOid(uniqueId) ? `urn:oid:${uniqueId}` : uniqueId
}

function keyOf(issuers: Issuers, { id, universalId, namespaceId }: XdsIdentifier): { issuer: string; id: string } {
  return { issuer: issuers.resolve({ namespaceId, universalId })?.issuer ?? '', id }
}

/** Who owns it, as stated: the patient of the domain, else of the source. */
export function ownerOf(
  issuers: Issuers,
  patientId: string | null,
  sourcePatientId: string | null = null,
): DocumentOwner | undefined {
  for (const text of [patientId, sourcePatientId]) {
    const read = text === null ? null : readCx(text)
    if (read === null) continue
    const key = keyOf(issuers, read)
    return { by: 'identifier', ...key, issuerAssumed: key.issuer === '' }
  }
  return undefined
}

function codeOf({ code, scheme, display }: XdsCode): Code | null {
  return code === '' ? null : { code, system: systemUri(scheme), display: display || code }
}

const codeOrNull = (code: XdsCode | null): Code | null => (code === null ? null : codeOf(code))
const codesOf = (codes: readonly XdsCode[]): Code[] => codes.flatMap((one) => codeOf(one) ?? [])

export function authorOf(issuers: Issuers, author: XdsAuthor, devices: readonly string[] = []): DocumentAuthor {
  const { person, identifier } = author.person === null ? NOBODY : readXcn(author.person)
  const isDevice = person !== null && devices.includes(person)
  return {
    person: isDevice ? null : person,
    identifier: identifier === null ? null : keyOf(issuers, identifier),
    institution: author.institutions.map(readXon).find((name) => name !== '') ?? null,
    role: author.roles[0] ?? null,
    specialty: author.specialties[0] ?? null,
    telecom: author.telecommunications[0] ?? null,
    device: isDevice ? person : null,
  }
}

const NOBODY = { person: null, identifier: null } as const

const TYPES: ReadonlyMap<string, DocumentReferenceId['type']> = new Map(
  Object.entries(REFERENCE_TYPES).map(([type, urn]) => [urn, type as DocumentReferenceId['type']]),
)

function referencesOf(issuers: Issuers, list: readonly string[]): DocumentReferenceId[] {
  return list.flatMap((text) => {
    const read = readCxi(text)
    if (read === null) return []
    const type = TYPES.get(read.type) ?? 'other'
    return [{ type, ...keyOf(issuers, read.identifier) }]
  })
}

function sourcePatientOf(issuers: Issuers, entry: XdsDocumentEntry): SourcePatient | null {
  const fields = new Map(
    entry.sourcePatientInfo.map((line) => {
      const bar = line.indexOf('|')
      return [line.slice(0, bar), line.slice(bar + 1)] as const
    }),
  )
  const id = readCx(entry.sourcePatientId ?? fields.get('PID-3') ?? '')
  if (id === null) return null
  const sex = fields.get('PID-8') ?? ''
  const birthDate = /^\d{4,8}/.exec(fields.get('PID-7') ?? '')?.[0] ?? null
  return {
    ...keyOf(issuers, id),
    name: readXpn(fields.get('PID-5') ?? ''),
    birthDate,
    sex: ['M', 'F', 'O'].includes(sex) ? sex : null,
  }
}

/** A statement as the sender makes it; what is absent is found elsewhere, or waits. */
export function statementOf(issuers: Issuers, entry: XdsDocumentEntry): DocumentStatement {
  const own: ReadonlySet<string> = new Set(Object.values(OWN_SLOTS))
  const { [OWN_SLOTS.department]: department, [OWN_SLOTS.phase]: phase, [OWN_SLOTS.device]: devices } = entry.extra
  const owner = ownerOf(issuers, entry.patientId, entry.sourcePatientId)
  const entryUuid = entryUuidOf(entry.entryUUID)
  const signer = entry.legalAuthenticator
  const metadata: Partial<DocumentMetadata> = {
    title: entry.title,
    comments: entry.comments,
    classCode: codeOrNull(entry.classCode),
    typeCode: codeOrNull(entry.typeCode),
    formatCode: codeOrNull(entry.formatCode),
    practiceSetting: codeOrNull(entry.practiceSettingCode),
    facilityType: codeOrNull(entry.healthcareFacilityTypeCode),
    department: department?.[0] ?? null,
    authors: entry.author.map((author) => authorOf(issuers, author, devices)),
    eventCodes: codesOf(entry.eventCodeList),
    confidentiality: codesOf(entry.confidentialityCode),
    language: entry.languageCode,
    creationTime: readDtm(entry.creationTime),
    serviceStart: readDtm(entry.serviceStartTime),
    serviceStop: readDtm(entry.serviceStopTime),
    legalAuthenticator:
      signer === null
        ? null
        : authorOf(issuers, { person: signer, institutions: [], roles: [], specialties: [], telecommunications: [] }),
    sourcePatient: sourcePatientOf(issuers, entry),
    references: referencesOf(issuers, entry.referenceIdList),
    extra: Object.fromEntries(Object.entries(entry.extra).filter(([name]) => !own.has(name))),
  }
  return {
    metadata,
    ...(entry.uniqueId === '' ? {} : { uniqueId: uniqueIdOf(entry.uniqueId) }),
    ...(entryUuid === undefined ? {} : { entryUuid }),
    ...(owner === undefined ? {} : { owner }),
    ...(phase?.[0] === 'preliminary' || phase?.[0] === 'final' || phase?.[0] === 'amended' ? { phase: phase[0] } : {}),
    ...(entry.hash === null ? {} : { sha1: entry.hash }),
    ...(entry.size === null ? {} : { size: entry.size }),
  }
}

const KINDS: ReadonlyMap<XdsAssociationType, RelationKind> = new Map(
  Object.entries(ASSOCIATION_TYPES).map(([kind, type]) => [type, kind as RelationKind]),
)

/** The relation an association is; undefined for membership, which lists hold, and snapshots. */
export function relationOf(type: XdsAssociationType): RelationKind | undefined {
  return KINDS.get(type)
}

/** A submission set or folder as a list. @param items labels of what it holds */
export function listOf(
  issuers: Issuers,
  given: XdsSubmissionSet | XdsFolder,
  items: readonly string[],
  now: string,
): SubmittedList {
  const set = 'sourceId' in given ? given : null
  const id = entryUuidOf(given.entryUUID)
  return {
    label: given.entryUUID,
    ...(id === undefined ? {} : { id }),
    kind: set === null ? 'folder' : 'submission-set',
    uniqueId: uniqueIdOf(given.uniqueId),
    sourceId: set?.sourceId ?? null,
    title: given.title,
    comments: given.comments,
    status: 'current',
    codes:
      'codeList' in given
        ? codesOf(given.codeList)
        : codesOf(set?.contentTypeCode == null ? [] : [set.contentTypeCode]),
    authors: (set?.author ?? []).map((author) => authorOf(issuers, author)),
    intendedRecipients: set?.intendedRecipient ?? [],
    owner: ownerOf(issuers, given.patientId) ?? null,
    time: readDtm(set === null ? ('lastUpdateTime' in given ? given.lastUpdateTime : null) : set.submissionTime) ?? now,
    items,
    extra: given.extra,
  }
}
