/**
 * How a document leaves the archive: as it was kept, or without the place where it was made. And the DICOM objects it
 * can be asked for as, by the UIDs that follow from it. Facts worked out from bytes: lost with the index, found again.
 */
import type { DocumentKindWord } from './document.ts'

/** Kinds that may say where they were made. standards/media/without-location.ts. */
export const LOCATION_KINDS: ReadonlySet<DocumentKindWord> = new Set<DocumentKindWord>([
  ...(['jpeg', 'png', 'tiff', 'heic', 'mp4', 'quicktime'] as const),
])

/** A stretch of the content as it was kept, from a zero-based offset in bytes, or what stands there instead. */
export type LeavingPiece = { readonly from: number; readonly length: number } | { readonly bytes: Uint8Array }

/** What was found of places in a document. */
export interface LeavingForm {
  /** Version of the reader that looked. */
  readonly reader: number
  /** How many places are taken out. */
  readonly removed: number
  /** Why a place may be left all the same; null: none is. */
  readonly doubt: string | null
  /** The document without them; null when nothing is taken out. Digests are hex. */
  readonly changed: {
    readonly size: number
    readonly sha1: string
    readonly sha256: string
    readonly pieces: readonly LeavingPiece[]
  } | null
}

export interface LeavingReader {
  /** Undefined: nobody has looked yet. */
  form(objectId: string): LeavingForm | undefined
  /** Object ids of documents that have, or had, a DICOM face with this UID. */
  documentsOfFace(sopInstanceUID: string): readonly string[]
}

/** Written in the writer worker, part of the caller's transaction. */
export interface LeavingStore extends LeavingReader {
  put(objectId: string, form: LeavingForm): void
  /** All UIDs by which the document can be asked for; those it had before go. */
  putFaces(objectId: string, sopInstanceUIDs: readonly string[]): void
  /** Documents of these kinds in the order of their keys, with the last key looked at; null when there are none behind. */
  page(after: number, kinds: readonly DocumentKindWord[], limit: number): PageOfDocuments
  /** Up to which key this reader has seen all documents. */
  seenUpTo(reader: number): number
  seen(key: number, reader: number): void
}

export interface PageOfDocuments {
  readonly objectIds: readonly string[]
  readonly last: number | null
}

/** Runs in the writer worker. */
export interface LeavingDesk {
  /** Looks for places in a document now. @throws ArchiveError 'document.unknown', 'storage.damaged' */
  look(objectId: string): Promise<void>
}
