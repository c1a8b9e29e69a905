import { copyOf } from '../byte-source.ts'
import { ByteWindow } from './byte-window.ts'
import { DataSet, decodeStrings, type Fragment, numberAt, numberBytes, readableVr, readCharsets } from './data-set.ts'
import type { Encoding } from './encoding.ts'
import { type Problem, tagText } from './errors.ts'
import { JsonLevel } from './json-level.ts'
import { JsonOutput } from './json-output.ts'
import { writeDecimals, writeNames, writeTexts } from './json-values.ts'
import { DEFAULT_LIMITS, type DicomLimits } from './limits.ts'
import type { Part10 } from './open.ts'
import type { PickList, PickNode } from './pick-list.ts'
import { type PixelElement, pixelElement } from './pixel-element.ts'
import { isSingleText, kindOf, swapBytes, swapUnit, type ValueKind } from './value-representation.ts'
import { type Visitor, type WalkEnd, walkDataSet } from './walk.ts'

export { type BulkDataResolver, jsonToDataSet, jsonToDataSets } from './json-read.ts'
export { type PickList, pickList } from './pick-list.ts'

export interface JsonOptions {
  /**
   * Address of a value that is not written inline.
   * @param path tags and zero-based item indices: `7FE00010`, `54000100/0/54001010`
   */
  readonly bulkDataUri: (path: string) => string
  /** Longest binary value written as InlineBinary, in bytes. Pixel data never is. */
  readonly inlineMax: number
  /** Longest value of text or numbers written inline, in bytes; 256 KiB when absent. */
  readonly valueMax?: number
  /** Attributes to hand out decoded: `00100010`, or within sequences `00400275.00400009`. */
  readonly pick?: PickList
  readonly limits?: DicomLimits
}

export interface DicomJson {
  /** One object of the DICOM JSON Model, UTF-8. PS3.18 Annex F. */
  readonly json: Uint8Array
  /** Values of `pick` by path, in order, padding removed; person names as `A=I=P`. Absent attributes have no entry. */
  readonly picked: Map<string, string[]>
  /** For frameTable. */
  readonly pixel: PixelElement | null
  readonly walk: WalkEnd
  readonly problems: readonly Problem[]
}

/**
 * Writes the metadata of an object as DICOM JSON, in one walk. Group 0002, group lengths and Data Set Trailing Padding
 * are left out; keys ascend whatever the order of the file; of duplicates the first is written.
 * @throws DicomError as walkDataSet does
 */
export function writeDicomJson(part10: Pick<Part10, 'dataSet' | 'encoding'>, options: JsonOptions): DicomJson {
  const { dataSet, encoding } = part10
  const limits = options.limits ?? DEFAULT_LIMITS
  let charsets: readonly string[] = []
  for (;;) {
    const window = new ByteWindow(dataSet)
    const writer = new JsonWriter(window, encoding, options, charsets)
    const walk = walkDataSet(dataSet, encoding, 0, dataSet.size, writer, limits, { window })
    if (charsets.length === 0 && writer.lateCharsets !== null && writer.lateCharsets.length > 0) {
      // Specific Character Set stood behind text it applies to: once more, knowing it.
      charsets = writer.lateCharsets
      continue
    }
    const json = writer.finish()
    return { json, picked: writer.picked, pixel: pixelElement(writer.top), walk, problems: writer.problems }
  }
}

const ascii = (text: string) => Buffer.from(text, 'latin1')
const VR_OPEN = ascii('":{"vr":"')
const VALUE = ascii('","Value":[')
const SQ_VALUE = ascii(',"Value":[{')
const INLINE = ascii('","InlineBinary":"')
const BULK = ascii('","BulkDataURI":')
const CHARSET = ascii('CS","Value":["ISO_IR 192"]}')
const SPECIFIC_CHARACTER_SET = 0x00080005
const TRAILING_PADDING = 0xfffcfffc
/** Values of one path that are handed out, when a sequence has many items. */
const PICKED_MAX = 1000
const OPEN = 0x7b
const CLOSE = 0x7d
const CLOSE_LIST = 0x5d
const QUOTE = 0x22
const COMMA = 0x2c

