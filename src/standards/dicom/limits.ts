/** Bounds on what one object may ask of a reader. Defaults of threats.md section 4. */
export interface DicomLimits {
  /** Sequences within sequences. */
  readonly depth: number
  /** Data elements in one data set, nested ones included. */
  readonly elements: number
  readonly itemsPerSequence: number
  /** Length of group 0002, in bytes. */
  readonly metaBytesMax: number
  /** Inflated bytes per deflated byte, counted after the first `inflateRatioAfterBytes` of output. */
  readonly inflateRatio: number
  readonly inflateRatioAfterBytes: number
  readonly inflatedBytesMax: number
  /** Longest time one pass over an object may take, in milliseconds. */
  readonly timeMs: number
}

export const DEFAULT_LIMITS: DicomLimits = {
  depth: 64,
  elements: 5_000_000,
  itemsPerSequence: 1_000_000,
  metaBytesMax: 1024 * 1024,
  inflateRatio: 200,
  inflateRatioAfterBytes: 1024 * 1024,
  inflatedBytesMax: 4 * 1024 ** 3,
  timeMs: 60_000,
}
