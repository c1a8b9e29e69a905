import type { ByteWindow } from './byte-window.ts'
import { vrOf } from './dictionary.ts'
import { HeaderReader } from './element-header.ts'
import { type Encoding, IMPLICIT_LE } from './encoding.ts'
import { DicomError } from './errors.ts'
import type { DicomLimits } from './limits.ts'
import { QuietVisitor } from './quiet-visitor.ts'
import { TagSet } from './tag-set.ts'
import type { Visitor, WalkEnd } from './walk.ts'
import { WalkLevel } from './walk-level.ts'

const ITEM = 0xfffee000
const ITEM_END = 0xfffee00d
const SEQUENCE_END = 0xfffee0dd
const PIXEL_DATA = 0x7fe00010
const PIXEL_REPRESENTATION = 0x00280103
const UNDEFINED = 0xffffffff
const TOLD_MAX = 100

/** One walk. See walkDataSet for what it promises. */
export class DataSetWalker {
  readonly #window: ByteWindow
  readonly #visitor: Visitor
  readonly #limits: DicomLimits
  readonly #probing: boolean
  readonly #levels: WalkLevel[] = [new WalkLevel()]
  readonly #told = new Map<string, number>()
  readonly #deadline: number
  #depth = 0
  #elements = 0
  #outOfOrder = 0
  #duplicates = 0
  #truncated = false
  #tags = new Uint32Array(256)
  #tagCount = 0
  readonly #header: HeaderReader

  constructor(window: ByteWindow, visitor: Visitor, limits: DicomLimits, probing = false) {
    this.#window = window
    this.#visitor = visitor
    this.#limits = limits
    this.#header = new HeaderReader(window, (rule, detail, offset, tag) => this.#tell(rule, detail, offset, tag))
    this.#probing = probing
    this.#deadline = performance.now() + limits.timeMs
  }

  walk(encoding: Encoding, start: number, end: number): WalkEnd {
    const top = this.#levels[0]!
    top.encoding = encoding
    top.startDataSet(Math.min(end, this.#window.source.size), false, 0, false)
    return this.#run(start)
  }

  /** Walks the value of a sequence alone; true when it holds items and nothing else. */
  static holdsItems(window: ByteWindow, start: number, end: number, limits: DicomLimits): boolean {
    const walker = new DataSetWalker(window, new QuietVisitor(), limits, true)
    walker.#levels[0]!.startDataSet(end, false, 0, false)
    walker.#openSequence(0, 'UN', start, end - start, start, IMPLICIT_LE)
    try {
      return walker.#run(start).end === end
    } catch (error) {
      if (error instanceof DicomError && error.code === 'dicom.malformed') return false
      throw error
    }
  }

  #run(start: number): WalkEnd {
    let at = start
    for (;;) {
      const level = this.#levels[this.#depth]!
      if (!level.inItem) {
        at = this.#betweenItems(level, at)
      } else if (at >= level.itemEnd) {
        if (this.#depth === 0) break
        if (level.itemOpen) this.#unclosed(level, at, 'item')
        this.#closeItem(level, at)
      } else {
        const next = this.#element(level, at)
        if (next < 0) break
        at = next
      }
    }
    return {
      end: at,
      truncated: this.#truncated,
      elements: this.#elements,
      outOfOrder: this.#outOfOrder,
      duplicates: this.#duplicates,
    }
  }

  /** A data set that ends while something is open was cut; inside a longer structure it is only badly closed. */
  #unclosed(level: WalkLevel, at: number, what: string): void {
    if (at >= this.#levels[0]!.itemEnd) {
      throw new DicomError('dicom.malformed', 'R3', `the data set ends within an ${what}`, at, level.sequenceTag)
    }
    this.#tell('delimiter-missing', `no delimiter behind an ${what}`, at, level.sequenceTag)
  }

  #betweenItems(level: WalkLevel, at: number): number {
    if (at >= level.sequenceEnd) {
      if (level.sequenceOpen) this.#unclosed(level, at, 'open sequence')
      this.#closeSequence(at)
      return at
    }
    if (at + 8 > level.sequenceEnd) {
      throw new DicomError('dicom.malformed', 'R1', 'a sequence ends within an item header', at, level.sequenceTag)
    }
    const tag = this.#header.tagAt(at, level.encoding)
    const length = this.#header.uint32At(at + 4, level.encoding)
    if (tag === ITEM) {
      if (level.itemIndex >= this.#limits.itemsPerSequence) {
        const most = this.#limits.itemsPerSequence
        throw new DicomError('dicom.limit', 'sequence-items', `more than ${most} items`, at, level.sequenceTag)
      }
      const open = length === UNDEFINED
      const parent = this.#levels[this.#depth - 1]!
      let end = open ? level.sequenceEnd : at + 8 + length
      if (end > level.sequenceEnd) end = this.#overrun(level, parent, at, length)
      level.startDataSet(end, open, this.#tagCount, parent.signed)
      this.#visitor.startItem(level.itemIndex, at + 8, open ? -1 : end - at - 8, this.#depth, at)
      return at + 8
    }
    if (tag === SEQUENCE_END) {
      if (length !== 0) this.#tell('delimiter-length', 'a delimiter has a length', at, level.sequenceTag)
      if (level.sequenceOpen) this.#closeSequence(at + 8)
      else this.#tell('delimiter-stray', 'a delimiter in a sequence of defined length', at, level.sequenceTag)
      return at + 8
    }
    if (tag === ITEM_END) {
      this.#tell('delimiter-stray', 'an item delimiter between items', at, level.sequenceTag)
      return at + 8
    }
    throw new DicomError('dicom.malformed', 'R3', 'a sequence holds something that is no item', at, level.sequenceTag)
  }

  /**
   * An item longer than its sequence. As other readers do: what is around lends it the bytes, and where that has none
   * either the item ends with its sequence.
   */
  #overrun(level: WalkLevel, parent: WalkLevel, at: number, length: number): number {
    const left = level.sequenceEnd - at - 8
    const detail = `an item of ${length} bytes in ${left}`
    if (level.sequenceOpen || this.#probing)
      throw new DicomError('dicom.malformed', 'R1', detail, at, level.sequenceTag)
    this.#tell('item-overrun', detail, at, level.sequenceTag)
    if (length <= parent.itemEnd - at - 8) level.sequenceEnd = at + 8 + length
    return level.sequenceEnd
  }

  #closeItem(level: WalkLevel, end: number): void {
    level.inItem = false
    level.itemIndex++
    this.#tagCount = level.tagsFrom
    this.#visitor.endItem(end, this.#depth)
  }