/** Group lengths and what holds no data of the object: File Meta, commands, padding. */
function isLeftOut(tag: number, depth: number): boolean {
  if ((tag & 0xffff) === 0 || tag === TRAILING_PADDING) return true
  const group = tag >>> 16
  return depth === 0 && (group === 0 || group === 2)
}

class JsonWriter implements Visitor {
  readonly picked = new Map<string, string[]>()
  readonly problems: Problem[] = []
  /** What frameTable needs of the outermost data set. */
  readonly top: DataSet
  lateCharsets: readonly string[] | null = null
  readonly #out = new JsonOutput()
  readonly #window: ByteWindow
  readonly #options: JsonOptions
  readonly #valueMax: number
  readonly #levels: JsonLevel[] = [new JsonLevel()]
  readonly #tags: number[] = []
  readonly #starts: number[] = []
  #level: JsonLevel
  #depth = 0
  #fragments: Fragment[] | null = null
  /** Sequences that are not written: group 0002 at the top. */
  #skipping = 0

  constructor(window: ByteWindow, encoding: Encoding, options: JsonOptions, charsets: readonly string[]) {
    this.#window = window
    this.#options = options
    this.#valueMax = options.valueMax ?? 256 * 1024
    this.top = new DataSet(window.source, encoding, null, 0)
    this.#level = this.#levels[0]!
    this.#level.setCharsets(charsets)
    this.#level.bigEndian = encoding.bigEndian
    this.#level.picks = options.pick ?? null
    this.#out.byte(OPEN)
  }

  finish(): Uint8Array {
    this.#closeLevel()
    return this.#out.bytes()
  }

  problem(rule: string, detail: string, offset: number, tag: number): void {
    this.problems.push({ rule, detail, offset, tag: tagText(tag) })
  }

