import { decodeText, decodeValues } from './charset.ts'
import { withoutPadding } from './data-set.ts'
import type { JsonOutput } from './json-output.ts'

const BACKSLASH = 0x5c
const COMMA = 0x2c
const ESCAPE = 0x1b
const EQUALS = 0x3d
const SPACE = 0x20
const NULL = Buffer.from('null', 'latin1')
const GROUPS = ['{"Alphabetic":', '"Ideographic":', '"Phonetic":'].map((key) => Buffer.from(key, 'latin1'))
const NAME_OPEN = 0x7b
const NAME_CLOSE = 0x7d

/** True when bytes are ASCII without escape sequences, so that they are their own decoding. */
function isPlain(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!
    if (byte >= 0x80 || byte === ESCAPE) return false
  }
  return true
}

function trimmedEnd(bytes: Uint8Array, from: number, to: number): number {
  let end = to
  while (end > from && (bytes[end - 1] === SPACE || bytes[end - 1] === 0)) end--
  return end
}

function trimmedStart(bytes: Uint8Array, from: number, to: number): number {
  let start = from
  while (start < to && bytes[start] === SPACE) start++
  return start
}

/** Index of the next backslash, or `to`. */
function nextDelimiter(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at < to && bytes[at] !== BACKSLASH) at++
  return at
}

/**
 * Writes values as a list of JSON strings, without brackets.
 * @param single the value is one text, in which a backslash is a character
 * @param charsets null for VRs of the default repertoire
 * @returns false when the value is only padding, which counts as empty
 */
export function writeTexts(
  out: JsonOutput,
  bytes: Uint8Array,
  from: number,
  to: number,
  single: boolean,
  charsets: readonly string[] | null,
  asciiCompatible: boolean,
): boolean {
  const ascii = charsets === null || asciiCompatible
  if (ascii) {
    const end = trimmedEnd(bytes, from, to)
    const start = single ? from : trimmedStart(bytes, from, end)
    if (start === end) return false
    if (out.plainText(bytes, start, end, 0)) return true
  }
  if (ascii && isPlain(bytes, from, to)) {
    return single ? writeWhole(out, bytes, from, to) : writeList(out, bytes, from, to, writeAscii)
  }
  const value = bytes.subarray(from, to)
  let values: string[]
  if (charsets === null) {
    const text = Buffer.from(value).toString('latin1')
    values = single ? [text] : text.split('\\')
  } else values = single ? [decodeText(value, charsets, 'text')] : decodeValues(value, charsets, 'single')
  return writeDecoded(out, values, single)
}

function writeWhole(out: JsonOutput, bytes: Uint8Array, from: number, to: number): boolean {
  const end = trimmedEnd(bytes, from, to)
  if (end === from) return false
  out.asciiText(bytes, from, end)
  return true
}

function writeDecoded(out: JsonOutput, values: readonly string[], keepLeading: boolean): boolean {
  const trimmed = values.map((value) => withoutPadding(value, keepLeading))
  if (trimmed.length === 1 && trimmed[0] === '') return false
  trimmed.forEach((value, index) => {
    if (index > 0) out.byte(COMMA)
    if (value === '') out.raw(NULL)
    else out.text(value)
  })
  return true
}

/** Cuts at backslashes, strips padding, writes `null` for empty values (PS3.18 section F.2.5). */
function writeList(
  out: JsonOutput,
  bytes: Uint8Array,
  from: number,
  to: number,
  write: (out: JsonOutput, bytes: Uint8Array, from: number, to: number) => void,
): boolean {
  let at = from
  for (;;) {
    const delimiter = nextDelimiter(bytes, at, to)
    const end = trimmedEnd(bytes, at, delimiter)
    const start = trimmedStart(bytes, at, end)
    if (at === from && delimiter === to && start === end) return false
    if (at > from) out.byte(COMMA)
    if (start === end) out.raw(NULL)
    else write(out, bytes, start, end)
    if (delimiter === to) return true
    at = delimiter + 1
  }
}

function writeAscii(out: JsonOutput, bytes: Uint8Array, from: number, to: number): void {
  out.asciiText(bytes, from, to)
}

