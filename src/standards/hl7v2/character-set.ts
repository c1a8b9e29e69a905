import { Buffer } from 'node:buffer'
import iconv from 'iconv-lite'
import { decodeText, encodeText } from '../dicom/charset.ts'
import { Hl7Error } from './errors.ts'

/** What 8-bit text is taken for when a message declares nothing and it is not UTF-8. */
export type Undeclared = 'windows-1252' | 'latin-1' | 'latin-9' | 'windows-1250' | 'windows-1251'

const UNDECLARED: { readonly [name in Undeclared]: string } = {
  'windows-1252': 'windows-1252',
  'latin-1': 'iso-8859-1',
  'latin-9': 'iso-8859-15',
  'windows-1250': 'windows-1250',
  'windows-1251': 'windows-1251',
}

/**
 * How the text of a message is read and written. Where ISO IR14 has a yen sign and an overline, a message has the escape
 * character and the repetition separator: the octets 5CH and 7EH stay what MSH-2 says they are.
 */
export interface CharacterSet {
  /** MSH-18 as it stands, its repetitions apart. */
  readonly declared: readonly string[]
  /** What was used: a name of MSH-18, or of the guess. */
  readonly used: string
  /** Set when the text was not read as declared: for the record. */
  readonly note: string | null
  decode(bytes: Uint8Array): string
  /** Characters it does not have become `?`. */
  encode(text: string): Buffer
}

/** Table 0211 to the terms of DICOM (0008,0005), which the same decoders serve. First repetition: alone; then: extension. */
const TERMS: { readonly [name: string]: readonly [alone: string, extension: string] } = {
  ASCII: ['', 'ISO 2022 IR 6'],
  '8859/1': ['ISO_IR 100', 'ISO 2022 IR 100'],
  '8859/2': ['ISO_IR 101', 'ISO 2022 IR 101'],
  '8859/3': ['ISO_IR 109', 'ISO 2022 IR 109'],
  '8859/4': ['ISO_IR 110', 'ISO 2022 IR 110'],
  '8859/5': ['ISO_IR 144', 'ISO 2022 IR 144'],
  '8859/6': ['ISO_IR 127', 'ISO 2022 IR 127'],
  '8859/7': ['ISO_IR 126', 'ISO 2022 IR 126'],
  '8859/8': ['ISO_IR 138', 'ISO 2022 IR 138'],
  '8859/9': ['ISO_IR 148', 'ISO 2022 IR 148'],
  '8859/15': ['ISO_IR 203', 'ISO 2022 IR 203'],
  'ISO IR6': ['', 'ISO 2022 IR 6'],
  'ISO IR14': ['ISO_IR 13', 'ISO 2022 IR 13'],
  'ISO IR87': ['ISO 2022 IR 87', 'ISO 2022 IR 87'],
  'ISO IR159': ['ISO 2022 IR 159', 'ISO 2022 IR 159'],
  'KS X 1001': ['ISO 2022 IR 149', 'ISO 2022 IR 149'],
  'GB 2312-1980': ['ISO 2022 IR 58', 'ISO 2022 IR 58'],
}

/** Encodings that fill the message alone. */
const WHOLE: { readonly [name: string]: string } = {
  'UNICODE UTF-8': 'utf-8',
  'UTF-8': 'utf-8',
  UTF8: 'utf-8',
  'GB 18030-2000': 'gb18030',
  GB18030: 'gb18030',
  'BIG-5': 'big5',
}

const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Chooses how a message is read.
 *
 * @param declared repetitions of MSH-18, trimmed; empty ones mean ASCII. PS: HL7 v2.8 table 0211
 * @param bytes the whole message
 * @throws Hl7Error AR 103 for a character set nobody here can read
 */
