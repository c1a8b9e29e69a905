/** Content put together from stretches of what was kept and from bytes that stand there instead. */
import type { LeavingPiece } from '#model/leaving.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import type { Piece } from '#standards/dicom/pieces.ts'

const lengthOf = (piece: LeavingPiece): number => ('bytes' in piece ? piece.bytes.byteLength : piece.length)

export function piecesSize(pieces: readonly LeavingPiece[]): number {
  return pieces.reduce((sum, piece) => sum + lengthOf(piece), 0)
}

/** What of the pieces lies between two zero-based offsets of the content; `end` excluded. */
export function* piecesBetween(pieces: readonly LeavingPiece[], start: number, end: number): Generator<LeavingPiece> {
  let at = 0
  for (const piece of pieces) {
    const from = Math.max(start, at) - at
    const to = Math.min(end, at + lengthOf(piece)) - at
    if (to > from) {
      if ('bytes' in piece) yield { bytes: piece.bytes.subarray(from, to) }
      else yield { from: piece.from + from, length: to - from }
    }
    at += lengthOf(piece)
    if (at >= end) return
  }
}

/** The content as a source for parsers. */
export function composedSource(source: ByteSource, pieces: readonly LeavingPiece[]): ByteSource {
  const size = piecesSize(pieces)
  return {
    size,
    read(start, end) {
      const first = Math.max(0, start)
      const last = Math.min(end, size)
      const whole = new Uint8Array(Math.max(0, last - first))
      let at = 0
      for (const piece of piecesBetween(pieces, first, last)) {
        const bytes = 'bytes' in piece ? piece.bytes : source.read(piece.from, piece.from + piece.length)
        whole.set(bytes, at)
        at += bytes.byteLength
      }
      return whole.subarray(0, at)
    },
  }
}

/**
 * Pieces of a composition whose only large source is `source`: what refers to it becomes a stretch of it, all else bytes.
 * @param base where `source` begins in what the stretches are told in
 */
export function plannedPieces(pieces: readonly Piece[], source: ByteSource, base = 0): LeavingPiece[] {
  return pieces.map((piece) => {
    if (piece instanceof Uint8Array) return { bytes: piece }
    const { offset, length, source: from } = piece
    if (from === source && piece.swapUnit === 1) return { from: base + offset, length }
    return { bytes: Uint8Array.from(from.read(offset, offset + length)) }
  })
}
