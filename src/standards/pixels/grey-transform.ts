import { type DataSet, number, numbers, sequence, strings } from '../dicom/data-set.ts'
import { groupItem } from './functional-groups.ts'
import { isSigned, type Lookup, lookupOf } from './lookup.ts'

/** A window, in values after the modality's transformation. PS3.3 section C.11.2.1.2. */
export interface Window {
  readonly center: number
  readonly width: number
  readonly function: 'linear' | 'linear-exact' | 'sigmoid'
}

/** From stored values to values with a meaning. PS3.3 section C.11.1. */
export type Modality =
  | { readonly is: 'rescale'; readonly slope: number; readonly intercept: number }
  | { readonly is: 'table'; readonly table: Lookup }

/** From values with a meaning to grey. PS3.3 section C.11.2. `range`: the least value black, the greatest white. */
export type Voi =
  | { readonly is: 'window'; readonly window: Window }
  | { readonly is: 'table'; readonly table: Lookup }
  | { readonly is: 'range' }

/** What makes grey of one frame's stored values. */
export interface GreyTransform {
  readonly modality: Modality
  readonly voi: Voi
  /** The least value is white: MONOCHROME1. */
  readonly inverse: boolean
  /** Stored values that are no measurement, both ends included; they do not count for a range. PS3.3 C.7.5.1.1.2. */
  readonly padding: { readonly from: number; readonly to: number } | null
}

const MODALITY_LUTS = 0x00283000
const VOI_LUTS = 0x00283010
const PIXEL_VALUE_TRANSFORMATION = 0x00289145
const FRAME_VOI = 0x00289132
const LUT_DESCRIPTOR = 0x00283002
const LUT_DATA = 0x00283006

/**
 * What an object says about the grey of a frame, from its functional groups or its top level.
 * @param frame from 1
 */
export function greyTransformOf(dataSet: DataSet, frame: number, photometric: string): GreyTransform {
  const modality = modalityOf(groupItem(dataSet, frame, PIXEL_VALUE_TRANSFORMATION) ?? dataSet, isSigned(dataSet))
  const voi = voiOf(groupItem(dataSet, frame, FRAME_VOI) ?? dataSet, canBeNegative(modality, isSigned(dataSet)))
  const padding = number(dataSet, 0x00280120)
  const limit = number(dataSet, 0x00280121) ?? padding
  return {
    modality,
    voi: voi ?? { is: 'range' },
    inverse: photometric === 'MONOCHROME1',
    padding:
      padding === null || limit === null ? null : { from: Math.min(padding, limit), to: Math.max(padding, limit) },
  }
}

/** The modality's transformation that an item states: that of an image, a functional group or a presentation state. */
export function modalityOf(item: DataSet, signed: boolean): Modality {
  const [lut] = sequence(item, MODALITY_LUTS)
  const table = lut === undefined ? null : lookupOf(lut, LUT_DESCRIPTOR, LUT_DATA, signed)
  if (table !== null) return { is: 'table', table }
  const slope = number(item, 0x00281053)
  return { is: 'rescale', slope: slope || 1, intercept: number(item, 0x00281052) ?? 0 }
}

/** The first VOI LUT an item states, else its first window; null when it states none. */
export function voiOf(item: DataSet, signed: boolean): Voi | null {
  for (const lut of sequence(item, VOI_LUTS)) {
    const table = lookupOf(lut, LUT_DESCRIPTOR, LUT_DATA, signed)
    if (table !== null) return { is: 'table', table }
  }
  const [center] = numbers(item, 0x00281050)
  const [width] = numbers(item, 0x00281051)
  if (center === undefined || width === undefined || !Number.isFinite(center) || !(width > 0)) return null
  const [stated] = strings(item, 0x00281056)
  const shape = stated === 'SIGMOID' ? 'sigmoid' : stated === 'LINEAR_EXACT' ? 'linear-exact' : 'linear'
  // A width below 1 has no meaning for LINEAR, and floats are windowed exactly. PS3.3 section C.11.2.1.2.1.
  return { is: 'window', window: { center, width, function: shape === 'linear' && width < 1 ? 'linear-exact' : shape } }
}

export function canBeNegative(modality: Modality, signed: boolean): boolean {
  return modality.is === 'rescale' && (signed || modality.intercept < 0 || modality.slope < 0)
}
