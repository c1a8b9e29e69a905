import { type ByteSource, memorySource } from '../byte-source.ts'
import type { DataSet, Element } from './data-set.ts'
import { deflateDataSet } from './deflate.ts'
import { type Encoding, encodingOf, IMPLICIT_LE } from './encoding.ts'
import { joinPieces, type Piece, PieceWriter, type SourceMark } from './pieces.ts'
import { PREAMBLE_BYTES } from './preamble.ts'
import { EXPLICIT_LITTLE_ENDIAN, transferSyntax } from './transfer-syntax.ts'
import { hasLongForm, isStandardVr, kindOf, swapUnit } from './value-representation.ts'

/** Identifies this implementation in files it writes. PS3.7 section D.3.3.2; a UUID-derived UID, PS3.5 section B.2. */
export const IMPLEMENTATION_CLASS_UID = '2.25.324810450751324073754812830833720178600'
export const IMPLEMENTATION_VERSION_NAME = 'DIPTYCH_0.1'

/** A value that stays where it is until it is copied. */
export interface ValueRange {
  readonly source: ByteSource
  readonly offset: number
  readonly length: number
  /** How its numbers are written there. */
  readonly bigEndian: boolean
  /** Fragments with their item headers, copied as they stand. */
  readonly whole?: true
}

/** A value to be written. Bytes are little endian and need no padding. */
export type WriteValue =
  | { readonly is: 'bytes'; readonly bytes: Uint8Array }
  | { readonly is: 'range'; readonly range: ValueRange }
  | { readonly is: 'items'; readonly items: WriteDataSet[] }
  /** Encapsulated Pixel Data; the first is the Basic Offset Table. */
  | { readonly is: 'fragments'; readonly fragments: readonly (Uint8Array | ValueRange)[] }

export interface WriteElement {
  readonly tag: number
  readonly vr: string
  readonly value: WriteValue
}

/** A data set to be written: in any order, it is written in ascending order. */
export type WriteDataSet = Map<number, WriteElement>

export interface HeadFields {
  readonly sopClassUID: string
  readonly sopInstanceUID: string
  readonly transferSyntaxUID: string
  /** 128 bytes; zeros when absent. */
  readonly preamble?: Uint8Array
}

const ITEM = 0xfffee000
const ITEM_END = 0xfffee00d
const SEQUENCE_END = 0xfffee0dd
const UNDEFINED = 0xffffffff
const SHORT_LENGTH_MAX = 0xfffe

/**
 * Preamble, `DICM` and our own File Meta. PS3.10 section 7.1.
 * @throws RangeError when a preamble of another length than 128 is given
 */
export function buildHead({ sopClassUID, sopInstanceUID, transferSyntaxUID, preamble }: HeadFields): Uint8Array {
  if (preamble !== undefined && preamble.length !== PREAMBLE_BYTES) {
    throw new RangeError(`a preamble has 128 bytes, not ${preamble.length}`)
  }
  const group: WriteDataSet = new Map()
  put(group, 0x00020001, 'OB', Uint8Array.of(0, 1))
  put(group, 0x00020002, 'UI', ascii(sopClassUID))
  put(group, 0x00020003, 'UI', ascii(sopInstanceUID))
  put(group, 0x00020010, 'UI', ascii(transferSyntaxUID))
  put(group, 0x00020012, 'UI', ascii(IMPLEMENTATION_CLASS_UID))
  put(group, 0x00020013, 'SH', ascii(IMPLEMENTATION_VERSION_NAME))
  const elements = joinPieces(encodeElements(group, { explicit: true, bigEndian: false }))
  const writer = new PieceWriter(false)
  writer.bytes(preamble ?? new Uint8Array(PREAMBLE_BYTES))
  writer.bytes(ascii('DICM'))
  writer.uint32(0x00000002) // (0002,0000)
  writer.bytes(ascii('UL'))
  writer.uint16(4)
  writer.uint32(elements.length)
  writer.bytes(elements)
  return joinPieces(writer.finish())
}

