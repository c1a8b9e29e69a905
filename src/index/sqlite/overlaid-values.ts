import type { AttributeChange } from '#model/identity.ts'
import type { StudyEvent } from '../effective-overlay.ts'
import type { Level, SearchableTable } from '../searchable.ts'
import { type LevelValues, readLevel } from './level-values.ts'

/**
 * Values of one level with the changes of an overlay: what searches match and answer.
 * @param arrived as they arrived; left as they are
 */
export function overlaidValues(
  table: SearchableTable,
  level: Level,
  arrived: LevelValues,
  changes: readonly AttributeChange[],
): LevelValues {
  const keys = new Set(table.levels[level].map(({ key }) => key))
  const values = new Map(arrived)
  for (const { path, values: given } of changes) {
    const steps = path.split('/')
    const key = steps.filter((_, i) => i % 2 === 0).join('.')
    if (given === null) {
      for (const known of [...values.keys()]) if (known === key || known.startsWith(`${key}.`)) values.delete(known)
      continue
    }
    if (!keys.has(key)) continue
    if (steps.length === 1) values.set(key, given)
    else {
      const item = Number(steps[1])
      const members = [...(values.get(key) ?? [])]
      while (members.length < item) members.push('')
      members[item] = given[0] ?? ''
      values.set(key, members)
    }
  }
  // Through the same door as what arrives: trimmed, shortened, empty ones left out.
  return readLevel(table, level, Object.fromEntries(values))
}

/** Changes of a study's events that hold for all of it, or for one of its series. */
export function changesOf(events: readonly StudyEvent[], series?: string, instance?: string): AttributeChange[] {
  return events
    .filter((event) => event.series === undefined || event.series === series)
    .filter((event) => event.instance === undefined || event.instance === instance)
    .flatMap(({ changes }) => changes)
}

export function sameValues(a: LevelValues, b: LevelValues): boolean {
  if (a.size !== b.size) return false
  for (const [key, values] of a) if (JSON.stringify(values) !== JSON.stringify(b.get(key))) return false
  return true
}

/** Values as JSON, for the `arrived` columns. */
export function valuesJson(values: LevelValues): { readonly [key: string]: readonly string[] } {
  return Object.fromEntries(values)
}
