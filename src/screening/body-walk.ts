import type { ByteRange } from '#model/finding.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import type { Encoding } from '#standards/dicom/encoding.ts'
import { DicomError, tagText } from '#standards/dicom/errors.ts'
import type { DicomLimits } from '#standards/dicom/limits.ts'
import { QuietVisitor } from '#standards/dicom/quiet-visitor.ts'
import { walkDataSet } from '#standards/dicom/walk.ts'
import type { BodyFacts, PieceRange, PixelPlace, Place } from './body-facts.ts'
import { checkHiddenValue } from './checks/hidden-value.ts'
import { checkUid } from './checks/identity.ts'
import { draftOfProblem } from './checks/structure.ts'
import { LengthRewrites } from './length-rewrites.ts'
import type { Draft } from './screened.ts'

const PIXEL_DATA = 0x7fe00010
const FLOAT_PIXEL_DATA = 0x7fe00008
const DOUBLE_PIXEL_DATA = 0x7fe00009
const PADDING = 0xfffcfffc
const DOCUMENT = 0x00420011
const ICC_PROFILE = 0x00282000
const PIXEL_GROUPS = 0x7fe0

/** Pieces under this length are not worth a scan of their own. threats.md G8. */
const PIECE_BYTES_MIN = 64
const DRAFTS_MAX = 200
const FRAGMENTS_MAX = 5_000_000
/** Bounds on what is remembered of one object, so that memory does not grow with what a sender invents. */
const RANGES_MAX = 100_000
const CREATORS_MAX = 1000

/** Values the checks compare, all of the outermost data set. */
const textTags = new Set([
  0x00080016, 0x00080018, 0x00080005, 0x0020000d, 0x0020000e, 0x00100010, 0x00100020, 0x00100021, 0x00100030,
  0x00280004, 0x00420012, 0x00280008,
])
const numberTags = new Set([
  0x00280002, 0x00280006, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00420015, 0x00480006,
  0x00480007,
])

/** What a walk is asked to collect beyond the facts. */
export interface BodyWalkOptions {
  /** True for classes that may hold anything (Raw Data): whole values are searched. threats.md B10. */
  readonly wholeValues: boolean
  /** True when a scanner wants the pieces. */
  readonly pieces: boolean
}

/**
 * Walks the data set once and runs every check that needs no more than one element at a time.
 *
 * @returns with `error`, what was learnt up to the place where the data set could not be read on
 */
export function walkBody(
  source: ByteSource,
  encoding: Encoding,
  start: number,
  end: number,
  limits: DicomLimits,
  options: BodyWalkOptions,
): { readonly facts: BodyFacts; readonly error: DicomError | null } {
  const visitor = new BodyVisitor(source, encoding, options)
  let error: DicomError | null = null
  let reached = start
  try {
    reached = walkDataSet(source, encoding, start, end, visitor, limits).end
  } catch (thrown) {
    if (!(thrown instanceof DicomError)) throw thrown
    error = thrown
    reached = thrown.offset
  }
  const facts: BodyFacts = {
    source,
    encoding,
    start,
    end: reached,
    text: visitor.text,
    number: visitor.number,
    pixels: visitor.pixels,
    padding: visitor.padding,
    document: visitor.document,
    iccProfiles: visitor.iccProfiles,
    pyramid: visitor.pyramid,
    pieces: visitor.pieces,
    privateElements: visitor.privateElements,
    lengthRewrites: visitor.lengths.all(),
    privateTooMany: visitor.privateTooMany,
    creators: visitor.creators,
    drafts: visitor.drafts,
  }
  return { facts, error }
}

class BodyVisitor extends QuietVisitor {
  readonly text = new Map<number, string>()
  readonly number = new Map<number, number>()
  readonly iccProfiles: ByteRange[] = []
  readonly pyramid: ByteRange[] = []
  readonly pieces: PieceRange[] = []
  readonly privateElements: ByteRange[] = []
  readonly creators = new Set<string>()
  readonly drafts: Draft[] = []
  pixels: PixelPlace | null = null
  padding: Place | null = null
  document: Place | null = null
  privateTooMany = false
  readonly lengths: LengthRewrites

  private readonly source: ByteSource
  private readonly encoding: Encoding
  private readonly options: BodyWalkOptions
  /** Offset and depth of the private sequence or encapsulated element that is open; -1 when none is. */
  private openPrivate = -1
  private openPrivateDepth = -1
  private openPixels: { tag: number; headerOffset: number; valueOffset: number; fragments: number[] } | null = null
  private fragmentTag = 0
  private fragmentStart = 0

  constructor(source: ByteSource, encoding: Encoding, options: BodyWalkOptions) {
    super()
    this.source = source
    this.encoding = encoding
    this.lengths = new LengthRewrites(encoding)
    this.options = options
  }