  element(
    tag: number,
    vr: string,
    valueOffset: number,
    valueLength: number,
    depth: number,
    headerOffset: number,
  ): void {
    if (this.#skipping > 0 || isLeftOut(tag, depth)) return
    if (depth === 0) {
      const group = tag >>> 16
      if ((group === 0x28 || group === 0x7fe0) && !this.top.elements.has(tag)) {
        this.top.elements.set(tag, { tag, vr, headerOffset, valueOffset, valueLength })
      }
    }
    this.#key(tag)
    const level = this.#level
    const out = this.#out
    if (tag === SPECIFIC_CHARACTER_SET) {
      this.#charset(valueOffset, valueLength, level)
      out.raw(CHARSET)
      return
    }
    out.ascii(vr)
    const kind = kindOf(vr)
    if (valueLength === 0) this.#closeEmpty()
    else if (kind === 'binary') this.#binary(tag, vr, valueOffset, valueLength)
    else if (valueLength > this.#valueMax) this.#bulk(tag)
    else this.#value(vr, kind, valueOffset, valueLength)
    const pick = level.picks?.get(tag)
    if (pick?.wanted === true && valueLength <= this.#valueMax) this.#pick(pick, tag, vr, valueOffset, valueLength)
  }

  startSequence(
    tag: number,
    _vr: string,
    _valueOffset: number,
    _valueLength: number,
    depth: number,
    _headerOffset: number,
    encoding: Encoding,
  ): void {
    if (this.#skipping > 0 || isLeftOut(tag, depth)) {
      this.#skipping++
      return
    }
    this.#key(tag)
    this.#out.ascii('SQ"')
    const picks = this.#level.picks?.get(tag)?.within ?? null
    const { charsets, asciiCompatible } = this.#level
    this.#depth++
    let level = this.#levels[this.#depth]
    if (level === undefined) {
      level = new JsonLevel()
      this.#levels.push(level)
    }
    level.charsets = charsets
    level.asciiCompatible = asciiCompatible
    level.tag = tag
    level.items = 0
    level.bigEndian = encoding.bigEndian
    level.picks = picks
    this.#level = level
  }

  startItem(): void {
    if (this.#skipping > 0) return
    const level = this.#level
    if (level.items++ === 0) this.#out.raw(SQ_VALUE)
    else {
      this.#out.byte(COMMA)
      this.#out.byte(OPEN)
    }
    const parent = this.#levels[this.#depth - 1]!
    level.charsets = parent.charsets
    level.asciiCompatible = parent.asciiCompatible
    level.from = this.#tags.length
    level.lastTag = -1
    level.unordered = false
  }

  endItem(): void {
    if (this.#skipping > 0) return
    this.#closeLevel()
    this.#tags.length = this.#level.from
    this.#starts.length = this.#level.from
  }

  endSequence(): void {
    if (this.#skipping > 0) {
      this.#skipping--
      return
    }
    if (this.#level.items > 0) this.#out.byte(CLOSE_LIST)
    this.#out.byte(CLOSE)
    this.#depth--
    this.#level = this.#levels[this.#depth]!
  }

  startFragments(tag: number, vr: string, valueOffset: number, depth: number, headerOffset: number): void {
    if (this.#skipping > 0 || isLeftOut(tag, depth)) return
    if (depth === 0 && tag >>> 16 === 0x7fe0 && !this.top.elements.has(tag)) {
      this.#fragments = []
      const fragments = this.#fragments
      this.top.elements.set(tag, { tag, vr, headerOffset, valueOffset, valueLength: -1, fragments })
    } else this.#fragments = null
    this.#key(tag)
    this.#out.ascii(vr)
    this.#bulk(tag)
  }

  fragment(_index: number, offset: number, length: number): void {
    this.#fragments?.push({ offset, length })
  }

  endFragments(): void {
    this.#fragments = null
  }

  /** Begins an element: `"GGGGEEEE":{"vr":"`, with a comma before it unless it is the first. */
  #key(tag: number): void {
    const level = this.#level
    const out = this.#out
    if (level.lastTag >= 0) out.byte(COMMA)
    if (tag <= level.lastTag) level.unordered = true
    level.lastTag = tag
    this.#tags.push(tag)
    this.#starts.push(out.at)
    out.byte(QUOTE)
    out.tag(tag)
    out.raw(VR_OPEN)
  }

  #closeEmpty(): void {
    this.#out.byte(QUOTE)
    this.#out.byte(CLOSE)
  }

  #charset(valueOffset: number, valueLength: number, level: JsonLevel): void {
    const index = this.#window.ensure(valueOffset, Math.min(valueLength, 1024))
    const charsets = readCharsets(this.#window.bytes.subarray(index, index + Math.min(valueLength, 1024)))
    level.setCharsets(charsets)
    if (this.#depth === 0 && level.unordered) this.lateCharsets = charsets
  }

  #value(vr: string, kind: ValueKind, valueOffset: number, valueLength: number): void {
    const out = this.#out
    const index = this.#window.ensure(valueOffset, valueLength)
    const { bytes } = this.#window
    const { charsets, asciiCompatible, bigEndian } = this.#level
    const before = out.at
    out.raw(VALUE)
    let written: boolean
    if (kind === 'number' || kind === 'tag') written = this.#numbers(vr, index, valueLength, bigEndian)
    else if (kind === 'decimal') written = writeDecimals(out, bytes, index, index + valueLength, vr === 'IS')
    else if (kind === 'name') written = writeNames(out, bytes, index, index + valueLength, charsets, asciiCompatible)
    else {
      const text = kind === 'text'
      const single = isSingleText(vr)
      written = writeTexts(out, bytes, index, index + valueLength, single, text ? charsets : null, asciiCompatible)
    }
    if (written) {
      out.byte(CLOSE_LIST)
      out.byte(CLOSE)
    } else {
      out.at = before
      this.#closeEmpty()
    }
  }

  #numbers(vr: string, index: number, length: number, bigEndian: boolean): boolean {
    const { bytes } = this.#window
    const out = this.#out
    const view = new DataView(bytes.buffer, bytes.byteOffset + index, length)
    const size = numberBytes(vr)
    for (let at = 0; at + size <= length; at += size) {
      if (at > 0) out.byte(COMMA)
      if (vr === 'AT') {
        out.byte(QUOTE)
        out.tag(numberAt(view, at, vr, !bigEndian))
        out.byte(QUOTE)
      } else if (vr === 'SV' || vr === 'UV') {
        const value = vr === 'SV' ? view.getBigInt64(at, !bigEndian) : view.getBigUint64(at, !bigEndian)
        // Above 2^53 a JSON number would be rounded by those who read it as a double.
        out.ascii(Number.isSafeInteger(Number(value)) ? String(value) : `"${value}"`)
      } else out.number(numberAt(view, at, vr, !bigEndian))
    }
    return length >= size
  }

  #binary(tag: number, vr: string, valueOffset: number, valueLength: number): void {
    if (tag >>> 16 === 0x7fe0 || valueLength > this.#options.inlineMax) {
      this.#bulk(tag)
      return
    }
    const index = this.#window.ensure(valueOffset, valueLength)
    let value = this.#window.bytes.subarray(index, index + valueLength)
    const unit = this.#level.bigEndian ? swapUnit(vr) : 1
    if (unit > 1) {
      value = copyOf(value) // DICOM JSON carries little endian. PS3.18 section F.2.7
      swapBytes(value, unit)
    }
    const out = this.#out
    out.raw(INLINE)
    out.base64(value)
    this.#closeEmpty()
  }

  #bulk(tag: number): void {
    let path = ''
    for (let depth = 1; depth <= this.#depth; depth++) {
      const level = this.#levels[depth]!
      path += `${tagText(level.tag)}/${level.items - 1}/`
    }
    this.#out.raw(BULK)
    this.#out.text(this.#options.bulkDataUri(path + tagText(tag)))
    this.#out.byte(CLOSE)
  }

  #pick(pick: PickNode, tag: number, vr: string, valueOffset: number, valueLength: number): void {
    const { charsets } = this.#level
    const bigEndian = vr !== 'UN' && this.#level.bigEndian
    const index = this.#window.ensure(valueOffset, valueLength)
    const read = readableVr({ tag, vr })
    const values = decodeStrings(read, this.#window.bytes.subarray(index, index + valueLength), charsets, bigEndian)
    const held = this.picked.get(pick.path)
    if (held === undefined) this.picked.set(pick.path, values)
    else if (this.#depth > 0 && held.length < PICKED_MAX) held.push(...values.slice(0, PICKED_MAX))
  }

  /** Ends an object; puts its keys in ascending order when they came in another. */
  #closeLevel(): void {
    const level = this.#level
    const out = this.#out
    if (level.unordered) this.#reorder(level.from)
    out.byte(CLOSE)
  }

  #reorder(from: number): void {
    const out = this.#out
    const count = this.#tags.length - from
    const base = this.#starts[from]!
    const copy = Buffer.from(out.buffer.subarray(base, out.at))
    const order = Array.from({ length: count }, (_, i) => from + i)
    order.sort((a, b) => this.#tags[a]! - this.#tags[b]! || a - b)
    const end = out.at
    out.at = base
    let last = -1
    for (const i of order) {
      if (this.#tags[i] === last) continue // a duplicate: the first counts
      if (last >= 0) out.byte(COMMA)
      last = this.#tags[i]!
      const behind = i + 1 < this.#tags.length ? this.#starts[i + 1]! - 1 : end
      out.slice(copy, this.#starts[i]! - base, behind - base)
    }
  }
}
