import { never } from '#model/finding.ts'
import type { Visibility } from '#model/visibility.ts'
import type { SqlParam } from './database.ts'

/** A condition in SQL with the values bound to it. */
export interface Condition {
  readonly sql: string
  readonly params: readonly SqlParam[]
}

/**
 * What the caller may see, as a condition on a patient key column; undefined when nothing is hidden. Every query of
 * the reader goes through it. design.md section 7.
 * @param column for example `s.patient`
 */
export function visible(visibility: Visibility, column: string): Condition | undefined {
  switch (visibility.sees) {
    case 'all':
      return undefined
    case 'nothing':
      return { sql: '0', params: [] }
    case 'patients':
      return {
        sql: `${column} in (select key from patient where id in (select value from json_each(?)))`,
        params: [JSON.stringify(visibility.patientIds)],
      }
    default:
      return never(visibility)
  }
}

/** Joins conditions for a `where`; `1` when there is none. */
export function all(conditions: readonly (Condition | undefined)[]): Condition {
  const some = conditions.filter((condition) => condition !== undefined)
  if (some.length === 0) return { sql: '1', params: [] }
  return { sql: some.map(({ sql }) => `(${sql})`).join(' and '), params: some.flatMap(({ params }) => params) }
}
