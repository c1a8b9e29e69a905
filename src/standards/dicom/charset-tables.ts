import iconv from 'iconv-lite'

/** A coded character set of 94 or 96 characters (one byte) or 94 by 94 characters (two bytes). ISO/IEC 2022. */
export interface CodeSet {
  readonly id: CodeSetId
  readonly bytes: 1 | 2
  /** The half of the code table in which DICOM uses it: G0 has bytes 21H-7EH, G1 has A1H-FEH. */
  readonly half: 'G0' | 'G1'
  /** Final bytes of the escape sequence that designates it, after ESC. PS3.3 tables C.12-3 and C.12-4. */
  readonly escape: readonly number[]
}

export type CodeSetId =
  | 'ascii'
  | 'jis-x-0201-romaji'
  | 'jis-x-0201-katakana'
  | 'jis-x-0208'
  | 'jis-x-0212'
  | 'ks-x-1001'
  | 'gb-2312'
  | 'latin-1'
  | 'latin-2'
  | 'latin-3'
  | 'latin-4'
  | 'latin-5'
  | 'latin-9'
  | 'cyrillic'
  | 'arabic'
  | 'greek'
  | 'hebrew'
  | 'thai'

function codes(text: string): number[] {
  return [...text].map((char) => char.charCodeAt(0))
}

function codeSet(id: CodeSetId, bytes: 1 | 2, half: 'G0' | 'G1', sequence: string): CodeSet {
  return { id, bytes, half, escape: codes(sequence) }
}

export const CODE_SETS: { readonly [id in CodeSetId]: CodeSet } = {
  ascii: codeSet('ascii', 1, 'G0', '(B'),
  'jis-x-0201-romaji': codeSet('jis-x-0201-romaji', 1, 'G0', '(J'),
  'jis-x-0201-katakana': codeSet('jis-x-0201-katakana', 1, 'G1', ')I'),
  'jis-x-0208': codeSet('jis-x-0208', 2, 'G0', '$B'),
  'jis-x-0212': codeSet('jis-x-0212', 2, 'G0', '$(D'),
  'ks-x-1001': codeSet('ks-x-1001', 2, 'G1', '$)C'),
  'gb-2312': codeSet('gb-2312', 2, 'G1', '$)A'),
  'latin-1': codeSet('latin-1', 1, 'G1', '-A'),
  'latin-2': codeSet('latin-2', 1, 'G1', '-B'),
  'latin-3': codeSet('latin-3', 1, 'G1', '-C'),
  'latin-4': codeSet('latin-4', 1, 'G1', '-D'),
  'latin-5': codeSet('latin-5', 1, 'G1', '-M'),
  'latin-9': codeSet('latin-9', 1, 'G1', '-b'),
  cyrillic: codeSet('cyrillic', 1, 'G1', '-L'),
  arabic: codeSet('arabic', 1, 'G1', '-G'),
  greek: codeSet('greek', 1, 'G1', '-F'),
  hebrew: codeSet('hebrew', 1, 'G1', '-H'),
  thai: codeSet('thai', 1, 'G1', '-T'),
}

/** ISO 8859 part (or national standard) behind the upper half of a one-byte set. */
const SINGLE_BYTE_ENCODINGS: { readonly [id in CodeSetId]?: string } = {
  'latin-1': 'iso-8859-1',
  'latin-2': 'iso-8859-2',
  'latin-3': 'iso-8859-3',
  'latin-4': 'iso-8859-4',
  'latin-5': 'iso-8859-9',
  'latin-9': 'iso-8859-15',
  cyrillic: 'iso-8859-5',
  arabic: 'iso-8859-6',
  greek: 'iso-8859-7',
  hebrew: 'iso-8859-8',
  thai: 'iso-8859-11',
}

/** EUC encodings hold the two-byte sets with the high bits set; JIS X 0212 stands behind a single shift 8FH. */
const TWO_BYTE_ENCODINGS: { readonly [id in CodeSetId]?: { encoding: string; prefix: readonly number[] } } = {
  'jis-x-0208': { encoding: 'euc-jp', prefix: [] },
  'jis-x-0212': { encoding: 'euc-jp', prefix: [0x8f] },
  'ks-x-1001': { encoding: 'euc-kr', prefix: [] },
  'gb-2312': { encoding: 'gb2312', prefix: [] },
}

