import { memorySource, READ_BYTES_MAX } from '../../byte-source.ts'
import { readJpegHeader } from '../../media/jpeg.ts'
import type { PdfPage } from '../../media/pdf-of-images.ts'
import { type DataSet, number, numbers, readDataSet } from '../data-set.ts'
import { alignBits, frameRanges, frameTable } from '../frames.ts'
import type { Part10 } from '../open.ts'
import { type PixelElement, pixelElement } from '../pixel-element.ts'
import { decodeRle } from '../rle.ts'
import { RLE_LOSSLESS } from '../transfer-syntax.ts'
import { swapBytes } from '../value-representation.ts'
import { ConversionError } from './conversion-error.ts'
import { type PixelFormat, toPage } from './page-pixels.ts'
import { JPEG_BASELINE, JPEG_EXTENDED, photometricOf } from './photograph.ts'

/** Decodes a frame of a codec that is not read here. */
export type FrameDecoder = (
  frame: Uint8Array,
  transferSyntaxUid: string,
  format: PixelFormat,
) => Promise<{
  /** Little endian. */
  readonly pixels: Uint8Array
  readonly photometric: string
  /** Colour by plane. */
  readonly planar: boolean
}>

const ENCAPSULATED_UNCOMPRESSED = '1.2.840.10008.1.2.1.98'
const FRAMES_MAX = 10_000
const PIXEL_SPACINGS = [0x00280030, 0x00182010, 0x00181164] as const

/**
 * The frames of an image as pages for pdfOfImages: uncompressed, RLE and deflated ones decoded here, JPEG ones taken
 * over as they are, others by `decode`. Their size on paper comes from Pixel Spacing, Nominal Scanned Pixel Spacing or
 * Imager Pixel Spacing.
 *
 * @throws ConversionError `conversion.unsupported` for a codec nobody decodes, `conversion.malformed` for frames that
 *   are not there, `conversion.limit` above 10000 frames or 64 MiB a frame; DicomError for RLE that is broken
 */
export async function* pagesOf(
  part10: Part10,
  { dataSet = readDataSet(part10.dataSet, part10.encoding), decode }: { dataSet?: DataSet; decode?: FrameDecoder } = {},
): AsyncGenerator<PdfPage> {
  const pixel = pixelElement(dataSet)
  const table = pixel === null ? null : frameTable(pixel, part10.transferSyntax, dataSet.source)
  if (pixel === null || table === null || part10.transferSyntax.multiFrameVideo) {
    throw new ConversionError('conversion.type', 'the object has no frames that could be pages')
  }
  if (table.count > FRAMES_MAX) throw new ConversionError('conversion.limit', `more than ${FRAMES_MAX} frames`)
  const format = formatOf(dataSet, pixel)
  const size = sizeOf(dataSet, pixel)
  for (let frame = 1; frame <= table.count; frame++) {
    const where = frameRanges(table, frame)
    if (where === undefined) throw new ConversionError('conversion.malformed', `frame ${frame} is not there`)
    if (where.length > READ_BYTES_MAX) throw new ConversionError('conversion.limit', 'a frame above 64 MiB')
    let bytes = new Uint8Array(where.length)
    let at = 0
    for (const { start, end } of where.ranges) {
      bytes.set(dataSet.source.read(start, end), at)
      at += end - start
    }
    if (table.kind === 'native') {
      if (where.bitLength !== null) bytes = new Uint8Array(alignBits(bytes, where.bitOffset, where.bitLength))
      swapBytes(bytes, table.wordBytes)
      yield { ...toPage(bytes, format), ...size }
    } else yield { ...(await encapsulated(bytes, part10.transferSyntax.uid, format, decode)), ...size }
  }
}

