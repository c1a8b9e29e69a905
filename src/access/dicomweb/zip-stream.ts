import { crc32 } from 'node:zlib'

/** A file of a ZIP that is being written. */
export interface ZipEntry {
  /** ASCII, `/` between folders; made by us, never from input. */
  readonly name: string
  /** Content in order. */
  readonly pieces: AsyncIterable<Uint8Array>
  /** True when the content may reach 4 GiB. */
  readonly large: boolean
}

const LOCAL_HEADER = 0x04034b50
const DATA_DESCRIPTOR = 0x08074b50
const CENTRAL_HEADER = 0x02014b50
const ZIP64_END = 0x06064b50
const ZIP64_LOCATOR = 0x07064b50
const END = 0x06054b50
const MAX16 = 0xffff
const MAX32 = 0xffffffff
/** 1980-01-01, the earliest date of the format: the same content makes the same file. */
const DATE = 0x0021
/** Checksum and lengths follow the content (bit 3): the content is never held back to measure it. */
const FLAGS = 0x0008

interface Written {
  readonly name: Buffer
  readonly crc: number
  readonly size: number
  readonly offset: number
  readonly version: number
}

/** Fields one after the other, little endian: `[value, bytes]`. */
function fields(...list: readonly (readonly [value: number, bytes: 2 | 4 | 8])[]): Buffer {
  const buffer = Buffer.alloc(list.reduce((sum, [, bytes]) => sum + bytes, 0))
  let at = 0
  for (const [value, bytes] of list) {
    if (bytes === 8) buffer.writeBigUInt64LE(BigInt(value), at)
    else buffer.writeUIntLE(value, at, bytes)
    at += bytes
  }
  return buffer
}

function localHeader(name: Buffer, version: number, large: boolean): Buffer {
  // An empty ZIP64 field says that the descriptor has lengths of eight bytes. APPNOTE section 4.3.9.2.
  const extra = large ? fields([1, 2], [16, 2], [0, 8], [0, 8]) : Buffer.alloc(0)
  const size = large ? MAX32 : 0
  return Buffer.concat([
    fields([LOCAL_HEADER, 4], [version, 2], [FLAGS, 2], [0, 2], [0, 2], [DATE, 2], [0, 4], [size, 4], [size, 4]),
    fields([name.length, 2], [extra.length, 2]),
    name,
    extra,
  ])
}

function centralHeader({ name, crc, size, offset, version }: Written): Buffer {
  const wide: (readonly [number, 8])[] = []
  if (size >= MAX32) wide.push([size, 8], [size, 8])
  if (offset >= MAX32) wide.push([offset, 8])
  const extra =
    wide.length > 0 ? Buffer.concat([fields([1, 2], [wide.length * 8, 2]), fields(...wide)]) : Buffer.alloc(0)
  const size32 = Math.min(size, MAX32)
  return Buffer.concat([
    fields([CENTRAL_HEADER, 4], [version, 2], [version, 2], [FLAGS, 2], [0, 2], [0, 2], [DATE, 2]),
    fields([crc, 4], [size32, 4], [size32, 4], [name.length, 2], [extra.length, 2]),
    fields([0, 2], [0, 2], [0, 2], [0, 4], [Math.min(offset, MAX32), 4]),
    name,
    extra,
  ])
}

function ending(count: number, offset: number, size: number): Buffer {
  const end = fields(
    [END, 4],
    [0, 2],
    [0, 2],
    [Math.min(count, MAX16), 2],
    [Math.min(count, MAX16), 2],
    [Math.min(size, MAX32), 4],
    [Math.min(offset, MAX32), 4],
    [0, 2],
  )
  if (count < MAX16 && offset < MAX32 && size < MAX32) return end
  return Buffer.concat([
    fields([ZIP64_END, 4], [44, 8], [45, 2], [45, 2], [0, 4], [0, 4], [count, 8], [count, 8], [size, 8], [offset, 8]),
    fields([ZIP64_LOCATOR, 4], [0, 4], [offset + size, 8], [1, 4]),
    end,
  ])
}

/**
 * Writes a ZIP while its entries are read: stored, not compressed, with ZIP64 where lengths, offsets or the number of
 * entries need it. Memory: one piece, and about 100 bytes per entry for the directory at the end. APPNOTE 6.3.
 */
export async function* zipStream(entries: AsyncIterable<ZipEntry>): AsyncGenerator<Uint8Array, void, void> {
  const written: Written[] = []
  let offset = 0
  for await (const { name: text, pieces, large } of entries) {
    const name = Buffer.from(text, 'latin1')
    const version = large ? 45 : 20
    const header = localHeader(name, version, large)
    yield header
    let crc = 0
    let size = 0
    for await (const piece of pieces) {
      crc = crc32(piece, crc)
      size += piece.byteLength
      yield piece
    }
    if (!large && size >= MAX32)
      throw new RangeError(`${text} has ${size} bytes and was announced as smaller than 4 GiB`)
    const width = large ? 8 : 4
    const descriptor = fields([DATA_DESCRIPTOR, 4], [crc, 4], [size, width], [size, width])
    yield descriptor
    written.push({ name, crc, size, offset, version })
    offset += header.byteLength + size + descriptor.byteLength
  }
  let directory = 0
  for (const entry of written) {
    const header = centralHeader(entry)
    directory += header.byteLength
    yield header
  }
  yield ending(written.length, offset, directory)
}
