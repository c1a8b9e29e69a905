import { type DataSet, number } from '../dicom/data-set.ts'
import { PIXEL_DATA, type PixelShape } from '../dicom/pixel-element.ts'

/** How the samples of a frame are to be understood. PS3.3 section C.7.6.3.1. */
export interface FrameFormat {
  readonly rows: number
  readonly columns: number
  readonly samples: number
  /** 1, 8, 16 or 32; 32 or 64 for floats. */
  readonly bitsAllocated: number
  readonly bitsStored: number
  readonly highBit: number
  readonly signed: boolean
  /** (7FE0,0008) and (7FE0,0009) hold IEEE floats. PS3.3 sections C.7.6.24 and C.7.6.25. */
  readonly float: boolean
  readonly photometric: string
  /** Colour by plane. */
  readonly planar: boolean
}

/** Reads the format of an object's frames. What contradicts itself is read as the narrower statement. */
export function frameFormatOf(dataSet: DataSet, pixel: PixelShape): FrameFormat {
  const { rows, columns, samplesPerPixel: samples, bitsAllocated } = pixel
  const stored = number(dataSet, 0x00280101) ?? bitsAllocated
  const bitsStored = stored >= 1 && stored <= bitsAllocated ? stored : bitsAllocated
  const high = number(dataSet, 0x00280102) ?? bitsStored - 1
  return {
    ...{ rows, columns, samples, bitsAllocated, bitsStored },
    highBit: high >= bitsStored - 1 && high < bitsAllocated ? high : bitsStored - 1,
    signed: number(dataSet, 0x00280103) === 1,
    float: pixel.tag !== PIXEL_DATA,
    photometric: pixel.photometricInterpretation,
    planar: number(dataSet, 0x00280006) === 1,
  }
}
