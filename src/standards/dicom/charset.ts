import { Buffer } from 'node:buffer'
import iconv from 'iconv-lite'
import { decodeIso2022, delimitersIso2022, encodeIso2022, type Iso2022, type TextKind } from './charset-iso2022.ts'
import { CODE_SETS, type CodeSet, type CodeSetId } from './charset-tables.ts'

export type { TextKind } from './charset-iso2022.ts'

/** A value of Specific Character Set (0008,0005) that is not a Defined Term of PS3.3 C.12.1.1.2. */
export interface CharsetProblem {
  readonly value: string
  /** The Defined Term it was taken for; null when it means nothing and the default repertoire was used. */
  readonly readAs: string | null
}

interface Term {
  readonly g0: CodeSetId | undefined
  readonly g1: CodeSetId | undefined
}

/** PS3.3 tables C.12-2 to C.12-4 by ISO registration number. IR 6 is the default repertoire. */
const REGISTRATIONS: { readonly [number: string]: Term } = {
  '6': { g0: 'ascii', g1: undefined },
  '100': { g0: 'ascii', g1: 'latin-1' },
  '101': { g0: 'ascii', g1: 'latin-2' },
  '109': { g0: 'ascii', g1: 'latin-3' },
  '110': { g0: 'ascii', g1: 'latin-4' },
  '144': { g0: 'ascii', g1: 'cyrillic' },
  '127': { g0: 'ascii', g1: 'arabic' },
  '126': { g0: 'ascii', g1: 'greek' },
  '138': { g0: 'ascii', g1: 'hebrew' },
  '148': { g0: 'ascii', g1: 'latin-5' },
  '203': { g0: 'ascii', g1: 'latin-9' },
  '13': { g0: 'jis-x-0201-romaji', g1: 'jis-x-0201-katakana' },
  '166': { g0: 'ascii', g1: 'thai' },
  '87': { g0: 'jis-x-0208', g1: undefined },
  '159': { g0: 'jis-x-0212', g1: undefined },
  '149': { g0: undefined, g1: 'ks-x-1001' },
  '58': { g0: undefined, g1: 'gb-2312' },
}

/** Terms without code extensions that are not built from a registration number. PS3.3 table C.12-5. */
const WHOLE: ReadonlyMap<string, string> = new Map([
  ['ISO_IR 192', 'utf-8'],
  ['GB18030', 'gb18030'],
  ['GBK', 'gbk'],
])

/** What senders write instead of a Defined Term (upper case, letters and digits only) and what it is taken for. */
const MISSPELLED: { readonly [squeezed: string]: string } = {
  ASCII: 'ISO_IR 6',
  USASCII: 'ISO_IR 6',
  ISOIR6: 'ISO_IR 6',
  ISO646: 'ISO_IR 6',
  ISO88591: 'ISO_IR 100',
  LATIN1: 'ISO_IR 100',
  ISO88592: 'ISO_IR 101',
  LATIN2: 'ISO_IR 101',
  ISO88593: 'ISO_IR 109',
  ISO88594: 'ISO_IR 110',
  ISO88595: 'ISO_IR 144',
  ISO88596: 'ISO_IR 127',
  ISO88597: 'ISO_IR 126',
  ISO88598: 'ISO_IR 138',
  ISO88599: 'ISO_IR 148',
  ISO885915: 'ISO_IR 203',
  LATIN9: 'ISO_IR 203',
  TIS620: 'ISO_IR 166',
  UTF8: 'ISO_IR 192',
  UNICODE: 'ISO_IR 192',
  ISO2022192: 'ISO_IR 192',
  ISO2022IR192: 'ISO_IR 192',
  GB2312: 'GBK',
  GB180302000: 'GB18030',
  GB180302005: 'GB18030',
  EUCKR: 'ISO 2022 IR 149',
  KSC5601: 'ISO 2022 IR 149',
  ISO2022JP: 'ISO 2022 IR 87',
}

