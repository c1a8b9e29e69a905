import type { ByteSource } from '../byte-source.ts'

/** TIFF 6.0 "Image File Header"; BigTIFF (version 43) as libtiff defines it. */
export interface TiffHeader {
  readonly littleEndian: boolean
  readonly big: boolean
  /** Offset of the first IFD, in bytes from the start of the file. */
  readonly firstIfd: number
  /** 8 bytes, or 16 for BigTIFF. */
  readonly headerLength: 8 | 16
}

export interface TiffEntry {
  readonly tag: number
  readonly type: number
  readonly count: number
  /** Where the value is, inline or not: absolute offset and length in bytes. */
  readonly valueOffset: number
  readonly valueLength: number
  readonly inline: boolean
}

export interface TiffIfd {
  readonly offset: number
  /** Length in bytes of the directory itself: count, entries, next pointer. */
  readonly length: number
  /** 0 for the main chain, 1 and 2 for SubIFDs and the EXIF directory. */
  readonly depth: number
  readonly kind: 'image' | 'exif'
  readonly entries: readonly TiffEntry[]
}

/**
 * `stale`: nothing that reads as a directory is where the pointer leads; `cycle`, `overflow`, `limit`: a directory is
 * there and breaks a rule that no writer breaks.
 */
export interface TiffProblem {
  readonly is: 'stale' | 'cycle' | 'overflow' | 'limit'
  readonly detail: string
  readonly offset: number
}

export interface TiffWalk {
  readonly ifds: readonly TiffIfd[]
  readonly problems: readonly TiffProblem[]
}

/** Limits of threats.md section 2 rule 4. */
export const TIFF_ENTRIES_MAX = 256
export const TIFF_IFDS_MAX = 256
export const TIFF_DEPTH_MAX = 2

/** Bytes per value of each field type; index is the type. 13 and 16 to 18 are IFD and the BigTIFF types. */
const typeBytes = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8]

/**
 * @param bytes the first 16 bytes of the file, or more
 * @returns null when this is no TIFF header (mixed byte order, other version, BigTIFF with an odd offset size)
 */
export function readTiffHeader(bytes: Uint8Array): TiffHeader | null {
  if (bytes.byteLength < 16) return null
  const little = bytes[0] === 0x49 && bytes[1] === 0x49
  if (!little && !(bytes[0] === 0x4d && bytes[1] === 0x4d)) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const version = view.getUint16(2, little)
  if (version === 42) return { littleEndian: little, big: false, firstIfd: view.getUint32(4, little), headerLength: 8 }
  if (version !== 43 || view.getUint16(4, little) !== 8 || view.getUint16(6, little) !== 0) return null
  return { littleEndian: little, big: true, firstIfd: Number(view.getBigUint64(8, little)), headerLength: 16 }
}

/**
 * Walks every directory reached from the header, each once. Never allocates by a declared count: counts are compared
 * with the bytes that remain first.
 */
export function walkTiff(source: ByteSource, header: TiffHeader): TiffWalk {
  const ifds: TiffIfd[] = []
  const problems: TiffProblem[] = []
  const visited = new Set<number>()
  const waiting: { offset: number; depth: number; kind: 'image' | 'exif' }[] = [
    { offset: header.firstIfd, depth: 0, kind: 'image' },
  ]
  while (waiting.length > 0) {
    const { offset, depth, kind } = waiting.shift() as { offset: number; depth: number; kind: 'image' | 'exif' }
    if (visited.has(offset)) {
      problems.push({ is: 'cycle', detail: 'a directory is pointed at twice', offset })
      continue
    }
    if (ifds.length >= TIFF_IFDS_MAX) {
      problems.push({ is: 'limit', detail: `more than ${TIFF_IFDS_MAX} directories`, offset })
      break
    }
    visited.add(offset)
    const read = readIfd(source, header, offset, depth, kind, problems)
    if (read === null) continue
    ifds.push(read.ifd)
    for (const entry of read.ifd.entries) {
      const child = entry.tag === 330 ? 'image' : entry.tag === 34665 ? 'exif' : null
      if (child === null) continue
      if (depth >= TIFF_DEPTH_MAX) {
        problems.push({
          is: 'limit',
          detail: `directories nested deeper than ${TIFF_DEPTH_MAX}`,
          offset: entry.valueOffset,
        })
        continue
      }
      for (const target of readNumbers(source, header, entry, TIFF_IFDS_MAX)) {
        waiting.push({ offset: target, depth: depth + 1, kind: child })
      }
    }
    if (read.next !== 0) waiting.push({ offset: read.next, depth, kind })
  }
  return { ifds, problems }
}

