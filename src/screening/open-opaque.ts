import { type ByteSource, slice } from '#standards/byte-source.ts'
import { EXPLICIT_LE } from '#standards/dicom/encoding.ts'
import type { DicomLimits } from '#standards/dicom/limits.ts'
import { type Part10, readHead } from '#standards/dicom/open.ts'

/**
 * Opens a file of an unknown transfer syntax as explicit little endian with encapsulated pixels, which is what PS3.5
 * Annex A.4 makes every compressed syntax be. Only under the policy that keeps such files as opaque; the walk still
 * has to succeed.
 *
 * @returns null when the File Meta names no transfer syntax at all
 */
export function openOpaque(source: ByteSource, limits: DicomLimits): Part10 | null {
  const meta = readHead(source, limits)
  if (meta.kind !== 'part10' || meta.transferSyntaxUID === null) return null
  const start = meta.dataSetStart
  return {
    source,
    meta,
    bare: false,
    transferSyntax: {
      uid: meta.transferSyntaxUID,
      name: `unknown (${meta.transferSyntaxUID})`,
      explicit: true,
      bigEndian: false,
      deflated: false,
      encapsulated: true,
      lossy: true,
      frameMediaType: null,
      multiFrameVideo: false,
    },
    encoding: EXPLICIT_LE,
    dataSetStart: start,
    dataSet: slice(source, start, source.size),
    base: start,
    deflatedEnd: null,
    problems: [
      ...meta.problems,
      {
        rule: 'M6',
        detail: `unknown transfer syntax ${meta.transferSyntaxUID}, kept as opaque`,
        offset: start,
        tag: '00020010',
      },
    ],
  }
}
