/** Ports of the document panel: reading (any thread) and deciding (only the writer worker). */
import type { ErrorCode } from '#errors.ts'
import type { Arrival, Receipt } from './arrival.ts'
import type {
  Code,
  DocumentKindWord,
  DocumentList,
  DocumentMetadata,
  DocumentOwner,
  DocumentPhase,
  DocumentStatus,
  MetadataField,
  Relation,
  RelationKind,
  StoredDocument,
} from './document.ts'
import type { FhirWrite } from './fhir-store.ts'
import type { ReportVersion } from './report.ts'
import type { Visibility } from './visibility.ts'

/** What a sender says about one document; everything else is found or waits for a person. */
export interface DocumentStatement {
  readonly uniqueId?: string
  readonly entryUuid?: string
  readonly phase?: DocumentPhase
  readonly owner?: DocumentOwner
  readonly studyInstanceUID?: string
  readonly metadata: Partial<DocumentMetadata>
  /** What the sender says the bytes are; a mismatch is a finding (D3). Hex. */
  readonly sha1?: string
  readonly size?: number
  /** The report it is a version of. */
  readonly report?: ReportVersion
}

/** One document of a submission. `arrival.claims.mediaType` is the stated type. */
export interface SubmittedDocument {
  /** Name within the submission, for associations and answers. */
  readonly label: string
  readonly arrival: Arrival
  readonly statement: DocumentStatement
}

/**
 * Documents that come together: all are kept, with their set, folders and relations, or none is. A message, a bundle, a
 * set of XDS, an upload are each one submission.
 */
export interface Submission {
  readonly documents: readonly SubmittedDocument[]
  readonly lists: readonly SubmittedList[]
  readonly relations: readonly {
    readonly kind: RelationKind
    /** Label within the submission. */
    readonly from: string
    /** A label, or any identifier of a document that is kept (object id, uniqueId, entryUUID). */
    readonly to: string
  }[]
  /** Refuse when an owner is not a patient that is already known: XDS and MHD. Otherwise a patient is made from it. */
  readonly patientsKnown: boolean
  /** Refuse when required metadata is missing (comprehensive); otherwise it waits on the metadata worklist. */
  readonly complete: boolean
  /** What is decided in the same flush and transaction. */
  readonly alongside?: Alongside
}

/** Decisions about what is kept already, and FHIR resources of their own, that stand or fall with a submission. */
export interface Alongside {
  readonly decisions: readonly DocumentDecision[]
  /** Versions the documents must have. */
  readonly expected: readonly { readonly objectId: string; readonly version: number }[]
  readonly resources: readonly FhirWrite[]
  readonly cause: DecisionCause
}

export interface SubmittedList extends Omit<DocumentList, 'id' | 'items' | 'patientId' | 'version' | 'lastUpdated'> {
  readonly label: string
  readonly id?: string
  readonly owner: DocumentOwner | null
  /** Labels of the submission, or identifiers of what is kept. */
  readonly items: readonly string[]
}

/** Why a submission was refused as a whole: which member, which field, which rule. Nothing of it was kept. */
export interface SubmissionFault {
  readonly label: string | null
  readonly code: ErrorCode
  /** Dotted path of the model (`metadata.typeCode`, `relations[0].to`), for doors to translate. */
  readonly path: string | null
  readonly detail: string
}

export type SubmissionReceipt =
  | {
      readonly is: 'kept'
      readonly documents: readonly {
        readonly label: string
        readonly document: StoredDocument
        readonly receipt: Receipt
        /** The same bytes under the same uniqueId were kept before: nothing new was made. */
        readonly duplicate: boolean
      }[]
      readonly lists: readonly { readonly label: string; readonly list: DocumentList }[]
      readonly warnings: readonly SubmissionFault[]
    }
  /** Something was held or refused by screening, or is wrong: receipts say what became of each member's bytes. */
  | {
      readonly is: 'refused'
      readonly faults: readonly SubmissionFault[]
      readonly receipts: readonly { readonly label: string; readonly receipt: Receipt }[]
    }

