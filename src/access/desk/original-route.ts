import { createHash } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { ArchiveReader } from '#model/archive-index.ts'
import type { ObjectRecord, StoredInstance } from '#model/archive-object.ts'
import type { Route } from '#model/route.ts'
import { RangedReads, type SegmentReads, sendPieces } from '../dicomweb/send.ts'
import { pathParameter } from './ask.ts'

export interface OriginalServices {
  readonly archive: Pick<ArchiveReader, 'find' | 'record'>
  readonly segments: SegmentReads
}

/** An object exactly as it arrived: kept preamble and group 0002 in front of its data set. design.md section 5, promise 2. */
export function originalRoute({ archive, segments }: OriginalServices): Route {
  const reads = new RangedReads(segments)
  return {
    method: 'GET',
    url: '/api/v1/objects/:any/original',
    standard: 'Diptych pages',
    needs: 'quarantine.original',
    describes: {
      answers: 'The file, `application/dicom`.',
      summary: 'The object bit for bit as it arrived, without any later change; for administrators.',
    },
    async handle(asked, reply) {
      const instance = await archive.find(pathParameter(asked, 'any'), asked.visibility)
      const record = instance === undefined ? undefined : await archive.record(instance.objectId)
      if (instance === undefined || record === undefined) throw new ArchiveError('request.not-found', 'object')
      const { studyInstanceUID, sopInstanceUID } = instance
      await asked.audit('export', { studyInstanceUID, count: 1, detail: `original ${sopInstanceUID}` })
      // Rebuilt twice: what cannot be rebuilt bit for bit must not be given for it.
      const hash = createHash('sha256')
      let length = 0
      for await (const piece of rebuilt(reads, instance, record)) {
        hash.update(piece)
        length += piece.byteLength
      }
      if (hash.digest('hex') !== record.digests.arrived) {
        throw new ArchiveError('request.conflict', 'parts of this object were removed at the door and are not kept', {
          hint: 'Its provenance says which; their digests stand in its record.',
        })
      }
      const headers = {
        'Content-Type': 'application/octet-stream',
        'Content-Disposition': `attachment; filename="${record.digests.arrived}.dcm"`,
        'Cache-Control': 'private, no-store',
      }
      return sendPieces(asked, reply, { status: 200, headers, length }, rebuilt(reads, instance, record))
    },
  }
}

async function* rebuilt(
  reads: RangedReads,
  { location, dataSetOffset }: StoredInstance,
  { arrivedHead, arrivedTail }: ObjectRecord,
): AsyncGenerator<Uint8Array, void, void> {
  if (arrivedHead !== null) yield Buffer.from(arrivedHead, 'base64')
  yield* reads.pieces(location, dataSetOffset, location.length)
  if (arrivedTail !== null) yield Buffer.from(arrivedTail, 'base64')
}
