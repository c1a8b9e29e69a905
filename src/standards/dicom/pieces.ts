import { type ByteSource, copyOf } from '../byte-source.ts'
import { swapBytes } from './value-representation.ts'

/** A stretch of another source that is copied when it is needed, not before. */
export interface SourcePiece {
  readonly source: ByteSource
  readonly offset: number
  readonly length: number
  /** Bytes to reverse together while copying; 1 for none. `length` is then a multiple of it. */
  readonly swapUnit: number
}

/** A part of a stream that is being composed. */
export type Piece = Uint8Array | SourcePiece

/** Where a stretch of the source stands in a composition. Bytes. */
export interface SourceMark {
  readonly from: number
  readonly length: number
  readonly to: number
}

export function pieceLength(piece: Piece): number {
  return piece.length
}

/** Total length of a composition, in bytes: what Content-Length says. */
export function piecesLength(pieces: readonly Piece[]): number {
  let total = 0
  for (const piece of pieces) total += piece.length
  return total
}

const CHUNK_BYTES = 1024 * 1024

/** The bytes of a composition, in chunks of at most 1 MiB; each is fresh or final, so it may be kept. */
export function* pieceChunks(pieces: readonly Piece[]): Generator<Uint8Array> {
  for (const piece of pieces) {
    if (piece instanceof Uint8Array) {
      yield piece
      continue
    }
    for (let at = 0; at < piece.length; at += CHUNK_BYTES) {
      const start = piece.offset + at
      const chunk = copyOf(piece.source.read(start, Math.min(start + CHUNK_BYTES, piece.offset + piece.length)))
      swapBytes(chunk, piece.swapUnit)
      yield chunk
    }
  }
}

/** A composition as one array. Only for what is known to be small. */
export function joinPieces(pieces: readonly Piece[]): Uint8Array {
  const joined = new Uint8Array(piecesLength(pieces))
  let at = 0
  for (const chunk of pieceChunks(pieces)) {
    joined.set(chunk, at)
    at += chunk.length
  }
  return joined
}

/** Composes a stream: what is small is copied together, what is large stays a reference. */
export class PieceWriter {
  readonly #pieces: Piece[] = []
  readonly #bigEndian: boolean
  /** Told of every stretch of another source, when somebody wants to know. */
  readonly #marks: SourceMark[] | null
  #flushed = 0
  #buffer = new Uint8Array(4096)
  #view = new DataView(this.#buffer.buffer)
  #at = 0

  constructor(bigEndian: boolean, marks: SourceMark[] | null = null) {
    this.#bigEndian = bigEndian
    this.#marks = marks
  }

  uint16(value: number, bigEndian = this.#bigEndian): void {
    this.#reserve(2)
    this.#view.setUint16(this.#at, value, !bigEndian)
    this.#at += 2
  }

  uint32(value: number, bigEndian = this.#bigEndian): void {
    this.#reserve(4)
    this.#view.setUint32(this.#at, value, !bigEndian)
    this.#at += 4
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#buffer[this.#at++] = value
  }

  bytes(bytes: Uint8Array, swapUnit = 1): void {
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.#at)
    swapBytes(this.#buffer.subarray(this.#at, this.#at + bytes.length), swapUnit)
    this.#at += bytes.length
  }

  range(piece: SourcePiece): void {
    if (piece.length <= 16 * 1024) {
      this.#mark(piece)
      this.bytes(piece.source.read(piece.offset, piece.offset + piece.length), piece.swapUnit)
      return
    }
    this.reference(piece)
  }

  /** As `range`, but never read here. */
  reference(piece: SourcePiece): void {
    this.#mark(piece)
    this.#flush()
    this.#pieces.push(piece)
    this.#flushed += piece.length
  }

  #mark({ offset, length }: SourcePiece): void {
    this.#marks?.push({ from: offset, length, to: this.#flushed + this.#at })
  }

  finish(): Piece[] {
    this.#flush()
    return this.#pieces
  }

  #flush(): void {
    if (this.#at > 0) this.#pieces.push(this.#buffer.slice(0, this.#at))
    this.#flushed += this.#at
    this.#at = 0
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#buffer.length) return
    const grown = new Uint8Array(Math.max(this.#buffer.length * 2, this.#at + length))
    grown.set(this.#buffer.subarray(0, this.#at))
    this.#buffer = grown
    this.#view = new DataView(grown.buffer)
  }
}
