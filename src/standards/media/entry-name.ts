/** Why a name from an archive or a medium must never be used as a path. threats.md E1. */
export type NameProblem =
  | 'empty'
  | 'absolute'
  | 'parent'
  | 'backslash'
  | 'drive'
  | 'reserved'
  | 'control'
  | 'bidi'
  | 'not-utf8'
  | 'long'

export interface EntryName {
  /** For people and records: `/` as separator, bytes that are not UTF-8 percent-encoded. */
  readonly label: string
  readonly problems: readonly NameProblem[]
}

const NAME_BYTES_MAX = 1024
/** Device names of Windows, with or without an extension. */
const reserved = new Set([
  'con',
  'prn',
  'aux',
  'nul',
  ...Array.from({ length: 9 }, (_, i) => `com${i + 1}`),
  ...Array.from({ length: 9 }, (_, i) => `lpt${i + 1}`),
])

/** Reads the bytes of a name as a label and says what is wrong with it as a path. */
export function readEntryName(bytes: Uint8Array): EntryName {
  const problems = new Set<NameProblem>()
  if (bytes.byteLength > NAME_BYTES_MAX) problems.add('long')
  const label = labelOf(bytes.subarray(0, NAME_BYTES_MAX), problems)
  if (label === '') problems.add('empty')
  if (label.startsWith('/') || label.startsWith('\\')) problems.add('absolute')
  if (label.includes('\\')) problems.add('backslash')
  if (label.length > 1 && label[1] === ':' && isLetter(label.charCodeAt(0))) problems.add('drive')
  for (const part of label.split(/[/\\]/)) {
    if (part === '..') problems.add('parent')
    const stem = part.split('.')[0]?.trim().toLowerCase() ?? ''
    if (reserved.has(stem)) problems.add('reserved')
  }
  for (let i = 0; i < label.length; i++) {
    const code = label.charCodeAt(i)
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) problems.add('control')
    else if (
      (code >= 0x202a && code <= 0x202e) ||
      (code >= 0x2066 && code <= 0x2069) ||
      code === 0x200e ||
      code === 0x200f
    ) {
      problems.add('bidi')
    }
  }
  return { label, problems: [...problems] }
}

function isLetter(code: number): boolean {
  return (code >= 65 && code <= 90) || (code >= 97 && code <= 122)
}

/** UTF-8 where it is; every byte that is not part of it as %XX. */
function labelOf(bytes: Uint8Array, problems: Set<NameProblem>): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown
  }
  problems.add('not-utf8')
  let label = ''
  let at = 0
  while (at < bytes.byteLength) {
    const length = sequenceLength(bytes, at)
    if (length === 0) {
      label += `%${(bytes[at] as number).toString(16).toUpperCase().padStart(2, '0')}`
      at++
    } else {
      label += new TextDecoder().decode(bytes.subarray(at, at + length))
      at += length
    }
  }
  return label
}

/** Length of the well-formed UTF-8 sequence at `at`; 0 when there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number
  const length =
    first < 0x80
      ? 1
      : first >= 0xc2 && first < 0xe0
        ? 2
        : first >= 0xe0 && first < 0xf0
          ? 3
          : first >= 0xf0 && first < 0xf5
            ? 4
            : 0
  if (length === 0 || at + length > bytes.byteLength) return 0
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(at, at + length))
    return length
  } catch (thrown) {
    if (thrown instanceof TypeError) return 0
    throw thrown
  }
}