  override element(tag: number, vr: string, at: number, length: number, depth: number, header: number): void {
    if (((tag >>> 16) & 1) === 1) {
      this.privateElement(tag, vr, at, length, depth, header)
      return
    }
    if ((tag & 0xffff) === 0 && vr === 'UL' && length === 4)
      this.lengths.groupLength(tag, at, this.numberAt(vr, at, 4) ?? 0)
    if (vr === 'UI' && length > 0) {
      const draft = checkUid(this.source, tag, at, length, depth)
      if (draft !== null) this.note(draft)
    } else if (vr === 'OB' || vr === 'UN') this.binary(tag, at, length)
    if (depth > 0) {
      if (tag === ICC_PROFILE) this.iccProfiles.push({ start: at, end: at + length })
      return
    }
    if (textTags.has(tag)) this.text.set(tag, this.textAt(at, length))
    if (numberTags.has(tag)) {
      const value = this.numberAt(vr, at, length)
      if (value !== null) this.number.set(tag, value)
    }
    const place = { headerOffset: header, valueOffset: at, valueLength: length }
    if (tag === PIXEL_DATA || tag === FLOAT_PIXEL_DATA || tag === DOUBLE_PIXEL_DATA) {
      this.pixels = { ...place, tag, encapsulated: false, fragments: [] }
    } else if (tag === PADDING) this.padding = place
    else if (tag === DOCUMENT) this.document = place
    else if (tag === ICC_PROFILE) this.iccProfiles.push({ start: at, end: at + length })
  }

  override startSequence(
    tag: number,
    _vr: string,
    at: number,
    length: number,
    depth: number,
    header: number,
    content: Encoding,
  ): void {
    if (((tag >>> 16) & 1) === 1) this.beginPrivate(depth, header)
    this.lengths.startSequence(tag, at, length, content)
  }

  override startItem(_index: number, at: number, length: number): void {
    this.lengths.startItem(at, length)
  }

  override endItem(): void {
    this.lengths.end()
  }

  override endSequence(endOffset: number, depth: number): void {
    this.lengths.end()
    this.endPrivate(endOffset, depth)
  }

  override startFragments(tag: number, _vr: string, at: number, depth: number, header: number): void {
    this.fragmentTag = tag
    this.fragmentStart = at
    if (((tag >>> 16) & 1) === 1) this.beginPrivate(depth, header)
    this.openPixels =
      tag === PIXEL_DATA && depth === 0 ? { tag, headerOffset: header, valueOffset: at, fragments: [] } : null
  }

  override fragment(index: number, at: number, length: number): void {
    if (index === 0) return
    if (this.openPixels !== null) {
      if (this.openPixels.fragments.length < FRAGMENTS_MAX * 2) this.openPixels.fragments.push(at, length)
    } else if (this.fragmentTag >>> 16 === 0x7fdf) {
      if (this.pyramid.length < FRAGMENTS_MAX) this.pyramid.push({ start: at, end: at + length })
    } else if (((this.fragmentTag >>> 16) & 1) === 1) this.hidden(this.fragmentTag, at, length, true)
  }

  override endFragments(endOffset: number, depth: number): void {
    if (this.openPixels !== null) {
      this.pixels = { ...this.openPixels, valueLength: endOffset - this.openPixels.valueOffset, encapsulated: true }
      this.openPixels = null
    }
    this.piece(this.fragmentStart, endOffset, this.fragmentTag)
    this.endPrivate(endOffset, depth)
  }

  override problem(rule: string, detail: string, offset: number, tag: number): void {
    this.note(draftOfProblem(rule, detail, offset, tag))
  }

  private privateElement(tag: number, vr: string, at: number, length: number, depth: number, header: number): void {
    if (this.openPrivate < 0) this.strippable(header, at + length)
    const element = tag & 0xffff
    if (element >= 0x10 && element <= 0xff) {
      if (length <= 64 && this.creators.size < CREATORS_MAX) this.creators.add(this.textAt(at, length))
      return
    }
    if (length < 2) return
    // Group 7FDF holds the lower levels of a slide's pyramid: pixels, not a document. threats.md section 2.
    if (tag >>> 16 === 0x7fdf && vr !== 'UN' && length > 0x10000 && this.pyramid.length < RANGES_MAX)
      this.pyramid.push({ start: at, end: at + length })
    this.hidden(tag, at, length, true, depth === 0 ? { start: header, end: at + length } : undefined)
    if (length > PIECE_BYTES_MIN) this.piece(at, at + length, tag)
  }

  private beginPrivate(depth: number, header: number): void {
    if (this.openPrivate >= 0) return
    this.openPrivate = header
    this.openPrivateDepth = depth
  }

  private endPrivate(endOffset: number, depth: number): void {
    if (this.openPrivate < 0 || depth !== this.openPrivateDepth) return
    this.strippable(this.openPrivate, endOffset)
    this.openPrivate = -1
  }

