/** Work of the thread that makes and takes apart faces: parsers that read whole originals, one after the other. */
import { ArchiveError, type ErrorCode } from '#errors.ts'
import type { Location } from '#model/archive-object.ts'
import type { DocumentContent, DocumentKindWord } from '#model/document.ts'
import { type LeavingPiece, LOCATION_KINDS } from '#model/leaving.ts'
import { type ByteSource, READ_BYTES_MAX, slice } from '#standards/byte-source.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { joinedSource, unwrap } from '#standards/dicom/wrap/unwrap.ts'
import { documentKindOf } from '#standards/media/document-kind.ts'
import { renderPicture } from '#standards/media/picture-decoder.ts'
import { withoutLocation } from '#standards/media/without-location.ts'
import { openSegmentSource } from '#storage/file-source.ts'
import { type FaceOrder, faceError, makeFaceOf } from './document-face.ts'
import { composedSource, piecesBetween, piecesSize, plannedPieces } from './leaving-pieces.ts'

/** Where the bytes of a document are, and what they become on the way out; no pieces: as they are kept. */
export interface WorkContent {
  readonly location: Location
  readonly content: DocumentContent
  readonly pieces: readonly LeavingPiece[] | null
}

export type FaceWork =
  /** Stretches in the answer are of the document as it leaves. */
  | { readonly do: 'wrap'; readonly of: WorkContent; readonly order: FaceOrder }
  /** Stretches in the answer are of the kept Part 10 file. */
  | { readonly do: 'unwrap'; readonly location: Location; readonly removeLocation: boolean }
  /** The whole of a picture, upright, as a JPEG without metadata. */
  | { readonly do: 'picture'; readonly of: WorkContent; readonly edgeMax: number }

export type FaceResult =
  | {
      readonly is: 'face'
      readonly sopClassUid: string
      readonly sopInstanceUid: string
      readonly seriesInstanceUid: string
      readonly transferSyntaxUid: string
      readonly size: number
      readonly pieces: readonly LeavingPiece[]
    }
  | {
      readonly is: 'native'
      readonly group: 'document' | 'photograph' | 'video'
      readonly kind: DocumentKindWord
      readonly mediaType: string
      readonly size: number
      readonly removed: number
      readonly doubt: string | null
      readonly pieces: readonly LeavingPiece[]
    }
  | { readonly is: 'picture'; readonly bytes: Uint8Array }
  /** The object is made of nothing but DICOM. */
  | { readonly is: 'none' }

/** What the thread is handed, and what it answers. */
export interface FaceAsk {
  readonly directory: string
  readonly work: FaceWork
}
export type FaceAnswer =
  | { readonly result: FaceResult }
  | { readonly failed: { readonly code: ErrorCode | null; readonly message: string; readonly hint: string | null } }

/** @throws ArchiveError as makeFaceOf does; 'dicom.malformed', 'dicom.limit' */
export async function doFaceWork({ directory, work }: FaceAsk): Promise<FaceResult> {
  const at = work.do === 'unwrap' ? work.location : work.of.location
  const whole = openSegmentSource(directory, at)
  try {
    if (work.do === 'unwrap') return unwrapped(whole, work.removeLocation)
    const source = contentOf(whole, work.of)
    if (work.do === 'picture') return { is: 'picture', bytes: await renderPicture(source, work.edgeMax) }
    const face = await makeFaceOf(source, work.order)
    return {
      is: 'face',
      sopClassUid: face.sopClassUid,
      sopInstanceUid: face.sopInstanceUid,
      seriesInstanceUid: face.seriesInstanceUid,
      transferSyntaxUid: face.transferSyntaxUid,
      size: face.lengthBytes,
      pieces: plannedPieces(face.pieces, source),
    }
  } catch (error) {
    throw faceError(error)
  } finally {
    whole.close()
  }
}

/** The content of a document as it leaves. */
export function contentOf(whole: ByteSource, { content, pieces }: Omit<WorkContent, 'location'>): ByteSource {
  const kept = content.in === 'own' ? whole : slice(whole, content.start, content.start + content.length)
  return pieces === null ? kept : composedSource(kept, pieces)
}

function unwrapped(whole: ByteSource, removeLocation: boolean): FaceResult {
  const part10 = openPart10(whole)
  const native = unwrap(part10)
  if (native === undefined) return { is: 'none' }
  const joined = joinedSource(native.source, native.ranges)
  const told = documentKindOf(joined)
  const kind = told?.word ?? 'other'
  const looked = removeLocation && LOCATION_KINDS.has(kind) && told !== null
  const found = looked ? withoutLocation(told.word, joined) : { pieces: [], removed: 0, doubt: null }
  const stretches: LeavingPiece[] = native.ranges.map(({ start, end }) => ({ from: start, length: end - start }))
  // Stretches of the joined content are told as stretches of the data set, and those of the file it stands in.
  const inDataSet =
    found.removed === 0
      ? stretches
      : plannedPieces(found.pieces, joined).flatMap((piece) =>
          'bytes' in piece ? [piece] : [...piecesBetween(stretches, piece.from, piece.from + piece.length)],
        )
  const { base } = part10
  const pieces = inDataSet.map((piece): LeavingPiece => {
    if ('bytes' in piece) return piece
    if (base !== null) return { from: base + piece.from, length: piece.length }
    if (piece.length > READ_BYTES_MAX) throw new ArchiveError('dicom.limit', 'a deflated object of more than 64 MiB')
    return { bytes: Uint8Array.from(native.source.read(piece.from, piece.from + piece.length)) }
  })
  return {
    ...{ is: 'native', group: native.kind, kind, mediaType: told?.mediaType ?? native.mediaType },
    ...{ size: piecesSize(pieces), removed: found.removed, doubt: found.doubt, pieces },
  }
}