/** Encodings that are no DICOM repertoire but are seen, and can only be read. */
const FOREIGN: { readonly [squeezed: string]: string } = {
  SHIFTJIS: 'shift_jis',
  SJIS: 'shift_jis',
  WINDOWS31J: 'shift_jis',
  WINDOWS1250: 'windows-1250',
  CP1250: 'windows-1250',
  WINDOWS1251: 'windows-1251',
  CP1251: 'windows-1251',
  WINDOWS1252: 'windows-1252',
  CP1252: 'windows-1252',
  BIG5: 'big5',
}

interface Repertoire {
  /** Bytes below 80H without ESC mean ASCII. */
  readonly ascii: boolean
  /** One encoding for everything, without code extensions. */
  readonly whole: string | undefined
  readonly sets: Iso2022
  readonly problems: readonly CharsetProblem[]
}

/** (0008,0005) is repeated from object to object: reading its values once is enough. */
const repertoires = new Map<string, Repertoire>()
const REPERTOIRES_MAX = 512
const VALUES_MAX = 16

function termOf(value: string): { term: string | undefined; foreign: string | undefined; exact: boolean } {
  const trimmed = value.replace(/[\s\0]+$/, '').replace(/^\s+/, '')
  if (trimmed === '') return { term: 'ISO_IR 6', foreign: undefined, exact: true }
  if (WHOLE.has(trimmed)) return { term: trimmed, foreign: undefined, exact: true }
  const defined = /^(?:ISO_IR|ISO 2022 IR) (\d{1,3})$/.exec(trimmed)
  if (defined && REGISTRATIONS[defined[1]!] !== undefined) {
    const onlyExtended = /^(?:87|159|149|58)$/.test(defined[1]!) && trimmed.startsWith('ISO_IR')
    return { term: onlyExtended ? `ISO 2022 IR ${defined[1]}` : trimmed, foreign: undefined, exact: !onlyExtended }
  }
  const squeezed = trimmed.toUpperCase().replace(/[^A-Z\d]/g, '')
  const registered = /^(?:ISO(2022)?)?IR(\d{1,3})$/.exec(squeezed) ?? /^ISO(2022)(\d{1,3})$/.exec(squeezed)
  if (registered && REGISTRATIONS[registered[2]!] !== undefined) {
    const extended = registered[1] !== undefined || /^(?:87|159|149|58)$/.test(registered[2]!)
    return { term: `${extended ? 'ISO 2022 IR' : 'ISO_IR'} ${registered[2]}`, foreign: undefined, exact: false }
  }
  if (squeezed === 'ISOIR192' || squeezed === 'IR192') return { term: 'ISO_IR 192', foreign: undefined, exact: false }
  if (WHOLE.has(squeezed)) return { term: squeezed, foreign: undefined, exact: false }
  const term = Object.hasOwn(MISSPELLED, squeezed) ? MISSPELLED[squeezed] : undefined
  const foreign = Object.hasOwn(FOREIGN, squeezed) ? FOREIGN[squeezed] : undefined
  return { term, foreign, exact: false }
}

/** The list asked about last: all values of a data set share one. */
let lastCharsets: readonly string[] | null = null
let lastRepertoire: Repertoire | null = null

function repertoire(charsets: readonly string[]): Repertoire {
  if (charsets !== lastCharsets || lastRepertoire === null) {
    lastRepertoire = findRepertoire(charsets)
    lastCharsets = charsets
  }
  return lastRepertoire
}

function findRepertoire(charsets: readonly string[]): Repertoire {
  const key = charsets.join('\\')
  const known = repertoires.get(key)
  if (known !== undefined) return known
  const made = readRepertoire(charsets.slice(0, VALUES_MAX))
  if (repertoires.size >= REPERTOIRES_MAX) repertoires.clear()
  repertoires.set(key, made)
  return made
}

