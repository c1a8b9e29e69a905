import type { ByteSource } from '../byte-source.ts'

/** What kind of thing starts with a known mark. A fact about bytes, not a judgement. */
export type SignatureFamily = 'executable' | 'script' | 'archive' | 'compressed' | 'pdf' | 'markup' | 'image' | 'tiff'

export interface Signature {
  readonly family: SignatureFamily
  /** For a person: `Windows executable (MZ)`. */
  readonly name: string
}

export interface FoundSignature extends Signature {
  /** Zero-based offset in the source. */
  readonly offset: number
}

interface Mark extends Signature {
  readonly bytes: readonly number[]
  /** Says whether the mark is more than chance; the two-byte marks need it. */
  readonly strong: (bytes: Uint8Array, at: number) => boolean
}

const always = () => true
const never = () => false

function u32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0
  )
}

const text = (value: string): number[] => [...value].map((character) => character.charCodeAt(0))

/** Local file header: version needed at most 63, only defined flag bits, a known method. APPNOTE 4.3.7. */
function zipLocal(bytes: Uint8Array, at: number): boolean {
  return (bytes[at + 4] ?? 255) <= 63 && (bytes[at + 5] ?? 255) <= 19 && (bytes[at + 9] ?? 255) === 0
}

const marks: readonly Mark[] = [
  { family: 'executable', name: 'Windows executable (MZ)', bytes: text('MZ'), strong: never },
  { family: 'executable', name: 'DOS executable (ZM)', bytes: text('ZM'), strong: never },
  {
    family: 'executable',
    name: 'Linux executable (ELF)',
    bytes: [0x7f, 0x45, 0x4c, 0x46],
    strong: (b, at) => isOneOf(b[at + 4], 1, 2) && isOneOf(b[at + 5], 1, 2) && b[at + 6] === 1,
  },
  {
    family: 'executable',
    name: 'macOS executable (Mach-O)',
    bytes: [0xfe, 0xed, 0xfa, 0xce],
    strong: (b, at) => b[at + 4] === 0,
  },
  {
    family: 'executable',
    name: 'macOS executable (Mach-O, 64 bit)',
    bytes: [0xfe, 0xed, 0xfa, 0xcf],
    strong: (b, at) => b[at + 4] === 1,
  },
  {
    family: 'executable',
    name: 'macOS executable (Mach-O)',
    bytes: [0xce, 0xfa, 0xed, 0xfe],
    strong: (b, at) => b[at + 7] === 0,
  },
  {
    family: 'executable',
    name: 'macOS executable (Mach-O, 64 bit)',
    bytes: [0xcf, 0xfa, 0xed, 0xfe],
    strong: (b, at) => b[at + 7] === 1,
  },
  {
    family: 'executable',
    name: 'Java class or universal Mach-O (CAFEBABE)',
    bytes: [0xca, 0xfe, 0xba, 0xbe],
    strong: (b, at) => b[at + 4] === 0 && b[at + 5] === 0,
  },
  {
    family: 'script',
    name: 'script (#!)',
    bytes: text('#!'),
    strong: (b, at) => b[at + 2] === 0x2f || b[at + 2] === 0x20,
  },
  { family: 'executable', name: 'Windows shell link', bytes: [0x4c, 0, 0, 0, 1, 0x14, 2, 0], strong: always },
  {
    family: 'executable',
    name: 'WebAssembly module',
    bytes: [0, 0x61, 0x73, 0x6d],
    strong: (b, at) => u32(b, at + 4) === 1,
  },
  {
    family: 'executable',
    name: 'Android executable (DEX)',
    bytes: text('dex\n'),
    strong: (b, at) => b[at + 4] === 0x30 && b[at + 7] === 0,
  },
  {
    family: 'executable',
    name: 'Lua bytecode',
    bytes: [0x1b, 0x4c, 0x75, 0x61],
    strong: (b, at) => (b[at + 4] ?? 0) >= 0x50 && (b[at + 4] ?? 0) <= 0x55,
  },
  { family: 'archive', name: 'ZIP archive', bytes: [0x50, 0x4b, 3, 4], strong: zipLocal },
  { family: 'archive', name: 'empty ZIP archive', bytes: [0x50, 0x4b, 5, 6], strong: (b, at) => u32(b, at + 4) === 0 },
  {
    family: 'archive',
    name: 'spanned ZIP archive',
    bytes: [0x50, 0x4b, 7, 8],
    strong: (b, at) => b[at + 4] === 0x50 && b[at + 5] === 0x4b,
  },
  {
    family: 'archive',
    name: 'RAR archive',
    bytes: text('Rar!'),
    strong: (b, at) => b[at + 4] === 0x1a && b[at + 5] === 7,
  },
  { family: 'archive', name: '7-Zip archive', bytes: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], strong: always },
  { family: 'archive', name: 'Windows cabinet', bytes: text('MSCF'), strong: (b, at) => u32(b, at + 4) === 0 },
  {
    family: 'archive',
    name: 'OLE compound file',
    bytes: [0xd0, 0xcf, 0x11, 0xe0],
    strong: (b, at) => u32(b, at + 4) === 0xe11ab1a1,
  },
  {
    family: 'compressed',
    name: 'gzip stream',
    bytes: [0x1f, 0x8b],
    strong: (b, at) => b[at + 2] === 8 && (b[at + 3] ?? 255) < 0x20,
  },
  {
    family: 'compressed',
    name: 'bzip2 stream',
    bytes: text('BZh'),
    strong: (b, at) => b[at + 4] === 0x31 && b[at + 5] === 0x41,
  },
  { family: 'compressed', name: 'xz stream', bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], strong: always },
  { family: 'compressed', name: 'zstd stream', bytes: [0x28, 0xb5, 0x2f, 0xfd], strong: always },
  { family: 'pdf', name: 'PDF document', bytes: text('%PDF'), strong: (b, at) => b[at + 4] === 0x2d },
  { family: 'image', name: 'PNG image', bytes: [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10], strong: always },
  { family: 'image', name: 'JPEG image', bytes: [0xff, 0xd8, 0xff], strong: never },
  { family: 'image', name: 'JPEG 2000 codestream', bytes: [0xff, 0x4f, 0xff, 0x51], strong: never },
  { family: 'image', name: 'JPEG 2000 image', bytes: [0, 0, 0, 12, 0x6a, 0x50, 0x20, 0x20], strong: never },
  { family: 'image', name: 'BMP image', bytes: text('BM'), strong: never },
  { family: 'image', name: 'RIFF container', bytes: text('RIFF'), strong: never },
  { family: 'image', name: 'GIF image', bytes: text('GIF8'), strong: never },
  { family: 'tiff', name: 'TIFF image', bytes: [0x49, 0x49, 0x2a, 0], strong: never },
  { family: 'tiff', name: 'TIFF image', bytes: [0x4d, 0x4d, 0, 0x2a], strong: never },
  { family: 'tiff', name: 'BigTIFF image', bytes: [0x49, 0x49, 0x2b, 0], strong: never },
  { family: 'tiff', name: 'BigTIFF image', bytes: [0x4d, 0x4d, 0, 0x2b], strong: never },
]