/** DS and IS: numbers, where a JSON number says the same as the text; strings otherwise. PS3.18 section F.2.3. */
export function writeDecimals(out: JsonOutput, bytes: Uint8Array, from: number, to: number, integer: boolean): boolean {
  if (!isPlain(bytes, from, to)) return writeTexts(out, bytes, from, to, false, null, true)
  return writeList(out, bytes, from, to, integer ? writeInteger : writeDecimal)
}

function writeDecimal(out: JsonOutput, bytes: Uint8Array, from: number, to: number): void {
  if (isJsonNumber(bytes, from, to, false)) out.slice(bytes, from, to)
  else out.asciiText(bytes, from, to)
}

function writeInteger(out: JsonOutput, bytes: Uint8Array, from: number, to: number): void {
  if (isJsonNumber(bytes, from, to, true)) out.slice(bytes, from, to)
  else out.asciiText(bytes, from, to)
}

/** True when the text is a number token of JSON that a double holds exactly: at most 15 significant digits. */
function isJsonNumber(bytes: Uint8Array, from: number, to: number, integer: boolean): boolean {
  let at = from
  if (bytes[at] === 0x2d) at++
  const whole = digitsFrom(bytes, at, to)
  if (whole === at || (bytes[at] === 0x30 && whole > at + 1)) return false
  let digits = whole - at
  at = whole
  if (at < to && bytes[at] === 0x2e && !integer) {
    const end = digitsFrom(bytes, at + 1, to)
    if (end === at + 1) return false
    digits += end - at - 1
    at = end
  }
  if (at < to && (bytes[at] === 0x65 || bytes[at] === 0x45) && !integer) {
    at++
    if (bytes[at] === 0x2b || bytes[at] === 0x2d) at++
    const end = digitsFrom(bytes, at, to)
    if (end === at || end - at > 2) return false
    at = end
  }
  return at === to && digits <= 15
}

function digitsFrom(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at < to && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) at++
  return at
}

/** PN: one object per name with the component groups it has. PS3.18 section F.2.2. */
export function writeNames(
  out: JsonOutput,
  bytes: Uint8Array,
  from: number,
  to: number,
  charsets: readonly string[],
  asciiCompatible: boolean,
): boolean {
  if (isEmptyName(bytes, from, to)) return false
  if (asciiCompatible) {
    const end = trimmedEnd(bytes, from, to)
    const start = trimmedStart(bytes, from, end)
    const before = out.at
    out.raw(GROUPS[0]!)
    if (out.plainText(bytes, start, end, EQUALS)) {
      out.byte(NAME_CLOSE)
      return true
    }
    out.at = before
    if (isPlain(bytes, from, to)) return writeList(out, bytes, from, to, writeAsciiName)
  }
  const names = decodeValues(bytes.subarray(from, to), charsets, 'pn').map((name) => withoutPadding(name, false))
  if (names.length === 1 && names[0] === '') return false
  names.forEach((name, index) => {
    if (index > 0) out.byte(COMMA)
    if (name === '') out.raw(NULL)
    else writeName(out, name)
  })
  return true
}

function writeAsciiName(out: JsonOutput, bytes: Uint8Array, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    if (bytes[i] === EQUALS) {
      writeName(out, Buffer.from(bytes.subarray(from, to)).toString('latin1'))
      return
    }
  }
  out.raw(GROUPS[0]!)
  out.asciiText(bytes, from, to)
  out.byte(NAME_CLOSE)
}

/** A name with the groups it has; `null` when all of them are empty. */
function writeName(out: JsonOutput, name: string): void {
  const groups = name.split('=', 3).map((group) => withoutPadding(group, true))
  if (groups.every((group) => group === '')) {
    out.raw(NULL)
    return
  }
  let first = true
  out.byte(NAME_OPEN)
  groups.forEach((text, index) => {
    if (text === '') return
    if (!first) out.byte(COMMA)
    first = false
    const key = GROUPS[index]!
    if (index === 0)
      out.slice(key, 1, key.length) // its brace is written already
    else out.raw(key)
    out.text(text)
  })
  out.byte(NAME_CLOSE)
}

/** True when a value has neither a name nor a second value: padding and `=` at most. */
function isEmptyName(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const byte = bytes[i]
    if (byte !== EQUALS && byte !== SPACE && byte !== 0) return false
  }
  return true
}
