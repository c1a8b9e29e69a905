import type { PlacementRule } from '../rule.ts'

/** A DICOM object belongs to a study already, so it stays on the image panel in the form it came in. */
export const dicomStaysAsReceived: PlacementRule = {
  id: 'dicom-stays-as-received',
  version: 1,
  source: 'design.md section 3: what is stored does not change',
  why: 'The sender made it an instance of a study; taking it out again needs a reason that a later rule gives.',
  place({ mediaType }) {
    return mediaType === 'application/dicom' ? { panel: 'image', form: 'as-received' } : undefined
  },
}
