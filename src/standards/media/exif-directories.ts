import { type ByteSource, slice } from '../byte-source.ts'
import { readTiffHeader, type TiffHeader } from './tiff.ts'

/** One field of a directory. Offsets in bytes from the TIFF header. */
export interface ExifField {
  readonly tag: number
  readonly type: number
  readonly count: number
  /** Of the field itself: 12 bytes, 20 in BigTIFF. */
  readonly offset: number
  readonly valueOffset: number
  /** What of it lies within the block. */
  readonly valueLength: number
}

export interface ExifDirectory {
  readonly kind: 'image' | 'exif' | 'gps' | 'other'
  readonly offset: number
  /** With count and pointer to the next. */
  readonly length: number
  readonly fields: readonly ExifField[]
}

export interface ExifBlock {
  readonly header: TiffHeader
  readonly directories: readonly ExifDirectory[]
  /** Something in it could not be followed: a directory outside the block, or more than are read. */
  readonly whole: boolean
}

const DIRECTORIES_MAX = 256
const FIELDS_MAX = 4096
/** Bytes per value of each field type; index is the type. TIFF 6.0 section 2; 13 and 16 to 18 are those of BigTIFF. */
const typeBytes = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8]

export const TAG = {
  subIfds: 0x014a,
  exif: 0x8769,
  gps: 0x8825,
  interoperability: 0xa005,
  xmp: 0x02bc,
  iptc: 0x83bb,
} as const

const children = new Map<number, ExifDirectory['kind']>([
  [TAG.subIfds, 'image'],
  [TAG.exif, 'exif'],
  [TAG.gps, 'gps'],
  [TAG.interoperability, 'other'],
])

/**
 * Walks the directories of an EXIF block or a TIFF file. More tolerant than walkTiff: photographs have tags out of
 * order. Each directory is read once; no count is believed. EXIF 2.32 section 4.6.
 *
 * @returns null when the block does not begin with a TIFF header
 */
export function walkExif(source: ByteSource): ExifBlock | null {
  const header = readTiffHeader(padded(source.read(0, Math.min(16, source.size))))
  if (header === null) return null
  const directories: ExifDirectory[] = []
  const visited = new Set<number>()
  const waiting: { offset: number; kind: ExifDirectory['kind'] }[] = [{ offset: header.firstIfd, kind: 'image' }]
  let whole = true
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (next.offset === 0 || visited.has(next.offset)) continue
    if (directories.length >= DIRECTORIES_MAX) {
      whole = false
      break
    }
    visited.add(next.offset)
    const read = readDirectory(source, header, next.offset, next.kind)
    if (read === null) {
      whole = false
      continue
    }
    directories.push(read.directory)
    if (next.kind === 'image' && read.next !== 0) waiting.push({ offset: read.next, kind: 'image' })
    for (const field of read.directory.fields) {
      const kind = children.get(field.tag)
      if (kind === undefined) continue
      for (const offset of fieldNumbers(source, header, field, 64)) waiting.push({ offset, kind })
    }
  }
  return { header, directories, whole }
}

/** A block of EXIF may be shorter than the header of BigTIFF. */
function padded(bytes: Uint8Array): Uint8Array {
  const full = new Uint8Array(16)
  full.set(bytes)
  return full
}

function readDirectory(
  source: ByteSource,
  { littleEndian, big }: TiffHeader,
  offset: number,
  kind: ExifDirectory['kind'],
): { directory: ExifDirectory; next: number } | null {
  const countBytes = big ? 8 : 2
  const fieldBytes = big ? 20 : 12
  const nextBytes = big ? 8 : 4
  if (!Number.isSafeInteger(offset) || offset + countBytes > source.size) return null
  const head = view(Uint8Array.from(source.read(offset, offset + countBytes)))
  if (head.byteLength < countBytes) return null
  const claimed = big ? Number(head.getBigUint64(0, littleEndian)) : head.getUint16(0, littleEndian)
  const fits = Math.floor((source.size - offset - countBytes) / fieldBytes)
  if (claimed > FIELDS_MAX || claimed > fits) return null
  const end = Math.min(source.size, offset + countBytes + claimed * fieldBytes + nextBytes)
  const data = view(Uint8Array.from(source.read(offset + countBytes, end)))
  const fields: ExifField[] = []
  for (let i = 0; i < claimed; i++) {
    const at = i * fieldBytes
    const type = data.getUint16(at + 2, littleEndian)
    const count = big ? Number(data.getBigUint64(at + 4, littleEndian)) : data.getUint32(at + 4, littleEndian)
    const length = count * (typeBytes[type] ?? 0)
    const field = offset + countBytes + at
    let valueOffset = field + (big ? 12 : 8)
    if (length > nextBytes) {
      valueOffset = big ? Number(data.getBigUint64(at + 12, littleEndian)) : data.getUint32(at + 8, littleEndian)
    }
    const valueLength = Math.max(0, Math.min(length, source.size - valueOffset))
    fields.push({ tag: data.getUint16(at, littleEndian), type, count, offset: field, valueOffset, valueLength })
  }
  const nextAt = claimed * fieldBytes
  const hasNext = data.byteLength >= nextAt + nextBytes
  const next = !hasNext
    ? 0
    : big
      ? Number(data.getBigUint64(nextAt, littleEndian))
      : data.getUint32(nextAt, littleEndian)
  return { directory: { kind, offset, length: end - offset, fields }, next }
}

/** Whole numbers of a field: BYTE, SHORT, LONG, IFD and the wide ones. @param max most that are read */
export function fieldNumbers(source: ByteSource, header: TiffHeader, field: ExifField, max: number): readonly number[] {
  const each = typeBytes[field.type] ?? 0
  if (each === 0) return []
  const count = Math.min(max, Math.floor(field.valueLength / each))
  const data = view(Uint8Array.from(source.read(field.valueOffset, field.valueOffset + count * each)))
  const numbers: number[] = []
  for (let at = 0; at + each <= data.byteLength; at += each) {
    if (field.type === 1) numbers.push(data.getUint8(at))
    else if (field.type === 3) numbers.push(data.getUint16(at, header.littleEndian))
    else if (field.type === 4 || field.type === 13) numbers.push(data.getUint32(at, header.littleEndian))
    else if (field.type === 16 || field.type === 18) numbers.push(Number(data.getBigUint64(at, header.littleEndian)))
  }
  return numbers
}

/** ASCII up to the first NUL, trimmed; null when it is empty. */
export function fieldText(source: ByteSource, field: ExifField): string | null {
  const bytes = slice(source, field.valueOffset, field.valueOffset + Math.min(field.valueLength, 1024)).read(0, 1024)
  const end = bytes.indexOf(0)
  const text = new TextDecoder('utf-8').decode(end < 0 ? bytes : bytes.subarray(0, end)).trim()
  return text === '' ? null : text
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
