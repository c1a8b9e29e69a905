import type { ByteSource } from '../byte-source.ts'
import { readNumbers, readTiffHeader, type TiffEntry, type TiffHeader, type TiffIfd, walkTiff } from '../media/tiff.ts'
import type { Piece, SourceMark } from './pieces.ts'
import { PREAMBLE_BYTES } from './preamble.ts'

/** Where the parts of a stored file are in the file that is being written. Offsets in bytes from the start of the file. */
export interface Relocation {
  /** Values that are copied, in any order. */
  readonly values: readonly SourceMark[]
  /** Value of Data Set Trailing Padding, before and after. */
  readonly padding: { readonly from: number; readonly length: number; readonly to: number } | null
}

/** A TIFF whose offsets are true in the file that is being written. */
export interface RelocatedTiff {
  readonly preamble: Uint8Array
  readonly padding: Uint8Array | null
}

/** Padding above this is not patched: no directory of a slide is so large. */
const PADDING_BYTES_MAX = 16 * 1024 * 1024
const TILES_MAX = 4_000_000
const STRIP_OFFSETS = 273
const TILE_OFFSETS = 324
const SUB_IFDS = 330
const EXIF_IFD = 34665

/** A place an offset cannot lead to any more. Caught in relocateTiff, never seen outside. */
class Lost extends Error {}

/** True when the preamble looks like a TIFF's and the padding could be patched. */
export function mayRelocate(source: ByteSource, paddingLength: number): boolean {
  return paddingLength <= PADDING_BYTES_MAX && readTiffHeader(source.read(0, 16)) !== null
}

/**
 * Moves the TIFF personality of a stored file with its pixels: directories stay where they are hosted, in the preamble
 * and the Data Set Trailing Padding, and every offset in them is written anew. threats.md section 2.
 * @returns null when that cannot be done: a part lies where nothing is copied from, or an offset does not fit
 */
export function relocateTiff(source: ByteSource, relocation: Relocation): RelocatedTiff | null {
  const header = readTiffHeader(source.read(0, 16))
  if (header === null) return null
  const { ifds, problems } = walkTiff(source, header)
  if (ifds.length === 0 || problems.length > 0) return null
  const move = new Mover(source, header, relocation)
  try {
    move.pointer(header.big ? 8 : 4, header.firstIfd, 1)
    for (const ifd of ifds) moveDirectory(source, header, ifd, move)
  } catch (error) {
    if (error instanceof Lost) return null
    throw error
  }
  return { preamble: move.preamble, padding: move.padding }
}

function moveDirectory(source: ByteSource, header: TiffHeader, ifd: TiffIfd, move: Mover): void {
  const { big, littleEndian } = header
  const pointerBytes = big ? 8 : 4
  move.place(ifd.offset, ifd.length)
  ifd.entries.forEach((entry, index) => {
    const field = ifd.offset + (big ? 8 : 2) + index * (big ? 20 : 12) + (big ? 12 : 8)
    if (!entry.inline) move.pointer(field, entry.valueOffset, entry.valueLength)
    const lengths = lengthsOf(source, header, ifd, entry)
    if (lengths === null) return
    const each = { 3: 2, 4: 4, 13: 4, 16: 8, 18: 8 }[entry.type]
    if (each === undefined || entry.count > TILES_MAX) throw new Lost()
    const targets = readNumbers(source, header, entry, TILES_MAX)
    if (targets.length !== entry.count || (lengths !== 'directory' && lengths.length !== targets.length))
      throw new Lost()
    targets.forEach((target, i) => {
      const length = lengths === 'directory' ? 1 : lengths[i]!
      if (target === 0 && length === 0) return // a tile that is not there
      move.number(entry.valueOffset + i * each, each, move.place(target, length))
    })
  })
  const nextAt = ifd.offset + ifd.length - pointerBytes
  const view = viewOf(source.read(nextAt, nextAt + pointerBytes))
  const next = big ? Number(view.getBigUint64(0, littleEndian)) : view.getUint32(0, littleEndian)
  if (next !== 0) move.pointer(nextAt, next, 1)
}

