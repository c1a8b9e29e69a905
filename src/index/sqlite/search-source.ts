import { fold, parsePattern, trigrams } from '../fold.ts'
import type { Level } from '../searchable.ts'
import type { SqlParam } from './database.ts'
import type { Condition } from './visible.ts'

/** A set of keys that holds every match of one condition: what a search may start from. */
export interface Source {
  readonly level: Level
  /** `index`: walk an index of the level's table. `keys`: a subquery with one column `key`. */
  readonly is: 'index' | 'keys'
  /** Name of the index, or the subquery. */
  readonly sql: string
  /** Of the index walk, on alias s, r or i; of the subquery its parameters. */
  readonly where: Condition
  /** `unique`: a handful at most. `ordered`: an equality whose index is in the default order of its level. */
  readonly kind: 'unique' | 'ordered' | 'some'
  /** Rows that may be looked at before walking by date is cheaper. */
  readonly fewMax: number
}

/** Candidates sorted at most: about sqrt(25 rows * table) for a million studies. spike-notes.md section 5. */
export const FEW_COVERED = 1500
/** When the other side would have to open every row it looks at, more candidates are still cheaper. */
export const FEW_ROWS = 3000
const TRIGRAMS_MAX = 12

/** Studies whose column holds the trigrams of a pattern: a superset of its matches. */
export function trigramSource(column: string, pattern: string, fewMax: number): Source | undefined {
  const grams = trigrams(parsePattern(pattern).literals.map(fold)).slice(0, TRIGRAMS_MAX)
  if (grams.length === 0) return undefined
  const expression = grams.map((gram) => `"${gram.replaceAll('"', '""')}"`).join(' AND ')
  return {
    level: 'study',
    is: 'keys',
    sql: 'select rowid as key from study_text where study_text match ?',
    where: { sql: '1', params: [`${column} : (${expression})`] },
    kind: 'some',
    fewMax,
  }
}

export function keysSource(level: Level, sql: string, params: readonly SqlParam[], fewMax = FEW_ROWS): Source {
  return { level, is: 'keys', sql, where: { sql: '1', params }, kind: 'some', fewMax }
}
