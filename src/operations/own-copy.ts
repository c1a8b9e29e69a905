/** Recognises what we gave out ourselves when it comes back. */
import { createHash } from 'node:crypto'
import type { ArchiveReader } from '#model/archive-index.ts'
import type { SegmentStore } from '#model/segment-store.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { memorySource } from '#standards/byte-source.ts'
import { planEgress } from '#standards/dicom/egress.ts'
import { DicomError } from '#standards/dicom/errors.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { egressOptions } from './egress-options.ts'
import { alone } from './export-media.ts'

export interface OwnCopyTools {
  readonly reader: Pick<ArchiveReader, 'find'>
  readonly segments: Pick<SegmentStore, 'read'>
}

/** What came under the SOP Instance UID of a kept object, with other content. */
export interface Returned {
  readonly sopInstanceUID: string
  readonly transferSyntaxUID: string
  /** SHA-256 of its data set, hexadecimal. */
  readonly dataSet: string
}

/** Larger kept objects, in bytes, are not written anew to be compared: they are held like every other conflict. */
const COMPARED_MAX = 64 * 1024 * 1024

/**
 * True when the data set is exactly what we give out for the kept object today: its coercions and corrections applied
 * with their Original Attributes, its pixels in that transfer syntax, with or without what only a TIFF needed. Nothing
 * a sender chooses is believed: what we would send is made anew and compared by digest.
 */
export async function isOwnCopy({ reader, segments }: OwnCopyTools, returned: Returned): Promise<boolean> {
  const kept = await reader.find(returned.sopInstanceUID, EVERYTHING)
  if (kept === undefined || kept.location.length > COMPARED_MAX) return false
  const bytes = await segments.read(kept.location)
  if (bytes === undefined) return false
  const source = memorySource(bytes)
  const leavesAsKept = kept.overlay.length === 0 && kept.transferSyntaxUID === returned.transferSyntaxUID
  if (leavesAsKept && alone(source) === source) return false
  const options = egressOptions(kept, returned.transferSyntaxUID)
  try {
    for (const from of new Set([source, alone(source)])) {
      const chunks: Uint8Array[] = []
      for await (const chunk of planEgress({ source: from }, options).chunks()) chunks.push(Uint8Array.from(chunk))
      const file = Buffer.concat(chunks)
      const dataSet = file.subarray(openPart10(memorySource(file)).dataSetStart)
      if (createHash('sha256').update(dataSet).digest('hex') === returned.dataSet) return true
    }
  } catch (error) {
    // It cannot leave in that transfer syntax: then this is no copy of ours.
    if (!(error instanceof DicomError)) throw error
  }
  return false
}
