// The value representations of PS3.5 Table 6.2-1, addressed by their two letters without making strings.

/** VRs whose explicit header has a 16-bit length. PS3.5 section 7.1.2. */
const SHORT = 'AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US'
/** VRs whose explicit header has two reserved bytes and a 32-bit length. */
const LONG = 'OB OD OF OL OV OW SQ SV UC UN UR UT UV'

const names: (string | undefined)[] = new Array(26 * 26).fill(undefined)
const long = new Uint8Array(26 * 26)
for (const vr of SHORT.split(' ')) names[slot(vr.charCodeAt(0), vr.charCodeAt(1))] = vr
for (const vr of LONG.split(' ')) {
  names[slot(vr.charCodeAt(0), vr.charCodeAt(1))] = vr
  long[slot(vr.charCodeAt(0), vr.charCodeAt(1))] = 1
}

function slot(first: number, second: number): number {
  return (first - 65) * 26 + (second - 65)
}

/** True for two capital letters, which is what a VR is made of. */
export function areVrLetters(first: number, second: number): boolean {
  return first >= 65 && first <= 90 && second >= 65 && second <= 90
}

/** The standard VR with these two character codes, or undefined. */
export function vrOfLetters(first: number, second: number): string | undefined {
  return areVrLetters(first, second) ? names[slot(first, second)] : undefined
}

/** True when the explicit header of a standard VR with these letters has the long form. */
export function isLongForm(first: number, second: number): boolean {
  return long[slot(first, second)] === 1
}

export function isStandardVr(vr: string): boolean {
  return vr.length === 2 && vrOfLetters(vr.charCodeAt(0), vr.charCodeAt(1)) !== undefined
}

/** True for a standard VR with the long explicit header. */
export function hasLongForm(vr: string): boolean {
  return (
    vr.length === 2 &&
    areVrLetters(vr.charCodeAt(0), vr.charCodeAt(1)) &&
    isLongForm(vr.charCodeAt(0), vr.charCodeAt(1))
  )
}

/** How the value of a VR is to be understood. */
export type ValueKind = 'text' | 'name' | 'ascii' | 'number' | 'decimal' | 'tag' | 'binary' | 'sequence'

const kinds: Readonly<Record<string, ValueKind>> = {
  AE: 'ascii',
  AS: 'ascii',
  AT: 'tag',
  CS: 'ascii',
  DA: 'ascii',
  DS: 'decimal',
  DT: 'ascii',
  FD: 'number',
  FL: 'number',
  IS: 'decimal',
  LO: 'text',
  LT: 'text',
  OB: 'binary',
  OD: 'binary',
  OF: 'binary',
  OL: 'binary',
  OV: 'binary',
  OW: 'binary',
  PN: 'name',
  SH: 'text',
  SL: 'number',
  SQ: 'sequence',
  SS: 'number',
  ST: 'text',
  SV: 'number',
  TM: 'ascii',
  UC: 'text',
  UI: 'ascii',
  UL: 'number',
  UN: 'binary',
  UR: 'ascii',
  US: 'number',
  UT: 'text',
  UV: 'number',
}

/** The kind of a VR; `binary` for letters nobody knows, so that they are never taken for text. */
export function kindOf(vr: string): ValueKind {
  return kinds[vr] ?? 'binary'
}

const units: Readonly<Record<string, number>> = {
  AT: 2,
  FD: 8,
  FL: 4,
  OD: 8,
  OF: 4,
  OL: 4,
  OV: 8,
  OW: 2,
  SL: 4,
  SS: 2,
  SV: 8,
  UL: 4,
  US: 2,
  UV: 8,
}

/** Bytes that a change of byte order reverses together: 1 when it changes nothing. PS3.5 section 7.3. */
export function swapUnit(vr: string): number {
  return units[vr] ?? 1
}

/** True for text of one value in which a backslash is only a character. PS3.5 section 6.2. */
export function isSingleText(vr: string): boolean {
  return vr === 'ST' || vr === 'LT' || vr === 'UT' || vr === 'UR'
}

/** Reverses the bytes of each unit, in place. Bytes behind the last whole unit stay. */
export function swapBytes(bytes: Uint8Array, unit: number): void {
  if (unit === 1) return
  for (let start = 0; start + unit <= bytes.length; start += unit) {
    for (let i = start, j = start + unit - 1; i < j; i++, j--) {
      const byte = bytes[i]!
      bytes[i] = bytes[j]!
      bytes[j] = byte
    }
  }
}
