/** Limits of threats.md E2. */
export interface ZipLimits {
  readonly entries: number
  /** Unpacked bytes per packed byte, looked at once `ratioAfterBytes` came out. */
  readonly ratio: number
  readonly ratioAfterBytes: number
  /** Unpacked bytes of all members together. */
  readonly totalBytes: number
  readonly memberBytes: number
}

export const ZIP_LIMITS: ZipLimits = {
  entries: 100_000,
  ratio: 200,
  ratioAfterBytes: 1024 * 1024,
  totalBytes: 1024 ** 4,
  memberBytes: 8 * 1024 ** 3,
}

/** Archives within archives that are opened. threats.md E2. */
export const ZIP_NESTING_MAX = 2

/** A ZIP that is not taken: the reason, in the words of threats.md E2, and where in the file. */
export class ZipError extends Error {
  override readonly name = 'ZipError'
  readonly rule = 'E2'
  readonly reason: 'not-a-zip' | 'damaged' | 'entries' | 'ratio' | 'size' | 'overlap' | 'encrypted' | 'method' | 'crc'
  /** Zero-based offset in the archive, in bytes. */
  readonly offset: number

  constructor(reason: ZipError['reason'], detail: string, offset: number) {
    super(detail)
    this.reason = reason
    this.offset = offset
  }
}
