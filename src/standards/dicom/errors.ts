/** How a DICOM reader fails: the bytes are wrong, or they ask for more than a limit allows. */
export type DicomErrorCode = 'dicom.malformed' | 'dicom.limit'

/** Eight uppercase hexadecimal digits of a tag, as DICOM JSON writes them (PS3.18 section F.2.2). */
export function tagText(tag: number): string {
  return (tag >>> 0).toString(16).toUpperCase().padStart(8, '0')
}

/**
 * Bytes that cannot be read as DICOM. Always the fault of the bytes, never of the caller; says where.
 * `rule` is a row of the threat catalogue (`M4`, `R1`) where one applies, else a word (`sequence-depth`).
 */
export class DicomError extends Error {
  override readonly name = 'DicomError'
  readonly code: DicomErrorCode
  readonly rule: string
  /** Zero-based byte offset in the source that was being read. */
  readonly offset: number
  /** Eight uppercase hexadecimal digits, or null when no element is at fault. */
  readonly tag: string | null

  constructor(code: DicomErrorCode, rule: string, detail: string, offset: number, tag: number | string | null = null) {
    const name = typeof tag === 'number' ? tagText(tag) : tag
    super(`${rule}: ${detail} at byte ${offset}${name === null ? '' : `, element ${name}`}`)
    this.code = code
    this.rule = rule
    this.offset = offset
    this.tag = name
  }
}

/** Something a reader noticed and read past: a fact about bytes, which screening judges. */
export interface Problem {
  readonly rule: string
  readonly detail: string
  /** Zero-based byte offset in the source that was being read. */
  readonly offset: number
  readonly tag: string | null
}
