import codecs from 'dcmjs-codecs'
import { ConversionError } from '../dicom/wrap/conversion-error.ts'
import type { FrameFormat } from '../pixels/frame-format.ts'
import type { DecodeFrame } from '../pixels/render-frame.ts'

const { Context, NativeCodecs } = codecs

type Codec = 'decodeJpeg' | 'decodeJpegLs' | 'decodeJpeg2000' | 'decodeHtJpeg2000' | 'decodeJpegXl'

/** By the last components of the transfer syntax, behind 1.2.840.10008.1.2.4. */
const CODECS: { readonly [suffix: string]: Codec } = {
  '50': 'decodeJpeg',
  '51': 'decodeJpeg',
  '53': 'decodeJpeg',
  '55': 'decodeJpeg',
  '57': 'decodeJpeg',
  '70': 'decodeJpeg',
  '80': 'decodeJpegLs',
  '81': 'decodeJpegLs',
  '90': 'decodeJpeg2000',
  '91': 'decodeJpeg2000',
  '110': 'decodeJpegXl',
  '111': 'decodeJpegXl',
  '112': 'decodeJpegXl',
  '201': 'decodeHtJpeg2000',
  '202': 'decodeHtJpeg2000',
  '203': 'decodeHtJpeg2000',
}
const ROOT = '1.2.840.10008.1.2.4.'
/** Of one frame, decoded. */
const PIXEL_BYTES_MAX = 512 * 1024 * 1024

let ready: Promise<void> | undefined

/**
 * Decodes JPEG (extended, progressive, lossless), JPEG-LS, JPEG 2000, HTJ2K and JPEG XL frames. The codecs are
 * WebAssembly and block their thread: only for threads of their own.
 *
 * @throws ConversionError `conversion.unsupported` for another transfer syntax, `conversion.malformed` for a frame that
 *   does not decode to what its attributes say, `conversion.limit` above 512 MiB of pixels
 */
export const decodeHere: DecodeFrame = async (frame, transferSyntaxUid, format) => {
  const codec = transferSyntaxUid.startsWith(ROOT) ? CODECS[transferSyntaxUid.slice(ROOT.length)] : undefined
  if (codec === undefined) throw new ConversionError('conversion.unsupported', `no decoder for ${transferSyntaxUid}`)
  const expected = (format.rows * format.columns * format.samples * format.bitsAllocated) / 8
  if (expected > PIXEL_BYTES_MAX) throw new ConversionError('conversion.limit', 'a frame with too many pixels')
  ready ??= NativeCodecs.initializeAsync({ logCodecsInfo: false, logCodecsTrace: false })
  await ready
  const { pixels, photometric, planar } = run(codec, frame, format)
  if (pixels.length !== expected) {
    throw new ConversionError('conversion.malformed', `${pixels.length} bytes where ${expected} are due`)
  }
  // The colour transforms of JPEG 2000 are undone with its wavelets.
  return { pixels, photometric: /^YBR_(?:ICT|RCT)$/.test(photometric) ? 'RGB' : photometric, planar }
}

function run(codec: Codec, frame: Uint8Array, format: FrameFormat) {
  try {
    const context = new Context({
      width: format.columns,
      height: format.rows,
      bitsAllocated: format.bitsAllocated,
      bitsStored: format.bitsStored,
      samplesPerPixel: format.samples,
      pixelRepresentation: format.signed ? 1 : 0,
      planarConfiguration: 0,
      photometricInterpretation: format.photometric,
      encodedBuffer: frame,
    })
    const decoded = NativeCodecs[codec](context, {})
    return {
      pixels: new Uint8Array(decoded.getDecodedBuffer() ?? []),
      photometric: decoded.getPhotometricInterpretation() ?? format.photometric,
      planar: decoded.getPlanarConfiguration() === 1,
    }
  } catch (cause) {
    // Some throw bare numbers.
    throw new ConversionError('conversion.malformed', 'a frame that no decoder reads', { cause })
  }
}
