import { ArchiveError } from '#errors.ts'
import type { ArchiveReader, Scope } from '#model/archive-index.ts'
import type { Deletions } from '#model/intake.ts'
import type { Asked, Route } from '#model/route.ts'
import { type PathOf, scopeOf, shown } from './scope.ts'

const DAY_MS = 24 * 3600 * 1000
const REASON_MAX = 1024

/** Deleting over the web: not in PS3.18, expected of an archive. The bytes go after the grace time (threats.md K16). */
export function deleteRoutes(services: {
  readonly reader: ArchiveReader
  readonly deletions: Deletions
  /** As the site has it now, in days. */
  graceDays(): number
}): Route<PathOf>[] {
  const paths = [
    '/dicom-web/studies/:study',
    '/dicom-web/studies/:study/series/:series',
    '/dicom-web/studies/:study/series/:series/instances/:instance',
  ]
  return paths.map((url) => ({
    method: 'DELETE',
    url,
    standard: 'Delete of a study, series or instance (an addition to PS3.18 section 10)',
    needs: 'object.delete',
    async handle(asked: Asked<PathOf>, reply) {
      const scope = scopeOf(asked.params)
      const missing = new ArchiveError('request.not-found', `no ${shown(scope)}`)
      if (!(await exists(services.reader, scope, asked))) throw missing
      const now = Date.now()
      const reason = (asked.query.get('reason') ?? 'deleted over DICOMweb').slice(0, REASON_MAX)
      const count = await services.deletions.delete({
        scope,
        by: asked.subject.name,
        reason,
        time: new Date(now).toISOString(),
        purgeAfter: new Date(now + services.graceDays() * DAY_MS).toISOString(),
      })
      if (count === 0) throw missing
      await asked.audit('delete', { studyInstanceUID: scope.studyInstanceUID, count, detail: reason })
      return reply.code(204).send()
    },
  }))
}

/** What the caller may not see cannot be deleted either, and looks the same as what is not there. */
async function exists(reader: ArchiveReader, scope: Scope, asked: Asked<PathOf>): Promise<boolean> {
  for await (const _ of reader.instances(scope, asked.visibility)) return true
  return false
}
