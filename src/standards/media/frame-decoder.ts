import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { ConversionError } from '../dicom/wrap/conversion-error.ts'
import type { FrameFormat } from '../pixels/frame-format.ts'
import type { DecodeFrame } from '../pixels/render-frame.ts'

export interface FrameRequest {
  readonly frame: Uint8Array
  readonly transferSyntaxUid: string
  readonly format: FrameFormat
}

export type FrameAnswer =
  | Awaited<ReturnType<DecodeFrame>>
  | { readonly code: ConversionError['code']; readonly reason: string }

/** For one frame. */
const TIME_MS = 30_000

/**
 * Opens a decoder of frames (frame-codecs.ts) in a thread of its own that starts with the first frame and ends with
 * close(), or when a frame takes longer than `timeMs`. One frame at a time.
 *
 * `decode` throws ConversionError: what frame-codecs.ts says, and `conversion.limit` for a frame that takes too long.
 */
export function openFrameDecoder(timeMs = TIME_MS): { readonly decode: DecodeFrame; close(): Promise<void> } {
  let worker: Worker | undefined
  const close = async () => {
    const ended = worker
    worker = undefined
    await ended?.terminate()
  }
  const decode: DecodeFrame = async (frame, transferSyntaxUid, format) => {
    worker ??= new Worker(join(import.meta.dirname, 'frame-decoder-worker.ts'), { env: {}, stdin: false })
    worker.postMessage({ frame, transferSyntaxUid, format } satisfies FrameRequest)
    let answer: FrameAnswer
    try {
      ;[answer] = (await once(worker, 'message', { signal: AbortSignal.timeout(timeMs) })) as [FrameAnswer]
    } catch (thrown) {
      await close()
      if (!(thrown instanceof Error) || thrown.name !== 'AbortError') throw thrown
      throw new ConversionError('conversion.limit', `a frame took more than ${timeMs} ms`, { cause: thrown })
    }
    if ('code' in answer) throw new ConversionError(answer.code, answer.reason)
    return answer
  }
  return { decode, close }
}