/** Stands for what cannot be decoded. */
export const REPLACEMENT = 0xfffd

/** Rows and columns of a two-byte set. */
const CELLS = 94

/** By code set: UTF-16 unit per byte (0-127, seven bits) or per cell of a two-byte set. All of them are in the BMP. */
const decoders = new Map<CodeSetId, Uint16Array>()
const encoders = new Map<CodeSetId, Map<number, number>>()

/**
 * Decoding table of a code set: index is the byte with its high bit cleared, or for two bytes (first - 21H) * 94 +
 * (second - 21H) after clearing the high bits. REPLACEMENT where the set has no character.
 */
export function decodingTable(id: CodeSetId): Uint16Array {
  const known = decoders.get(id)
  if (known !== undefined) return known
  const made = CODE_SETS[id].bytes === 2 ? twoByteTable(id) : oneByteTable(id)
  decoders.set(id, made)
  return made
}

function oneByteTable(id: CodeSetId): Uint16Array {
  const table = new Uint16Array(128).fill(REPLACEMENT)
  if (id === 'ascii' || id === 'jis-x-0201-romaji') {
    for (let byte = 0; byte < 128; byte++) table[byte] = byte
    if (id === 'jis-x-0201-romaji') {
      table[0x5c] = 0xa5 // yen sign
      table[0x7e] = 0x203e // overline
    }
    return table
  }
  if (id === 'jis-x-0201-katakana') {
    for (let byte = 0x21; byte <= 0x5f; byte++) table[byte] = 0xff61 + byte - 0x21
    return table
  }
  const encoding = SINGLE_BYTE_ENCODINGS[id]
  if (encoding === undefined) throw new TypeError(`no table for ${id}`)
  for (let byte = 0; byte < 128; byte++) {
    const text = iconv.decode(Buffer.from([byte | 0x80]), encoding)
    table[byte] = text.charCodeAt(0)
  }
  return table
}

function twoByteTable(id: CodeSetId): Uint16Array {
  const table = new Uint16Array(CELLS * CELLS).fill(REPLACEMENT)
  const source = TWO_BYTE_ENCODINGS[id]
  if (source === undefined) throw new TypeError(`no table for ${id}`)
  for (let first = 0; first < CELLS; first++) {
    for (let second = 0; second < CELLS; second++) {
      const text = iconv.decode(Buffer.from([...source.prefix, first + 0xa1, second + 0xa1]), source.encoding)
      if (text.length === 1) table[first * CELLS + second] = text.charCodeAt(0)
    }
  }
  return table
}

/** Characters that national tables and Unicode's own mapping of JIS X 0208 write differently; all are encodable. */
const JIS_ALIASES: readonly (readonly [number, number])[] = [
  [0x301c, 0xff5e],
  [0x2016, 0x2225],
  [0x2212, 0xff0d],
  [0x2014, 0x2015],
]

/** The reverse of decodingTable: UTF-16 unit to index. */
export function encodingTable(id: CodeSetId): Map<number, number> {
  const known = encoders.get(id)
  if (known !== undefined) return known
  const made = new Map<number, number>()
  decodingTable(id).forEach((unit, index) => {
    if (unit !== REPLACEMENT && !made.has(unit)) made.set(unit, index)
  })
  if (id === 'jis-x-0208') {
    for (const [a, b] of JIS_ALIASES) {
      const index = made.get(a) ?? made.get(b)
      if (index !== undefined) made.set(a, index).set(b, index)
    }
  }
  encoders.set(id, made)
  return made
}

/** Bytes of a character of a set in the half where DICOM uses it; undefined when the set lacks it. */
export function encodeUnit(set: CodeSet, unit: number): readonly number[] | undefined {
  const index = encodingTable(set.id).get(unit)
  if (index === undefined) return undefined
  const high = set.half === 'G1' ? 0x80 : 0
  if (set.bytes === 1) return [index | high]
  return [Math.floor(index / CELLS) + (0x21 | high), (index % CELLS) + (0x21 | high)]
}