function readRepertoire(charsets: readonly string[]): Repertoire {
  const problems: CharsetProblem[] = []
  const declared: CodeSet[] = []
  let g0: CodeSet = CODE_SETS.ascii
  let g1: CodeSet | undefined
  let whole: string | undefined
  charsets.forEach((value, index) => {
    const { term, foreign, exact } = termOf(value)
    if (!exact) problems.push({ value, readAs: term ?? foreign ?? null })
    const encoding = foreign ?? (term === undefined ? undefined : WHOLE.get(term))
    // A repertoire without code extensions must stand alone (PS3.3 C.12.1.1.2); where it does not, it wins, for
    // its bytes cannot be told apart from those of the others.
    if (encoding !== undefined) {
      if (charsets.length > 1 && exact) problems.push({ value, readAs: term ?? null })
      whole ??= encoding
      return
    }
    const registration = REGISTRATIONS[term?.split(' ').at(-1) ?? '6'] ?? REGISTRATIONS['6']!
    for (const id of [registration.g0, registration.g1]) {
      if (id !== undefined && !declared.includes(CODE_SETS[id])) declared.push(CODE_SETS[id])
    }
    if (index > 0) return
    if (registration.g0 !== undefined && CODE_SETS[registration.g0].bytes === 1) g0 = CODE_SETS[registration.g0]
    if (registration.g1 !== undefined && CODE_SETS[registration.g1].bytes === 1) g1 = CODE_SETS[registration.g1]
  })
  const g1Assumed = declared.find((set) => set.half === 'G1')
  return {
    ascii: g0 === CODE_SETS.ascii,
    whole,
    sets: { g0, g1, g1Assumed, declared },
    problems,
  }
}

function isPlainAscii(bytes: Uint8Array): boolean {
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index]!
    if (byte >= 0x80 || byte === 0x1b) return false
  }
  return true
}

/** Up to this length, in bytes, a text is faster made here than by a call out of JavaScript. */
const SHORT_BYTES = 24

/**
 * A short value of ASCII letters alone: no ESC, no backslash, nothing above 7EH. Most values of most objects are one.
 * @returns undefined when it is something else, or longer than 24 bytes
 */
