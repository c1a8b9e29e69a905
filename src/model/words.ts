/** Words inside what is kept: what was read, and what is still to be read. */
import type { Location } from './archive-object.ts'
import type { DocumentKindWord } from './document.ts'

/** Something that may hold words and was not read by this reader yet. */
export interface Unread {
  readonly objectId: string
  /** `sr`: a structured report, as a Part 10 file. */
  readonly kind: DocumentKindWord | 'sr'
  /** Of its metadata; empty for none. */
  readonly title: string
  /** Of the bytes of the document itself, also when they stand in a DICOM object. */
  readonly location: Location
}

export interface WordsRead {
  readonly reader: number
  readonly title: string
  readonly text: string
  /** Something was left out. */
  readonly cut: boolean
  /** Why nothing could be read; null when it could. */
  readonly problem: string | null
}

/** Writes belong to the caller's transaction. */
export interface WordsStore {
  /** @returns undefined when it is gone, holds no words, or was read by this or a later reader */
  unread(objectId: string, reader: number): Unread | undefined
  put(objectId: string, words: WordsRead): void
  /** Place in the order of storage up to which this reader has read everything; 0 for none. */
  readUpTo(reader: number): number
  readTo(place: number, reader: number): void
  /** What this reader has not read, of the next `limit` objects behind a place. `last`: the place of the last one; null when there was none. */
  page(
    after: number,
    reader: number,
    limit: number,
  ): { readonly objectIds: readonly string[]; readonly last: number | null }
  isReport(sopClassUID: string): boolean
}
