import type { ByteRange, ByteRewrite } from '#model/finding.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import type { Encoding } from '#standards/dicom/encoding.ts'
import type { Draft } from './screened.ts'

/** Where an element is. Offsets in bytes of the source that was walked. */
export interface Place {
  readonly headerOffset: number
  readonly valueOffset: number
  readonly valueLength: number
}

/** Pixel Data of the outermost data set. */
export interface PixelPlace extends Place {
  readonly tag: number
  readonly encapsulated: boolean
  /** Value ranges of the fragments, without the offset table: offset and length alternate. */
  readonly fragments: readonly number[]
}

/** A value the scanner gets as a piece of its own. */
export interface PieceRange extends ByteRange {
  readonly tag: number
}

/** Everything the checks need to know of a data set, gathered in one walk. */
export interface BodyFacts {
  /** The walked source: the file, or what a deflated data set unpacks to. */
  readonly source: ByteSource
  readonly encoding: Encoding
  readonly start: number
  /** Offset behind the last byte a data element claimed. */
  readonly end: number
  /** Short values of the outermost data set by tag, padding removed, Latin 1. */
  readonly text: ReadonlyMap<number, string>
  /** First number of US, UL, IS and similar values of the outermost data set by tag. */
  readonly number: ReadonlyMap<number, number>
  readonly pixels: PixelPlace | null
  /** (FFFC,FFFC). */
  readonly padding: Place | null
  /** (0042,0011). */
  readonly document: Place | null
  readonly iccProfiles: readonly ByteRange[]
  /** Pixel Data inside the private pyramid group 7FDF, whole value or fragments. */
  readonly pyramid: readonly ByteRange[]
  readonly pieces: readonly PieceRange[]
  /** Elements a policy that strips private elements removes, in the outermost data set and in items. */
  readonly privateElements: readonly ByteRange[]
  /** Lengths around them when all of them are gone. */
  readonly lengthRewrites: readonly ByteRewrite[]
  /** True when there are more than are remembered. */
  readonly privateTooMany: boolean
  readonly creators: ReadonlySet<string>
  readonly drafts: readonly Draft[]
}
