/** Words of the verdict. threats.md section 0; worst first wins: reject, quarantine, sanitise, accept. */
export type VerdictWord = 'accept' | 'sanitise' | 'quarantine' | 'reject'

/** One thing screening, reconciliation or placement noticed, with the rule that says so. */
export interface Finding {
  /** Rule id: the row of the threat catalogue (`P2`, `M9`, `B11`, `D1`, `TIFF-3`), or a word (`conflict`). */
  readonly rule: string
  readonly severity: 'info' | 'warning' | 'sanitise' | 'quarantine' | 'reject' | 'alert'
  readonly detail: string
  /** Zero-based byte offset in the file as it arrived. */
  readonly offset: number | null
  /** Eight uppercase hexadecimal digits, or a path of them joined by `.`. */
  readonly tag: string | null
}

/** Zero-based byte offsets in the file as it arrived; `start` included, `end` excluded. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** Bytes that take the place of as many others, `at` a zero-based offset in the file as it arrived. */
export interface ByteRewrite {
  readonly at: number
  readonly bytes: Uint8Array
}

/** What the virus scanner said of one arrival. Contract: `scan` of provenance. */
export interface ScanReport {
  readonly status: 'clean' | 'infected' | 'not-scanned' | 'partly' | 'pending'
  readonly engine: string | null
  /** Version and date of the signature data base, as the scanner names them. */
  readonly signatures: string | null
  /** How much was looked at: pieces and bytes, and what was left out and why. */
  readonly coverage: string | null
}

/** Compiles only while every variant has been handled. */
export function never(value: never): never {
  throw new TypeError(`unhandled variant: ${JSON.stringify(value)}`)
}
