import { memorySource } from '../../byte-source.ts'
import { readJpegHeader } from '../../media/jpeg.ts'
import type { PdfPage } from '../../media/pdf-of-images.ts'
import { readFrame } from '../../pixels/frame-bytes.ts'
import type { FrameFormat } from '../../pixels/frame-format.ts'
import { type DecodeFrame, nativeFrame, type Pictures, picturesOf, renderFrame } from '../../pixels/render-frame.ts'
import { type DataSet, numbers } from '../data-set.ts'
import type { Part10 } from '../open.ts'
import { ConversionError } from './conversion-error.ts'
import { JPEG_BASELINE, JPEG_EXTENDED, photometricOf } from './photograph.ts'

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
  { dataSet, decode = noDecoder }: { dataSet?: DataSet; decode?: DecodeFrame } = {},
): AsyncGenerator<PdfPage> {
  const pictures = picturesOf(part10, dataSet)
  if (pictures === null) throw new ConversionError('conversion.type', 'the object has no frames that could be pages')
  const { table } = pictures
  if (table.count > FRAMES_MAX) throw new ConversionError('conversion.limit', `more than ${FRAMES_MAX} frames`)
  const size = sizeOf(pictures.dataSet, pictures.format)
  for (let frame = 1; frame <= table.count; frame++) yield { ...(await pageOf(pictures, frame, decode)), ...size }
}

async function pageOf(pictures: Pictures, frame: number, decode: DecodeFrame): Promise<PdfPage> {
  const { table, format, transferSyntaxUid: uid, dataSet } = pictures
  if (uid === JPEG_BASELINE || uid === JPEG_EXTENDED) {
    const jpeg = readFrame(table, frame, dataSet.source)
    const page = jpeg === undefined ? null : jpegPage(jpeg, format)
    if (page !== null) return page
  }
  if (format.bitsAllocated === 1 && format.samples === 1 && /^MONOCHROME[12]$/.test(format.photometric)) {
    const native = await nativeFrame(pictures, frame, decode)
    if (native.format.bitsAllocated === 1) return bitPage(native.bytes, format)
  }
  const { columns, rows, channels, pixels } = await renderFrame(pictures, frame, decode, { overlays: false })
  return {
    kind: 'pixels',
    columns,
    rows,
    samples: channels,
    bits: 8,
    pixels,
    ...(channels === 1 ? { inverted: false } : {}),
  }
}

const noDecoder: DecodeFrame = async (_, uid) => {
  throw new ConversionError('conversion.unsupported', `no decoder for transfer syntax ${uid}`)
}

/** DICOM packs pixels one after the other, lowest bit first; a PDF begins rows with a byte, highest bit first. */
function bitPage(bytes: Uint8Array, { rows, columns, photometric }: FrameFormat): PdfPage {
  if (bytes.length < (rows * columns) / 8) throw new ConversionError('conversion.malformed', 'too few pixels')
  const rowBytes = Math.ceil(columns / 8)
  const pixels = new Uint8Array(rowBytes * rows)
  for (let row = 0, bit = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, bit++) {
      if ((((bytes[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 0) continue
      const at = row * rowBytes + (column >>> 3)
      pixels[at] = (pixels[at] ?? 0) | (0x80 >>> (column & 7))
    }
  }
  return { kind: 'pixels', columns, rows, samples: 1, bits: 1, inverted: photometric === 'MONOCHROME1', pixels }
}

/** A JPEG that a PDF reader shows by itself: 8 bits, one or three components. */
function jpegPage(jpeg: Uint8Array, { photometric }: FrameFormat): PdfPage | null {
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
function sizeOf(dataSet: DataSet, { rows, columns }: FrameFormat): { widthMm?: number; heightMm?: number } {
  for (const tag of PIXEL_SPACINGS) {
    const [down = 0, across = 0] = numbers(dataSet, tag)
    if (down > 0 && across > 0) return { widthMm: across * columns, heightMm: down * rows }
  }
  return {}
}
