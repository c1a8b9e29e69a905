/** Length of the File Preamble, in bytes. PS3.10 section 7.1; the 2019 article's 192 is a slip. */
export const PREAMBLE_BYTES = 128

/** What a File Preamble holds. A fact about bytes, not yet a judgement. */
export type Preamble =
  | { readonly kind: 'zero' }
  | {
      readonly kind: 'tiff'
      readonly byteOrder: 'II' | 'MM'
      readonly big: boolean
      readonly firstIfdOffset: number
    }
  | { readonly kind: 'other' }

/**
 * Says what the File Preamble holds.
 *
 * `tiff` is only what the first bytes claim. Whether a TIFF is really there is decided by screening, which walks
 * the IFD chain. A BigTIFF header must have offset size 8 and reserved 0, else it is `other`.
 *
 * @param preamble exactly 128 bytes, file offsets 0 to 127 (zero-based)
 * @returns for `tiff`, `firstIfdOffset` in bytes from the start of the file; above 2^53 it is no longer exact
 * @throws RangeError when not given 128 bytes: a mistake of the caller, never of the file
 * @see PS3.10 sections 7.1 and 7.5; TIFF 6.0 "Image File Header"
 */
export function readPreamble(preamble: Uint8Array): Preamble {
  if (preamble.byteLength !== PREAMBLE_BYTES) {
    throw new RangeError(`a preamble has 128 bytes, not ${preamble.byteLength}`)
  }
  if (isZero(preamble)) return { kind: 'zero' }

  const view = new DataView(preamble.buffer, preamble.byteOffset, PREAMBLE_BYTES)
  const mark = view.getUint32(0) // big-endian, so the constants read as the bytes stand in the file
  if (mark === 0x49492a00) {
    return { kind: 'tiff', byteOrder: 'II', big: false, firstIfdOffset: view.getUint32(4, true) }
  }
  if (mark === 0x4d4d002a) {
    return { kind: 'tiff', byteOrder: 'MM', big: false, firstIfdOffset: view.getUint32(4, false) }
  }
  if (mark === 0x49492b00 && view.getUint32(4) === 0x08000000) {
    return { kind: 'tiff', byteOrder: 'II', big: true, firstIfdOffset: Number(view.getBigUint64(8, true)) }
  }
  if (mark === 0x4d4d002b && view.getUint32(4) === 0x00080000) {
    return { kind: 'tiff', byteOrder: 'MM', big: true, firstIfdOffset: Number(view.getBigUint64(8, false)) }
  }
  return { kind: 'other' }
}

/** True when every byte is zero. */
export function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false
  return true
}
