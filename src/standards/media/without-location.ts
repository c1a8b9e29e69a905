import { type ByteSource, slice } from '../byte-source.ts'
import type { Piece } from '../dicom/pieces.ts'
import type { DocumentWord } from './document-kind.ts'
import { type ExifBlock, type ExifDirectory, TAG, walkExif } from './exif-directories.ts'
import { chunkCrc, type MetadataBlock, metadataBlocks } from './metadata-blocks.ts'
import { blankMovieLocations } from './movie-location.ts'
import { Patch, type Range } from './patch.ts'
import { iptcLocations, xmpLocations } from './xmp-location.ts'

export interface WithoutLocation {
  /** The document: stretches of the original and what stands in it instead. The original whole when nothing was found. */
  readonly pieces: readonly Piece[]
  /** How many places were taken out. */
  readonly removed: number
  /** Why some may be left; null when the structure was understood to its end. Who may not tell a place withholds it. */
  readonly doubt: string | null
}

const BLOCK_BYTES_MAX = 64 * 1024 * 1024

/**
 * The same document without the place where it was made: GPS of EXIF, places in XMP and IPTC, location boxes of movies.
 * All else stays byte for byte, pixels and offsets first. Kinds that have no such metadata come back as they are. Notes
 * in a maker's own format are not understood and stay.
 */
export function withoutLocation(word: DocumentWord, source: ByteSource): WithoutLocation {
  const patch = new Patch(source)
  let outcome: Pick<WithoutLocation, 'removed' | 'doubt'> = { removed: 0, doubt: null }
  if (word === 'jpeg' || word === 'png' || word === 'tiff' || word === 'heic') outcome = picture(word, source, patch)
  else if (word === 'mp4' || word === 'quicktime') outcome = blankMovieLocations(source, patch)
  return { pieces: patch.pieces(), ...outcome }
}

function picture(
  word: 'jpeg' | 'png' | 'tiff' | 'heic',
  source: ByteSource,
  patch: Patch,
): Pick<WithoutLocation, 'removed' | 'doubt'> {
  const { blocks, whole } = metadataBlocks(word, source)
  let removed = 0
  let doubt: string | null = whole ? null : 'metadata that cannot be followed'
  for (const block of blocks) {
    const own = block.chunk === undefined ? patch : new Patch(source)
    if (block.is === 'text') {
      // Packed EXIF or XMP of old programs: nothing a viewer needs.
      if (block.chunk !== undefined) patch.cut(block.chunk.whole.start, block.chunk.whole.end)
      removed++
      continue
    }
    const found = block.is === 'exif' ? exif(block, source, own) : packet(block, source, own)
    removed += found.removed
    doubt = found.doubt ?? doubt
    if (block.chunk !== undefined && found.removed > 0) rewriteChunk(block.chunk, own, source, patch)
  }
  if (word === 'jpeg' || word === 'heic') {
    // HEIF is made of boxes itself; in a "motion photo" a movie stands behind the picture.
    const movie = word === 'heic' ? 0 : movieBehind(source)
    if (movie !== null) {
      const found = blankMovieLocations(source, patch, movie)
      removed += found.removed
      doubt = found.doubt ?? doubt
    }
  }
  return { removed, doubt }
}

/** A changed chunk has another check sum. */
function rewriteChunk(chunk: NonNullable<MetadataBlock['chunk']>, own: Patch, source: ByteSource, patch: Patch): void {
  const { start, end } = chunk.checked
  const changed = new Uint8Array(end - start)
  let at = 0
  for (const piece of own.pieces()) {
    const bytes = piece instanceof Uint8Array ? piece : null
    const from = Math.max(at, start)
    const to = Math.min(at + piece.length, end)
    if (to > from)
      changed.set(bytes === null ? source.read(from, to) : bytes.subarray(from - at, to - at), from - start)
    at += piece.length
  }
  patch.write(start, changed)
  patch.write(end, chunkCrc(changed))
}