export function shortAscii(bytes: Uint8Array): string | undefined {
  const { length } = bytes
  if (length > SHORT_BYTES) return undefined
  let text = ''
  for (let index = 0; index < length; index++) {
    const byte = bytes[index]!
    if (byte >= 0x7f || byte === 0x1b || byte === BACKSLASH) return undefined
    text += String.fromCharCode(byte)
  }
  return text
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/**
 * Values of (0008,0005) that are not Defined Terms, with what they were taken for. Empty when all is well.
 *
 * @param charsets values of Specific Character Set; an empty list is the default repertoire
 */
export function charsetProblems(charsets: readonly string[]): readonly CharsetProblem[] {
  return repertoire(charsets).problems
}

/** True when bytes below 80H that hold no ESC are ASCII: all repertoires but those that begin with ISO-IR 13. */
export function isAsciiCompatible(charsets: readonly string[]): boolean {
  const { ascii, whole } = repertoire(charsets)
  return ascii || whole !== undefined
}

/**
 * Decodes one text. Never throws: what cannot be decoded becomes U+FFFD. PS3.5 section 6.1.
 *
 * Code extensions are followed even where (0008,0005) does not declare them. Padding is not removed.
 *
 * @param charsets values of Specific Character Set (0008,0005) in force; an empty list is the default repertoire
 */
export function decodeText(bytes: Uint8Array, charsets: readonly string[], kind: TextKind): string {
  const { ascii, whole, sets } = repertoire(charsets)
  if ((ascii || whole !== undefined) && isPlainAscii(bytes)) return asBuffer(bytes).toString('latin1')
  if (whole === 'utf-8') return asBuffer(bytes).toString('utf8')
  if (whole !== undefined) return iconv.decode(asBuffer(bytes), whole, { stripBOM: false })
  return decodeIso2022(bytes, sets, kind)
}

/**
 * Encodes one text.
 *
 * @returns undefined when a character is not in any of the repertoires, or the repertoire can only be read
 */
export function encodeText(text: string, charsets: readonly string[], kind: TextKind): Uint8Array | undefined {
  const { ascii, whole, sets } = repertoire(charsets)
  if (whole === undefined) {
    const bytes = encodeIso2022(text, sets, kind)
    if (bytes === undefined || charsets.length > 1 || !bytes.includes(0x1b)) return bytes
    // A single value without code extensions must not be switched.
    return charsets[0]?.startsWith('ISO 2022') === true ? bytes : undefined
  }
  if (!text.isWellFormed()) return undefined
  if (whole === 'utf-8') return Buffer.from(text, 'utf8')
  if (!ascii) return undefined
  const bytes = iconv.encode(text, whole)
  return iconv.decode(bytes, whole) === text ? bytes : undefined
}

/** Bytes below this never start a character of two or four bytes. */
const LEAD_MIN = 0x81

/** Shift JIS has one-byte katakana between its lead bytes. */
function isLead(byte: number, encoding: string): boolean {
  if (encoding === 'shift_jis') return (byte >= LEAD_MIN && byte <= 0x9f) || (byte >= 0xe0 && byte <= 0xfc)
  return byte >= LEAD_MIN && byte <= 0xfe
}

const DOUBLE_BYTE = new Set(['gb18030', 'gbk', 'shift_jis', 'big5'])

/**
 * Most values one value field is cut into; what is left stays together as the last one. A field of backslashes alone
 * would otherwise take a hundred times its size in memory. Explicit VR fields of two-byte length cannot reach it.
 */
export const TEXT_VALUES_MAX = 1 << 17

/**
 * Cuts a value field at its backslashes, leaving those alone that are half of a character. PS3.5 section 6.4.
 *
 * @returns views into `bytes`, from 1 to TEXT_VALUES_MAX; decode each with kind `single` or `pn`
 */
export function splitValues(bytes: Uint8Array, charsets: readonly string[]): readonly Uint8Array[] {
  if (!bytes.includes(BACKSLASH)) return [bytes]
  const values: Uint8Array[] = []
  let start = 0
  for (const delimiter of delimiters(bytes, repertoire(charsets))) {
    values.push(bytes.subarray(start, delimiter))
    start = delimiter + 1
  }
  values.push(bytes.subarray(start))
  return values
}

const BACKSLASH = 0x5c
const DELIMITERS_MAX = TEXT_VALUES_MAX - 1

/** Offsets of the backslashes to cut at, the first DELIMITERS_MAX of them. */
function delimiters(bytes: Uint8Array, { whole, sets }: Repertoire): number[] {
  if (whole === undefined && bytes.includes(0x1b)) return delimitersIso2022(bytes, sets, DELIMITERS_MAX)
  const doubleByte = whole !== undefined && DOUBLE_BYTE.has(whole) ? whole : undefined
  const found: number[] = []
  for (let index = 0; index < bytes.length && found.length < DELIMITERS_MAX; index++) {
    const byte = bytes[index]!
    if (byte === BACKSLASH) found.push(index)
    // A second byte of a GB18030 four-byte character is a digit; its third byte is a lead byte again.
    else if (doubleByte !== undefined && isLead(byte, doubleByte) && index + 1 < bytes.length) index += 1
  }
  return found
}

/** Splits at backslashes and decodes each value: for SH, LO, UC (kind `single`) and PN. */
export function decodeValues(bytes: Uint8Array, charsets: readonly string[], kind: 'single' | 'pn'): string[] {
  const short = isAsciiCompatible(charsets) ? shortAscii(bytes) : undefined
  if (short !== undefined) return [short]
  return splitValues(bytes, charsets).map((value) => decodeText(value, charsets, kind))
}
