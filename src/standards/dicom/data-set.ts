import { type ByteSource, READ_BYTES_MAX } from '../byte-source.ts'
import { decodeText, decodeValues, shortAscii } from './charset.ts'
import { vrOf } from './dictionary.ts'
import type { Encoding } from './encoding.ts'
import { DicomError, type Problem, tagText } from './errors.ts'
import { DEFAULT_LIMITS, type DicomLimits } from './limits.ts'
import { QuietVisitor } from './quiet-visitor.ts'
import { isSingleText, kindOf } from './value-representation.ts'
import { type WalkEnd, walkDataSet } from './walk.ts'

const SPECIFIC_CHARACTER_SET = 0x00080005

/** Bytes of one fragment of encapsulated Pixel Data, without its item header. */
export interface Fragment {
  readonly offset: number
  readonly length: number
}

/** One data element. Its value stays where it is: offsets are zero-based bytes in the source of its data set. */
export interface Element {
  readonly tag: number
  readonly vr: string
  readonly headerOffset: number
  readonly valueOffset: number
  /** In bytes; -1 when the length is undefined. */
  readonly valueLength: number
  /** Of a sequence; also of UN that holds one. */
  readonly items?: DataSet[]
  /** Of encapsulated Pixel Data; the first is the Basic Offset Table. */
  readonly fragments?: Fragment[]
}

/** A data set or an item: elements as ranges, in the order they were met. Of duplicates the first counts. */
export class DataSet {
  readonly source: ByteSource
  readonly encoding: Encoding
  readonly parent: DataSet | null
  /** Of the first element. */
  readonly start: number
  /** Behind the last element, without an item's delimiter. */
  end: number
  readonly elements = new Map<number, Element>()
  /** How the walk ended; null for an item. */
  walk: WalkEnd | null = null
  /** What the walk read past; empty for an item. */
  readonly problems: Problem[] = []
  #charsets: readonly string[] | null = null

  constructor(source: ByteSource, encoding: Encoding, parent: DataSet | null, start: number) {
    this.source = source
    this.encoding = encoding
    this.parent = parent
    this.start = start
    this.end = start
  }

  get(tag: number): Element | undefined {
    return this.elements.get(tag)
  }

  /** Specific Character Set in force: an item without one has that of the data set around it. PS3.3 C.12.1.1.2. */
  get charsets(): readonly string[] {
    if (this.#charsets === null) {
      const own = this.elements.get(SPECIFIC_CHARACTER_SET)
      if (own === undefined) this.#charsets = this.parent?.charsets ?? []
      else this.#charsets = readCharsets(bytesOf(this, own))
    }
    return this.#charsets
  }
}

/** The values of Specific Character Set; an empty element is the default repertoire. */
export function readCharsets(value: Uint8Array): readonly string[] {
  let text = ''
  for (const byte of value) text += String.fromCharCode(byte === 0 ? 0x20 : byte)
  if (text.trim() === '') return []
  return text.split('\\').map((term) => term.trim())
}

/**
 * The bytes of a value, as they are written in the data set's encoding.
 * @throws DicomError `dicom.limit` above 64 MiB
 */
export function bytesOf(dataSet: DataSet, element: Element): Uint8Array {
  if (element.valueLength > READ_BYTES_MAX) {
    const detail = `a value of ${element.valueLength} bytes is not read into memory`
    throw new DicomError('dicom.limit', 'value-in-memory', detail, element.valueOffset, element.tag)
  }
  if (element.valueLength <= 0) return new Uint8Array(0)
  return dataSet.source.read(element.valueOffset, element.valueOffset + element.valueLength)
}

export interface ReadOptions {
  /** Elements of the outermost data set from this tag on are not kept; the walk still goes to the end. */
  readonly keepBefore?: number
}

class TreeBuilder extends QuietVisitor {
  current: DataSet
  readonly #sequences: { dataSet: DataSet; items: DataSet[]; encoding: Encoding }[] = []
  readonly #keepBefore: number
  #fragments: Fragment[] = []

  constructor(root: DataSet, keepBefore: number) {
    super()
    this.current = root
    this.#keepBefore = keepBefore
  }

  #keep(element: Element, depth: number): void {
    if (depth === 0 && element.tag >= this.#keepBefore) return
    const { elements } = this.current
    if (!elements.has(element.tag)) elements.set(element.tag, element)
  }

  override element(
    tag: number,
    vr: string,
    valueOffset: number,
    valueLength: number,
    depth: number,
    headerOffset: number,
  ): void {
    this.#keep({ tag, vr, headerOffset, valueOffset, valueLength }, depth)
  }