  /** A range that a policy which strips private elements takes away; neighbours become one. */
  private strippable(start: number, end: number): void {
    this.lengths.remove(end - start)
    const last = this.privateElements.at(-1)
    if (last !== undefined && last.end === start)
      this.privateElements[this.privateElements.length - 1] = { start: last.start, end }
    else if (this.privateElements.length < RANGES_MAX) this.privateElements.push({ start, end })
    else this.privateTooMany = true
  }

  private piece(start: number, end: number, tag: number): void {
    if (this.options.pieces && this.pieces.length < RANGES_MAX) this.pieces.push({ start, end, tag })
  }

  private binary(tag: number, at: number, length: number): void {
    if (length < 2) return
    const pixels = tag >>> 16 === PIXEL_GROUPS
    if (tag === DOCUMENT) {
      this.piece(at, at + length, tag)
      return
    }
    if (tag === PADDING) return
    this.hidden(tag, at, length, !pixels)
    if (length > PIECE_BYTES_MIN) this.piece(at, at + length, tag)
  }

  private hidden(tag: number, at: number, length: number, weakAtStart: boolean, remove?: ByteRange): void {
    const draft = checkHiddenValue(this.source, tag, at, at + length, weakAtStart, this.options.wholeValues, remove)
    if (draft !== null) this.note(draft)
  }

  private note(draft: Draft): void {
    if (this.drafts.length < DRAFTS_MAX || draft.severity === 'quarantine' || draft.severity === 'alert') {
      if (this.drafts.length < DRAFTS_MAX * 5) this.drafts.push(draft)
    }
  }

  private textAt(at: number, length: number): string {
    const bytes = this.source.read(at, at + Math.min(length, 1024))
    let end = bytes.byteLength
    while (end > 0 && (bytes[end - 1] === 0 || bytes[end - 1] === 0x20)) end--
    let value = ''
    for (let i = 0; i < end; i++) value += String.fromCharCode(bytes[i] as number)
    return value
  }

  private numberAt(vr: string, at: number, length: number): number | null {
    if (length < 2) return null
    if (vr === 'IS' || vr === 'DS') {
      const value = Number(this.textAt(at, Math.min(length, 64)).split('\\')[0]?.trim())
      return Number.isFinite(value) ? value : null
    }
    const bytes = this.source.read(at, at + Math.min(length, 8))
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const little = !this.encoding.bigEndian
    if (vr === 'US' || vr === 'SS') return view.getUint16(0, little)
    if ((vr === 'UL' || vr === 'SL') && length >= 4) return view.getUint32(0, little)
    // An unknown VR with a number's length: rows and columns of a file whose dictionary was poor.
    if (vr === 'UN') return length === 2 ? view.getUint16(0, little) : length === 4 ? view.getUint32(0, little) : null
    return null
  }
}

/** The element that holds a byte. */
export interface Host {
  /** Tags from the outermost data set inwards, joined by `.`. */
  readonly path: string
  /** The element's own bytes, when it stands in the outermost data set and is no sequence; else null. */
  readonly range: ByteRange | null
}

/** Finds the element that holds a byte, for evidence: walks again, so it is for the rare case only. */
export function hostOf(
  facts: Pick<BodyFacts, 'source' | 'encoding' | 'start' | 'end'>,
  offset: number,
  limits: DicomLimits,
): Host | null {
  const finder = new HostFinder(offset)
  walkDataSet(facts.source, facts.encoding, facts.start, facts.end, finder, limits)
  return finder.host
}

class HostFinder extends QuietVisitor {
  host: Host | null = null
  private readonly offset: number
  private readonly path: string[] = []
  private fragmentTag = ''

  constructor(offset: number) {
    super()
    this.offset = offset
  }

  override element(tag: number, _vr: string, at: number, length: number, depth: number, header: number): void {
    const end = at + length
    if (this.offset < header || this.offset >= end) return
    this.host = { path: [...this.path, tagText(tag)].join('.'), range: depth === 0 ? { start: header, end } : null }
  }

  override startSequence(tag: number, _vr: string, at: number, _length: number, _depth: number, header: number): void {
    this.path.push(tagText(tag))
    this.within(header, at, this.path.join('.'))
  }

  override endSequence(): void {
    this.path.pop()
  }

  override startFragments(tag: number, _vr: string, at: number, _depth: number, header: number): void {
    this.fragmentTag = [...this.path, tagText(tag)].join('.')
    this.within(header, at, this.fragmentTag)
  }

  override fragment(_index: number, at: number, length: number, header: number): void {
    this.within(header, at + length, this.fragmentTag)
  }

  private within(start: number, end: number, path: string): void {
    if (this.offset >= start && this.offset < end) this.host = { path, range: null }
  }
}