/** What the offsets of an entry lead to: pixels of these lengths, or a directory; null when it holds no offsets. */
function lengthsOf(
  source: ByteSource,
  header: TiffHeader,
  ifd: TiffIfd,
  { tag }: TiffEntry,
): readonly number[] | 'directory' | null {
  if (tag === SUB_IFDS || tag === EXIF_IFD) return 'directory'
  if (tag !== STRIP_OFFSETS && tag !== TILE_OFFSETS) return null
  const counts = ifd.entries.find((entry) => entry.tag === (tag === STRIP_OFFSETS ? 279 : 325))
  if (counts === undefined) throw new Lost()
  return readNumbers(source, header, counts, TILES_MAX)
}

class Mover {
  readonly preamble: Uint8Array
  readonly padding: Uint8Array | null
  readonly #values: readonly SourceMark[]
  readonly #padding: Relocation['padding']
  readonly #header: TiffHeader

  constructor(source: ByteSource, header: TiffHeader, { values, padding }: Relocation) {
    this.preamble = Uint8Array.from(source.read(0, PREAMBLE_BYTES))
    this.padding = padding === null ? null : Uint8Array.from(source.read(padding.from, padding.from + padding.length))
    this.#values = values.toSorted((a, b) => a.from - b.from)
    this.#padding = padding
    this.#header = header
  }

  /** Where a stretch is in the new file. */
  place(start: number, length: number): number {
    const end = start + length
    if (start >= 0 && end <= PREAMBLE_BYTES) return start
    const padding = this.#padding
    if (padding !== null && start >= padding.from && end <= padding.from + padding.length) {
      return padding.to + start - padding.from
    }
    let low = 0
    let high = this.#values.length - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const value = this.#values[middle]!
      if (start < value.from) high = middle - 1
      else if (start >= value.from + value.length) low = middle + 1
      else if (end <= value.from + value.length) return value.to + start - value.from
      else break
    }
    throw new Lost()
  }

  /** Writes the new offset of a stretch where the old one stands. */
  pointer(at: number, start: number, length: number): void {
    this.number(at, this.#header.big ? 8 : 4, this.place(start, length))
  }

  /** Writes a number over the one at an offset of the old file. */
  number(at: number, bytes: number, value: number): void {
    const [host, offset] = this.#host(at, bytes)
    const view = viewOf(host)
    const { littleEndian } = this.#header
    if (value >= 2 ** (8 * bytes)) throw new Lost()
    if (bytes === 8) view.setBigUint64(offset, BigInt(value), littleEndian)
    else if (bytes === 4) view.setUint32(offset, value, littleEndian)
    else view.setUint16(offset, value, littleEndian)
  }

  #host(at: number, bytes: number): [Uint8Array, number] {
    if (at + bytes <= PREAMBLE_BYTES) return [this.preamble, at]
    const range = this.#padding
    if (this.padding === null || range === null || at < range.from || at + bytes > range.from + range.length) {
      throw new Lost()
    }
    return [this.padding, at - range.from]
  }
}

/** True when a composed file has as many directories as the stored one, and every one of them can be read. */
export function isWholeTiff(stored: ByteSource, pieces: readonly Piece[]): boolean {
  const composed = new PieceSource(pieces)
  const before = readTiffHeader(stored.read(0, 16))
  const after = readTiffHeader(composed.read(0, 16))
  if (before === null || after === null) return false
  const { ifds, problems } = walkTiff(composed, after)
  return problems.length === 0 && ifds.length === walkTiff(stored, before).ifds.length
}

/** A composition that is read before it is sent. */
class PieceSource implements ByteSource {
  readonly size: number
  readonly #pieces: readonly Piece[]
  readonly #starts: readonly number[]

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces
    let at = 0
    this.#starts = pieces.map(({ length }) => {
      at += length
      return at - length
    })
    this.size = at
  }

  read(start: number, end: number): Uint8Array {
    const to = Math.min(end, this.size)
    const bytes = new Uint8Array(Math.max(0, to - start))
    for (const [index, piece] of this.#pieces.entries()) {
      const base = this.#starts[index]!
      const from = Math.max(start, base)
      const until = Math.min(to, base + piece.length)
      if (from >= until) continue
      const part =
        piece instanceof Uint8Array
          ? piece.subarray(from - base, until - base)
          : piece.source.read(piece.offset + from - base, piece.offset + until - base)
      bytes.set(part, from - start)
    }
    return bytes
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
