/** Conversions of the placement engine that decode something. */
import { ArchiveError } from '#errors.ts'
import type { PlacementConverters } from '#operations/placement-moves.ts'

export const placementConverters: PlacementConverters = {
  async paper() {
    throw new ArchiveError('document.type', 'pages')
  },
  async waveform() {
    throw new ArchiveError('document.type', 'aECG')
  },
}