function put(dataSet: WriteDataSet, tag: number, vr: string, bytes: Uint8Array): void {
  dataSet.set(tag, { tag, vr, value: { is: 'bytes', bytes } })
}

function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

/**
 * Writes a data set, without preamble and File Meta. Group lengths are left out (PS3.5 section 7.2), sequences get
 * undefined lengths, odd values their padding.
 * @param marks gets where every value that is a range comes to stand, zero-based from the start of the data set
 */
export function encodeDataSet(dataSet: WriteDataSet, encoding: Encoding, marks: SourceMark[] | null = null): Piece[] {
  const outermost: WriteDataSet = new Map()
  // Groups 0000 and 0002 have no place in a data set: behind a File Meta they would be taken for a part of it.
  for (const [tag, element] of dataSet) {
    const group = tag >>> 16
    if (group !== 0 && group !== 2) outermost.set(tag, element)
  }
  return encodeElements(outermost, encoding, marks)
}

function encodeElements(dataSet: WriteDataSet, encoding: Encoding, marks: SourceMark[] | null = null): Piece[] {
  const writer = new PieceWriter(encoding.bigEndian, marks)
  writeElements(writer, dataSet, encoding)
  return writer.finish()
}

/** A Part 10 file in memory; for objects of moderate size. Streaming is egress.ts. */
export function writePart10(
  dataSet: WriteDataSet,
  head: Omit<HeadFields, 'transferSyntaxUID'> & { readonly transferSyntaxUID?: string },
): Uint8Array {
  const uid = head.transferSyntaxUID ?? EXPLICIT_LITTLE_ENDIAN
  const syntax = transferSyntax(uid)
  if (syntax === undefined) throw new RangeError(`unknown transfer syntax ${uid}`)
  const encoded = joinPieces(encodeDataSet(dataSet, encodingOf(syntax)))
  return joinPieces([
    buildHead({ ...head, transferSyntaxUID: uid }),
    syntax.deflated ? deflateDataSet(encoded) : encoded,
  ])
}

function writeElements(writer: PieceWriter, dataSet: WriteDataSet, encoding: Encoding): void {
  const tags = [...dataSet.keys()].sort((a, b) => a - b)
  for (const tag of tags) {
    if ((tag & 0xffff) === 0) continue // group length
    writeElement(writer, dataSet.get(tag)!, encoding)
  }
}

function writeElement(writer: PieceWriter, { tag, vr, value }: WriteElement, encoding: Encoding): void {
  switch (value.is) {
    case 'items':
      writeHeader(writer, tag, vr === 'UN' ? 'UN' : 'SQ', UNDEFINED, encoding)
      // Inside UN of undefined length everything is implicit little endian. PS3.5 section 6.2.2, note 2.
      writeItems(writer, value.items, vr === 'UN' && encoding.explicit ? IMPLICIT_LE : encoding)
      return
    case 'fragments':
      writeHeader(writer, tag, vr === 'OW' || vr === 'UN' ? 'OB' : vr, UNDEFINED, encoding)
      for (const fragment of value.fragments) writeFragment(writer, fragment, encoding)
      writeMark(writer, SEQUENCE_END, 0, encoding)
      return
    case 'bytes':
    case 'range': {
      const length = value.is === 'bytes' ? value.bytes.length : value.range.length
      const odd = length % 2 === 1
      const written = writtenVr(vr, length + (odd ? 1 : 0))
      writeHeader(writer, tag, written, length + (odd ? 1 : 0), encoding)
      if (value.is === 'bytes') writer.bytes(value.bytes, encoding.bigEndian ? swapUnit(written) : 1)
      else writeRange(writer, value.range, encoding.bigEndian === value.range.bigEndian ? 1 : swapUnit(vr))
      if (odd) writer.byte(paddingOf(written))
    }
  }
}

/** The VR that can carry a value: UN for letters nobody knows and for what a 16-bit length does not hold. PS3.5 6.2.2. */
function writtenVr(vr: string, length: number): string {
  if (!isStandardVr(vr) || vr === 'SQ') return 'UN'
  return length > SHORT_LENGTH_MAX && !hasLongForm(vr) ? 'UN' : vr
}

