import { createCipheriv, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** One file of a ZIP. The name is ours; `size` in bytes is the exact length of the content. */
export interface ZipEntry {
  readonly name: string
  readonly size: number
  readonly time: Date
  readonly content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

const U32_MAX = 0xffffffff
const U16_MAX = 0xffff
/** Bit 3: checksum behind the data; bit 11: names are UTF-8. APPNOTE 4.4.4. */
const DESCRIPTOR = 0x0008
const UTF8 = 0x0800
const ENCRYPTED = 0x0001
const AES_OVERHEAD = 16 + 2 + 10

interface Written {
  readonly name: Buffer
  readonly offset: number
  readonly size: number
  readonly stored: number
  readonly crc: number
  readonly time: number
}

/**
 * Writes a ZIP as it goes, entries stored (pixel data hardly shrinks), with ZIP64 where needed. APPNOTE 6.3.
 *
 * @param options.password encrypts every entry with AES-256 (WinZip AE-2), which 7-Zip and libarchive open
 * @throws RangeError when a content has another length than its entry said
 */
export async function* zipStream(
  entries: AsyncIterable<ZipEntry> | Iterable<ZipEntry>,
  options: { readonly password?: string } = {},
): AsyncGenerator<Uint8Array> {
  const { password } = options
  const written: Written[] = []
  let at = 0
  for await (const entry of entries) {
    const name = Buffer.from(entry.name, 'utf8')
    const stored = entry.size + (password === undefined ? 0 : AES_OVERHEAD)
    const time = dosTime(entry.time)
    const local = localHeader(name, stored, entry.size, time, password !== undefined)
    yield local
    let crc = 0
    let length = 0
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const piece of entry.content) {
        length += piece.byteLength
        if (password === undefined) crc = crc32(piece, crc)
        yield piece
      }
    }
    yield* password === undefined ? counted() : encrypted(counted(), password)
    if (length !== entry.size) throw new RangeError(`${entry.name} has ${length} bytes, not ${entry.size}`)
    const behind = password === undefined ? descriptor(crc, stored, entry.size) : Buffer.alloc(0)
    if (behind.byteLength > 0) yield behind
    written.push({ name, offset: at, size: entry.size, stored, crc, time })
    at += local.byteLength + stored + behind.byteLength
  }
  let length = 0
  for (const entry of written) {
    const header = centralHeader(entry, password !== undefined)
    length += header.byteLength
    yield header
  }
  yield endOfDirectory(written.length, length, at)
}

function localHeader(name: Buffer, stored: number, size: number, time: number, aes: boolean): Buffer {
  const big = stored >= U32_MAX
  const extra = Buffer.concat([big ? zip64Extra([size, stored]) : Buffer.alloc(0), aes ? aesExtra() : Buffer.alloc(0)])
  const header = Buffer.alloc(30)
  header.writeUInt32LE(0x04034b50, 0)
  header.writeUInt16LE(aes ? 51 : big ? 45 : 20, 4)
  header.writeUInt16LE(UTF8 | (aes ? ENCRYPTED : DESCRIPTOR), 6)
  header.writeUInt16LE(aes ? 99 : 0, 8)
  header.writeUInt32LE(time, 10)
  header.writeUInt32LE(big ? U32_MAX : stored, 18)
  header.writeUInt32LE(big ? U32_MAX : size, 22)
  header.writeUInt16LE(name.byteLength, 26)
  header.writeUInt16LE(extra.byteLength, 28)
  return Buffer.concat([header, name, extra])
}

function descriptor(crc: number, stored: number, size: number): Buffer {
  const big = stored >= U32_MAX
  const bytes = Buffer.alloc(big ? 24 : 16)
  bytes.writeUInt32LE(0x08074b50, 0)
  bytes.writeUInt32LE(crc, 4)
  if (big) {
    bytes.writeBigUInt64LE(BigInt(stored), 8)
    bytes.writeBigUInt64LE(BigInt(size), 16)
  } else {
    bytes.writeUInt32LE(stored, 8)
    bytes.writeUInt32LE(size, 12)
  }
  return bytes
}

