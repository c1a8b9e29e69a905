/** A thread that decodes and draws, one job at a time: started by render-pool.ts. Nothing it holds is a secret. */
import { parentPort } from 'node:worker_threads'
import { memorySource } from '#standards/byte-source.ts'
import { readDataSet } from '#standards/dicom/data-set.ts'
import { DicomError } from '#standards/dicom/errors.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { pixelShape } from '#standards/dicom/pixel-element.ts'
import { EXPLICIT_LITTLE_ENDIAN, transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { ConversionError } from '#standards/dicom/wrap/conversion-error.ts'
import { decodeHere } from '#standards/media/frame-codecs.ts'
import { frameFormatOf } from '#standards/pixels/frame-format.ts'
import { decodedFrame, type NativeFrame, renderNative } from '#standards/pixels/render-frame.ts'
import { encodePicture } from './picture-output.ts'
import type { RenderAnswer, RenderJob } from './render-job.ts'

async function work(job: RenderJob): Promise<RenderAnswer> {
  const syntax = transferSyntax(job.transferSyntaxUID)
  if (syntax === undefined) return { ok: false, why: 'cannot', detail: 'an unknown transfer syntax' }
  // Opened anew, because a data set may be written otherwise than it says; what was deflated is inflated by now.
  const negotiated = syntax.deflated ? EXPLICIT_LITTLE_ENDIAN : syntax.uid
  const opened = openPart10(memorySource(job.head), { negotiated })
  const dataSet = readDataSet(opened.dataSet, opened.encoding)
  const format = frameFormatOf(dataSet, pixelShape(dataSet, job.pixelTag))
  const native = (bytes: Uint8Array): NativeFrame | Promise<NativeFrame> =>
    job.compressed ? decodedFrame(bytes, syntax.uid, format, decodeHere) : { bytes, format }
  if (job.is === 'decode') {
    const samples = []
    for (const { bytes } of job.frames) {
      const decoded = await native(bytes)
      const { photometric, planar } = decoded.format
      samples.push({ bytes: decoded.bytes, photometric, planar })
    }
    return { ok: true, samples }
  }
  const { window } = job.wish
  const transform = window === null ? {} : { voi: { is: 'window', window } as const }
  const rasters = []
  for (const { number, bytes } of job.frames) {
    rasters.push(renderNative(await native(bytes), dataSet, number, { transform }))
  }
  return { ok: true, picture: await encodePicture(rasters, job.wish) }
}

function refusal(thrown: unknown): RenderAnswer {
  if (thrown instanceof DicomError) {
    return { ok: false, why: thrown.code === 'dicom.limit' ? 'limit' : 'malformed', detail: thrown.message }
  }
  if (!(thrown instanceof ConversionError)) throw thrown
  const whys = { 'conversion.limit': 'limit', 'conversion.malformed': 'malformed' } as const
  const why = thrown.code in whys ? whys[thrown.code as keyof typeof whys] : 'cannot'
  return { ok: false, why, detail: thrown.reason }
}

parentPort?.on('message', (job: RenderJob) => {
  work(job)
    .catch(refusal)
    .then((answer) => parentPort?.postMessage(answer, moved(answer)))
})

/** What is large and whole is handed over, not copied. */
function moved(answer: RenderAnswer): ArrayBuffer[] {
  if (!answer.ok) return []
  const arrays = 'picture' in answer ? [answer.picture.bytes] : answer.samples.map(({ bytes }) => bytes)
  const buffers = arrays
    .filter(({ buffer, byteLength }) => buffer.byteLength === byteLength)
    .map(({ buffer }) => buffer)
  return [...new Set(buffers.filter((buffer) => buffer instanceof ArrayBuffer))]
}
