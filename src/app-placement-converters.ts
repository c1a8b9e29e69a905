/** Conversions of the placement engine that read whole originals. */

import { ArchiveError } from '#errors.ts'
import type { PlacementConverters } from '#operations/placement-moves.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { joinPieces } from '#standards/dicom/pieces.ts'
import { wrapAecg } from '#standards/dicom/wrap/aecg-waveform.ts'
import { pagesOf } from '#standards/dicom/wrap/pages.ts'
import { openFrameDecoder } from '#standards/media/frame-decoder.ts'
import { type PdfPage, pdfOfImages } from '#standards/media/pdf-of-images.ts'

/** An annotated ECG of a day of samples is far below; more is not an ECG. Bytes. */
const AECG_BYTES_MAX = 64 * 1024 * 1024
/** Longest document made of scans, in bytes. */
const PDF_BYTES_MAX = 512 * 1024 * 1024

export const placementConverters: PlacementConverters = {
  async paper(scans) {
    const decoder = openFrameDecoder()
    async function* pages(): AsyncGenerator<PdfPage> {
      for (const scan of scans) yield* pagesOf(openPart10(scan), { decode: decoder.decode })
    }
    try {
      return await joined(pdfOfImages(pages()))
    } finally {
      await decoder.close()
    }
  },

  async waveform(aecg, identity) {
    if (aecg.size > AECG_BYTES_MAX) throw new ArchiveError('request.too-large', 'this annotated ECG is too long')
    return joinPieces(wrapAecg(aecg.read(0, aecg.size), identity).pieces)
  },
}

async function joined(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of stream) {
    length += chunk.length
    if (length > PDF_BYTES_MAX) throw new ArchiveError('request.too-large', 'the scans make too long a document')
    chunks.push(chunk)
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}
