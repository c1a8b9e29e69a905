import type {
  Change,
  MetadataChunk,
  NewInstance,
  ObjectRecord,
  Placement,
  StoredInstance,
  StoredOverlayEvent,
} from './archive-object.ts'
import type { ArrivalRecord } from './arrival.ts'
import type { PatientKey } from './identity.ts'
import type { PatientPage, PatientQuery, Query, SearchPage } from './search.ts'
import type { Visibility } from './visibility.ts'

/** A study, one of its series or one instance; the caller's path, not yet known to exist. */
export interface Scope {
  readonly studyInstanceUID: string
  readonly seriesInstanceUID?: string
  readonly sopInstanceUID?: string
}

/** What the index already knows of the identifiers of an arrival; asked inside the writer, so the answer stays true. */
export interface KnownObject {
  readonly objectId: string
  readonly digests: { readonly arrived: string; readonly dataSet: string; readonly kept: string }
  readonly transferSyntaxUID: string
  readonly patientId: string
}

/** Metadata as one read found them. */
export interface MetadataRead {
  readonly chunks: readonly MetadataChunk[]
  readonly etag: string
  /** Chunks that are still as they arrived although an overlay is in force: rendered by whoever reads. Mostly absent. */
  readonly stale?: readonly StaleChunk[]
}

/** A chunk whose overlay is not rendered yet. All of it from the same read. */
export interface StaleChunk {
  /** In `chunks`. */
  readonly index: number
  readonly studyInstanceUID: string
  readonly seriesInstanceUID: string
  readonly sopInstanceUID: string
  readonly overlay: readonly StoredOverlayEvent[]
}

/** An instance of which no metadata are rendered for its overlay version. */
export interface UnrenderedInstance {
  readonly objectId: string
  readonly studyInstanceUID: string
  readonly seriesInstanceUID: string
  readonly sopInstanceUID: string
  readonly overlayVersion: number
  readonly overlay: readonly StoredOverlayEvent[]
  /** As it arrived. */
  readonly chunk: MetadataChunk
}

/** Rendered metadata: the table behind job `render-metadata`. Only inside the writer worker. */
export interface RenderedMetadata {
  /** Instances of a study that have an overlay and no chunk for its version, in any order; at most `limit`. */
  unrendered(studyInstanceUID: string, limit: number): readonly UnrenderedInstance[]
  /** Keeps rendered chunks; one whose overlay version is no longer that of the object is dropped. */
  putRendered(
    rendered: readonly { readonly objectId: string; readonly overlayVersion: number; readonly chunk: MetadataChunk }[],
  ): void
}

/** Notices studies with an overlay that were decided about, or got instances. Only inside the writer worker. */
export interface StaleStudies {
  /** Study Instance UIDs since the last call, each once. What a failed transaction took is not told again. */
  take(): readonly string[]
}

/** Reads: usable from any thread, each with its own read-only connection. Newest committed state. */
export interface ArchiveReader {
  search(query: Query, visibility: Visibility): Promise<SearchPage>
  searchPatients(query: PatientQuery, visibility: Visibility): Promise<PatientPage>
  /** How many there are for the caller; limit, offset and order of the query do not count. */
  count(query: Query, visibility: Visibility): Promise<number>
  instance(scope: Required<Scope>, visibility: Visibility): Promise<StoredInstance | undefined>
  /** Instances of a study or series in order (series, instance number, UID), in pages: memory stays bounded. */
  instances(scope: Scope, visibility: Visibility): AsyncIterable<StoredInstance>
  /** Metadata chunks in the same order; undefined when the scope does not exist for the caller. */
  metadata(scope: Scope, visibility: Visibility): Promise<MetadataRead | undefined>
  /** By object id, SOP Instance UID or digest (arrived, data set or kept). */
  find(identifier: string, visibility: Visibility): Promise<StoredInstance | undefined>
  record(objectId: string): Promise<ObjectRecord | undefined>
  arrivalsOf(objectId: string): Promise<readonly ArrivalRecord[]>
  changesOf(objectId: string): Promise<readonly Change[]>
  placementOf(objectId: string): Promise<Placement | undefined>
  arrivals(filter: {
    readonly sha256?: string
    readonly sopInstanceUid?: string
    readonly verdict?: string
    readonly since?: string
    readonly limit: number
    readonly cursor?: string
  }): Promise<{ readonly items: readonly ArrivalRecord[]; readonly next: string | null }>
  patients(
    filter: { readonly identifier?: string; readonly name?: string; readonly limit: number; readonly cursor?: string },
    visibility: Visibility,
  ): Promise<{
    readonly items: readonly PatientRow[]
    readonly next: string | null
  }>
  /** True when there is such a patient and the caller sees it, whatever is kept of it. */
  isPatient(patientId: string, visibility: Visibility): Promise<boolean>
  /** Everything of one patient: newest first. */
  timeline(patientId: string, visibility: Visibility, limit: number): Promise<readonly TimelineRow[]>
  /**
   * Opaque patient ids for an identifier; with issuer only that one. Of the patients with exactly this number, merged or
   * not: visibility follows them to who they live on as, and back when that is undone.
   */
  patientIds(id: string, issuer?: string): Promise<readonly string[]>
  /** Opaque ids of who owns these studies now, each once. */
  ownersOf(studyInstanceUIDs: readonly string[]): Promise<readonly string[]>
  counts(): Promise<{
    readonly patients: number
    readonly studies: number
    readonly series: number
    readonly instances: number
    readonly bytes: number
  }>
  /** Changes after a sequence number, oldest first. */
  feed(after: number, limit: number): Promise<readonly FeedEntry[]>
}

