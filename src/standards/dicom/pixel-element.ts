import type { DataSet, Element } from './data-set.ts'
import { number, string } from './data-set.ts'

export const PIXEL_DATA = 0x7fe00010
export const FLOAT_PIXEL_DATA = 0x7fe00008
export const DOUBLE_FLOAT_PIXEL_DATA = 0x7fe00009
export const EXTENDED_OFFSET_TABLE = 0x7fe00001
export const EXTENDED_OFFSET_TABLE_LENGTHS = 0x7fe00002

/** Bytes of a value; offsets relative to the start of the data set. */
export interface ValueRange {
  readonly offset: number
  readonly length: number
}

/** What one frame is. PS3.3 section C.7.6.3. */
export interface PixelShape {
  /** (7FE0,0010), (7FE0,0008) or (7FE0,0009). */
  readonly tag: number
  readonly rows: number
  readonly columns: number
  readonly samplesPerPixel: number
  readonly bitsAllocated: number
  readonly photometricInterpretation: string
}

/** What the frames of an object can be found from: the pixel element and the attributes that describe it. */
export interface PixelElement extends PixelShape {
  readonly vr: string
  readonly valueOffset: number
  /** In bytes, of what is there; -1 when encapsulated. */
  readonly valueLength: number
  /** Encapsulated: without the Basic Offset Table. */
  readonly fragments: readonly ValueRange[] | null
  readonly basicOffsetTable: ValueRange | null
  readonly extendedOffsetTable: ValueRange | null
  readonly extendedOffsetTableLengths: ValueRange | null
  /** (0028,0008); 1 when absent. */
  readonly numberOfFrames: number
  readonly bigEndian: boolean
}

/** Finds the pixel element at the top of a data set; null when the object has none. */
export function pixelElement(dataSet: DataSet): PixelElement | null {
  const element =
    dataSet.get(PIXEL_DATA) ?? dataSet.get(FLOAT_PIXEL_DATA) ?? dataSet.get(DOUBLE_FLOAT_PIXEL_DATA) ?? null
  if (element === null || element.items !== undefined) return null
  const { tag, vr, valueOffset, valueLength, fragments } = element
  const [table] = fragments ?? []
  return {
    ...pixelShape(dataSet, tag),
    vr,
    valueOffset,
    valueLength,
    fragments: fragments?.slice(1) ?? null,
    basicOffsetTable: table ?? null,
    extendedOffsetTable: range(dataSet.get(EXTENDED_OFFSET_TABLE)),
    extendedOffsetTableLengths: range(dataSet.get(EXTENDED_OFFSET_TABLE_LENGTHS)),
    numberOfFrames: count(dataSet, 0x00280008, 1),
    bigEndian: dataSet.encoding.bigEndian,
  }
}

/** Reads what stands before the pixels; they themselves need not be there. @param tag of the pixel element */
export function pixelShape(dataSet: DataSet, tag: number): PixelShape {
  return {
    tag,
    rows: count(dataSet, 0x00280010, 0),
    columns: count(dataSet, 0x00280011, 0),
    samplesPerPixel: count(dataSet, 0x00280002, 1),
    bitsAllocated: count(dataSet, 0x00280100, tag === PIXEL_DATA ? 0 : tag === FLOAT_PIXEL_DATA ? 32 : 64),
    photometricInterpretation: string(dataSet, 0x00280004) ?? '',
  }
}

function range(element: Element | undefined): ValueRange | null {
  return element === undefined ? null : { offset: element.valueOffset, length: element.valueLength }
}

function count(dataSet: DataSet, tag: number, otherwise: number): number {
  const value = number(dataSet, tag)
  return value === null || !Number.isSafeInteger(value) || value < 0 ? otherwise : value
}
