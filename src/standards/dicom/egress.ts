import { Readable } from 'node:stream'
import { createDeflateRaw } from 'node:zlib'
import { type ByteSource, copyOf } from '../byte-source.ts'
import { type DataSet, readDataSet, string } from './data-set.ts'
import type { InflateSink } from './deflate.ts'
import { type FragmentPlaces, JoinedFragments } from './egress-fragments.ts'
import { isWholeTiff, mayRelocate, type Relocation, relocateTiff } from './egress-tiff.ts'
import { encodingOf } from './encoding.ts'
import { DicomError } from './errors.ts'
import { DEFAULT_LIMITS, type DicomLimits } from './limits.ts'
import { openPart10, readHead } from './open.ts'
import { applyOverlay, type Overlay } from './overlay.ts'
import { type Piece, piecesLength, type SourceMark, type SourcePiece } from './pieces.ts'
import { transferSyntax } from './transfer-syntax.ts'
import { swapBytes } from './value-representation.ts'
import { buildHead, encodeDataSet, type HeadFields, toWritable, type WriteDataSet, type WriteElement } from './write.ts'

/** An object as the archive keeps it: a Part 10 file with our own File Meta. */
export interface StoredObject {
  /** The whole kept file. Headers are read from it, synchronously and in windows. */
  readonly source: ByteSource
  /** Reads bulk: file offsets, `start` included, `end` excluded. The source itself when absent. */
  readonly read?: (start: number, end: number) => Promise<Uint8Array>
}

export interface EgressOptions {
  /** As stored when absent. */
  readonly transferSyntaxUID?: string
  readonly overlay?: Overlay
  readonly limits?: DicomLimits
  /** Where the fragments are, when that is known: then they are copied without being visited. */
  readonly fragments?: FragmentPlaces
  /** Where a deflated data set above 64 MiB goes when it has to be inflated. */
  readonly scratch?: () => InflateSink
}

/** One object on its way out. */
export interface Egress {
  readonly transferSyntaxUID: string
  /** Bytes that `chunks` will yield; null when they are deflated on the way. */
  readonly length: number | null
  /** True when the bytes are those of the kept file, preamble included. */
  readonly passthrough: boolean
  chunks(): AsyncGenerator<Uint8Array, void, void>
}

const TRAILING_PADDING = 0xfffcfffc
const PIXEL_DATA = 0x7fe00010
const CHUNK_BYTES = 1024 * 1024

/**
 * True when an object of one transfer syntax can leave in another without touching its pixels' coding: anything as it
 * is, and among the native ones every one.
 */
export function canLeaveAs(storedUID: string, wantedUID: string): boolean {
  if (storedUID === wantedUID) return true
  const stored = transferSyntax(storedUID)
  const wanted = transferSyntax(wantedUID)
  return stored?.encapsulated === false && wanted?.encapsulated === false
}

/**
 * Prepares an object for leaving. Without an overlay (or with one that changes nothing of it) and in its own transfer
 * syntax it passes through byte for byte. Otherwise the header is written again, bulk is copied by range, and the
 * Original Attributes Sequence records the overlay. A TIFF personality moves with the pixels where its structure allows;
 * otherwise the preamble becomes zero, because its offsets would no longer be true, and Data Set Trailing Padding, which
 * holds such a TIFF, goes with it (threats.md section 2).
 * @throws DicomError what openPart10 and walkDataSet throw; `egress` when the pixels would have to be coded anew
 */
export function planEgress(stored: StoredObject, options: EgressOptions = {}): Egress {
  const { source } = stored
  const limits = options.limits ?? DEFAULT_LIMITS
  const overlay = options.overlay ?? []
  const declared = storedSyntax(source, limits)
  const wantedUID = options.transferSyntaxUID ?? declared
  const asItIs = () => egress(stored, declared, [{ source, offset: 0, length: source.size, swapUnit: 1 }], true)
  if (overlay.length === 0 && wantedUID === declared) return asItIs()
  if (!canLeaveAs(declared, wantedUID)) {
    throw new DicomError('dicom.malformed', 'egress', `${declared} does not become ${wantedUID} without coding anew`, 0)
  }
  const joined =
    options.fragments === undefined || wantedUID !== declared
      ? undefined
      : JoinedFragments.over(source, options.fragments)
  const read = joined ?? source
  const part10 = openPart10(read, options.scratch === undefined ? { limits } : { limits, scratch: options.scratch })
  const dataSet =
    part10.base === null
      ? readDataSet(part10.dataSet, part10.encoding, 0, part10.dataSet.size, limits)
      : readDataSet(read, part10.encoding, part10.base, read.size, limits)
  const writable = toWritable(dataSet)
  joined?.markWhole(writable, PIXEL_DATA)
  const direct = (pieces: readonly Piece[]) => joined?.direct(pieces) ?? pieces
  const changed = overlay.length > 0 && applyOverlay(writable, overlay, dataSet.charsets)
  if (!changed && wantedUID === declared) return asItIs()
  writable.delete(TRAILING_PADDING)
  const wanted = transferSyntax(wantedUID)!
  const headFields: HeadFields = {
    sopClassUID: string(dataSet, 0x00080016) ?? part10.meta?.mediaStorageSOPClassUID ?? '',
    sopInstanceUID: string(dataSet, 0x00080018) ?? part10.meta?.mediaStorageSOPInstanceUID ?? '',
    transferSyntaxUID: wantedUID,
  }
  if (wantedUID === declared && part10.base !== null) {
    const moved = withTiff(stored, dataSet, writable, headFields)
    if (moved !== null) return egress(stored, wantedUID, direct(moved), false)
  }
  const head = buildHead(headFields)
  const body = encodeDataSet(writable, encodingOf(wanted))
  if (!wanted.deflated) return egress(stored, wantedUID, direct([head, ...body]), false)
  return {
    transferSyntaxUID: wantedUID,
    length: null,
    passthrough: false,
    chunks: () => deflatedChunks(stored, head, body),
  }
}