/** Marks of script and markup, in lower case; found anywhere a reader of such files would look. */
const words: readonly { readonly word: string; readonly family: 'script' | 'markup'; readonly name: string }[] = [
  { word: '<script', family: 'script', name: 'HTML script' },
  { word: '<?php', family: 'script', name: 'PHP script' },
  { word: '@echo', family: 'script', name: 'Windows batch script' },
  { word: '<html', family: 'markup', name: 'HTML page' },
  { word: '<!doctype', family: 'markup', name: 'HTML or XML document' },
  { word: '<svg', family: 'markup', name: 'SVG image' },
  { word: '<?xml', family: 'markup', name: 'XML document' },
  { word: '{\\rtf', family: 'markup', name: 'RTF document' },
]

/** `a ZIP archive`, `an HTML page`: for sentences. */
export function withArticle(name: string): string {
  return `${/^([aeio]|HTML|RTF|SVG|XML|MP4|OLE)/i.test(name) ? 'an' : 'a'} ${name}`
}

function isOneOf(value: number | undefined, ...allowed: readonly number[]): boolean {
  return value !== undefined && allowed.includes(value)
}

function matches(bytes: Uint8Array, at: number, mark: readonly number[]): boolean {
  if (at + mark.length > bytes.byteLength) return false
  for (let i = 0; i < mark.length; i++) if (bytes[at + i] !== mark[i]) return false
  return true
}

const byFirst: (readonly Mark[] | undefined)[] = new Array(256).fill(undefined)
for (const mark of marks) {
  const first = mark.bytes[0] as number
  byFirst[first] = [...(byFirst[first] ?? []), mark]
}
/** True for bytes that may begin one of the words. */
const beginsWord = new Uint8Array(256)
for (const { word } of words) beginsWord[word.charCodeAt(0)] = 1

/** What findHidden looks for, by the first two bytes: 1 a mark, 2 a word of a script. One look-up per byte. */
const pairs = new Uint8Array(65_536)
const harmless = new Set<SignatureFamily>(['image', 'tiff', 'pdf'])
function notePair(first: number, second: number, kind: number): void {
  const pair = first * 256 + second
  pairs[pair] = (pairs[pair] as number) | kind
}
for (const { bytes, family } of marks) if (!harmless.has(family)) notePair(bytes[0] as number, bytes[1] as number, 1)
for (const { word, family } of words) {
  if (family !== 'script') continue
  for (const second of [word[1] as string, (word[1] as string).toUpperCase()]) {
    notePair(word.charCodeAt(0), second.charCodeAt(0), 2)
  }
}

/** What begins exactly at `at`, judged by its mark alone. */
export function signatureAt(bytes: Uint8Array, at = 0): Signature | null {
  const candidates = byFirst[bytes[at] ?? 0]
  if (candidates === undefined) return null
  for (const mark of candidates) if (matches(bytes, at, mark.bytes)) return mark
  return null
}

