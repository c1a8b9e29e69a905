import type { ByteSource } from '../byte-source.ts'
import { ByteWindow } from './byte-window.ts'
import type { Encoding } from './encoding.ts'
import type { DicomLimits } from './limits.ts'
import { DataSetWalker } from './walker.ts'

/**
 * What a walk tells, in the order of the bytes. Offsets are zero-based bytes in the source that is walked, depth is
 * the number of sequences around an element, tags are `gggg << 16 | eeee` as unsigned numbers.
 */
export interface Visitor {
  /** An element that is neither a sequence nor encapsulated. `vr` is a standard one, `UN` when the letters are not. */
  element(tag: number, vr: string, valueOffset: number, valueLength: number, depth: number, headerOffset: number): void
  /**
   * @param valueLength -1 when undefined
   * @param encoding of the items within, which is implicit little endian inside UN (PS3.5 section 6.2.2, note 2)
   */
  startSequence(
    tag: number,
    vr: string,
    valueOffset: number,
    valueLength: number,
    depth: number,
    headerOffset: number,
    encoding: Encoding,
  ): void
  /** @param index from 0; @param depth that of the elements within */
  startItem(index: number, valueOffset: number, valueLength: number, depth: number, headerOffset: number): void
  /** @param endOffset behind the item's delimiter, if it has one */
  endItem(endOffset: number, depth: number): void
  /** @param depth as in startSequence */
  endSequence(endOffset: number, depth: number): void
  startFragments(tag: number, vr: string, valueOffset: number, depth: number, headerOffset: number): void
  /** @param index 0 is the Basic Offset Table. PS3.5 section A.4 */
  fragment(index: number, valueOffset: number, valueLength: number, headerOffset: number): void
  endFragments(endOffset: number, depth: number): void
  /** Something that was read past. `rule` is a row of the threat catalogue, or a word. */
  problem(rule: string, detail: string, offset: number, tag: number): void
}

/** Where and how a walk ended. */
export interface WalkEnd {
  /** Offset behind the last byte that belongs to the data set; less than the given end when other bytes follow. */
  readonly end: number
  /** True when the source ends within Pixel Data (problem B8): the last value or fragment is short. */
  readonly truncated: boolean
  readonly elements: number
  /** Elements that came after one with the same or a higher tag in their data set (M10), duplicates included. */
  readonly outOfOrder: number
  /** Elements whose tag their data set already had (M9). */
  readonly duplicates: number
}

/** A walk of its own choosing: where it is, so that a visitor may share the window. */
export interface WalkOptions {
  /** Shared with the visitor, so that a value can be looked at without a second read. */
  readonly window?: ByteWindow
}

/**
 * Walks a data set once, from its first byte to its last, without recursion and without reading large values.
 *
 * Read past and told as a problem: M9 duplicate, M10 order and groups 0000/0002, B8 Pixel Data cut short,
 * `odd-length`, `vr-unknown`, `vr-wrong`, `not-a-sequence`, `item-overrun`, `delimiter-stray`, `delimiter-missing`,
 * `delimiter-length`.
 * Of each rule at most 100 are told.
 * Bytes after the last element that cannot be an element end the walk: `end` is then less than the given end.
 *
 * @param start offset of the first element; @param end offset behind the last byte that may be looked at
 * @throws DicomError `dicom.malformed` with offset and tag; `dicom.limit` for depth, elements, items and time
 */
export function walkDataSet(
  source: ByteSource,
  encoding: Encoding,
  start: number,
  end: number,
  visitor: Visitor,
  limits: DicomLimits,
  options: WalkOptions = {},
): WalkEnd {
  return new DataSetWalker(options.window ?? new ByteWindow(source), visitor, limits).walk(encoding, start, end)
}
