import type { Deletion } from '#model/archive-index.ts'
import type { SearchableTable } from '../searchable.ts'
import type { Database } from './database.ts'
import { levelFromRow, removeLookups } from './level-values.ts'
import { packTime } from './texts.ts'
import { type SeriesState, SLOTS, type Tree } from './tree.ts'

interface Gone {
  readonly key: number
  readonly object: number
  readonly id: string
  readonly length: number
}

const IN_SERIES = `select i.key, i.object, o.id, o.length from instance i cross join object o on o.key = i.object
  where i.key >= ? and i.key < ?`

/**
 * Hides a study, series or instance at once: its rows leave every index, the object's history stays, and a tombstone
 * says who, why, and when the bytes may go. Counters are written by the tree's next flush.
 * @returns ids of the objects that were hidden; empty when nothing matched, and then there is no tombstone
 */
export function deleteScope(db: Database, tree: Tree, table: SearchableTable, deletion: Deletion): string[] {
  const { studyInstanceUID, seriesInstanceUID, sopInstanceUID } = deletion.scope
  const study = tree.findStudy(studyInstanceUID)
  if (study === undefined) return []
  const found = seriesInstanceUID === undefined ? undefined : tree.findSeries(study, seriesInstanceUID)
  const all = seriesInstanceUID === undefined ? tree.seriesOf(study) : found === undefined ? [] : [found]

  const doomed: { series: SeriesState; gone: Gone }[] = []
  for (const series of all) {
    const range = [series.key * SLOTS, (series.key + 1) * SLOTS] as const
    const rows =
      sopInstanceUID === undefined
        ? db.all<Gone>(IN_SERIES, ...range)
        : db.all<Gone>(
            `select o.instance as key, o.key as object, o.id, o.length from object o
             where o.uid = ? and o.state = 0 and o.instance >= ? and o.instance < ?`,
            sopInstanceUID,
            ...range,
          )
    for (const gone of rows) doomed.push({ series, gone })
  }
  if (doomed.length === 0) return []

  const tombstone = db.run(
    'insert into deletion (study, series, uid, by, reason, time, purge_after) values (?, ?, ?, ?, ?, ?, ?)',
    ...[studyInstanceUID, seriesInstanceUID ?? null, sopInstanceUID ?? null],
    ...[deletion.by, deletion.reason, deletion.time, deletion.purgeAfter],
  ).rowid
  const lookups = table.levels.instance.filter(({ lookup }) => lookup)
  for (const { series, gone } of doomed) {
    if (lookups.length > 0) {
      const row = db.get<Record<string, unknown>>('select * from instance where key = ?', gone.key)
      if (row !== undefined) removeLookups(db, lookups, levelFromRow(table, 'instance', row), gone.key)
    }
    db.run('delete from instance where key = ?', gone.key)
    db.run('delete from rendered where instance = ?', gone.key)
    db.run('delete from fact_list where object = ?', gone.object)
    db.run('update object set state = 1, instance = null, deletion = ? where key = ?', tombstone, gone.object)
    db.run(
      'insert into feed (kind, object, study, time) values (?, ?, ?, ?)',
      ...['deleted', gone.id, studyInstanceUID, packTime(deletion.time)],
    )
    tree.count(series, -1, gone.length)
  }
  return doomed.map(({ gone }) => gone.id)
}