function exif(block: MetadataBlock, source: ByteSource, patch: Patch): { removed: number; doubt: string | null } {
  const [range] = block.ranges
  if (range === undefined) return { removed: 0, doubt: null }
  const part = slice(source, range.start, range.end)
  const walked = walkExif(part)
  if (walked === null) return { removed: 0, doubt: 'EXIF that does not begin as such' }
  let removed = 0
  for (const directory of walked.directories) {
    if (directory.kind === 'gps') {
      for (const { valueOffset, valueLength } of directory.fields) {
        if (valueOffset >= 8) patch.fill(range.start + valueOffset, range.start + valueOffset + valueLength)
      }
      patch.fill(range.start + directory.offset, range.start + directory.offset + directory.length)
      removed++
    } else if (directory.fields.some(({ tag }) => tag === TAG.gps))
      dropPointer(part, range.start, walked, directory, patch)
  }
  return { removed, doubt: walked.whole ? null : 'EXIF that cannot be followed' }
}

/** Takes the pointer to the positions out of a directory: later fields move up, nothing outside it does. */
function dropPointer(
  part: ByteSource,
  base: number,
  { header }: ExifBlock,
  directory: ExifDirectory,
  patch: Patch,
): void {
  const { littleEndian, big } = header
  const countBytes = big ? 8 : 2
  const fieldBytes = big ? 20 : 12
  const bytes = Uint8Array.from(part.read(directory.offset, directory.offset + directory.length))
  const kept = directory.fields.filter(({ tag }) => tag !== TAG.gps)
  const shorter = new Uint8Array(bytes.byteLength)
  const view = new DataView(shorter.buffer)
  if (big) view.setBigUint64(0, BigInt(kept.length), littleEndian)
  else view.setUint16(0, kept.length, littleEndian)
  let at = countBytes
  for (const { offset } of kept) {
    const from = offset - directory.offset
    shorter.set(bytes.subarray(from, from + fieldBytes), at)
    at += fieldBytes
  }
  shorter.set(bytes.subarray(countBytes + directory.fields.length * fieldBytes), at)
  patch.write(base + directory.offset, shorter)
}

/** XMP may be cut into several segments: what is found is mapped back to where it stands. */
function packet(block: MetadataBlock, source: ByteSource, patch: Patch): { removed: number; doubt: string | null } {
  const length = block.ranges.reduce((sum, { start, end }) => sum + end - start, 0)
  if (length > BLOCK_BYTES_MAX) return { removed: 0, doubt: 'metadata too large to look into' }
  const joined = new Uint8Array(length)
  let at = 0
  for (const { start, end } of block.ranges) {
    joined.set(source.read(start, end), at)
    at += end - start
  }
  const found = block.is === 'xmp' ? xmpLocations(joined) : iptcLocations(joined)
  for (const one of found) for (const { start, end } of mapped(one, block.ranges)) patch.fill(start, end, 0x20)
  return { removed: found.length, doubt: null }
}

function mapped({ start, end }: Range, ranges: readonly Range[]): Range[] {
  const found: Range[] = []
  let at = 0
  for (const range of ranges) {
    const length = range.end - range.start
    const from = Math.max(start, at)
    const to = Math.min(end, at + length)
    if (to > from) found.push({ start: range.start + from - at, end: range.start + to - at })
    at += length
  }
  return found
}

const CHUNK_BYTES = 4 * 1024 * 1024

/** Where a movie begins behind a picture: `ftyp` with a length that makes sense and a brand of letters. */
function movieBehind(source: ByteSource): number | null {
  for (let from = 0; from < source.size; from += CHUNK_BYTES) {
    const chunk = Buffer.from(Uint8Array.from(source.read(from, Math.min(source.size, from + CHUNK_BYTES + 16))))
    for (let at = chunk.indexOf('ftyp'); at >= 4; at = chunk.indexOf('ftyp', at + 1)) {
      const length = chunk.readUInt32BE(at - 4)
      if (length >= 16 && length <= 1024 && /^[A-Za-z0-9 ]{4}$/.test(chunk.toString('latin1', at + 4, at + 8)))
        return from + at - 4
    }
  }
  return null
}