async function encapsulated(
  bytes: Uint8Array,
  uid: string,
  format: PixelFormat,
  decode: FrameDecoder | undefined,
): Promise<PdfPage> {
  if (uid === JPEG_BASELINE || uid === JPEG_EXTENDED) {
    const page = jpegPage(bytes, format)
    if (page !== null) return page
  }
  const { rows, columns, samples, bitsAllocated } = format
  if (uid === RLE_LOSSLESS) {
    const pixels = decodeRle(bytes, rows * columns, samples, bitsAllocated / 8)
    return toPage(pixels, { ...format, planar: false })
  }
  if (uid === ENCAPSULATED_UNCOMPRESSED) return toPage(bytes, format)
  if (decode === undefined) throw new ConversionError('conversion.unsupported', `no decoder for transfer syntax ${uid}`)
  const decoded = await decode(bytes, uid, format)
  return toPage(decoded.pixels, { ...format, photometric: decoded.photometric, planar: decoded.planar })
}

/** A JPEG that a PDF reader shows by itself: 8 bits, one or three components. */
function jpegPage(jpeg: Uint8Array, { photometric }: PixelFormat): PdfPage | null {
  const header = readJpegHeader(memorySource(jpeg))
  if (header === null) throw new ConversionError('conversion.malformed', 'the frame is no JPEG')
  const { columns, rows, bitsPerSample, components, adobeTransform } = header
  const samples = components.length
  if (bitsPerSample !== 8 || (samples !== 1 && samples !== 3)) return null
  // Where the codestream itself says nothing, the object's Photometric Interpretation does.
  const rgb = header.jfif || adobeTransform !== null ? photometricOf(header) === 'RGB' : photometric === 'RGB'
  return {
    kind: 'jpeg',
    columns,
    rows,
    samples,
    jpeg,
    colourTransform: !(rgb && adobeTransform === null),
    inverted: photometric === 'MONOCHROME1',
  }
}

/** Rows by columns of the frame in millimetres, when a spacing between pixels is told. */
function sizeOf(dataSet: DataSet, { rows, columns }: PixelElement): { widthMm?: number; heightMm?: number } {
  for (const tag of PIXEL_SPACINGS) {
    const [down = 0, across = 0] = numbers(dataSet, tag)
    if (down > 0 && across > 0) return { widthMm: across * columns, heightMm: down * rows }
  }
  return {}
}

function formatOf(dataSet: DataSet, pixel: PixelElement): PixelFormat {
  const lut = (descriptor: number, data: number) => {
    const [entries = 0, first = 0, bits = 0] = numbers(dataSet, descriptor)
    const element = dataSet.get(data)
    if (element === undefined || element.valueLength <= 0 || element.valueLength > 1 << 20) return null
    const bytes = new Uint8Array(dataSet.source.read(element.valueOffset, element.valueOffset + element.valueLength))
    if (dataSet.encoding.bigEndian) swapBytes(bytes, 2)
    return { entries: entries === 0 ? 65_536 : entries, first, bits, bytes }
  }
  const red = lut(0x00281101, 0x00281201)
  const green = lut(0x00281102, 0x00281202)
  const blue = lut(0x00281103, 0x00281203)
  return {
    rows: pixel.rows,
    columns: pixel.columns,
    samples: pixel.samplesPerPixel,
    bitsAllocated: pixel.bitsAllocated,
    bitsStored: number(dataSet, 0x00280101) ?? pixel.bitsAllocated,
    signed: number(dataSet, 0x00280103) === 1,
    photometric: pixel.photometricInterpretation,
    planar: number(dataSet, 0x00280006) === 1,
    window: windowOf(dataSet),
    palette: red === null || green === null || blue === null ? null : [red, green, blue],
  }
}

/** Window in stored values, the rescale of the modality taken back. PS3.3 sections C.11.1 and C.11.2. */
function windowOf(dataSet: DataSet): PixelFormat['window'] {
  const center = number(dataSet, 0x00281050)
  const width = number(dataSet, 0x00281051)
  if (center === null || width === null || width < 1) return null
  const slope = number(dataSet, 0x00281053) || 1
  const intercept = number(dataSet, 0x00281052) ?? 0
  return { center: (center - intercept) / slope, width: width / Math.abs(slope) }
}
