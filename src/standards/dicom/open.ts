import { type ByteSource, copyOf, slice } from '../byte-source.ts'
import { type InflateSink, inflateDataSet } from './deflate.ts'
import { type Encoding, EXPLICIT_BE, EXPLICIT_LE, encodingOf, IMPLICIT_LE } from './encoding.ts'
import { DicomError, type Problem } from './errors.ts'
import { type FileMeta, type NotPart10, readFileMeta, readMetaGroup } from './file-meta.ts'
import { DEFAULT_LIMITS, type DicomLimits } from './limits.ts'
import { QuietVisitor } from './quiet-visitor.ts'
import {
  EXPLICIT_BIG_ENDIAN,
  EXPLICIT_LITTLE_ENDIAN,
  IMPLICIT_LITTLE_ENDIAN,
  type TransferSyntax,
  transferSyntax,
} from './transfer-syntax.ts'
import { vrOfLetters } from './value-representation.ts'
import { walkDataSet } from './walk.ts'

/** A DICOM object, opened: where its data set is and how it is written. Nothing of it has been judged. */
export interface Part10 {
  /** The file. */
  readonly source: ByteSource
  /** Null for a data set that came alone. */
  readonly meta: FileMeta | null
  readonly bare: boolean
  readonly transferSyntax: TransferSyntax
  /** How the data set really is written, which is not what `transferSyntax` says where rule M6 was noted. */
  readonly encoding: Encoding
  /** File offset of the data set as stored: behind group 0002. */
  readonly dataSetStart: number
  /** The data set alone; inflated when the transfer syntax is deflated. Offset 0 is its first byte. */
  readonly dataSet: ByteSource
  /** Add it to an offset in `dataSet` to get a file offset; null when the data set was inflated. */
  readonly base: number | null
  /** File offset behind the deflated stream; null when the data set is not deflated. */
  readonly deflatedEnd: number | null
  /** Those of the File Meta and M6. */
  readonly problems: readonly Problem[]
}

export interface OpenOptions {
  /** Take a data set without preamble and prefix too. A named leniency: off by default. */
  readonly bare?: boolean
  /** Transfer syntax agreed for a data set that came alone, as C-STORE sends it: then no preamble, no File Meta is read. */
  readonly negotiated?: string
  readonly limits?: DicomLimits
  /** Where a deflated data set above 64 MiB goes. */
  readonly scratch?: () => InflateSink
}

/** A data set that begins without preamble and `DICM`. */
export interface BareDataSet {
  /** File offset of its first element: 0, or behind a group 0002 that stands at offset 0. */
  readonly start: number
  readonly encoding: Encoding
  /** From that group 0002, when it names one. */
  readonly transferSyntaxUID: string | null
}

/**
 * Opens a Part 10 file, or a data set whose transfer syntax was negotiated.
 * @throws DicomError P0 when it is none (and no bare data set, or that leniency is off); M6 for an unknown transfer
 *   syntax; what readFileMeta and inflateDataSet throw
 */
export function openPart10(source: ByteSource, options: OpenOptions = {}): Part10 {
  if (options.negotiated !== undefined) return openData(source, null, 0, options.negotiated, options)
  const limits = options.limits ?? DEFAULT_LIMITS
  const meta = readHead(source, limits)
  if (meta.kind === 'not-part10') {
    const bare = options.bare === true ? findBareDataSet(source, limits) : null
    if (bare === null) throw new DicomError('dicom.malformed', 'P0', `not a DICOM file (${meta.reason})`, 0)
    return openBare(source, bare)
  }
  return openData(source, meta, meta.dataSetStart, meta.transferSyntaxUID, options)
}

/** Reads the File Meta of a source, a little at first and more when group 0002 is long. */
export function readHead(source: ByteSource, limits: DicomLimits = DEFAULT_LIMITS): FileMeta | NotPart10 {
  for (let length = 4096; ; length *= 16) {
    const most = Math.min(source.size, limits.metaBytesMax + 4096)
    const complete = length >= most
    const answer = readFileMeta(source.read(0, Math.min(length, most)), limits, complete)
    // Copied out of the view: a source may reuse what it hands out.
    if (answer.kind !== 'need-more') return answer.kind === 'part10' ? detached(answer) : answer
    if (complete)
      throw new DicomError('dicom.limit', 'M2', `group 0002 is longer than ${limits.metaBytesMax} bytes`, 132)
  }
}

function detached(meta: FileMeta): FileMeta {
  return { ...meta, elements: meta.elements.map((element) => ({ ...element, value: copyOf(element.value) })) }
}