  #closeSequence(end: number): void {
    this.#depth--
    this.#visitor.endSequence(end, this.#depth)
  }

  #openSequence(tag: number, vr: string, at: number, length: number, header: number, encoding: Encoding): void {
    const parent = this.#levels[this.#depth]!
    if (this.#depth >= this.#limits.depth) {
      throw new DicomError('dicom.limit', 'sequence-depth', `deeper than ${this.#limits.depth} sequences`, header, tag)
    }
    this.#visitor.startSequence(tag, vr, at, length, this.#depth, header, encoding)
    this.#depth++
    let level = this.#levels[this.#depth]
    if (level === undefined) {
      level = new WalkLevel()
      this.#levels.push(level)
    }
    level.sequenceTag = tag
    level.sequenceOpen = length < 0
    level.sequenceEnd = length < 0 ? parent.itemEnd : at + length
    level.itemIndex = 0
    level.inItem = false
    level.encoding = encoding
  }

  /** Reads one element. @returns where the next one starts, or -1 when only trailing bytes are left. */
  #element(level: WalkLevel, at: number): number {
    if (!this.#header.read(level, at, this.#depth, this.#elements)) return -1
    const tag = this.#header.tag
    if (tag >>> 16 === 0xfffe) return this.#delimiter(level, tag, at)
    const length = this.#header.length
    const valueAt = this.#header.valueAt
    const left = level.itemEnd - valueAt
    const tooLong = length !== UNDEFINED && length > left
    if (this.#depth === 0 && this.#isTrailing(level, tag, tooLong)) return -1
    if (++this.#elements > this.#limits.elements) {
      throw new DicomError('dicom.limit', 'elements', `more than ${this.#limits.elements} elements`, at, tag)
    }
    if ((this.#elements & 0xfff) === 0) this.#checkTime(at)
    this.#checkOrder(level, tag, at)
    if (tooLong) return this.#cutShort(tag, valueAt, length, left, at)
    if (length === UNDEFINED) return this.#undefinedLength(level, tag, valueAt, at)
    if ((length & 1) === 1) this.#tell('odd-length', `a value of ${length} bytes`, at, tag)
    if (this.#header.vr === 'SQ' || (this.#header.vr === 'UN' && length >= 8 && level.encoding.explicit)) {
      const encoding = this.#itemsEncoding(level, tag, valueAt, length, at)
      if (encoding !== null) {
        this.#openSequence(tag, this.#header.vr, valueAt, length, at, encoding)
        return valueAt
      }
      this.#header.vr = 'UN'
    }
    if (tag === PIXEL_REPRESENTATION && length === 2)
      level.signed = this.#header.uint16At(valueAt, level.encoding) === 1
    if (!level.encoding.explicit && (tag & 0x10000) !== 0) this.#header.keepCreator(level, tag, valueAt, length)
    this.#visitor.element(tag, this.#header.vr, valueAt, length, this.#depth, at)
    return valueAt + length
  }

  /** A value that is longer than what is left: Pixel Data is told and taken as it is, anything else is malformed. */
  #cutShort(tag: number, valueAt: number, length: number, left: number, at: number): number {
    if (this.#depth > 0 || tag !== PIXEL_DATA) {
      throw new DicomError('dicom.malformed', 'R1', `a value of ${length} bytes where ${left} are left`, at, tag)
    }
    this.#tell('B8', `Pixel Data of ${length} bytes, of which ${left} are there`, at, tag)
    this.#truncated = true
    this.#visitor.element(tag, this.#header.vr, valueAt, left, this.#depth, at)
    return valueAt + left
  }

  #isTrailing(level: WalkLevel, tag: number, tooLong: boolean): boolean {
    if (this.#elements === 0 || tag > level.lastTag) {
      return (
        tooLong && this.#elements > 0 && !level.encoding.explicit && this.#header.vr === 'UN' && (tag & 0x10000) === 0
      )
    }
    return tooLong || (!level.encoding.explicit && level.lastTag >= PIXEL_DATA)
  }

  #delimiter(level: WalkLevel, tag: number, at: number): number {
    if (++this.#elements > this.#limits.elements) {
      throw new DicomError('dicom.limit', 'elements', `more than ${this.#limits.elements} elements`, at, tag)
    }
    if (tag !== ITEM && tag !== ITEM_END && tag !== SEQUENCE_END) {
      throw new DicomError('dicom.malformed', 'R3', 'a mark of group FFFE that means nothing', at, tag)
    }
    if (this.#depth === 0 || !level.itemOpen) {
      if (tag === ITEM) throw new DicomError('dicom.malformed', 'R3', 'an item outside a sequence', at, tag)
      this.#tell('delimiter-stray', 'a delimiter that closes nothing', at, tag)
      return at + 8
    }
    if (tag === ITEM_END) {
      if (this.#header.length !== 0) this.#tell('delimiter-length', 'a delimiter has a length', at, level.sequenceTag)
      this.#closeItem(level, at + 8)
      return at + 8
    }
    this.#tell('delimiter-missing', 'no delimiter behind an item', at, level.sequenceTag)
    this.#closeItem(level, at)
    return at
  }

  #undefinedLength(level: WalkLevel, tag: number, valueAt: number, at: number): number {
    const vr = this.#header.vr
    const { encoding } = level
    // Implicit VR has no encapsulation but where senders forgot to say which transfer syntax they meant.
    const encapsulated = encoding.explicit && (vr === 'OB' || vr === 'OW')
    if (tag === PIXEL_DATA || encapsulated) return this.#fragments(level, tag, vr, valueAt, at)
    if (vr === 'SQ') this.#openSequence(tag, vr, valueAt, -1, at, encoding)
    else if (vr === 'UN') this.#openSequence(tag, encoding.explicit ? vr : 'SQ', valueAt, -1, at, IMPLICIT_LE)
    else if (valueAt + 8 <= level.itemEnd && this.#header.tagAt(valueAt, encoding) === ITEM) {
      this.#tell('vr-wrong', `${vr} of undefined length that holds items`, at, tag)
      this.#openSequence(tag, 'SQ', valueAt, -1, at, encoding)
    } else throw new DicomError('dicom.malformed', 'R3', `${vr} of undefined length`, at, tag)
    return valueAt
  }

  /** How the items of a value of defined length are written, or null when it holds none. */
  #itemsEncoding(level: WalkLevel, tag: number, valueAt: number, length: number, at: number): Encoding | null {
    if (this.#header.vr === 'SQ') {
      if (length === 0) return level.encoding
      const first = length < 8 ? 0 : this.#header.tagAt(valueAt, level.encoding)
      if (first === ITEM || first === SEQUENCE_END || first === ITEM_END) return level.encoding
      this.#tell('not-a-sequence', 'a sequence that holds no items', at, tag)
      return null
    }
    if (this.#probing || this.#header.tagAt(valueAt, IMPLICIT_LE) !== ITEM || vrOf(tag) !== 'SQ') return null
    return DataSetWalker.holdsItems(this.#window, valueAt, valueAt + length, this.#limits) ? IMPLICIT_LE : null
  }

  /** Encapsulated Pixel Data. PS3.5 section A.4. @returns where the next element starts */
  #fragments(level: WalkLevel, tag: number, vr: string, valueAt: number, header: number): number {
    const { encoding, itemEnd } = level
    this.#visitor.startFragments(tag, vr, valueAt, this.#depth, header)
    let at = valueAt
    for (let index = 0; ; index++) {
      if (at + 8 > itemEnd) return this.#fragmentsCut(tag, at, itemEnd, 'no delimiter behind the fragments')
      const mark = this.#header.tagAt(at, encoding)
      const length = this.#header.uint32At(at + 4, encoding)
      if (mark === SEQUENCE_END) {
        if (length !== 0) this.#tell('delimiter-length', 'a delimiter has a length', at, tag)
        this.#visitor.endFragments(at + 8, this.#depth)
        return at + 8
      }
      if (mark !== ITEM) throw new DicomError('dicom.malformed', 'R3', 'something that is no fragment', at, tag)
      if (++this.#elements > this.#limits.elements) {
        throw new DicomError('dicom.limit', 'elements', `more than ${this.#limits.elements} elements`, at, tag)
      }
      if ((this.#elements & 0xfff) === 0) this.#checkTime(at)
      const left = itemEnd - at - 8
      if (length > left) {
        if (length !== UNDEFINED && this.#depth === 0 && left > 0) this.#visitor.fragment(index, at + 8, left, at)
        if (length === UNDEFINED) {
          throw new DicomError('dicom.malformed', 'R1', 'a fragment of undefined length', at, tag)
        }
        return this.#fragmentsCut(tag, at, itemEnd, `a fragment of ${length} bytes, of which ${left} are there`)
      }
      if ((length & 1) === 1) this.#tell('odd-length', `a fragment of ${length} bytes`, at, tag)
      this.#visitor.fragment(index, at + 8, length, at)
      at += 8 + length
    }
  }

  #fragmentsCut(tag: number, at: number, end: number, detail: string): number {
    if (this.#depth > 0) throw new DicomError('dicom.malformed', 'R1', detail, at, tag)
    this.#tell('B8', detail, at, tag)
    this.#truncated = true
    this.#visitor.endFragments(end, this.#depth)
    return end
  }

  #checkOrder(level: WalkLevel, tag: number, at: number): void {
    if (this.#tagCount === this.#tags.length) {
      const grown = new Uint32Array(this.#tags.length * 2)
      grown.set(this.#tags)
      this.#tags = grown
    }
    this.#tags[this.#tagCount++] = tag
    const ascending = tag > level.lastTag
    level.lastTag = tag
    const group = tag >>> 16
    if (group === 0 || group === 2) this.#tell('M10', 'an element that belongs into no data set', at, tag)
    if (ascending && level.seen === null) return
    if (level.seen === null) {
      level.seen = new TagSet()
      for (let i = level.tagsFrom; i < this.#tagCount - 1; i++) level.seen.add(this.#tags[i]!)
    }
    if (!ascending) this.#outOfOrder++
    if (!level.seen.add(tag)) {
      this.#duplicates++
      this.#tell('M9', 'the same element a second time', at, tag)
    } else if (!ascending) this.#tell('M10', 'an element out of ascending order', at, tag)
  }

  #checkTime(at: number): void {
    if (performance.now() > this.#deadline) {
      throw new DicomError('dicom.limit', 'time', `not walked within ${this.#limits.timeMs} ms`, at)
    }
  }

  #tell(rule: string, detail: string, offset: number, tag: number): void {
    const told = this.#told.get(rule) ?? 0
    this.#told.set(rule, told + 1)
    if (told < TOLD_MAX) this.#visitor.problem(rule, detail, offset, tag)
  }
}
