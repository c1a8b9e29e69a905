import type { DataSet } from '../dicom/data-set.ts'
import { DicomError } from '../dicom/errors.ts'
import type { FrameFormat } from './frame-format.ts'
import { type Lookup, lookUp, lookupOf } from './lookup.ts'
import { type StoredValues, storedValues } from './stored-values.ts'

/** Red, green, blue. PS3.3 section C.7.9. */
export type Palette = readonly [Lookup, Lookup, Lookup]

/** Colours of a palette object; null when one of the three is missing, or only segmented ones are there. */
export function paletteOf(dataSet: DataSet): Palette | null {
  const signed = false // indices are unsigned
  const [red, green, blue] = [1, 2, 3].map((n) => lookupOf(dataSet, 0x00281100 + n, 0x00281200 + n, signed))
  return red && green && blue ? [red, green, blue] : null
}

/** 8-bit RGB, interleaved, of palette indices. */
export function paletteColours(values: StoredValues, palette: Palette): Uint8Array {
  const out = new Uint8Array(values.length * 3)
  for (const [sample, table] of palette.entries()) {
    const shift = table.bits > 8 ? table.bits - 8 : 0
    for (let i = 0; i < values.length; i++) out[3 * i + sample] = lookUp(table, values[i] ?? 0) >>> shift
  }
  return out
}

/**
 * 8-bit RGB, interleaved, of a colour frame.
 * @param bytes native, little endian
 * @throws DicomError `dicom.malformed` for too few bytes or a Photometric Interpretation that is no colour known here
 */
export function trueColours(bytes: Uint8Array, format: FrameFormat): Uint8Array {
  const { rows, columns, photometric, planar } = format
  const count = rows * columns
  const half = photometric === 'YBR_FULL_422' || photometric === 'YBR_PARTIAL_422'
  // Pairs of pixels share their chrominance: two samples a pixel in the mean. PS3.3 section C.7.6.3.1.2.
  const values = eightBits(storedValues(bytes, half ? { ...format, samples: 2 } : format), format)
  const convert = CONVERSIONS[photometric]
  if (convert === undefined || format.samples !== 3) {
    const detail = `${format.samples} samples in ${photometric || 'no Photometric Interpretation'}`
    throw new DicomError('dicom.malformed', 'photometric', detail, 0)
  }
  if (convert === 'none' && !planar) return values
  const out = new Uint8Array(count * 3)
  for (let i = 0; i < count; i++) {
    const at = half ? (i >>> 1) * 4 : planar ? i : 3 * i
    const step = planar ? count : 1
    const y = values[half ? at + (i & 1) : at] ?? 0
    const b = values[half ? at + 2 : at + step] ?? 0
    const r = values[half ? at + 3 : at + 2 * step] ?? 0
    if (convert === 'none') {
      out[3 * i] = y
      out[3 * i + 1] = b
      out[3 * i + 2] = r
      continue
    }
    const luma = convert === 'partial' ? (y - 16) * (255 / 219) : y
    const scale = convert === 'partial' ? 255 / 224 : 1
    const [cb, cr] = [(b - 128) * scale, (r - 128) * scale]
    out[3 * i] = byte(luma + 1.402 * cr)
    out[3 * i + 1] = byte(luma - 0.344136 * cb - 0.714136 * cr)
    out[3 * i + 2] = byte(luma + 1.772 * cb)
  }
  return out
}

/** PS3.3 section C.7.6.3.1.2. What the wavelets transformed is RGB once decoded. */
const CONVERSIONS: { readonly [photometric: string]: 'none' | 'full' | 'partial' } = {
  RGB: 'none',
  YBR_ICT: 'none',
  YBR_RCT: 'none',
  YBR_FULL: 'full',
  YBR_FULL_422: 'full',
  YBR_PARTIAL_422: 'partial',
  YBR_PARTIAL_420: 'partial',
}

function eightBits(values: StoredValues, { bitsStored }: FrameFormat): Uint8Array {
  if (values instanceof Uint8Array && bitsStored === 8) return values
  const out = new Uint8Array(values.length)
  const white = 2 ** bitsStored - 1
  for (let i = 0; i < values.length; i++) out[i] = Math.round(((values[i] ?? 0) * 255) / white)
  return out
}

function byte(value: number): number {
  return value <= 0 ? 0 : value >= 255 ? 255 : Math.round(value)
}