function centralHeader({ name, offset, size, stored, crc, time }: Written, aes: boolean): Buffer {
  const large = [size, stored, offset].some((value) => value >= U32_MAX)
  const extra = Buffer.concat([
    large ? zip64Extra([size, stored, offset]) : Buffer.alloc(0),
    aes ? aesExtra() : Buffer.alloc(0),
  ])
  const header = Buffer.alloc(46)
  header.writeUInt32LE(0x02014b50, 0)
  header.writeUInt16LE(0x0300 | (aes ? 51 : 45), 4)
  header.writeUInt16LE(aes ? 51 : large ? 45 : 20, 6)
  header.writeUInt16LE(UTF8 | (aes ? ENCRYPTED : DESCRIPTOR), 8)
  header.writeUInt16LE(aes ? 99 : 0, 10)
  header.writeUInt32LE(time, 12)
  header.writeUInt32LE(crc, 16)
  header.writeUInt32LE(large ? U32_MAX : stored, 20)
  header.writeUInt32LE(large ? U32_MAX : size, 24)
  header.writeUInt16LE(name.byteLength, 28)
  header.writeUInt16LE(extra.byteLength, 30)
  header.writeUInt32LE(0o100644 * 0x10000, 38)
  header.writeUInt32LE(large ? U32_MAX : offset, 42)
  return Buffer.concat([header, name, extra])
}

function endOfDirectory(count: number, length: number, at: number): Buffer {
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(Math.min(count, U16_MAX), 8)
  end.writeUInt16LE(Math.min(count, U16_MAX), 10)
  end.writeUInt32LE(Math.min(length, U32_MAX), 12)
  end.writeUInt32LE(Math.min(at, U32_MAX), 16)
  if (count < U16_MAX && length < U32_MAX && at < U32_MAX) return end
  const big = Buffer.alloc(76)
  big.writeUInt32LE(0x06064b50, 0)
  big.writeBigUInt64LE(44n, 4)
  big.writeUInt16LE(45, 12)
  big.writeUInt16LE(45, 14)
  big.writeBigUInt64LE(BigInt(count), 24)
  big.writeBigUInt64LE(BigInt(count), 32)
  big.writeBigUInt64LE(BigInt(length), 40)
  big.writeBigUInt64LE(BigInt(at), 48)
  big.writeUInt32LE(0x07064b50, 56)
  big.writeBigUInt64LE(BigInt(at + length), 64)
  big.writeUInt32LE(1, 72)
  return Buffer.concat([big, end])
}

function zip64Extra(values: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * values.length)
  extra.writeUInt16LE(1, 0)
  extra.writeUInt16LE(8 * values.length, 2)
  for (const [i, value] of values.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i)
  return extra
}

/** AE-2 (no checksum, the code authenticates), 256 bits, stored. WinZip "AES Encryption Information" section II. */
function aesExtra(): Buffer {
  return Buffer.from([0x01, 0x99, 7, 0, 2, 0, 0x41, 0x45, 3, 0, 0])
}

async function* encrypted(content: AsyncIterable<Uint8Array>, password: string): AsyncGenerator<Uint8Array> {
  const salt = randomBytes(16)
  const keys = pbkdf2Sync(password, salt, 1000, 66, 'sha1')
  const hmac = createHmac('sha1', keys.subarray(32, 64))
  yield Buffer.concat([salt, keys.subarray(64, 66)])
  // AES in counter mode with a little-endian counter, which OpenSSL does not offer: the counters are encrypted as blocks.
  const cipher = createCipheriv('aes-256-ecb', keys.subarray(0, 32), null).setAutoPadding(false)
  let counter = 1
  let stream: Buffer = Buffer.alloc(0)
  for await (const piece of content) {
    const out = Buffer.allocUnsafe(piece.byteLength)
    let done = 0
    while (done < piece.byteLength) {
      if (stream.byteLength === 0) {
        const blocks = Buffer.alloc(65536)
        for (let at = 0; at < blocks.byteLength; at += 16) blocks.writeUIntLE(counter++, at, 6)
        stream = cipher.update(blocks)
      }
      const n = Math.min(stream.byteLength, piece.byteLength - done)
      for (let i = 0; i < n; i++) out[done + i] = (piece[done + i] ?? 0) ^ (stream[i] ?? 0)
      stream = stream.subarray(n)
      done += n
    }
    hmac.update(out)
    yield out
  }
  yield hmac.digest().subarray(0, 10)
}

/** Two-second precision, local time zone unknown: UTC. */
function dosTime(time: Date): number {
  const year = Math.min(Math.max(1980, time.getUTCFullYear()), 2107)
  const date = ((year - 1980) << 9) | ((time.getUTCMonth() + 1) << 5) | time.getUTCDate()
  const clock = (time.getUTCHours() << 11) | (time.getUTCMinutes() << 5) | (time.getUTCSeconds() >> 1)
  return ((date << 16) | clock) >>> 0
}
