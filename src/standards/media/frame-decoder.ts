import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { ConversionError } from '../dicom/wrap/conversion-error.ts'
import type { FrameFormat } from '../pixels/frame-format.ts'
import type { DecodeFrame } from '../pixels/render-frame.ts'

type Codec = 'decodeJpeg' | 'decodeJpegLs' | 'decodeJpeg2000' | 'decodeHtJpeg2000' | 'decodeJpegXl'

export interface FrameRequest {
  readonly frame: Uint8Array
  readonly codec: Codec
  readonly format: FrameFormat
}

export type FrameAnswer =
  | { readonly pixels: Uint8Array; readonly photometric: string; readonly planar: boolean }
  | { readonly problem: string }

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

export interface FrameDecoderLimits {
  /** Of one frame, decoded. */
  readonly pixelBytesMax: number
  /** For one frame. */
  readonly timeMs: number
}

export const FRAME_DECODER_LIMITS: FrameDecoderLimits = { pixelBytesMax: 512 * 1024 * 1024, timeMs: 30_000 }

/**
 * Opens a decoder of JPEG (extended, progressive, lossless), JPEG-LS, JPEG 2000, HTJ2K and JPEG XL frames, in a thread of its own
 * that starts with the first frame and ends with close(), or when a frame takes too long. One frame at a time.
 *
 * `decode` throws ConversionError: `conversion.unsupported` for another transfer syntax, `conversion.malformed` for a
 * frame that does not decode to what its attributes say, `conversion.limit` for one that is too large or takes too long.
 */
export function openFrameDecoder(limits: FrameDecoderLimits = FRAME_DECODER_LIMITS): {
  readonly decode: DecodeFrame
  close(): Promise<void>
} {
  let worker: Worker | undefined
  const close = async () => {
    const ended = worker
    worker = undefined
    await ended?.terminate()
  }
  const decode: DecodeFrame = async (frame, transferSyntaxUid, format) => {
    const codec = transferSyntaxUid.startsWith(ROOT) ? CODECS[transferSyntaxUid.slice(ROOT.length)] : undefined
    if (codec === undefined) throw new ConversionError('conversion.unsupported', `no decoder for ${transferSyntaxUid}`)
    const { rows, columns, samples, bitsAllocated } = format
    const expected = (rows * columns * samples * bitsAllocated) / 8
    if (expected > limits.pixelBytesMax) throw new ConversionError('conversion.limit', 'a frame with too many pixels')
    worker ??= new Worker(join(import.meta.dirname, 'frame-decoder-worker.ts'), { env: {}, stdin: false })
    worker.postMessage({ frame, codec, format } satisfies FrameRequest)
    let answer: FrameAnswer
    try {
      ;[answer] = (await once(worker, 'message', { signal: AbortSignal.timeout(limits.timeMs) })) as [FrameAnswer]
    } catch (thrown) {
      await close()
      if (!(thrown instanceof Error) || thrown.name !== 'AbortError') throw thrown
      throw new ConversionError('conversion.limit', `a frame took more than ${limits.timeMs} ms`, { cause: thrown })
    }
    if ('problem' in answer) throw new ConversionError('conversion.malformed', 'a frame that no decoder reads')
    if (answer.pixels.length !== expected) {
      throw new ConversionError('conversion.malformed', `${answer.pixels.length} bytes where ${expected} are due`)
    }
    // The colour transforms of JPEG 2000 are undone with its wavelets.
    const photometric = /^YBR_(?:ICT|RCT)$/.test(answer.photometric) ? 'RGB' : answer.photometric
    return { pixels: answer.pixels, photometric, planar: answer.planar }
  }
  return { decode, close }
}
