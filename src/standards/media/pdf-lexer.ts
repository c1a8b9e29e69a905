/** Tokens of PDF syntax. ISO 32000-1 section 7.2 and 7.3. */
export type PdfToken =
  | { readonly is: 'name'; readonly value: string }
  | { readonly is: 'number'; readonly value: number }
  | { readonly is: 'word'; readonly value: string }
  | { readonly is: 'string'; readonly start: number; readonly end: number }
  | { readonly is: 'open' | 'close'; readonly value: '<<' | '>>' | '[' | ']' | '{' | '}' }
  | { readonly is: 'end' }

const WHITE = 1
const DELIMITER = 2
const kinds = new Uint8Array(256)
for (const byte of [0, 9, 10, 12, 13, 32]) kinds[byte] = WHITE
for (const character of '()<>[]{}/%') kinds[character.charCodeAt(0)] = DELIMITER

/** Longest name or word that is kept, in bytes; longer ones are cut. ISO 32000-1 Annex C names 127. */
const WORD_MAX = 256

/** Reads tokens from `[at, end)`, never recursing. A broken string ends at `end`. */
export class PdfLexer {
  at: number
  readonly end: number
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  next(): PdfToken {
    const { bytes, end } = this
    for (;;) {
      while (this.at < end && kinds[bytes[this.at] as number] === WHITE) this.at++
      if (this.at >= end) return { is: 'end' }
      if (bytes[this.at] !== 0x25) break
      while (this.at < end && bytes[this.at] !== 10 && bytes[this.at] !== 13) this.at++
    }
    const byte = bytes[this.at] as number
    switch (byte) {
      case 0x2f:
        return this.name()
      case 0x28:
        return this.literal()
      case 0x3c:
        if (bytes[this.at + 1] === 0x3c) {
          this.at += 2
          return { is: 'open', value: '<<' }
        }
        return this.hexadecimal()
      case 0x3e:
        this.at += bytes[this.at + 1] === 0x3e ? 2 : 1
        return { is: 'close', value: '>>' }
      case 0x5b:
        this.at++
        return { is: 'open', value: '[' }
      case 0x5d:
        this.at++
        return { is: 'close', value: ']' }
      case 0x7b:
        this.at++
        return { is: 'open', value: '{' }
      case 0x7d:
        this.at++
        return { is: 'close', value: '}' }
      case 0x29:
        this.at++
        return this.next()
      default:
        return this.word()
    }
  }

  /** A name with `#xx` decoded: `/J#61vaScript` is JavaScript. ISO 32000-1 section 7.3.5. */
  private name(): PdfToken {
    const { bytes, end } = this
    let value = ''
    this.at++
    while (this.at < end) {
      let byte = bytes[this.at] as number
      if (kinds[byte] !== 0) break
      this.at++
      if (byte === 0x23) {
        const high = digit(bytes[this.at])
        const low = digit(bytes[this.at + 1])
        if (high >= 0 && low >= 0) {
          byte = high * 16 + low
          this.at += 2
        }
      }
      if (value.length < WORD_MAX) value += String.fromCharCode(byte)
    }
    return { is: 'name', value }
  }

  private literal(): PdfToken {
    const { bytes, end } = this
    const start = ++this.at
    let depth = 1
    while (this.at < end) {
      const byte = bytes[this.at++]
      if (byte === 0x5c) this.at++
      else if (byte === 0x28) depth++
      else if (byte === 0x29 && --depth === 0) return { is: 'string', start, end: this.at - 1 }
    }
    return { is: 'string', start, end }
  }

  private hexadecimal(): PdfToken {
    const start = ++this.at
    while (this.at < this.end && this.bytes[this.at] !== 0x3e) this.at++
    this.at++
    return { is: 'string', start, end: Math.min(this.end, this.at - 1) }
  }

  private word(): PdfToken {
    const { bytes, end } = this
    let value = ''
    while (this.at < end && kinds[bytes[this.at] as number] === 0) {
      if (value.length < WORD_MAX) value += String.fromCharCode(bytes[this.at] as number)
      this.at++
    }
    const number = Number(value)
    if (value !== '' && Number.isFinite(number)) return { is: 'number', value: number }
    return { is: 'word', value }
  }
}

function digit(byte: number | undefined): number {
  if (byte === undefined) return -1
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  if (byte >= 0x41 && byte <= 0x46) return byte - 0x37
  if (byte >= 0x61 && byte <= 0x66) return byte - 0x57
  return -1
}