function readIfd(
  source: ByteSource,
  header: TiffHeader,
  offset: number,
  depth: number,
  kind: 'image' | 'exif',
  problems: TiffProblem[],
): { ifd: TiffIfd; next: number } | null {
  const stale = (detail: string) => {
    problems.push({ is: 'stale', detail, offset })
    return null
  }
  const { littleEndian, big } = header
  const countBytes = big ? 8 : 2
  const entryBytes = big ? 20 : 12
  const nextBytes = big ? 8 : 4
  if (!Number.isSafeInteger(offset) || offset < header.headerLength || offset + countBytes > source.size) {
    return stale(`the directory would be at ${offset}, outside the ${source.size} bytes of the file`)
  }
  const counted = view(source.read(offset, offset + countBytes))
  const count = big ? Number(counted.getBigUint64(0, littleEndian)) : counted.getUint16(0, littleEndian)
  if (count < 1 || count > TIFF_ENTRIES_MAX) return stale(`the directory claims ${count} entries`)
  const length = countBytes + count * entryBytes + nextBytes
  if (offset + length > source.size) return stale('the directory is cut short by the end of the file')
  // Copied: the source may reuse its buffer on the next read.
  const bytes = Uint8Array.from(source.read(offset + countBytes, offset + length))
  if (bytes.byteLength < length - countBytes) return stale('the directory could not be read')
  const data = view(bytes)
  const entries: TiffEntry[] = []
  let previous = -1
  let ordered = true
  let overflow = -1
  for (let i = 0; i < count; i++) {
    const at = i * entryBytes
    const tag = data.getUint16(at, littleEndian)
    const type = data.getUint16(at + 2, littleEndian)
    const each = typeBytes[type] ?? 0
    if (each === 0) return stale(`field type ${type} does not exist`)
    if (tag <= previous) ordered = false
    previous = tag
    const values = big ? Number(data.getBigUint64(at + 4, littleEndian)) : data.getUint32(at + 4, littleEndian)
    const valueLength = values * each
    const inline = valueLength <= nextBytes
    const field = offset + countBytes + at + (big ? 12 : 8)
    let valueOffset = field
    if (!inline)
      valueOffset = big ? Number(data.getBigUint64(at + 12, littleEndian)) : data.getUint32(at + 8, littleEndian)
    if (
      !Number.isSafeInteger(valueLength) ||
      !Number.isSafeInteger(valueOffset) ||
      valueOffset + valueLength > source.size
    ) {
      overflow = tag
    }
    entries.push({ tag, type, count: values, valueOffset, valueLength, inline })
  }
  if (!ordered) return stale('its tags do not ascend')
  if (overflow >= 0) {
    problems.push({
      is: 'overflow',
      detail: `the value of TIFF tag ${overflow} would lie past the end of the file`,
      offset,
    })
    return null
  }
  const nextAt = count * entryBytes
  const next = big ? Number(data.getBigUint64(nextAt, littleEndian)) : data.getUint32(nextAt, littleEndian)
  return { ifd: { offset, length, depth, kind, entries }, next }
}

/**
 * Integer values of an entry (BYTE, SHORT, LONG, IFD, LONG8, IFD8); nothing for other types.
 *
 * @param max most values that are read
 */
export function readNumbers(source: ByteSource, header: TiffHeader, entry: TiffEntry, max: number): readonly number[] {
  const each = typeBytes[entry.type] ?? 0
  const count = Math.min(entry.count, max)
  const bytes = source.read(entry.valueOffset, entry.valueOffset + count * each)
  const data = view(bytes)
  const little = header.littleEndian
  const numbers: number[] = []
  for (let i = 0; (i + 1) * each <= bytes.byteLength && i < count; i++) {
    const at = i * each
    if (entry.type === 1) numbers.push(data.getUint8(at))
    else if (entry.type === 3) numbers.push(data.getUint16(at, little))
    else if (entry.type === 4 || entry.type === 13) numbers.push(data.getUint32(at, little))
    else if (entry.type === 16 || entry.type === 18) numbers.push(Number(data.getBigUint64(at, little)))
  }
  return numbers
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