  override startSequence(
    tag: number,
    vr: string,
    valueOffset: number,
    valueLength: number,
    depth: number,
    headerOffset: number,
    encoding: Encoding,
  ): void {
    const items: DataSet[] = []
    this.#keep({ tag, vr, headerOffset, valueOffset, valueLength, items }, depth)
    this.#sequences.push({ dataSet: this.current, items, encoding })
  }

  override startItem(_index: number, valueOffset: number): void {
    const { dataSet, items, encoding } = this.#sequences[this.#sequences.length - 1]!
    this.current = new DataSet(dataSet.source, encoding, dataSet, valueOffset)
    items.push(this.current)
  }

  override endItem(endOffset: number): void {
    this.current.end = endOffset
  }

  override endSequence(): void {
    this.current = this.#sequences.pop()!.dataSet
  }

  override startFragments(tag: number, vr: string, valueOffset: number, depth: number, headerOffset: number): void {
    this.#fragments = []
    this.#keep({ tag, vr, headerOffset, valueOffset, valueLength: -1, fragments: this.#fragments }, depth)
  }

  override fragment(_index: number, offset: number, length: number): void {
    this.#fragments.push({ offset, length })
  }

  override problem(rule: string, detail: string, offset: number, tag: number): void {
    let root = this.current
    while (root.parent !== null) root = root.parent
    root.problems.push({ rule, detail, offset, tag: tagText(tag) })
  }
}

/**
 * Reads a data set as a tree whose values stay ranges. For objects with very many elements prefer walkDataSet.
 * @see walkDataSet for what is read past and what is thrown
 */
export function readDataSet(
  source: ByteSource,
  encoding: Encoding,
  start = 0,
  end = source.size,
  limits: DicomLimits = DEFAULT_LIMITS,
  options: ReadOptions = {},
): DataSet {
  const root = new DataSet(source, encoding, null, start)
  const builder = new TreeBuilder(root, options.keepBefore ?? 0x1_0000_0000)
  root.walk = walkDataSet(source, encoding, start, end, builder, limits)
  root.end = root.walk.end
  return root
}

/** A person name in its three component groups, each in the `^` form of PS3.5 section 6.2; absent ones are ''. */
export interface PersonName {
  readonly alphabetic: string
  readonly ideographic: string
  readonly phonetic: string
}

/** The decoded values of an element without their padding; empty ones are ''. An absent or empty element has none. */
export function strings(dataSet: DataSet, tag: number): string[] {
  const element = dataSet.elements.get(tag)
  return element === undefined ? [] : elementStrings(dataSet, element)
}

/** The first value, or null when the element is absent, or empty, or its first value is. */
export function string(dataSet: DataSet, tag: number): string | null {
  return strings(dataSet, tag)[0] || null
}

/** The whole value as one text, for LT, ST, UT and any other; null when absent or empty. */
export function text(dataSet: DataSet, tag: number): string | null {
  const element = dataSet.elements.get(tag)
  if (element === undefined || element.valueLength <= 0) return null
  const vr = readableVr(element)
  const kind = kindOf(vr)
  if (kind !== 'text' && kind !== 'name') return elementStrings(dataSet, element).join('\\') || null
  const { charsets } = dataSet // read first: the next read may reuse the memory of the value
  const decoded = decodeText(bytesOf(dataSet, element), charsets, isSingleText(vr) ? 'text' : 'single')
  return withoutPadding(decoded, isSingleText(vr)) || null
}

/** The numeric values of US, SS, UL, SL, FL, FD, SV, UV (as doubles), AT, and of DS and IS as text that is a number. */
export function numbers(dataSet: DataSet, tag: number): number[] {
  const element = dataSet.elements.get(tag)
  if (element === undefined) return []
  const vr = readableVr(element)
  if (kindOf(vr) === 'number' || vr === 'AT') {
    return decodeNumbers(vr, bytesOf(dataSet, element), element.vr !== 'UN' && dataSet.encoding.bigEndian)
  }
  return elementStrings(dataSet, element).map((value) => (value === '' ? Number.NaN : Number(value)))
}

/** The first numeric value; null when there is none or it is not a number. */
export function number(dataSet: DataSet, tag: number): number | null {
  const value = numbers(dataSet, tag)[0]
  return value === undefined || Number.isNaN(value) ? null : value
}

/** The first person name, or null when absent or empty. */
export function personName(dataSet: DataSet, tag: number): PersonName | null {
  const value = string(dataSet, tag)
  return value === null ? null : splitName(value)
}