function wordAt(bytes: Uint8Array, at: number): (Signature & { readonly word: string }) | null {
  for (const entry of words) {
    const { word } = entry
    if (at + word.length > bytes.byteLength) continue
    let same = true
    for (let i = 0; i < word.length && same; i++) {
      const byte = bytes[at + i] as number
      same = (byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte) === word.charCodeAt(i)
    }
    if (same) return entry
  }
  return null
}

/** Script or markup that starts at `at`, letter case ignored. */
export function markupAt(bytes: Uint8Array, at = 0): Signature | null {
  return wordAt(bytes, at)
}

/** First word of script or markup in `[from, to)`. */
export function findMarkup(bytes: Uint8Array, from: number, to: number): FoundSignature | null {
  const end = Math.min(to, bytes.byteLength)
  for (let at = from; at < end; at++) {
    if (beginsWord[bytes[at] as number] === 0) continue
    const found = wordAt(bytes, at)
    if (found !== null) return { family: found.family, name: found.name, offset: at }
  }
  return null
}

/** How far into a value a hidden program is looked for, in bytes. threats.md B6. */
export const SIGNATURE_WINDOW_BYTES = 4096

/** Two bytes are chance until the header chain follows: PE, or the DOS relocation table pointer of an MZ. */
function mzLeadsToPe(source: ByteSource, at: number, end: number): boolean {
  const pointer = source.read(at + 0x3c, Math.min(at + 0x40, end))
  if (pointer.byteLength < 4) return false
  const target = at + u32(pointer, 0)
  if (target + 4 > end) return false
  return u32(source.read(target, target + 4), 0) === 0x4550
}

/**
 * Looks for programs, archives and scripts in the first 4 KiB of `[start, end)`.
 *
 * At the first byte the bare mark is enough. Deeper, only what cannot be chance counts: `MZ` must lead to a PE header,
 * the others need their next fields to make sense; bare compressed streams and markup count at the first byte only.
 *
 * @param weakAtStart false where the bytes may be anything (pixels): two-byte marks then need proof at the start too
 * @returns the first match, `offset` zero-based in the source
 */
export function findHidden(source: ByteSource, start: number, end: number, weakAtStart = true): FoundSignature | null {
  const window = source.read(start, Math.min(end, start + SIGNATURE_WINDOW_BYTES))
  const last = window.byteLength - 1
  let first = window[0] as number
  for (let at = 0; at < last; at++) {
    const second = window[at + 1] as number
    const kind = pairs[first * 256 + second] as number
    first = second
    if (kind === 0) continue
    const found = hiddenAt(source, window, start, at, end, kind, weakAtStart)
    if (found !== null) return { family: found.family, name: found.name, offset: start + at }
  }
  return null
}

function hiddenAt(
  source: ByteSource,
  window: Uint8Array,
  start: number,
  at: number,
  end: number,
  kind: number,
  weakAtStart: boolean,
): Signature | null {
  const candidates = (kind & 1) === 0 ? undefined : byFirst[window[at] as number]
  if (candidates !== undefined) {
    for (const mark of candidates) {
      if (harmless.has(mark.family) || !matches(window, at, mark.bytes)) continue
      if (at > 0 && (mark.family === 'compressed' || mark.family === 'script')) continue
      if ((at === 0 && weakAtStart) || mark.strong(window, at)) return mark
      if (mark.bytes[0] === 0x4d && mark.bytes.length === 2 && mzLeadsToPe(source, start + at, end)) return mark
    }
  }
  if ((kind & 2) === 0) return null
  const word = wordAt(window, at)
  return word !== null && word.family === 'script' && (at === 0 || word.word !== '@echo') ? word : null
}

/** True when the bytes read as text: no NUL, hardly any control characters, mostly ASCII or UTF-8. Empty is not text. */
export function isText(bytes: Uint8Array): boolean {
  if (bytes.byteLength === 0) return false
  let control = 0
  let high = 0
  for (const byte of bytes) {
    if (byte === 0) return false
    if (byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 13 && byte !== 12 && byte !== 27) control++
    if (byte >= 0x80) high++
  }
  if (control * 50 > bytes.byteLength || control >= 8) return false
  return high * 3 <= bytes.byteLength || isUtf8(bytes)
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    // `stream` lets the last character be cut off, as it is where a window ends.
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true })
    return true
  } catch (thrown) {
    if (thrown instanceof TypeError) return false
    throw thrown
  }
}

/** Shannon entropy of the bytes, in bits per byte: 0 to 8. */
export function entropyBits(bytes: Uint8Array): number {
  const counts = new Uint32Array(256)
  for (const byte of bytes) counts[byte] = (counts[byte] as number) + 1
  let bits = 0
  for (const count of counts) {
    if (count === 0) continue
    const share = count / bytes.byteLength
    bits -= share * Math.log2(share)
  }
  return bits
}
