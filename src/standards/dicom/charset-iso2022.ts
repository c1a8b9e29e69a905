import { CODE_SETS, type CodeSet, type CodeSetId, decodingTable, encodeUnit, REPLACEMENT } from './charset-tables.ts'

/** What an encoded text is: which characters end a run and bring the first character set back. PS3.5 6.1.2.5.3. */
export type TextKind =
  /** ST, LT, UT: one value; a backslash is a character. */
  | 'text'
  /** PN: `^`, `=` and backslash are delimiters. */
  | 'pn'
  /** SH, LO, UC: backslash is a delimiter. */
  | 'single'

/** The character sets of a data set that uses code extensions. */
export interface Iso2022 {
  /** Active at the start and after each delimiter: from value 1 of (0008,0005). */
  readonly g0: CodeSet
  readonly g1: CodeSet | undefined
  /** Used for bytes over A0H when nothing was designated into G1: a sender that forgot the escape sequence. */
  readonly g1Assumed: CodeSet | undefined
  /** Every set that was declared, in order. */
  readonly declared: readonly CodeSet[]
}

const ESC = 0x1b
const BACKSLASH = 0x5c
const CARET = 0x5e
const EQUALS = 0x3d

interface Designation {
  readonly bytes: readonly number[]
  readonly set: CodeSet
  readonly half: 'G0' | 'G1'
}

function designation(sequence: string, id: CodeSetId, half: 'G0' | 'G1'): Designation {
  return { bytes: [...sequence].map((char) => char.charCodeAt(0)), set: CODE_SETS[id], half }
}

/** PS3.3 tables C.12-3 and C.12-4, then what other ISO 2022 writers send for the same sets. */
const DESIGNATIONS: readonly Designation[] = [
  ...Object.values(CODE_SETS).map((set) => ({ bytes: set.escape, set, half: set.half })),
  designation('$@', 'jis-x-0208', 'G0'),
  designation('$(B', 'jis-x-0208', 'G0'),
  designation('$(C', 'ks-x-1001', 'G0'),
  designation('$A', 'gb-2312', 'G0'),
  designation('(I', 'jis-x-0201-katakana', 'G0'),
  designation(')J', 'jis-x-0201-romaji', 'G1'),
]

const FIRST_BYTES = new Set(DESIGNATIONS.map(({ bytes }) => bytes[0]!))

/** The designation whose bytes follow the ESC at `at`. */
function designationAt(bytes: Uint8Array, at: number): Designation | undefined {
  if (!FIRST_BYTES.has(bytes[at + 1] ?? 0)) return undefined
  for (const candidate of DESIGNATIONS) {
    if (candidate.bytes.every((byte, index) => bytes[at + 1 + index] === byte)) return candidate
  }
  return undefined
}

function resets(byte: number, kind: TextKind): boolean {
  if (byte < 0x20 || byte === 0x7f) return true
  if (byte === BACKSLASH) return kind !== 'text'
  return kind === 'pn' && (byte === CARET || byte === EQUALS)
}

/**
 * Walks encoded text and tells each character once, with the byte range it came from. Bytes that mean nothing are
 * told as REPLACEMENT, one byte each. PS3.5 section 6.1.2.5.
 *
 * @param each `unit` is a UTF-16 unit, `single` is true when it came from a one-byte set of the lower half
 */
function walk(
  bytes: Uint8Array,
  sets: Iso2022,
  kind: TextKind,
  each: (unit: number, start: number, single: boolean) => void,
): void {
  let g0 = sets.g0
  let g1 = sets.g1 ?? sets.g1Assumed
  let at = 0
  while (at < bytes.length) {
    const byte = bytes[at]!
    if (byte === ESC) {
      const found = designationAt(bytes, at)
      if (found === undefined) {
        each(REPLACEMENT, at, false)
        at += 1
        continue
      }
      if (found.half === 'G0') g0 = found.set
      else g1 = found.set
      at += 1 + found.bytes.length
      continue
    }
    if (byte < 0x21 || byte === 0x7f) {
      if (resets(byte, kind)) {
        g0 = sets.g0
        g1 = sets.g1 ?? sets.g1Assumed
      }
      each(byte, at, true)
      at += 1
      continue
    }
    const upper = byte >= 0x80
    const set = upper ? g1 : g0
    if (set === undefined || (upper && byte < 0xa0 && set.bytes === 2)) {
      each(REPLACEMENT, at, false)
      at += 1
      continue
    }
    if (set.bytes === 1) {
      const delimiter = !upper && resets(byte, kind)
      each(delimiter ? byte : decodingTable(set.id)[byte & 0x7f]!, at, !upper)
      if (delimiter) {
        g0 = sets.g0
        g1 = sets.g1 ?? sets.g1Assumed
      }
      at += 1
      continue
    }
    const next = bytes[at + 1] ?? 0
    const low = next & 0x7f
    if (next >= 0x80 !== upper || low < 0x21 || low > 0x7e || (byte & 0x7f) < 0x21) {
      each(REPLACEMENT, at, false)
      at += 1
      continue
    }
    each(decodingTable(set.id)[((byte & 0x7f) - 0x21) * 94 + low - 0x21]!, at, false)
    at += 2
  }
}

/** Decodes text with code extensions; never throws. */
export function decodeIso2022(bytes: Uint8Array, sets: Iso2022, kind: TextKind): string {
  const units = new Uint16Array(bytes.length)
  let length = 0
  walk(bytes, sets, kind, (unit) => {
    units[length++] = unit
  })
  let text = ''
  for (let start = 0; start < length; start += 4096) {
    text += String.fromCharCode(...units.subarray(start, Math.min(length, start + 4096)))
  }
  return text
}

/** Byte offsets of the first `most` backslashes that are delimiters, not half of a two-byte character. */
export function delimitersIso2022(bytes: Uint8Array, sets: Iso2022, most: number): number[] {
  const found: number[] = []
  walk(bytes, sets, 'single', (unit, start, single) => {
    if (single && unit === BACKSLASH && found.length < most) found.push(start)
  })
  return found
}

/** @returns undefined when a character is in none of the declared sets */
export function encodeIso2022(text: string, sets: Iso2022, kind: TextKind): Uint8Array | undefined {
  const out: number[] = []
  let g0 = sets.g0
  let g1 = sets.g1
  const reset = () => {
    if (g0 !== sets.g0) out.push(ESC, ...sets.g0.escape)
    if (g1 !== sets.g1 && sets.g1 !== undefined) out.push(ESC, ...sets.g1.escape)
    g0 = sets.g0
    g1 = sets.g1
  }
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0x80 && resets(unit, kind)) {
      reset()
      out.push(unit)
      continue
    }
    if (unit === 0x20) {
      out.push(unit)
      continue
    }
    const candidates = [g0, ...(g1 === undefined ? [] : [g1]), sets.g0, ...sets.declared]
    const set = candidates.find((candidate) => encodeUnit(candidate, unit) !== undefined)
    if (set === undefined) return undefined
    if (set.half === 'G0' && set !== g0) {
      g0 = set
      out.push(ESC, ...set.escape)
    } else if (set.half === 'G1' && set !== g1) {
      g1 = set
      out.push(ESC, ...set.escape)
    }
    out.push(...encodeUnit(set, unit)!)
  }
  reset()
  return Uint8Array.from(out)
}
