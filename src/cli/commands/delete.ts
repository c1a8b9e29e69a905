import { ArchiveError } from '#errors.ts'
import type { Scope } from '#model/archive-index.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { type ArchiveCommand, type Given, needed, text, UsageError } from '../command.ts'

const DAY_MS = 24 * 3600 * 1000

export const deleteCommand: ArchiveCommand = {
  runs: 'in-owner',
  needsData: true,
  name: 'delete',
  summary: 'Delete a study, series or object: gone at once, its bytes after the grace',
  operands: '',
  flags: {
    study: { type: 'string', value: 'UID', about: 'the study; needed' },
    series: { type: 'string', value: 'UID', about: 'only this series of it' },
    instance: { type: 'string', value: 'UID', about: 'only this object of the series' },
    reason: { type: 'string', value: 'TEXT', about: 'why; needed' },
  },
  operandCount: [0, 0],
  more: `It is found and served no more from now on. The bytes stay for deletion.graceDays; then a job moves what else their segment
holds and removes the segment. The same UID may be stored again: a new version, with the history of the old one.`,
  async run({ reader, deletions, settings, auditor }, given, emit) {
    const scope = scopeOf(given)
    const reason = needed(given, 'reason')
    const named = scope.sopInstanceUID ?? scope.seriesInstanceUID ?? scope.studyInstanceUID
    for await (const _ of reader.instances(scope, EVERYTHING)) {
      const now = Date.now()
      const purgeAfter = new Date(now + settings.get('deletion.graceDays') * DAY_MS).toISOString()
      const time = new Date(now).toISOString()
      const deleted = await deletions.delete({ scope, by: 'local', reason, time, purgeAfter })
      const { studyInstanceUID } = scope
      await auditor.note('local', { kind: 'delete', studyInstanceUID, count: deleted, detail: reason })
      const objects = `${deleted} ${deleted === 1 ? 'object' : 'objects'}`
      await emit({
        json: { scope, deleted, purgeAfter },
        text: `${objects} deleted; the bytes may go after ${purgeAfter}`,
      })
      return 0
    }
    throw new ArchiveError('request.not-found', `there is no ${named}`)
  },
}

/** @throws UsageError for an object without its series */
function scopeOf(given: Given): Scope {
  const studyInstanceUID = needed(given, 'study')
  const [series, instance] = [text(given, 'series'), text(given, 'instance')]
  if (series === undefined && instance !== undefined) throw new UsageError('--instance goes with --series')
  if (series === undefined) return { studyInstanceUID }
  if (instance === undefined) return { studyInstanceUID, seriesInstanceUID: series }
  return { studyInstanceUID, seriesInstanceUID: series, sopInstanceUID: instance }
}