function openData(
  source: ByteSource,
  meta: FileMeta | null,
  start: number,
  uid: string | null,
  options: OpenOptions,
): Part10 {
  const limits = options.limits ?? DEFAULT_LIMITS
  const problems: Problem[] = [...(meta?.problems ?? [])]
  const note = (detail: string) => problems.push({ rule: 'M6', detail, offset: start, tag: '00020010' })
  const declared = uid === null ? undefined : transferSyntax(uid)
  if (uid !== null && declared === undefined) {
    throw new DicomError('dicom.malformed', 'M6', `unknown transfer syntax ${JSON.stringify(uid)}`, start, 0x00020010)
  }
  if (declared?.deflated === true) {
    const inflated = inflateDataSet(source, start, source.size, limits, options.scratch)
    return {
      source,
      meta,
      bare: meta === null,
      transferSyntax: declared,
      encoding: encodingOf(declared),
      dataSetStart: start,
      dataSet: inflated.source,
      base: null,
      deflatedEnd: inflated.end,
      problems,
    }
  }
  const dataSet = slice(source, start, source.size)
  const found = guessEncoding(dataSet)
  let encoding = declared === undefined ? null : encodingOf(declared)
  // What reads as it was declared is what was declared, however odd its first element looks.
  if (encoding === null || (found !== null && found !== encoding && !walksClean(dataSet, encoding, limits))) {
    if (found !== null && walksClean(dataSet, found, limits)) {
      note(
        declared === undefined ? 'no transfer syntax is declared' : `the data set is not written as ${declared.name}`,
      )
      encoding = found
    } else if (encoding === null) {
      throw new DicomError(
        'dicom.malformed',
        'M6',
        'no transfer syntax, and none reads the data set',
        start,
        0x00020010,
      )
    }
  }
  const syntax = declared ?? syntaxOf(encoding)
  return {
    source,
    meta,
    bare: meta === null,
    transferSyntax: syntax,
    encoding,
    dataSetStart: start,
    dataSet,
    base: start,
    deflatedEnd: null,
    problems,
  }
}

function openBare(source: ByteSource, bare: BareDataSet): Part10 {
  const named = bare.transferSyntaxUID === null ? undefined : transferSyntax(bare.transferSyntaxUID)
  return {
    source,
    meta: null,
    bare: true,
    transferSyntax: named ?? syntaxOf(bare.encoding),
    encoding: bare.encoding,
    dataSetStart: bare.start,
    dataSet: slice(source, bare.start, source.size),
    base: bare.start,
    deflatedEnd: null,
    problems: [{ rule: 'P0', detail: 'a data set without preamble and prefix', offset: 0, tag: null }],
  }
}

function syntaxOf(encoding: Encoding): TransferSyntax {
  if (!encoding.explicit) return transferSyntax(IMPLICIT_LITTLE_ENDIAN)!
  return transferSyntax(encoding.bigEndian ? EXPLICIT_BIG_ENDIAN : EXPLICIT_LITTLE_ENDIAN)!
}

/**
 * Recognises a data set without preamble and `DICM`: one that begins with group 0008 (or with group 0002, then of a
 * native or encapsulated syntax) and walks to its last byte.
 * @returns null for anything else
 */
export function findBareDataSet(source: ByteSource, limits: DicomLimits = DEFAULT_LIMITS): BareDataSet | null {
  const head = copyOf(source.read(0, Math.min(source.size, limits.metaBytesMax)))
  if (head.length < 8) return null
  let start = 0
  let uid: string | null = null
  if (head[0] === 2 && head[1] === 0) {
    try {
      const group = readMetaGroup(head, 0, limits, true)
      if (group === null) return null
      start = group.dataSetStart
      uid = group.transferSyntaxUID
    } catch (error) {
      if (error instanceof DicomError) return null
      throw error
    }
    if (uid !== null && transferSyntax(uid)?.deflated === true) return null
  }
  const dataSet = slice(source, start, source.size)
  const encoding = guessEncoding(dataSet)
  if (encoding === null || !beginsWithGroup8(dataSet) || !walksClean(dataSet, encoding, limits)) return null
  return { start, encoding, transferSyntaxUID: uid }
}

function beginsWithGroup8(dataSet: ByteSource): boolean {
  const [first, second] = dataSet.read(0, 2)
  return first === 0 ? second === 8 : first === 8 && second === 0
}

/** What the first element header looks like; null when it looks like none or there is none. */
function guessEncoding(dataSet: ByteSource): Encoding | null {
  const head = dataSet.read(0, 12)
  if (head.length < 8) return null
  const little = head[0]! | (head[1]! << 8)
  const big = (head[0]! << 8) | head[1]!
  if (vrOfLetters(head[4]!, head[5]!) !== undefined) return little <= big ? EXPLICIT_LE : EXPLICIT_BE
  const length = (head[4]! | (head[5]! << 8) | (head[6]! << 16) | (head[7]! << 24)) >>> 0
  return little <= big && (length <= dataSet.size - 8 || length === 0xffffffff) ? IMPLICIT_LE : null
}

/** True when a walk reaches the last byte, meets no error and finds tags in order. */
function walksClean(dataSet: ByteSource, encoding: Encoding, limits: DicomLimits): boolean {
  try {
    const end = walkDataSet(dataSet, encoding, 0, dataSet.size, new QuietVisitor(), limits)
    return end.end === dataSet.size && end.duplicates === 0 && end.outOfOrder === 0 && end.elements > 0
  } catch (error) {
    if (error instanceof DicomError && error.code === 'dicom.malformed') return false
    throw error
  }
}
