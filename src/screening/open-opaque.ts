import { type ByteSource, slice } from '#standards/byte-source.ts'
import { EXPLICIT_LE } from '#standards/dicom/encoding.ts'
import type { DicomLimits } from '#standards/dicom/limits.ts'
import { type Part10, readHead } from '#standards/dicom/open.ts'

/**
 * Opens a file of an unknown transfer syntax as explicit little endian with encapsulated pixels, which is what PS3.5
 * Annex A.4 makes every compressed syntax be. Only under the policy that keeps such files as opaque; the walk still
 * has to succeed.
 *
 * @param negotiated transfer syntax of a data set that came alone
 * @returns null when the File Meta names no transfer syntax at all
 */
export function openOpaque(source: ByteSource, limits: DicomLimits, negotiated?: string): Part10 | null {
  const meta = negotiated === undefined ? readHead(source, limits) : null
  if (meta !== null && meta.kind !== 'part10') return null
  const uid = negotiated ?? meta?.transferSyntaxUID ?? null
  if (uid === null) return null
  const start = meta?.dataSetStart ?? 0
  return {
    source,
    meta,
    bare: meta === null,
    transferSyntax: {
      uid,
      name: `unknown (${uid})`,
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
      ...(meta?.problems ?? []),
      {
        rule: 'M6',
        detail: `unknown transfer syntax ${uid}, kept as opaque`,
        offset: start,
        tag: '00020010',
      },
    ],
  }
}