/** Decisions about kept documents: journalled, then applied, each a new version. */
export type DocumentDecision =
  | {
      readonly is: 'metadata'
      readonly objectId: string
      /** Fields said now, by a person or by what became known; others stay. */
      readonly metadata: Partial<DocumentMetadata>
      readonly source: 'person' | 'content' | 'order' | 'encounter' | 'study' | 'sender'
    }
  | {
      readonly is: 'status'
      readonly objectId: string
      readonly status: DocumentStatus
      readonly phase?: DocumentPhase
    }
  | { readonly is: 'owner'; readonly objectId: string; readonly owner: DocumentOwner }
  | { readonly is: 'relate'; readonly relation: Relation }
  | { readonly is: 'unrelate'; readonly relation: Relation }
  | { readonly is: 'list'; readonly list: DocumentList }
  | { readonly is: 'list-status'; readonly listId: string; readonly status: DocumentList['status'] }

export interface DecisionCause {
  /** Account, token, peer or rule. */
  readonly by: string
  readonly address?: string | null
  readonly reason: string
}

/** Runs in the writer worker. */
export interface DocumentDesk {
  /** Screens, completes, places and keeps a submission: one flush, one transaction, all or nothing. */
  submit(submission: Submission): Promise<SubmissionReceipt>
  /**
   * Durable when it resolves; all of them or none.
   * @param expected version the document must have, or 409 'document.version'
   * @throws ArchiveError 'document.unknown', 'document.version', 'document.invalid'
   */
  decide(decisions: readonly DocumentDecision[], cause: DecisionCause, expected?: number): Promise<void>
  /**
   * A second face of a kept DICOM object in the document panel, without a second copy of its bytes where they are one
   * range of it. The same face again is the same document.
   */
  addFace(face: HostedDocument, cause: DecisionCause): Promise<StoredDocument>
  /** Hides a document as deleted (tombstone, grace, compaction). @returns false when there is none */
  delete(objectId: string, cause: DecisionCause): Promise<boolean>
}

/** A document whose bytes stand in a stored DICOM object. */
export interface HostedDocument {
  readonly objectId: string
  readonly start: number
  readonly length: number
  readonly kind: DocumentKindWord
  readonly mediaType: string
  readonly sha1: string
  readonly sha256: string
  readonly statement: DocumentStatement
  readonly relation: 'face' | 'transforms' | 'rendition'
  readonly rule: string
  readonly ruleVersion: number
}

/** What to look for. Lists are alternatives (OR); different keys all hold (AND). */
export interface DocumentQuery {
  /** Opaque patient ids. */
  readonly patientIds?: readonly string[]
  /** Only those of nobody yet. */
  readonly unowned?: boolean
  readonly objectIds?: readonly string[]
  readonly uniqueIds?: readonly string[]
  readonly entryUuids?: readonly string[]
  readonly statuses?: readonly DocumentStatus[]
  readonly kinds?: readonly DocumentKindWord[]
  readonly mediaTypes?: readonly string[]
  /** A code matches with its system, or in any system when that is empty. */
  readonly classCodes?: readonly Pick<Code, 'code' | 'system'>[]
  readonly typeCodes?: readonly Pick<Code, 'code' | 'system'>[]
  readonly formatCodes?: readonly Pick<Code, 'code' | 'system'>[]
  readonly practiceSettings?: readonly Pick<Code, 'code' | 'system'>[]
  readonly facilityTypes?: readonly Pick<Code, 'code' | 'system'>[]
  readonly eventCodes?: readonly Pick<Code, 'code' | 'system'>[]
  readonly confidentiality?: readonly Pick<Code, 'code' | 'system'>[]
  readonly departments?: readonly string[]
  /** Author person, folded prefix of family or given name. */
  readonly author?: { readonly family?: readonly string[]; readonly given?: readonly string[] }
  /** Accession, study, order, encounter numbers; with an empty issuer those of all. */
  readonly references?: readonly { readonly id: string; readonly issuer: string; readonly type?: string }[]
  readonly studyInstanceUIDs?: readonly string[]
  /** Documents that belong to one of these studies, or refer to it. */
  readonly aboutStudies?: readonly string[]
  /** Instants, ISO 8601; `from` included, `to` excluded; either may be absent. */
  readonly creation?: TimeRange
  readonly service?: TimeRange
  readonly lastUpdated?: TimeRange
  readonly title?: string
  /** Words inside the document: FTS, all must occur. */
  readonly text?: string
  /** Only those with required metadata missing: the metadata worklist. */
  readonly incomplete?: boolean
  readonly order: 'newest' | 'oldest' | 'updated'
  readonly limit: number
  /** From an earlier answer. @throws ArchiveError 'request.malformed' for one we did not give */
  readonly cursor?: string
}

