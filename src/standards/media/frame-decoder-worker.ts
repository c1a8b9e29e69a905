/** The thread that decodes frames, one at a time: started by frame-decoder.ts. */
import { parentPort } from 'node:worker_threads'
import { ConversionError } from '../dicom/wrap/conversion-error.ts'
import { decodeHere } from './frame-codecs.ts'
import type { FrameAnswer, FrameRequest } from './frame-decoder.ts'

async function decode({ frame, transferSyntaxUid, format }: FrameRequest): Promise<FrameAnswer> {
  try {
    return await decodeHere(frame, transferSyntaxUid, format)
  } catch (thrown) {
    if (!(thrown instanceof ConversionError)) throw thrown
    return { code: thrown.code, reason: thrown.reason }
  }
}

parentPort?.on('message', (request: FrameRequest) => {
  decode(request).then((answer) => parentPort?.postMessage(answer))
})
