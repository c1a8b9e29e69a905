/** The thread that decodes frames, one at a time: started by frame-decoder.ts. The codecs are WebAssembly. */
import { parentPort } from 'node:worker_threads'
import codecs from 'dcmjs-codecs'
import type { FrameAnswer, FrameRequest } from './frame-decoder.ts'

const { Context, NativeCodecs } = codecs
const ready = NativeCodecs.initializeAsync({ logCodecsInfo: false, logCodecsTrace: false })

async function decode({ frame, codec, format }: FrameRequest): Promise<FrameAnswer> {
  try {
    await ready
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
    const pixels = decoded.getDecodedBuffer()
    if (pixels === undefined) return { problem: 'no pixels' }
    return {
      pixels: new Uint8Array(pixels),
      photometric: decoded.getPhotometricInterpretation() ?? format.photometric,
      planar: decoded.getPlanarConfiguration() === 1,
    }
  } catch (thrown) {
    return { problem: thrown instanceof Error ? thrown.message : `code ${String(thrown)}` } // some throw bare numbers
  }
}

parentPort?.on('message', (request: FrameRequest) => {
  decode(request).then((answer) => parentPort?.postMessage(answer))
})
