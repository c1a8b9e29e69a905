import { DicomError } from './errors.ts'

const HEX = Buffer.from('0123456789ABCDEF', 'latin1')
const QUOTE = 0x22
const BACKSLASH = 0x5c
const BASE64 = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', 'latin1')

/** Metadata above this is not written: no object that is not made for it has so much. */
const BYTES_MAX = 256 * 1024 * 1024

/** JSON text as UTF-8 bytes, written where it will stay: no strings in between. spike-notes section 1. */
export class JsonOutput {
  buffer = Buffer.allocUnsafe(8192)
  at = 0

  reserve(length: number): void {
    if (this.at + length <= this.buffer.length) return
    if (this.at + length > BYTES_MAX) {
      throw new DicomError('dicom.limit', 'metadata-size', `metadata of more than ${BYTES_MAX} bytes`, 0)
    }
    const grown = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.at + length))
    this.buffer.copy(grown, 0, 0, this.at)
    this.buffer = grown
  }

  byte(code: number): void {
    this.reserve(1)
    this.buffer[this.at++] = code
  }

  /** Copies constant ASCII. */
  raw(ascii: Uint8Array): void {
    this.reserve(ascii.length)
    const { buffer } = this
    let { at } = this
    for (let i = 0; i < ascii.length; i++) buffer[at++] = ascii[i]!
    this.at = at
  }

  /** Short ASCII text, as it stands. */
  ascii(text: string): void {
    this.reserve(text.length)
    const { buffer } = this
    let { at } = this
    for (let i = 0; i < text.length; i++) buffer[at++] = text.charCodeAt(i)
    this.at = at
  }

  /** Any text, as a JSON string. */
  text(text: string): void {
    const quoted = JSON.stringify(text)
    this.reserve(quoted.length * 3)
    this.at += this.buffer.write(quoted, this.at, 'utf8')
  }

  /** ASCII bytes as a JSON string. */
  asciiText(bytes: Uint8Array, from: number, to: number): void {
    this.reserve((to - from) * 6 + 2)
    const { buffer } = this
    let { at } = this
    buffer[at++] = QUOTE
    for (let i = from; i < to; i++) {
      const code = bytes[i]!
      if (code === QUOTE || code === BACKSLASH) {
        buffer[at++] = BACKSLASH
        buffer[at++] = code
      } else if (code >= 0x20) buffer[at++] = code
      else at = escapeControl(buffer, at, code)
    }
    buffer[at++] = QUOTE
    this.at = at
  }

  /**
   * Writes bytes as a JSON string when they are printable ASCII that needs no escape and holds no backslash.
   * @param stop one more byte that is not let through; 0 for none
   * @returns false when something else was among them; then nothing has been written
   */
  plainText(bytes: Uint8Array, from: number, to: number, stop: number): boolean {
    this.reserve(to - from + 2)
    const { buffer } = this
    let { at } = this
    buffer[at++] = QUOTE
    for (let i = from; i < to; i++) {
      const code = bytes[i]!
      if (code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH || code === stop) return false
      buffer[at++] = code
    }
    buffer[at++] = QUOTE
    this.at = at
    return true
  }

  /** Bytes as they stand, without quotes. */
  slice(bytes: Uint8Array, from: number, to: number): void {
    this.reserve(to - from)
    const { buffer } = this
    let { at } = this
    for (let i = from; i < to; i++) buffer[at++] = bytes[i]!
    this.at = at
  }

  /** Eight uppercase hexadecimal digits. */
  tag(tag: number): void {
    this.reserve(8)
    const { buffer } = this
    for (let shift = 28; shift >= 0; shift -= 4) buffer[this.at++] = HEX[(tag >>> shift) & 15]!
  }

  /** A number as JSON writes it; what JSON has no number for becomes a string (PS3.18 section F.2.3). */
  number(value: number): void {
    if (Number.isInteger(value) && value >= 0 && value < 100_000 && !Object.is(value, -0)) this.#small(value)
    else if (!Number.isFinite(value)) this.ascii(`"${value}"`)
    else this.ascii(Object.is(value, -0) ? '-0' : String(value))
  }

  #small(value: number): void {
    this.reserve(5)
    const digits = value < 10 ? 1 : value < 100 ? 2 : value < 1000 ? 3 : value < 10_000 ? 4 : 5
    let rest = value
    for (let i = this.at + digits - 1; i >= this.at; i--) {
      const next = (rest / 10) | 0
      this.buffer[i] = 48 + rest - next * 10
      rest = next
    }
    this.at += digits
  }

  base64(bytes: Uint8Array): void {
    this.reserve(Math.ceil(bytes.length / 3) * 4)
    const { buffer } = this
    let { at } = this
    let i = 0
    for (; i + 2 < bytes.length; i += 3) {
      const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!
      buffer[at++] = BASE64[group >>> 18]!
      buffer[at++] = BASE64[(group >>> 12) & 63]!
      buffer[at++] = BASE64[(group >>> 6) & 63]!
      buffer[at++] = BASE64[group & 63]!
    }
    if (i < bytes.length) {
      const two = i + 1 < bytes.length
      const group = (bytes[i]! << 16) | ((two ? bytes[i + 1]! : 0) << 8)
      buffer[at++] = BASE64[group >>> 18]!
      buffer[at++] = BASE64[(group >>> 12) & 63]!
      buffer[at++] = two ? BASE64[(group >>> 6) & 63]! : 0x3d
      buffer[at++] = 0x3d
    }
    this.at = at
  }

  /** What was written. A copy, so that the working buffer does not stay alive with it. */
  bytes(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.buffer, 0, this.at)
  }
}

function escapeControl(buffer: Buffer, at: number, code: number): number {
  buffer[at++] = BACKSLASH
  const short = code === 10 ? 0x6e : code === 13 ? 0x72 : code === 9 ? 0x74 : code === 12 ? 0x66 : code === 8 ? 0x62 : 0
  if (short !== 0) {
    buffer[at++] = short
    return at
  }
  buffer[at++] = 0x75
  buffer[at++] = 0x30
  buffer[at++] = 0x30
  buffer[at++] = HEX[code >>> 4]!
  buffer[at++] = HEX[code & 15]!
  return at
}