/** The object with its TIFF personality moved along; null when it has none, or one that cannot be moved. */
function withTiff(
  { source }: StoredObject,
  dataSet: DataSet,
  writable: WriteDataSet,
  headFields: HeadFields,
): readonly Piece[] | null {
  const padding = dataSet.get(TRAILING_PADDING)
  if (!mayRelocate(source, padding?.valueLength ?? 0)) return null
  const { encoding } = dataSet
  const headLength = buildHead(headFields).length
  const marks: SourceMark[] = []
  const body = encodeDataSet(writable, encoding, marks)
  const values = marks.map(({ from, length, to }) => ({ from, length, to: headLength + to }))
  let place: Relocation['padding'] = null
  if (padding !== undefined) {
    const headerBytes = encoding.explicit ? 12 : 8
    const to = headLength + piecesLength(body) + headerBytes
    place = { from: padding.valueOffset, length: padding.valueLength, to }
  }
  const tiff = relocateTiff(source, { values, padding: place })
  if (tiff === null) return null
  const pieces: Piece[] = [buildHead({ ...headFields, preamble: tiff.preamble }), ...body]
  if (tiff.padding !== null) {
    const element: WriteElement = { tag: TRAILING_PADDING, vr: 'OB', value: { is: 'bytes', bytes: tiff.padding } }
    pieces.push(...encodeDataSet(new Map([[TRAILING_PADDING, element]]), encoding))
  }
  return isWholeTiff(source, pieces) ? pieces : null
}

/** Declared in the File Meta; found out only when it declares none. */
function storedSyntax(source: ByteSource, limits: DicomLimits): string {
  const head = readHead(source, limits)
  if (head.kind === 'part10' && head.transferSyntaxUID !== null) return head.transferSyntaxUID
  return openPart10(source, { limits }).transferSyntax.uid
}

function egress(
  stored: StoredObject,
  transferSyntaxUID: string,
  pieces: readonly Piece[],
  passthrough: boolean,
): Egress {
  return {
    transferSyntaxUID,
    length: piecesLength(pieces),
    passthrough,
    chunks: () => chunksOf(stored, pieces),
  }
}

async function* chunksOf(stored: StoredObject, pieces: readonly Piece[]): AsyncGenerator<Uint8Array, void, void> {
  for (const piece of pieces) {
    if (piece instanceof Uint8Array) {
      yield piece
      continue
    }
    const end = piece.offset + piece.length
    for (let at = piece.offset; at < end; at += CHUNK_BYTES)
      yield await chunkOf(stored, piece, at, Math.min(end, at + CHUNK_BYTES))
  }
}

async function chunkOf(stored: StoredObject, piece: SourcePiece, start: number, end: number): Promise<Uint8Array> {
  const { read } = stored
  // What was inflated is a source of its own; everything else is the kept file.
  const own = piece.source === stored.source && read !== undefined
  let chunk = own ? await read(start, end) : copyOf(piece.source.read(start, end))
  if (chunk.length !== end - start) {
    throw new DicomError('dicom.malformed', 'R1', `${chunk.length} of ${end - start} bytes could be read`, start)
  }
  if (piece.swapUnit > 1) {
    if (own) chunk = copyOf(chunk)
    swapBytes(chunk, piece.swapUnit)
  }
  return chunk
}

async function* deflatedChunks(
  stored: StoredObject,
  head: Uint8Array,
  body: readonly Piece[],
): AsyncGenerator<Uint8Array, void, void> {
  yield head
  const source = Readable.from(chunksOf(stored, body), { objectMode: false })
  const deflate = createDeflateRaw()
  source.on('error', (error) => deflate.destroy(error))
  let length = 0
  try {
    for await (const chunk of source.pipe(deflate) as AsyncIterable<Uint8Array>) {
      length += chunk.length
      yield chunk
    }
  } finally {
    source.destroy()
    deflate.destroy()
  }
  if (length % 2 === 1) yield Uint8Array.of(0) // PS3.5 section A.5
}
