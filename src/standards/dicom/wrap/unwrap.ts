import { type ByteSource, slice } from '../../byte-source.ts'
import { walkBoxes } from '../../media/boxes.ts'
import { findCodestreamEnd } from '../../media/codestream-end.ts'
import { type DocumentType, tellDocumentType } from '../../media/document-type.ts'
import { type DataSet, number, readDataSet, string } from '../data-set.ts'
import { frameRanges, frameTable } from '../frames.ts'
import type { Part10 } from '../open.ts'
import type { Piece } from '../pieces.ts'
import { pixelElement } from '../pixel-element.ts'
import { encapsulatedDocument } from '../sop-classes/encapsulated-document.ts'
import { ConversionError } from './conversion-error.ts'
import { JPEG_BASELINE, JPEG_EXTENDED } from './photograph.ts'

/** The native bytes inside a DICOM object, where they stand. */
export interface NativeFace {
  readonly kind: 'document' | 'photograph' | 'video'
  /** The data set the ranges are in; inflated when it was deflated. */
  readonly source: ByteSource
  /** Zero-based in `source`, `start` included, `end` excluded; to be joined in this order. */
  readonly ranges: readonly { readonly start: number; readonly end: number }[]
  readonly lengthBytes: number
  /** Told from the bytes; the declared one where they do not tell. */
  readonly mediaType: string
  readonly type: DocumentType['is'] | null
  /** What the object calls it; '' when it says nothing. */
  readonly declaredMediaType: string
  /**
   * How the end was found: `stated` by a length in the object, `format` by the format itself, `padding` by the rule
   * that one trailing zero byte of an even value is padding. Only the last can be wrong, and by one byte.
   */
  readonly endBy: 'stated' | 'format' | 'padding'
}

/** The bytes as pieces, for pieceChunks and joinPieces of pieces.ts. */
export function nativePieces({ source, ranges }: NativeFace): readonly Piece[] {
  return ranges.map(({ start, end }) => ({ source, offset: start, length: end - start, swapUnit: 1 }))
}

/**
 * The native original inside an opened object: the document of an Encapsulated Document class, the JPEG file of a
 * single-frame image in JPEG Baseline or Extended, the stream of a video. A CDA comes out as CDA: what it carries in
 * turn is cdaBody's to find.
 *
 * @param dataSet of the same object when it has been read already
 * @returns undefined for an object that is made of nothing but DICOM
 * @throws ConversionError `conversion.malformed` when fragments that should be there are not; DicomError of readDataSet
 */
export function unwrap(part10: Part10, dataSet: DataSet = readPart10(part10)): NativeFace | undefined {
  const document = encapsulatedDocument(dataSet)
  if (document !== undefined) return documentFace(dataSet, document)
  if (part10.transferSyntax.multiFrameVideo) return streamFace(part10, dataSet)
  const { uid } = part10.transferSyntax
  return uid === JPEG_BASELINE || uid === JPEG_EXTENDED ? jpegFace(part10, dataSet) : undefined
}

function readPart10({ dataSet, encoding }: Part10): DataSet {
  return readDataSet(dataSet, encoding)
}

const LENGTH = 0x00420015
const PIXEL_TOTAL_LENGTH = 0x7fe00003

function documentFace(dataSet: DataSet, range: NonNullable<ReturnType<typeof encapsulatedDocument>>): NativeFace {
  const { source } = dataSet
  const start = range.offset
  let end = start + range.length
  const stated = range.lengthAgrees && number(dataSet, LENGTH) !== null
  // Text was padded with a blank by some; behind the last `>` of XML it is none of its own. dicom-objects.md 9.1.
  if (!stated) end = withoutXmlPadding(source, start, end, range.mediaType)
  const told = tellDocumentType(source, start, end)
  return {
    kind: 'document',
    source,
    ranges: [{ start, end }],
    lengthBytes: end - start,
    mediaType: told?.mediaType ?? range.mediaType,
    type: told?.is ?? null,
    declaredMediaType: range.mediaType,
    endBy: stated ? 'stated' : 'padding',
  }
}

function withoutXmlPadding(source: ByteSource, start: number, end: number, mediaType: string): number {
  if (!/xml/.test(mediaType) || end - start < 2) return end
  const tail = source.read(end - 2, end)
  return tail[0] === 0x3e && (tail[1] === 0x20 || tail[1] === 0) ? end - 1 : end
}

/** Ranges of the only frame, or of the video stream, without the Basic Offset Table. */
function streamRanges(
  part10: Part10,
  dataSet: DataSet,
): { ranges: { start: number; end: number }[]; exact: boolean } | undefined {
  const pixel = pixelElement(dataSet)
  if (pixel === null || pixel.fragments === null) return undefined
  const table = frameTable(pixel, part10.transferSyntax, dataSet.source)
  const frame = table === null || table.count !== 1 ? undefined : frameRanges(table, 1)
  if (frame === undefined || frame.length === 0) return undefined
  return { ranges: [...frame.ranges], exact: table?.kind === 'encapsulated' && table.exactLengths !== null }
}