export interface PatientRow {
  readonly id: string
  readonly issuer: string
  readonly identifier: string
  readonly issuerAssumed: boolean
  readonly name: string | null
  readonly birthDate: string | null
  readonly sex: string | null
  readonly studies: number
  /** Other numbers of the same person: of records folded into this one, and what a register told. */
  readonly identifiers: readonly PatientKey[]
}

export interface TimelineRow {
  readonly kind: 'study'
  readonly studyInstanceUID: string
  readonly date: string | null
  readonly time: string | null
  readonly description: string | null
  readonly modalities: readonly string[]
  readonly accessionNumber: string | null
  readonly series: number
  readonly instances: number
}

export interface FeedEntry {
  readonly sequence: number
  readonly kind: 'stored' | 'deleted' | 'changed' | 'released'
  /** Empty for a change of a whole study. */
  readonly objectId: string
  readonly studyInstanceUID: string
  readonly time: string
}

/** A tombstone: what was deleted, by whom, and when its bytes may go. */
export interface Deletion {
  readonly scope: Scope
  readonly by: string
  readonly reason: string
  readonly time: string
  /** After this instant compaction may drop the bytes. */
  readonly purgeAfter: string
}

/** Everything written in one transaction, committed with full synchronous setting. */
export interface CommitGroup {
  readonly instances: readonly NewInstance[]
  readonly arrivals: readonly ArrivalRecord[]
  /** Flushed position of the segment being appended to, written in the same transaction. */
  readonly flushed: { readonly segment: string; readonly offset: number } | null
}

/** Writes: only inside the writer worker. Synchronous, because one connection writes. */
export interface ArchiveWriter {
  known(sopInstanceUID: string): KnownObject | undefined
  /**
   * Patient under whom a study is kept, as it arrived: whom it was assigned to since does not count, so that more of it
   * still comes in.
   */
  studyPatient(
    studyInstanceUID: string,
  ):
    | { readonly patientId: string; readonly issuer: string; readonly id: string; readonly issuerAssumed: boolean }
    | undefined
  /** An earlier arrival of the same bytes, for duplicates without a second copy. */
  commit(group: CommitGroup): void
  /** Version a new object of this UID gets: one more than any that was ever kept, also deleted ones. */
  nextVersion(sopInstanceUID: string): number
  /**
   * Records what was changed between arrival and answer, raises the overlay version and tells the feed.
   * @returns false when no such object is kept
   */
  changed(objectId: string, changes: readonly Change[]): boolean
  /** @returns object ids that became invisible; empty when nothing matched */
  delete(deletion: Deletion): readonly string[]
  /** Objects whose grace is over: their locations, and forgets them once `forget` is called. */
  purgeable(
    now: string,
    limit: number,
  ): readonly {
    readonly objectId: string
    readonly location: { readonly segment: string; readonly offset: number; readonly length: number }
  }[]
  forget(objectIds: readonly string[]): void
  /** Live bytes per segment, for choosing what to compact. */
  liveBytes(): readonly { readonly segment: string; readonly bytes: number; readonly objects: number }[]
  /** Moves an object's bytes: compaction. */
  relocate(
    moves: readonly {
      readonly objectId: string
      readonly to: { readonly segment: string; readonly offset: number; readonly length: number }
    }[],
  ): void
  flushed(): readonly { readonly segment: string; readonly offset: number }[]
  /** Says before a segment is removed that this is on purpose: from then on nobody misses it. */
  retire(segment: string): void
  promised(): PromisedSegments
}

/** What the index relies on in storage. */
export interface PromisedSegments {
  /** Every segment that objects are in or that has a flushed position, with the bytes it must have at least. */
  readonly segments: readonly { readonly segment: string; readonly length: number }[]
  /** The highest segment name ever known, also of removed ones: a new one comes behind it. Null when there was none. */
  readonly highest: string | null
}

/** A kept object as verify, compaction and rebuild meet it. */
export interface KeptObject {
  readonly objectId: string
  readonly sopInstanceUID: string
  readonly location: { readonly segment: string; readonly offset: number; readonly length: number }
  readonly keptSha256: string
  /** Deleted, its bytes still in their grace time. */
  readonly deleted: boolean
}

/** Which objects the index believes to be where. */
export interface KeptObjects {
  /** Of one segment, by offset. */
  inSegment(segment: string): readonly KeptObject[]
  get(objectId: string): KeptObject | undefined
  /** Names of the segments any object is in. */
  segments(): readonly string[]
}
