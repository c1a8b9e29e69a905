/**
 * Documents: files kept in their own format with the metadata by which people look for them. The attributes are those
 * of an XDS DocumentEntry (ITI TF-3 section 4.2.3.2), so that FHIR/MHD, XDS and XDM only translate.
 */
import type { Location, Placement } from './archive-object.ts'
import type { ArrivalRecord } from './arrival.ts'
import type { Finding, ScanReport, VerdictWord } from './finding.ts'
import type { ReportVersion } from './report.ts'

/** A coded value. `system` is a URI (`http://loinc.org`, `urn:oid:1.2.3`); OIDs and scheme names are mapped at doors. */
export interface Code {
  readonly code: string
  readonly system: string
  readonly display: string
}

/** Told from the bytes, never from a name. standards/media/document-kind.ts. */
export const DOCUMENT_KINDS = [
  'pdf',
  'cda',
  'fhir-document',
  'jpeg',
  'png',
  'gif',
  'tiff',
  'heic',
  'mp4',
  'quicktime',
  'mpeg',
  'text',
  'rtf',
  'html',
  'xml',
  'stl',
  'obj',
  'mtl',
  'aecg',
  /** Kept as it is by policy, nothing told about it. */
  'other',
] as const

export type DocumentKindWord = (typeof DOCUMENT_KINDS)[number]

/** A person or device that made or signed a document. Absent parts are null. */
export interface DocumentAuthor {
  /** As a DICOM person name without groups: `Family^Given^Middle^Prefix^Suffix`. */
  readonly person: string | null
  readonly identifier: { readonly issuer: string; readonly id: string } | null
  readonly institution: string | null
  readonly role: string | null
  readonly specialty: string | null
  readonly telecom: string | null
  /** Set when a device made it: manufacturer and model. */
  readonly device: string | null
}

/** Something else a document is about: CXi of ITI TF-3 table 4.2.3.1.7-2. */
export interface DocumentReferenceId {
  readonly type: 'accession' | 'study' | 'order' | 'encounter' | 'unique-id' | 'referral' | 'workflow' | 'other'
  readonly id: string
  /** Assigning authority by the name the issuer register gives it; empty when none is known (studies have none). */
  readonly issuer: string
}

export interface SourcePatient {
  readonly issuer: string
  readonly id: string
  readonly name: string | null
  /** DICOM DA. */
  readonly birthDate: string | null
  /** DICOM CS: M, F, O. */
  readonly sex: string | null
}

/**
 * What is said about a document. Times are ISO 8601 with the precision they have (`2019`, `2019-05-02`,
 * `2019-05-02T10:00:00Z`); instants are UTC.
 */
export interface DocumentMetadata {
  readonly title: string | null
  readonly comments: string | null
  readonly classCode: Code | null
  readonly typeCode: Code | null
  readonly formatCode: Code | null
  /** Specialty: XDS practiceSettingCode. */
  readonly practiceSetting: Code | null
  readonly facilityType: Code | null
  /** Organisational unit by its local name: what a site calls it, beside the coded specialty. */
  readonly department: string | null
  readonly authors: readonly DocumentAuthor[]
  /** Procedures, acquisition modalities, anatomic regions: XDS eventCodeList. */
  readonly eventCodes: readonly Code[]
  /** HL7 v3 Confidentiality and further labels; the most restrictive counts. */
  readonly confidentiality: readonly Code[]
  /** RFC 5646. */
  readonly language: string | null
  readonly creationTime: string | null
  readonly serviceStart: string | null
  readonly serviceStop: string | null
  readonly legalAuthenticator: DocumentAuthor | null
  readonly sourcePatient: SourcePatient | null
  readonly references: readonly DocumentReferenceId[]
  /** Further keys of the sender that are kept inert, by the extension policy of its originator; JSON, never interpreted. */
  readonly extra: { readonly [name: string]: unknown }
}

export type MetadataField = keyof DocumentMetadata

/** Who said a value: the sender, the bytes themselves, an order or encounter, the originator's or site's default, a person. */
export type MetadataSource = 'sender' | 'content' | 'order' | 'encounter' | 'study' | 'originator' | 'site' | 'person'

/** Without these a document waits on the metadata worklist (it is kept and found nevertheless). ITI TF-3 4.3.1. */
export const REQUIRED_METADATA = [
  'classCode',
  'typeCode',
  'formatCode',
  'practiceSetting',
  'facilityType',
  'confidentiality',
  'creationTime',
  'language',
] as const satisfies readonly MetadataField[]

/** `superseded`: a newer version took its place. `entered-in-error`: withdrawn. */
export type DocumentStatus = 'current' | 'superseded' | 'entered-in-error'