/** Exact length of the stream, when the object says it in a way that fits. PS3.3 section C.7.6.3.1.8 and .9. */
function statedLength(dataSet: DataSet, present: number): number | undefined {
  const element = dataSet.get(PIXEL_TOTAL_LENGTH)
  if (element === undefined || element.valueLength !== 8) return undefined
  const bytes = dataSet.source.read(element.valueOffset, element.valueOffset + 8)
  const value = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, !dataSet.encoding.bigEndian))
  return value === present || value === present - 1 ? value : undefined
}

function lengthOf(ranges: readonly { readonly start: number; readonly end: number }[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0)
}

/** Cuts ranges to their first `length` bytes. */
function cut(ranges: readonly { start: number; end: number }[], length: number): { start: number; end: number }[] {
  let left = length
  return ranges.flatMap(({ start, end }) => {
    const take = Math.min(end - start, left)
    left -= take
    return take > 0 ? [{ start, end: start + take }] : []
  })
}

function jpegFace(part10: Part10, dataSet: DataSet): NativeFace | undefined {
  const { source } = dataSet
  const frames = string(dataSet, 0x00280008)
  if (frames !== null && Number(frames) > 1) return undefined
  const stream = streamRanges(part10, dataSet)
  if (stream === undefined) throw new ConversionError('conversion.malformed', 'no frame where one should be')
  const { ranges } = stream
  const present = lengthOf(ranges)
  const stated = statedLength(dataSet, present)
  const first = ranges[0]
  const last = ranges.at(-1)
  if (first === undefined || last === undefined) return undefined
  const mark = source.read(first.start, Math.min(first.end, first.start + 3))
  if (mark[0] !== 0xff || mark[1] !== 0xd8) throw new ConversionError('conversion.malformed', 'the frame is no JPEG')
  let length = stated ?? present
  let endBy: NativeFace['endBy'] = stated !== undefined || stream.exact ? 'stated' : 'format'
  if (endBy === 'format') {
    const end = findCodestreamEnd(source, last.start, last.end)
    // Behind the end marker only the one byte that makes the value even is padding; more belongs to the file.
    if (end === last.end - 1 && source.read(end, last.end)[0] === 0) length = present - 1
    else if (end !== last.end) endBy = 'padding'
  }
  return face('photograph', source, cut(ranges, length), 'image/jpeg', endBy)
}

function streamFace(part10: Part10, dataSet: DataSet): NativeFace {
  const { source } = dataSet
  const ranges = streamRanges(part10, dataSet)?.ranges
  if (ranges === undefined) throw new ConversionError('conversion.malformed', 'no stream where a video should be')
  const present = lengthOf(ranges)
  const stated = statedLength(dataSet, present)
  const declared = part10.transferSyntax.frameMediaType ?? ''
  if (stated !== undefined) return face('video', source, cut(ranges, stated), declared, 'stated')
  const joined = joinedSource(source, ranges)
  const boxes = walkBoxes(joined)
  if (boxes.boxes[0]?.type === 'ftyp') {
    const exact = boxes.end === present || boxes.end === present - 1
    return face('video', source, cut(ranges, exact ? boxes.end : present), declared, exact ? 'format' : 'padding')
  }
  // Transport stream packets have 188 bytes; a program or elementary stream may end in zeros that mean nothing.
  const packets = joined.read(0, 1)[0] === 0x47 && joined.read(188, 189)[0] === 0x47
  if (packets) {
    const exact = present % 188 <= 1
    return face(
      'video',
      source,
      cut(ranges, exact ? present - (present % 188) : present),
      declared,
      exact ? 'format' : 'padding',
    )
  }
  const padded = present % 2 === 0 && joined.read(present - 1, present)[0] === 0
  return face('video', source, cut(ranges, padded ? present - 1 : present), declared, 'padding')
}

function face(
  kind: 'photograph' | 'video',
  source: ByteSource,
  ranges: readonly { start: number; end: number }[],
  declaredMediaType: string,
  endBy: NativeFace['endBy'],
): NativeFace {
  const told = tellDocumentType(joinedSource(source, ranges))
  return {
    kind,
    source,
    ranges,
    lengthBytes: lengthOf(ranges),
    mediaType: told?.mediaType ?? declaredMediaType,
    type: told?.is ?? null,
    declaredMediaType,
    endBy,
  }
}

/** Several ranges of a source as one. */
export function joinedSource(
  source: ByteSource,
  ranges: readonly { readonly start: number; readonly end: number }[],
): ByteSource {
  const [only] = ranges
  if (ranges.length === 1 && only !== undefined) return slice(source, only.start, only.end)
  const size = lengthOf(ranges)
  return {
    size,
    read: (start, end) => {
      const from = Math.max(0, start)
      const to = Math.min(end, size)
      const joined = new Uint8Array(Math.max(0, to - from))
      let at = 0
      for (const range of ranges) {
        const length = range.end - range.start
        const first = Math.max(from, at)
        const last = Math.min(to, at + length)
        if (first < last) joined.set(source.read(range.start + first - at, range.start + last - at), first - from)
        at += length
      }
      return joined
    },
  }
}
