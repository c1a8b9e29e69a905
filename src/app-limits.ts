import type { Config } from '#config.ts'
import { DEFAULT_LIMITS, type DicomLimits } from '#standards/dicom/limits.ts'

/** Limits of the DICOM readers as this node is configured. */
export function dicomLimits(configured: Config['limits']): DicomLimits {
  return {
    ...DEFAULT_LIMITS,
    depth: configured.sequenceDepth,
    elements: configured.elementsPerDataSet,
    itemsPerSequence: configured.itemsPerSequence,
    inflateRatio: configured.inflateRatio,
    inflatedBytesMax: configured.inflatedSize,
  }
}
