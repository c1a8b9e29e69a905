import type { StudyEvent } from '../effective-overlay.ts'
import type { SearchableTable } from '../searchable.ts'
import type { Database } from './database.ts'
import { addLookups, extraOf, type LevelValues, levelFromRow, numberOf, removeLookups } from './level-values.ts'
import { changesOf, overlaidValues, sameValues, valuesJson } from './overlaid-values.ts'

/** Instances of one series: their keys, from `from` up to `to`. */
export interface InstanceRange {
  readonly series: string
  readonly from: number
  readonly to: number
}

/**
 * Writes what searches match and answer of instances with the overlay of their study. Hardly any overlay speaks of
 * attributes of instances; then only those that had one before are looked at.
 */
export function levelInstances(
  db: Database,
  table: SearchableTable,
  events: readonly StudyEvent[],
  { series, from, to }: InstanceRange,
): void {
  const mine = events.filter((event) => event.series === undefined || event.series === series)
  const tags = new Set(table.levels.instance.map(({ key }) => key.slice(0, 8)))
  const speaks = mine.some(({ changes }) => changes.some(({ path }) => tags.has(path.slice(0, 8))))
  const only = speaks ? '' : 'and arrived is not null'
  const rows = db.all<Record<string, unknown>>(
    `select key, uid, number, rows, columns, bits, frames, extra, arrived from instance where key >= ? and key < ? ${only}`,
    ...[from, to],
  )
  for (const row of rows) {
    const key = Number(row['key'])
    const now = levelFromRow(table, 'instance', row)
    const kept = row['arrived']
    const arrived: LevelValues = typeof kept === 'string' ? new Map(Object.entries(JSON.parse(kept))) : now
    const values = overlaidValues(table, 'instance', arrived, changesOf(mine, series, String(row['uid'])))
    if (sameValues(values, now)) continue
    removeLookups(db, table.levels.instance, now, key)
    db.run(
      'update instance set number = ?, extra = ?, arrived = ? where key = ?',
      ...[numberOf(values, '00200013'), extraOf(table, 'instance', values)],
      ...[sameValues(values, arrived) ? null : JSON.stringify(valuesJson(arrived)), key],
    )
    addLookups(db, table.levels.instance, values, key)
  }
}
