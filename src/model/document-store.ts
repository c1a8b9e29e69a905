/** What the index does for documents inside the writer worker. Part of the caller's transaction. */
import type { Location, Placement } from './archive-object.ts'
import type { ArrivalRecord } from './arrival.ts'
import type { DocumentList, DocumentOwner, DocumentRecord, RelationKind, StoredDocument } from './document.ts'
import type { DecisionCause, DocumentDecision, HostedDocument } from './document-desk.ts'

/** A document that becomes kept: its record, and where its bytes are. */
export interface NewDocument {
  readonly record: DocumentRecord
  readonly location: Location
}

/** A face of a kept DICOM object, as the journal holds it. */
export interface NewFace {
  readonly face: HostedDocument
  readonly objectId: string
  readonly uniqueId: string
  readonly entryUuid: string
  readonly owner: DocumentOwner
  readonly studyInstanceUID: string | null
  readonly metadata: StoredDocument['metadata']
  readonly sources: StoredDocument['sources']
  readonly placement: Placement
  readonly time: string
}

/** What the writer needs to know of a document before it decides. */
export interface KnownDocument {
  readonly objectId: string
  readonly entryUuid: string
  readonly sha256: string
  readonly status: StoredDocument['status']
  /** Surviving owner. */
  readonly patientId: string | null
  readonly version: number
}

export interface DocumentStore {
  /** By object id, uniqueId or entryUUID; only what is not deleted. */
  known(identifier: string): KnownDocument | undefined
  /** The current state, as a reader who may see everything gets it. */
  document(identifier: string): StoredDocument | undefined
  list(identifier: string): DocumentList | undefined
  /** True when the patient is known already, from whatever source. */
  knowsPatient(owner: DocumentOwner): boolean
  /** True when a document belongs to this study. */
  hasDocuments(studyInstanceUID: string): boolean
  /** Opaque id of who an owner lives on as; null when the owner is not known. */
  survivorOf(owner: DocumentOwner): string | null
  /** The study of a kept DICOM object, which may be the host of a face; undefined when there is none. */
  hostStudy(objectId: string): { readonly studyInstanceUID: string } | undefined
  /** An arrival of a document, of any verdict. */
  recordArrival(arrival: ArrivalRecord): void
  add(document: NewDocument): void
  addFace(face: NewFace): void
  putList(list: DocumentList, owner: DocumentOwner | null): void
  relate(kind: RelationKind, from: string, to: string): void
  unrelate(kind: RelationKind, from: string, to: string): void
  /** Each decision is a new version of what it concerns. @throws ArchiveError 'document.unknown' */
  apply(decisions: readonly DocumentDecision[], cause: DecisionCause, time: string): void
  /** @returns false when there is none */
  delete(objectId: string, cause: DecisionCause, time: string, purgeAfter: string): boolean
}

/** What a study says that documents of it inherit. */
export interface StudyFacts {
  readonly studyInstanceUID: string
  /** Instant of its date and time (ISO 8601 UTC), or its date `YYYYMMDD`; null when it says none. */
  readonly instant: string | null
  readonly date: string | null
  readonly modalities: readonly string[]
  readonly accessionNumber: string | null
  readonly description: string | null
}

export interface StudyFactsReader {
  study(studyInstanceUID: string): StudyFacts | undefined
  /** The only study with this accession number. */
  ofAccession(accessionNumber: string): StudyFacts | undefined
}
