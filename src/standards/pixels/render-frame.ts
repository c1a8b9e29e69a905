import { inflateRawSync } from 'node:zlib'
import { type DataSet, readDataSet } from '../dicom/data-set.ts'
import { DicomError } from '../dicom/errors.ts'
import { type FrameTable, frameTable } from '../dicom/frames.ts'
import type { Part10 } from '../dicom/open.ts'
import { type PixelElement, pixelElement } from '../dicom/pixel-element.ts'
import { decodeRle } from '../dicom/rle.ts'
import { RLE_LOSSLESS } from '../dicom/transfer-syntax.ts'
import { paletteColours, paletteOf, trueColours } from './colour.ts'
import { readFrame } from './frame-bytes.ts'
import { type FrameFormat, frameFormatOf } from './frame-format.ts'
import { greyOf } from './grey.ts'
import { type GreyTransform, greyTransformOf } from './grey-transform.ts'
import { drawOverlays, overlayPlanes } from './overlay-planes.ts'
import type { Raster } from './raster.ts'
import { storedValues } from './stored-values.ts'

const ENCAPSULATED_UNCOMPRESSED = '1.2.840.10008.1.2.1.98'
const DEFLATED_FRAMES = '1.2.840.10008.1.2.8.1'

/** Decodes a frame of a codec that is not read here, to samples in little endian. */
export type DecodeFrame = (
  frame: Uint8Array,
  transferSyntaxUid: string,
  format: FrameFormat,
) => Promise<{ readonly pixels: Uint8Array; readonly photometric: string; readonly planar: boolean }>

/** An object whose frames can be seen. */
export interface Pictures {
  readonly dataSet: DataSet
  readonly pixel: PixelElement
  readonly table: FrameTable
  readonly format: FrameFormat
  readonly transferSyntaxUid: string
}

/** @returns null for an object without frames that are pictures: no pixels, or a video stream */
export function picturesOf(part10: Part10, dataSet = readDataSet(part10.dataSet, part10.encoding)): Pictures | null {
  const pixel = pixelElement(dataSet)
  const table = pixel === null ? null : frameTable(pixel, part10.transferSyntax, dataSet.source)
  if (pixel === null || table === null || part10.transferSyntax.multiFrameVideo) return null
  const format = frameFormatOf(dataSet, pixel)
  return { dataSet, pixel, table, format, transferSyntaxUid: part10.transferSyntax.uid }
}

/** One frame, native and little endian, with how its samples stand now. */
export interface NativeFrame {
  readonly bytes: Uint8Array
  readonly format: FrameFormat
}

/**
 * @param frame from 1
 * @throws DicomError `dicom.malformed` when the frame's bytes are not there, `dicom.limit` above 64 MiB; what `decode` throws
 */
export async function nativeFrame(pictures: Pictures, frame: number, decode: DecodeFrame): Promise<NativeFrame> {
  const { table, format, transferSyntaxUid } = pictures
  const bytes = readFrame(table, frame, pictures.dataSet.source)
  if (bytes === undefined) {
    throw new DicomError('dicom.malformed', 'frame', `the bytes of frame ${frame} cannot be told`, 0)
  }
  return table.kind === 'native' ? { bytes, format } : decodedFrame(bytes, transferSyntaxUid, format, decode)
}

/** Decodes a compressed frame. @throws what `decode` throws, DicomError for broken RLE */
export async function decodedFrame(
  bytes: Uint8Array,
  transferSyntaxUid: string,
  format: FrameFormat,
  decode: DecodeFrame,
): Promise<NativeFrame> {
  if (transferSyntaxUid === ENCAPSULATED_UNCOMPRESSED) return { bytes, format }
  if (transferSyntaxUid === DEFLATED_FRAMES) return { bytes: inflated(bytes, format), format }
  if (transferSyntaxUid === RLE_LOSSLESS) {
    const { rows, columns, samples, bitsAllocated } = format
    const pixels = decodeRle(bytes, rows * columns, samples, bitsAllocated / 8)
    return { bytes: pixels, format: { ...format, planar: false } }
  }
  // Codecs know no packed bits: each leaves a byte of its own.
  const unpacked = format.bitsAllocated === 1 ? { ...format, bitsAllocated: 8 } : format
  const { pixels, photometric, planar } = await decode(bytes, transferSyntaxUid, unpacked)
  return { bytes: pixels, format: { ...unpacked, photometric, planar } }
}

/** At most what the attributes say, and the byte that makes a length even. PS3.5 section A.4.14. */
function inflated(bytes: Uint8Array, { rows, columns, samples, bitsAllocated }: FrameFormat): Uint8Array {
  const most = Math.ceil((rows * columns * samples * bitsAllocated) / 8) + 1
  try {
    return inflateRawSync(bytes, { maxOutputLength: most })
  } catch {
    throw new DicomError('dicom.malformed', 'deflate', 'a frame that does not inflate to its pixels', 0)
  }
}

export interface RenderOptions {
  /** Instead of what the object says. Has no meaning for colours. */
  readonly transform?: Partial<GreyTransform>
  /** Overlays of the object are drawn; default true. */
  readonly overlays?: boolean
}

/**
 * One frame as a picture: decoded, through the modality's and the display's transformations, with its overlays.
 * @param frame from 1
 */
export async function renderFrame(
  pictures: Pictures,
  frame: number,
  decode: DecodeFrame,
  options: RenderOptions = {},
): Promise<Raster> {
  return renderNative(await nativeFrame(pictures, frame, decode), pictures.dataSet, frame, options)
}

/** The same of a frame that is decoded already. @param dataSet what describes it; its pixels need not be there */
export function renderNative(
  { bytes, format }: NativeFrame,
  dataSet: DataSet,
  frame: number,
  { transform = {}, overlays = true }: RenderOptions = {},
): Raster {
  const raster = rasterOf(bytes, format, dataSet, frame, transform)
  if (overlays) drawOverlays(raster, overlayPlanes(dataSet, frame))
  return raster
}

function rasterOf(
  bytes: Uint8Array,
  format: FrameFormat,
  dataSet: DataSet,
  frame: number,
  transform: Partial<GreyTransform>,
): Raster {
  const { rows, columns, photometric } = format
  if (format.samples > 1) return { rows, columns, channels: 3, pixels: trueColours(bytes, format) }
  const values = storedValues(bytes, format)
  const palette = photometric === 'PALETTE COLOR' ? paletteOf(dataSet) : null
  if (palette !== null) return { rows, columns, channels: 3, pixels: paletteColours(values, palette) }
  const stated = greyTransformOf(dataSet, frame, photometric)
  // Eight bits without a window are shown as they are: a picture of a screen is not stretched.
  const plain = stated.voi.is === 'range' && !format.signed && !format.float && format.bitsStored <= 8
  const full = { is: 'window', window: plainWindow(format, stated) } as const
  const pixels = greyOf(values, format, { ...stated, ...(plain ? { voi: full } : {}), ...transform })
  return { rows, columns, channels: 1, pixels }
}

function plainWindow({ bitsStored }: FrameFormat, { modality }: GreyTransform) {
  const [slope, intercept] = modality.is === 'rescale' ? [modality.slope, modality.intercept] : [1, 0]
  const top = modality.is === 'rescale' ? 2 ** bitsStored - 1 : 2 ** modality.table.bits - 1
  const width = Math.abs(top * slope)
  return { center: intercept + (top * slope) / 2, width, function: 'linear-exact' } as const
}
