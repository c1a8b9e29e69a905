import { ZipError, type ZipLimits } from './zip-limits.ts'

/** One entry of the central directory. APPNOTE.TXT section 4.3.12. Offsets and sizes in bytes. */
export interface ZipRecord {
  readonly name: Uint8Array
  readonly kind: 'file' | 'directory' | 'link' | 'device'
  readonly encrypted: boolean
  readonly method: number
  readonly crc32: number
  readonly packedSize: number
  readonly size: number
  readonly headerOffset: number
}

type Read = (offset: number, length: number) => Promise<Buffer>

/** End of central directory and the longest comment. */
const TAIL_BYTES = 22 + 65_535
/** A directory may take this many bytes per entry that is allowed. */
const DIRECTORY_BYTES_MAX = 64 * 1024 * 1024

/**
 * Finds and reads the central directory. APPNOTE.TXT 4.3.12 to 4.3.16, with ZIP64.
 *
 * @throws ZipError `not-a-zip`, `damaged`, `entries`, `overlap`
 */
export async function readZipDirectory(read: Read, size: number, limits: ZipLimits): Promise<readonly ZipRecord[]> {
  const { count, offset, length } = await findDirectory(read, size)
  if (count > limits.entries) throw new ZipError('entries', `${count} entries, more than ${limits.entries}`, offset)
  if (length > DIRECTORY_BYTES_MAX || offset + length > size) {
    throw new ZipError('damaged', 'the directory does not fit into the file', offset)
  }
  const bytes = await read(offset, length)
  const records: ZipRecord[] = []
  let at = 0
  while (at + 46 <= bytes.byteLength && bytes.readUInt32LE(at) === 0x02014b50) {
    if (records.length >= limits.entries)
      throw new ZipError('entries', `more than ${limits.entries} entries`, offset + at)
    const end = at + 46 + bytes.readUInt16LE(at + 28) + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32)
    if (end > bytes.byteLength) throw new ZipError('damaged', 'a directory entry is cut short', offset + at)
    records.push(readRecord(bytes, at, offset))
    at = end
  }
  if (records.length !== count)
    throw new ZipError('damaged', `${count} entries announced, ${records.length} found`, offset)
  refuseOverlaps(records, offset)
  return records
}

async function findDirectory(read: Read, size: number): Promise<{ count: number; offset: number; length: number }> {
  const from = Math.max(0, size - TAIL_BYTES)
  const tail = await read(from, size - from)
  for (let at = tail.byteLength - 22; at >= 0; at--) {
    at = tail.lastIndexOf('PK\u0005\u0006', at, 'latin1')
    if (at < 0) break
    // The comment must end with the file: a mark inside a comment or a member is not the end record.
    if (at + 22 + tail.readUInt16LE(at + 20) !== tail.byteLength) continue
    const count = tail.readUInt16LE(at + 10)
    const length = tail.readUInt32LE(at + 12)
    const offset = tail.readUInt32LE(at + 16)
    if (tail.readUInt16LE(at + 4) !== 0 && tail.readUInt16LE(at + 4) !== 0xffff) {
      throw new ZipError('damaged', 'the archive is one of several volumes', from + at)
    }
    if (count !== 0xffff && length !== 0xffffffff && offset !== 0xffffffff) return { count, offset, length }
    return findZip64(read, from + at, { count, offset, length })
  }
  throw new ZipError('not-a-zip', 'no end of central directory', 0)
}

async function findZip64(
  read: Read,
  endRecord: number,
  plain: { count: number; offset: number; length: number },
): Promise<{ count: number; offset: number; length: number }> {
  const locator = endRecord >= 20 ? await read(endRecord - 20, 20) : Buffer.alloc(0)
  if (locator.byteLength < 20 || locator.readUInt32LE(0) !== 0x07064b50) return plain
  const at = Number(locator.readBigUInt64LE(8))
  if (!Number.isSafeInteger(at) || at + 56 > endRecord)
    throw new ZipError('damaged', 'ZIP64 record out of range', endRecord)
  const record = await read(at, 56)
  if (record.byteLength < 56 || record.readUInt32LE(0) !== 0x06064b50) {
    throw new ZipError('damaged', 'no ZIP64 record where the locator says', endRecord)
  }
  return {
    count: Number(record.readBigUInt64LE(32)),
    length: Number(record.readBigUInt64LE(40)),
    offset: Number(record.readBigUInt64LE(48)),
  }
}

function readRecord(bytes: Buffer, at: number, base: number): ZipRecord {
  const nameLength = bytes.readUInt16LE(at + 28)
  const name = Uint8Array.from(bytes.subarray(at + 46, at + 46 + nameLength))
  let packedSize = bytes.readUInt32LE(at + 20)
  let size = bytes.readUInt32LE(at + 24)
  let headerOffset = bytes.readUInt32LE(at + 42)
  const extraEnd = at + 46 + nameLength + bytes.readUInt16LE(at + 30)
  for (let extra = at + 46 + nameLength; extra + 4 <= extraEnd; extra += 4 + bytes.readUInt16LE(extra + 2)) {
    if (bytes.readUInt16LE(extra) !== 1) continue
    let field = extra + 4
    const next = () => {
      if (field + 8 > extraEnd) throw new ZipError('damaged', 'a ZIP64 field is cut short', base + at)
      field += 8
      return Number(bytes.readBigUInt64LE(field - 8))
    }
    if (size === 0xffffffff) size = next()
    if (packedSize === 0xffffffff) packedSize = next()
    if (headerOffset === 0xffffffff) headerOffset = next()
    break
  }
  // Upper half of the external attributes is the Unix mode when the maker says so.
  const mode = bytes[at + 5] === 3 ? bytes.readUInt16LE(at + 40) & 0xf000 : 0
  return {
    name,
    kind: kindOf(mode, name),
    encrypted: (bytes.readUInt16LE(at + 8) & 0x2041) !== 0,
    method: bytes.readUInt16LE(at + 10),
    crc32: bytes.readUInt32LE(at + 16),
    packedSize,
    size,
    headerOffset,
  }
}

function kindOf(mode: number, name: Uint8Array): ZipRecord['kind'] {
  if (mode === 0xa000) return 'link'
  if (mode === 0x2000 || mode === 0x6000 || mode === 0x1000 || mode === 0xc000) return 'device'
  return mode === 0x4000 || name[name.byteLength - 1] === 0x2f ? 'directory' : 'file'
}

/** Members that share bytes make a small archive unpack without end; no honest writer does it. */
function refuseOverlaps(records: readonly ZipRecord[], directory: number): void {
  const spans = records
    .map(({ headerOffset, packedSize, name }) => ({
      start: headerOffset,
      end: headerOffset + 30 + name.byteLength + packedSize,
    }))
    .sort((a, b) => a.start - b.start)
  let reached = 0
  for (const { start, end } of spans) {
    if (start < reached) throw new ZipError('overlap', 'two members share the same bytes', start)
    if (end > directory) throw new ZipError('damaged', 'a member reaches into the directory', start)
    reached = end
  }
}
