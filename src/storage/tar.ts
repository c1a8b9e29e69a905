/** Length of a tar block, in bytes. POSIX.1-1988 ustar. */
export const BLOCK_BYTES = 512

/** Two zero blocks end an archive. */
export const TRAILER_BYTES = 2 * BLOCK_BYTES

const OCTAL_SIZE_MAX = 0o77777777777
const NAME_BYTES = 100
const PREFIX_BYTES = 155

/** Bytes of zero that fill the last block of a content of this length. */
export function paddingAfter(length: number): number {
  return (BLOCK_BYTES - (length % BLOCK_BYTES)) % BLOCK_BYTES
}

/** Bytes an entry takes in a segment: header, content, padding. */
export function entryBytes(length: number): number {
  return BLOCK_BYTES + length + paddingAfter(length)
}

/**
 * A ustar header of a regular file. A size above 8 GiB - 1 is written in base 256, which GNU tar, libarchive and Python read.
 *
 * @param name made by us: ASCII letters, digits, `.`, `-`, `_`, `/`; split at a `/` into prefix (155) and name (100 bytes)
 * @param size content in bytes
 * @param time seconds since 1970, shown by `tar tv`
 * @throws RangeError for a name that does not fit: a mistake of the caller, names are never input
 */
export function tarHeader(name: string, size: number, time: number): Uint8Array {
  if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`not a size of an entry: ${size}`)
  const split = splitAt(name)
  const header = Buffer.from(TEMPLATE)
  header.write(split === 0 ? name : name.slice(split + 1), 0, 'latin1')
  if (split > 0) header.write(name.slice(0, split), 345, 'latin1')
  if (size <= OCTAL_SIZE_MAX) writeOctal(header, size, 124, 11)
  else {
    header.writeBigUInt64BE(BigInt(size), 128)
    header[124] = 0x80
  }
  writeOctal(header, Math.min(Math.max(0, Math.trunc(time)), OCTAL_SIZE_MAX), 136, 11)
  writeOctal(header, checksum(header), 148, 6)
  return header
}

/** What is the same in every header: mode 0440, no owner, a regular file, checksum field as it is counted. */
const TEMPLATE = Buffer.alloc(BLOCK_BYTES)
TEMPLATE.write('0000440\x000000000\x000000000\0', 100, 'latin1')
TEMPLATE.write('\0 0', 154, 'latin1')
TEMPLATE.write('ustar\x0000', 257, 'latin1')

function writeOctal(header: Buffer, value: number, at: number, digits: number): void {
  let rest = value
  for (let i = at + digits - 1; i >= at; i--) {
    header[i] = 0x30 + (rest % 8)
    rest = Math.floor(rest / 8)
  }
}

/** What a block at the place of a header is. `other` is damage, or a tail that was never completely written. */
export type TarBlock =
  | { readonly is: 'entry'; readonly name: string; readonly size: number }
  | { readonly is: 'zero' }
  | { readonly is: 'other' }

/** Reads one header block; believes nothing whose checksum does not fit. */
export function readTarHeader(block: Uint8Array): TarBlock {
  if (block.byteLength < BLOCK_BYTES) return { is: 'other' }
  const header = Buffer.from(block.buffer, block.byteOffset, BLOCK_BYTES)
  if (isZero(header)) return { is: 'zero' }
  if (header.toString('latin1', 257, 262) !== 'ustar') return { is: 'other' }
  if (octal(header, 148, 8) !== checksum(header)) return { is: 'other' }
  const size = readSize(header)
  if (size === undefined) return { is: 'other' }
  const type = header[156]
  if (type !== 0x30 && type !== 0) return { is: 'other' }
  const prefix = text(header, 345, PREFIX_BYTES)
  const base = text(header, 0, NAME_BYTES)
  return { is: 'entry', name: prefix === '' ? base : `${prefix}/${base}`, size }
}

export function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.byteLength; i++) if (bytes[i] !== 0) return false
  return true
}

/** @returns where the name is split into prefix and name; 0 when it fits whole */
function splitAt(name: string): number {
  const { length } = name
  let split = 0
  let dots = 0
  let part = 0
  for (let i = 0; i <= length; i++) {
    const code = i === length ? 0x2f : name.charCodeAt(i)
    if (code === 0x2f) {
      // Empty parts, `.` and `..` are no names; the end counts as a slash.
      if (part === dots) throw new RangeError(`not a name for a segment entry: ${JSON.stringify(name)}`)
      if (split === 0 && i < length && i <= PREFIX_BYTES && length - i - 1 <= NAME_BYTES) split = i
      part = 0
      dots = 0
      continue
    }
    if (!NAME_CODES[code]) throw new RangeError(`not a name for a segment entry: ${JSON.stringify(name)}`)
    part++
    if (code === 0x2e) dots++
  }
  if (length <= NAME_BYTES) return 0
  if (split > 0) return split
  throw new RangeError(`name does not fit a ustar header: ${JSON.stringify(name)}`)
}

/** Letters, digits, `.`, `_` and `-`. */
const NAME_CODES = Array.from({ length: 128 }, (_, code) => /[A-Za-z0-9._-]/.test(String.fromCharCode(code)))

function checksum(header: Buffer): number {
  let sum = 8 * 0x20 // the checksum field itself counts as spaces
  for (let i = 0; i < 148; i++) sum += header[i] as number
  for (let i = 156; i < BLOCK_BYTES; i++) sum += header[i] as number
  return sum
}

function readSize(header: Buffer): number | undefined {
  if (((header[124] ?? 0) & 0x80) === 0) return octal(header, 124, 12)
  for (let i = 125; i < 128; i++) if (header[i] !== 0) return undefined
  const size = header.readBigUInt64BE(128)
  return header[124] === 0x80 && size <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(size) : undefined
}

function octal(header: Buffer, at: number, length: number): number | undefined {
  const digits = text(header, at, length).trim()
  return /^[0-7]{1,12}$/.test(digits) ? Number.parseInt(digits, 8) : undefined
}

function text(header: Buffer, at: number, length: number): string {
  const end = header.indexOf(0, at)
  return header.toString('latin1', at, end === -1 || end > at + length ? at + length : end)
}
