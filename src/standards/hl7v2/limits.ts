/** Bounds on one message. threats.md section 4 and R20. */
export interface Hl7Limits {
  /** Bytes of a message, without its framing. */
  readonly messageBytes: number
  readonly segments: number
  /** Fields of one segment. */
  readonly fields: number
  /** Repetitions of one field; components of a repetition; subcomponents of a component. */
  readonly parts: number
  /** Escape sequences of one value, and Z-segments of one message. */
  readonly escapes: number
  readonly zSegments: number
  /** Characters of one Z-segment. */
  readonly zSegmentLength: number
}

export const DEFAULT_HL7_LIMITS: Hl7Limits = {
  messageBytes: 32 * 1024 * 1024,
  segments: 20_000,
  fields: 1000,
  parts: 1000,
  escapes: 1_000_000,
  zSegments: 100,
  zSegmentLength: 65_536,
}