function paddingOf(vr: string): number {
  const kind = kindOf(vr)
  return vr !== 'UI' && (kind === 'text' || kind === 'name' || kind === 'ascii' || kind === 'decimal') ? 0x20 : 0
}

function writeRange(writer: PieceWriter, { source, offset, length }: ValueRange, unit: number): void {
  const whole = length - (length % unit)
  writer.range({ source, offset, length: whole, swapUnit: unit })
  if (whole < length) writer.range({ source, offset: offset + whole, length: length - whole, swapUnit: 1 })
}

function writeFragment(writer: PieceWriter, fragment: Uint8Array | ValueRange, encoding: Encoding): void {
  if (!(fragment instanceof Uint8Array) && fragment.whole === true) {
    const { source, offset, length } = fragment
    writer.reference({ source, offset, length, swapUnit: 1 })
    return
  }
  const odd = fragment.length % 2
  writeMark(writer, ITEM, fragment.length + odd, encoding)
  if (fragment instanceof Uint8Array) writer.bytes(fragment)
  else writeRange(writer, fragment, 1)
  if (odd === 1) writer.byte(0)
}

function writeItems(writer: PieceWriter, items: readonly WriteDataSet[], encoding: Encoding): void {
  for (const item of items) {
    writeMark(writer, ITEM, UNDEFINED, encoding)
    writeElements(writer, item, encoding)
    writeMark(writer, ITEM_END, 0, encoding)
  }
  writeMark(writer, SEQUENCE_END, 0, encoding)
}

function writeMark(writer: PieceWriter, tag: number, length: number, { bigEndian }: Encoding): void {
  writer.uint16(tag >>> 16, bigEndian)
  writer.uint16(tag & 0xffff, bigEndian)
  writer.uint32(length, bigEndian)
}

function writeHeader(writer: PieceWriter, tag: number, vr: string, length: number, encoding: Encoding): void {
  const { explicit, bigEndian } = encoding
  writer.uint16(tag >>> 16, bigEndian)
  writer.uint16(tag & 0xffff, bigEndian)
  if (!explicit) {
    writer.uint32(length, bigEndian)
    return
  }
  writer.byte(vr.charCodeAt(0))
  writer.byte(vr.charCodeAt(1))
  if (hasLongForm(vr)) {
    writer.uint16(0)
    writer.uint32(length, bigEndian)
  } else writer.uint16(length, bigEndian)
}

/** Turns what was read into what can be written; values stay ranges of the source it was read from. */
export function toWritable(dataSet: DataSet): WriteDataSet {
  const writable: WriteDataSet = new Map()
  for (const element of dataSet.elements.values()) {
    writable.set(element.tag, { tag: element.tag, vr: element.vr, value: writableValue(dataSet, element) })
  }
  return writable
}

/** A value as it was read. */
export function writableValue({ source, encoding }: DataSet, element: Element): WriteValue {
  const { bigEndian } = encoding
  if (element.items !== undefined) return { is: 'items', items: element.items.map(toWritable) }
  if (element.fragments !== undefined) {
    const fragments = element.fragments.map(({ offset, length }) => ({ source, offset, length, bigEndian }))
    return { is: 'fragments', fragments }
  }
  return { is: 'range', range: { source, offset: element.valueOffset, length: element.valueLength, bigEndian } }
}

/** The bytes of a small value, little endian. */
export function writableBytes(vr: string, value: WriteValue): Uint8Array | null {
  if (value.is === 'bytes') return value.bytes
  if (value.is !== 'range') return null
  const writer = new PieceWriter(false)
  writeRange(writer, value.range, value.range.bigEndian ? swapUnit(vr) : 1)
  return joinPieces(writer.finish())
}

/** A source of bytes that are in memory, for a fragment or a value to be written. */
export function rangeOf(bytes: Uint8Array): ValueRange {
  return { source: memorySource(bytes), offset: 0, length: bytes.length, bigEndian: false }
}