/** Cuts a decoded name at its `=`. PS3.5 section 6.2.1. */
export function splitName(value: string): PersonName {
  const [alphabetic = '', ideographic = '', phonetic = ''] = value.split('=')
  return { alphabetic, ideographic, phonetic }
}

/** The items of a sequence; none when the element is absent or no sequence. */
export function sequence(dataSet: DataSet, tag: number): readonly DataSet[] {
  return dataSet.elements.get(tag)?.items ?? []
}

/** Decodes the values of one element of `dataSet`. */
export function elementStrings(dataSet: DataSet, element: Element): string[] {
  if (element.valueLength <= 0 || element.items !== undefined) return []
  const vr = readableVr(element)
  if (kindOf(vr) === 'binary') return []
  const { charsets } = dataSet // read first: the next read may reuse the memory of the value
  return decodeStrings(vr, bytesOf(dataSet, element), charsets, element.vr !== 'UN' && dataSet.encoding.bigEndian)
}

/** The VR a value is read by: for UN what the dictionary knows, since UN carries the value as implicit VR would. */
export function readableVr({ tag, vr }: Pick<Element, 'tag' | 'vr'>): string {
  return vr === 'UN' ? vrOf(tag) : vr
}

/** Decodes a value to text without padding, one string per value; binary and sequences have none. */
export function decodeStrings(
  vr: string,
  bytes: Uint8Array,
  charsets: readonly string[],
  bigEndian: boolean,
): string[] {
  if (bytes.length === 0) return []
  switch (kindOf(vr)) {
    case 'number':
      return decodeNumbers(vr, bytes, bigEndian).map(String)
    case 'tag':
      return decodeNumbers(vr, bytes, bigEndian).map(tagText)
    case 'text':
      if (isSingleText(vr)) return [withoutPadding(decodeText(bytes, charsets, 'text'), true)]
      return decodeValues(bytes, charsets, 'single').map((value) => withoutPadding(value, false))
    case 'name':
      return decodeValues(bytes, charsets, 'pn').map(withoutEmptyGroups)
    case 'ascii':
    case 'decimal': {
      const short = shortAscii(bytes)
      if (short !== undefined) return [withoutPadding(short, isSingleText(vr))]
      const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
      if (isSingleText(vr)) return [withoutPadding(value, true)]
      return value.split('\\').map((part) => withoutPadding(part, false))
    }
    default:
      return []
  }
}

/** A name without padding and without the `=` of component groups that are empty at its end. PS3.5 section 6.2.1.1. */
function withoutEmptyGroups(name: string): string {
  const trimmed = withoutPadding(name, false)
  let end = trimmed.length
  while (end > 0 && trimmed[end - 1] === '=') end--
  return trimmed.slice(0, end)
}

/** Strips padding: spaces and NUL behind, and before too where PS3.5 Table 6.2-1 calls leading spaces insignificant. */
export function withoutPadding(value: string, keepLeading: boolean): string {
  let end = value.length
  while (end > 0 && isPadding(value.charCodeAt(end - 1))) end--
  let start = 0
  if (!keepLeading) while (start < end && value.charCodeAt(start) === 0x20) start++
  return value.slice(start, end)
}

function isPadding(code: number): boolean {
  return code === 0x20 || code === 0
}

/** The binary numbers of a value; bytes behind the last whole one are left out. */
export function decodeNumbers(vr: string, bytes: Uint8Array, bigEndian: boolean): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const values: number[] = []
  const size = numberBytes(vr)
  for (let at = 0; at + size <= bytes.length; at += size) values.push(numberAt(view, at, vr, !bigEndian))
  return values
}

/** Length of one binary number of a VR, in bytes. */
export function numberBytes(vr: string): number {
  return vr === 'US' || vr === 'SS' ? 2 : vr === 'FD' || vr === 'SV' || vr === 'UV' ? 8 : 4
}

/** One binary number of a VR. 64-bit integers lose precision above 2^53. */
export function numberAt(view: DataView, at: number, vr: string, little: boolean): number {
  switch (vr) {
    case 'US':
      return view.getUint16(at, little)
    case 'SS':
      return view.getInt16(at, little)
    case 'UL':
      return view.getUint32(at, little)
    case 'SL':
      return view.getInt32(at, little)
    case 'FL':
      return view.getFloat32(at, little)
    case 'FD':
      return view.getFloat64(at, little)
    case 'SV':
      return Number(view.getBigInt64(at, little))
    case 'UV':
      return Number(view.getBigUint64(at, little))
    case 'AT':
      return ((view.getUint16(at, little) << 16) | view.getUint16(at + 2, little)) >>> 0
    default:
      throw new RangeError(`${vr} is no VR of binary numbers`)
  }
}