/** State of the report inside, where it has one: HL7 OBR-25/OBX-11/TXA-17. */
export type DocumentPhase = 'preliminary' | 'final' | 'amended' | null

/**
 * Relations between objects of the archive, of either panel. `from` is the newer or derived one. XDS RPLC, APND, XFRM,
 * XFRM_RPLC, signs; `rendition`: another form of the same content; `face`: the DICOM form of a native document, or the
 * native form of a DICOM instance.
 */
export type RelationKind = 'replaces' | 'appends' | 'transforms' | 'transform-replaces' | 'signs' | 'rendition' | 'face'

export interface Relation {
  readonly kind: RelationKind
  /** Object ids. */
  readonly from: string
  readonly to: string
}

/** Where the bytes of a document are: its own entry, or a range of a stored DICOM object, so that one original has two faces. */
export type DocumentContent =
  | { readonly in: 'own' }
  /** Zero-based offset and length in bytes within the kept Part 10 file of that object. */
  | { readonly in: 'object'; readonly objectId: string; readonly start: number; readonly length: number }

/** A document as the index knows it. */
export interface StoredDocument {
  readonly objectId: string
  /** XDS uniqueId / FHIR masterIdentifier: an OID, UUID (`urn:uuid:`) or URI as the sender gave it, else made by us. */
  readonly uniqueId: string
  /** XDS entryUUID without `urn:uuid:`; also the FHIR id of its DocumentReference. */
  readonly entryUuid: string
  readonly kind: DocumentKindWord
  readonly mediaType: string
  /** Bytes. */
  readonly size: number
  /** Hex. */
  readonly sha1: string
  readonly sha256: string
  readonly status: DocumentStatus
  readonly phase: DocumentPhase
  /** Who owns it now (a surviving patient); null while nobody knows: then only the metadata worklist shows it. */
  readonly patientId: string | null
  readonly studyInstanceUID: string | null
  readonly metadata: DocumentMetadata
  readonly sources: { readonly [field in MetadataField]?: MetadataSource }
  /** Required fields (or `patient`) that nobody said. Empty: complete. */
  readonly missing: readonly (MetadataField | 'patient')[]
  readonly content: DocumentContent
  /** Of the bytes: of its own entry, or of the object it is a face of. */
  readonly location: Location
  readonly placement: Placement
  /** Rises with every change of metadata, status or owner; the FHIR versionId. */
  readonly version: number
  readonly created: string
  readonly lastUpdated: string
  /** Object ids it replaces, appends, ...: `from` is this document. */
  readonly relations: readonly Relation[]
  /** Relations that point here. */
  readonly relatedBy: readonly Relation[]
}

/** The record beside a document in its segment: with the bytes enough to rebuild its rows. */
export interface DocumentRecord {
  readonly format: 1
  readonly record: 'document'
  readonly objectId: string
  readonly uniqueId: string
  readonly entryUuid: string
  readonly kind: DocumentKindWord
  readonly mediaType: string
  readonly sha1: string
  readonly sha256: string
  readonly patient: DocumentOwner | null
  readonly studyInstanceUID: string | null
  readonly phase: DocumentPhase
  readonly metadata: DocumentMetadata
  readonly sources: StoredDocument['sources']
  readonly arrival: ArrivalRecord
  readonly verdict: VerdictWord
  readonly findings: readonly Finding[]
  readonly scan: ScanReport
  readonly placement: Placement
  readonly time: string
  /** The report it is a version of, where it is one. */
  readonly report?: ReportVersion
}

/** Owner as stated: (issuer, id); or whoever owns a study, now and later. */
export type DocumentOwner =
  | { readonly by: 'identifier'; readonly issuer: string; readonly id: string; readonly issuerAssumed: boolean }
  | { readonly by: 'study'; readonly studyInstanceUID: string }

/** XDS SubmissionSet or Folder; in FHIR a List. ITI TF-3 sections 4.2.3.3, 4.2.3.4. */
export interface DocumentList {
  /** UUID; the FHIR id. */
  readonly id: string
  readonly kind: 'submission-set' | 'folder'
  readonly uniqueId: string
  readonly sourceId: string | null
  readonly title: string | null
  readonly comments: string | null
  readonly status: 'current' | 'superseded' | 'entered-in-error'
  /** contentTypeCode of a set, codeList of a folder. */
  readonly codes: readonly Code[]
  readonly authors: readonly DocumentAuthor[]
  readonly intendedRecipients: readonly string[]
  readonly patientId: string | null
  /** Submission time, or last update of a folder. */
  readonly time: string
  /** Documents by object id, folders by list id. */
  readonly items: readonly { readonly is: 'document' | 'list'; readonly id: string }[]
  readonly version: number
  readonly lastUpdated: string
  readonly extra: { readonly [name: string]: unknown }
}
