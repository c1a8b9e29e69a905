import type { Location } from './archive-object.ts'

export type RetentionClass = 'default'

/** One entry of a segment. `name` is made from digests and checked UIDs only, never from input. */
export interface Entry {
  readonly name: string
  /** Pieces written one after the other. */
  readonly content: readonly Uint8Array[]
}

/** A file that already has room for its tar header and becomes a segment by rename. */
export interface SpooledEntry {
  readonly name: string
  readonly path: string
  /** File offset where the entry's content starts: a multiple of 512, at least 512. */
  readonly contentStart: number
  readonly contentLength: number
  /** Small entries appended behind it (its record). */
  readonly followedBy: readonly Entry[]
}

/** An entry as a walk over a segment meets it. */
export interface SegmentEntry {
  readonly name: string
  readonly location: Location
}

/** Keeps bytes in tar segments, knows nothing of patients. Adapters: files, memory (for tests). */
export interface SegmentStore {
  /**
   * Appends a group and resolves only when all of it would survive a power cut; until then read() does not
   * see any of it. Locations come in the order of the entries.
   * @throws ArchiveError 'storage.full' when nothing of the group was kept; 'storage.read-only' after a failed flush
   */
  append(group: readonly Entry[], retention: RetentionClass): Promise<readonly Location[]>

  /** Takes a spooled file over as a segment of its own, flushed. First location is the spooled entry's. */
  adopt(entry: SpooledEntry, retention: RetentionClass): Promise<readonly Location[]>

  /**
   * @param range zero-based within the entry; `start` included, `end` excluded; the whole entry when absent
   * @returns undefined when the segment is gone; absence is an answer, not an error
   */
  read(at: Location, range?: { readonly start: number; readonly end: number }): Promise<Uint8Array | undefined>

  /**
   * End of the last flushed entry of the segment being appended to; goes into the same transaction as the index rows
   * (CommitGroup.flushed). Null before the first append.
   */
  flushed(): { readonly segment: string; readonly offset: number } | null

  /** Ends the segment being appended to, so that compaction may take it; the next append begins a new one. */
  seal(): Promise<void>

  /** Segments in the order they were begun, with length in bytes and whether they can still grow. */
  segments(): Promise<readonly { readonly name: string; readonly length: number; readonly sealed: boolean }[]>

  /** Every complete entry of a segment, in order. A torn tail ends the walk. */
  entries(segment: string): AsyncIterable<SegmentEntry>

  /** Drops bytes behind `length`: unacknowledged tail found at start. */
  truncate(segment: string, length: number): Promise<void>

  /** Removes a whole segment after compaction moved what lives on. */
  remove(segment: string): Promise<void>

  close(): Promise<void>
}
