import { STORE_RESOURCES } from '#arrival/stow.ts'
import type { ArchiveReader } from '#model/archive-index.ts'
import type { Deletions } from '#model/intake.ts'
import type { Route } from '#model/route.ts'
import type { DocumentFaces } from '../document-faces.ts'
import { PictureMaker } from '../rendering/picture-maker.ts'
import type { RenderPool } from '../rendering/render-pool.ts'
import { renderedRoutes } from '../rendering/rendered-routes.ts'
import { bulkdataRoutes } from './bulkdata.ts'
import { capabilitiesRoute } from './capabilities.ts'
import { framesRoute } from './frames.ts'
import { metadataRoutes } from './metadata.ts'
import { Recoder } from './recode.ts'
import { deleteRoutes } from './remove.ts'
import { instanceRoutes } from './retrieve.ts'
import { searchRoutes } from './search.ts'
import { RangedReads, type SegmentReads } from './send.ts'
import { type Damage, StoredFiles } from './stored-files.ts'
import { VirtualFaces } from './virtual-faces.ts'

/** What the doors out of DICOMweb need. */
export interface RetrieveServices {
  readonly reader: ArchiveReader
  readonly segments: SegmentReads
  /** Both faces of originals; absent where there are no documents. */
  readonly faces?: DocumentFaces
  readonly deletions: Deletions
  /** How long the bytes of what was deleted are kept, in days. */
  readonly deletionGraceDays: () => number
  /** Threads that decode and draw. */
  readonly rendering: RenderPool
  /** Told when stored bytes are not what was kept: raise an alarm. */
  readonly damaged: (damage: Damage) => void
}

/** WADO-RS, delete, and the capabilities of all of DICOMweb. */
export function retrieveRoutes(services: RetrieveServices): Route[] {
  const { reader, deletions, deletionGraceDays: graceDays } = services
  const reads = new RangedReads(services.segments)
  const files = new StoredFiles(reads, services.damaged)
  const recoder = new Recoder(reads, files)
  const routes = [
    ...instanceRoutes({
      ...{ reader, reads, files, recoder },
      ...(services.faces === undefined ? {} : { faces: new VirtualFaces(reader, services.faces) }),
    }),
    ...metadataRoutes(reader),
    framesRoute({ reader, reads, files }),
    ...bulkdataRoutes({ reader, reads, files }),
    ...renderedRoutes({ reader, pictures: new PictureMaker({ reads, files }, services.rendering) }),
    ...deleteRoutes({ reader, deletions, graceDays }),
  ]
  const offered = [...routes, ...searchRoutes(reader), ...STORE_RESOURCES]
  return [...(routes as Route[]), capabilitiesRoute(offered)]
}
