import type { StoredInstance } from '#model/archive-object.ts'
import type { EgressOptions } from '#standards/dicom/egress.ts'
import { overlayFrom } from '#standards/dicom/overlay.ts'

/**
 * How an instance leaves: with its overlay, its fragments copied without being visited.
 * @param transferSyntaxUID as stored when absent
 */
export function egressOptions(instance: StoredInstance, transferSyntaxUID?: string): EgressOptions {
  const { frames, dataSetOffset, overlay } = instance
  return {
    overlay: overlayFrom(overlay),
    ...(transferSyntaxUID === undefined ? {} : { transferSyntaxUID }),
    ...(frames?.kind !== 'encapsulated'
      ? {}
      : { fragments: { offsets: frames.fragmentOffsets, lengths: frames.fragmentLengths, base: dataSetOffset } }),
  }
}