export interface TimeRange {
  readonly from?: string
  readonly to?: string
}

export interface DocumentHit {
  readonly document: StoredDocument
  /** With `text`: words around the find, matches between U+E000 and U+E001; null otherwise. */
  readonly snippet: string | null
}

export interface DocumentPage {
  readonly items: readonly DocumentHit[]
  readonly next: string | null
}

/** One former state of a document. */
export interface DocumentVersion {
  readonly version: number
  readonly time: string
  readonly by: string
  readonly reason: string
  readonly document: StoredDocument
}

/** Words inside anything: documents and structured reports of studies. */
export interface TextHit {
  readonly objectId: string
  readonly panel: 'document' | 'image'
  readonly patientId: string | null
  readonly title: string
  readonly snippet: string
  readonly time: string | null
  readonly studyInstanceUID: string | null
}

/** Reads, from any thread. What the caller may not see does not exist. */
export interface DocumentReader {
  documents(query: DocumentQuery, visibility: Visibility): Promise<DocumentPage>
  countDocuments(query: DocumentQuery, visibility: Visibility): Promise<number>
  /** By object id, uniqueId (with or without `urn:oid:`/`urn:uuid:`), entryUUID or SHA-256. */
  document(identifier: string, visibility: Visibility): Promise<StoredDocument | undefined>
  /** Newest first. Undefined when there is no such document for the caller. */
  versions(objectId: string, visibility: Visibility): Promise<readonly DocumentVersion[] | undefined>
  lists(
    query: {
      readonly kind?: DocumentList['kind']
      readonly ids?: readonly string[]
      readonly uniqueIds?: readonly string[]
      readonly patientIds?: readonly string[]
      readonly statuses?: readonly DocumentList['status'][]
      readonly sourceIds?: readonly string[]
      readonly codes?: readonly Pick<Code, 'code' | 'system'>[]
      readonly author?: { readonly family?: readonly string[]; readonly given?: readonly string[] }
      readonly time?: TimeRange
      /** Lists that hold this document. */
      readonly holds?: string
      readonly limit: number
      readonly cursor?: string
    },
    visibility: Visibility,
  ): Promise<{ readonly items: readonly DocumentList[]; readonly next: string | null }>
  listVersions(id: string, visibility: Visibility): Promise<readonly DocumentList[] | undefined>
  /** Newest first; documents and, for callers who may see them, structured reports. */
  searchText(
    query: {
      readonly text: string
      readonly patientIds?: readonly string[]
      /** What of structured reports in studies the caller may see: null nothing; absent the same as of documents. */
      readonly reports?: Visibility | null
      readonly limit: number
      readonly cursor?: string
    },
    visibility: Visibility,
  ): Promise<{ readonly items: readonly TextHit[]; readonly next: string | null }>
}

/** Fields a person must fill in, as the metadata worklist shows them. */
export type MissingField = MetadataField | 'patient'
