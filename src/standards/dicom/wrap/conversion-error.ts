/**
 * Why an original gets no second face.
 *
 * - `conversion.type`: this kind of document is never converted, or is none that can be
 * - `conversion.malformed`: the bytes are not what their beginning says
 * - `conversion.unsupported`: well formed, but outside what the target format carries
 * - `conversion.limit`: longer, larger or deeper than is read here
 * - `conversion.value`: an attribute that was given has no place in DICOM (a backslash in an identifier, a bad date)
 */
export type ConversionErrorCode =
  | 'conversion.type'
  | 'conversion.malformed'
  | 'conversion.unsupported'
  | 'conversion.limit'
  | 'conversion.value'

/** A conversion that was refused. `reason` is a sentence for a person and holds nothing from a patient's record. */
export class ConversionError extends Error {
  override readonly name = 'ConversionError'
  readonly code: ConversionErrorCode
  readonly reason: string

  constructor(code: ConversionErrorCode, reason: string, options?: { cause?: unknown }) {
    super(`${code}: ${reason}`, options)
    this.code = code
    this.reason = reason
  }
}
