import type { ByteRange, ByteRewrite, Finding, ScanReport, VerdictWord } from '#model/finding.ts'
import type { Part10 } from '#standards/dicom/open.ts'

/** Who an instance says it is, as text without padding; null where the element is absent or empty. */
export interface Identity {
  readonly sopClassUID: string | null
  readonly sopInstanceUID: string | null
  readonly studyInstanceUID: string | null
  readonly seriesInstanceUID: string | null
  readonly patient: {
    /** (0010,0010) in the object's character set, component groups joined by `=`: for the quarantine list only. */
    readonly name: string | null
    readonly id: string | null
    readonly issuer: string | null
    readonly birthDate: string | null
  }
}

/** What screening says of one arrival. Worst finding wins; nothing has been changed or stored yet. */
export interface Screened {
  /** `skip`: not an object of the archive (contract.md, import). */
  readonly verdict: VerdictWord | 'skip'
  readonly findings: readonly Finding[]
  /** Ranges of the file as it arrived that must not be kept: trailing bytes, padding, stripped elements. Ascending, disjoint. */
  readonly remove: readonly ByteRange[]
  /** Lengths around what is removed, as they are then. Ascending, disjoint. */
  readonly rewrite: readonly ByteRewrite[]
  /** True when the preamble is the header of a TIFF that passed every rule of threats.md section 2. */
  readonly keepPreamble: boolean
  readonly scan: ScanReport
  readonly part10: Part10 | null
  readonly identity: Identity | null
  /** True when data elements (not only the wrapper or trailing bytes) are in `remove`: warning B006. */
  readonly elementsDiscarded: boolean
  /** True when the verdict is a quarantine that only waits for a scanner or a retry: threats.md G2. */
  readonly pending: boolean
  /** One sentence for a person. */
  readonly reason: string
  /** First 128 bytes, hexadecimal: threats.md G4. */
  readonly preambleHex: string
  /** Version of the rules that judged: rules.ts. */
  readonly rulesVersion: number
}

/** A finding before policy was applied. */
export interface Draft extends Finding {
  /** True when a policy may make it stricter but never milder, e.g. an executable signature in trailing bytes. */
  readonly firm?: boolean
  /** What sanitising this finding would remove. */
  readonly remove?: ByteRange
  /** Lengths around everything this rule removes, as they are then. On one of its findings, for all of them. */
  readonly rewrite?: readonly ByteRewrite[]
  /** True when `remove` covers data elements. */
  readonly removesElements?: boolean
}
