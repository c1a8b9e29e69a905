/** Documents and faces on their way out, put together on the main thread. */
import { join } from 'node:path'
import { RangedReads } from '#access/dicomweb/send.ts'
import { DocumentFaces } from '#access/document-faces.ts'
import type { Database } from '#index/sqlite/database.ts'
import { createFaceFacts } from '#index/sqlite/face-facts.ts'
import { createFaceThread } from '#operations/face-thread.ts'
import { LeavingDocuments } from '#operations/leaving-documents.ts'
import type { Archive } from './app.ts'

/** Documents as they leave, and both faces of an original. */
export interface OnTheWay {
  readonly documents: LeavingDocuments
  readonly faces: DocumentFaces
}

type Parts = 'segments' | 'settings' | 'leaving' | 'leavingDesk' | 'documents' | 'reader' | 'dataDirectory'

export function openOnTheWay(db: Database, archive: Pick<Archive, Parts>): OnTheWay {
  const { settings, leavingDesk, leaving: forms, documents, reader } = archive
  const reads = new RangedReads(archive.segments)
  const leaving = new LeavingDocuments({
    ...{ forms, reads },
    policy: () => settings.get('documents.location'),
    look: (objectId) => leavingDesk.look(objectId),
  })
  const faces = new DocumentFaces({
    ...{ leaving, forms, documents, reader, reads },
    damaged(damage) {
      const line = { level: 50, time: Date.now(), ...damage, msg: 'stored bytes are not what was kept' }
      process.stderr.write(`${JSON.stringify(line)}\n`)
    },
    thread: createFaceThread(join(archive.dataDirectory, 'segments')),
    surroundings: createFaceFacts(db),
    modelUnit: () => settings.get('documents.modelUnit'),
    removesLocation: () => settings.get('documents.location') === 'remove',
  })
  return { documents: leaving, faces }
}