export function characterSetOf(
  declared: readonly string[],
  bytes: Uint8Array,
  undeclared: Undeclared = 'windows-1252',
): CharacterSet {
  const names = declared.map((name) => name.toUpperCase().replace(/\s+/g, ' ').trim()).filter((name) => name !== '')
  const first = names[0] ?? 'ASCII'
  const whole = WHOLE[first] ?? (first === 'UNICODE' || first.startsWith('UNICODE ') ? 'utf-8' : undefined)
  if (whole === 'utf-8') {
    if (isUtf8(bytes)) return utf8(declared, first, null)
    return guessed(declared, undeclared, `declared ${first}, but is not: read as ${undeclared}`)
  }
  if (whole !== undefined) return simple(declared, first, whole, null)
  if (names.every((name) => name === 'ASCII' || name === 'ISO IR6') && !bytes.includes(0x1b)) {
    if (isAscii(bytes)) return simple(declared, 'ASCII', 'iso-8859-1', null)
    if (isUtf8(bytes)) return utf8(declared, 'UNICODE UTF-8', 'undeclared 8-bit text read as UTF-8')
    return guessed(declared, undeclared, `undeclared 8-bit text read as ${undeclared}`)
  }
  const extended = names.length > 1
  const terms = names.map((name, i) => {
    const term = TERMS[name]
    if (term === undefined) {
      const at = { segment: 'MSH', sequence: 1, field: 18, repetition: i + 1 }
      throw new Hl7Error('AR', 103, 'MSH-18 names a character set that is not read here', at)
    }
    // Terms of one byte stand alone; with more than one, or a multi-byte set, code extensions are in force.
    return extended && i > 0 ? term[1] : term[0]
  })
  const charsets =
    extended && terms[0] === '' ? ['', ...terms.slice(1)] : terms[0]?.startsWith('ISO 2022') ? ['', ...terms] : terms
  return {
    declared,
    used: names.join('~'),
    note: null,
    decode: (part) => {
      const text = decodeText(part, charsets, 'text')
      return names.includes('ISO IR14') ? text.replaceAll('\u00a5', '\\').replaceAll('\u203e', '~') : text
    },
    encode: (text) =>
      encodeWhatItHas(
        first === 'ISO IR14' ? text.replaceAll('\\', '\u00a5').replaceAll('~', '\u203e') : text,
        charsets,
      ),
  }
}

/** Only the characters that the sets do not have become `?`, not their neighbours. */
function encodeWhatItHas(text: string, charsets: readonly string[]): Buffer {
  const whole = encodeText(text, charsets, 'text')
  if (whole !== undefined) return Buffer.from(whole)
  const known = new Map<string, boolean>()
  const has = (sign: string) => {
    const before = known.get(sign)
    if (before !== undefined) return before
    const now = /^[\r\n]$/.test(sign) || encodeText(sign, charsets, 'text') !== undefined
    known.set(sign, now)
    return now
  }
  const reduced = Array.from(text, (sign) => (has(sign) ? sign : '?')).join('')
  return Buffer.from(encodeText(reduced, charsets, 'text') ?? encodeAscii(text))
}

function utf8(declared: readonly string[], used: string, note: string | null): CharacterSet {
  return {
    declared,
    used,
    note,
    decode: (part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('utf8'),
    encode: (text) => Buffer.from(text, 'utf8'),
  }
}

function guessed(declared: readonly string[], undeclared: Undeclared, note: string): CharacterSet {
  return simple(declared, undeclared, UNDECLARED[undeclared], note)
}

function simple(declared: readonly string[], used: string, encoding: string, note: string | null): CharacterSet {
  return {
    declared,
    used,
    note,
    decode: (part) =>
      iconv.decode(Buffer.from(part.buffer, part.byteOffset, part.byteLength), encoding, { stripBOM: false }),
    encode: (text) => iconv.encode(text, encoding),
  }
}

function encodeAscii(text: string): Buffer {
  return Buffer.from(text.replace(/\P{ASCII}/gu, '?'), 'latin1')
}

function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] as number) >= 0x80) return false
  return true
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    STRICT_UTF8.decode(bytes)
    return true
  } catch (thrown) {
    if (thrown instanceof TypeError) return false
    throw thrown
  }
}

/**
 * A message of 16-bit units (byte order mark, or `M`, 0, `S`, 0) as UTF-8, and without the UTF-8 byte order mark that
 * some files carry. Others are returned as they are.
 */
export function withoutByteOrderMark(bytes: Uint8Array): Uint8Array {
  const [a, b, c, d] = bytes
  if (a === 0xef && b === 0xbb && c === 0xbf) return bytes.subarray(3)
  const little = (a === 0xff && b === 0xfe) || (a === 0x4d && b === 0 && c === 0x53 && d === 0)
  const big = (a === 0xfe && b === 0xff) || (a === 0 && b === 0x4d && c === 0 && d === 0x53)
  if (!little && !big) return bytes
  const text = new TextDecoder(little ? 'utf-16le' : 'utf-16be').decode(bytes)
  return Buffer.from(text, 'utf8')
}
