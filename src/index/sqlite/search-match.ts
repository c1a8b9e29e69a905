import { never } from '#model/finding.ts'
import type { Match } from '#model/search.ts'
import { parsePattern, prefixEnd } from '../fold.ts'
import type { Searchable } from '../searchable.ts'
import type { SqlParam } from './database.ts'
import type { Condition } from './visible.ts'

/** Behind every study date. */
export const LAST_DATE = '99999999'

/** Text of a column compared with what was asked. */
export function compare(sql: string, how: Match['how'], kind: Searchable['kind']): Condition {
  switch (how.is) {
    case 'universal':
      return { sql: '1', params: [] }
    case 'empty':
      return { sql: `${sql} is null or ${sql} = ''`, params: [] }
    case 'single':
      if (kind === 'number') return { sql: `${sql} = ?`, params: [wholeNumber(how.value)] }
      return { sql: `${sql} = ?`, params: [how.value] }
    case 'list':
      return { sql: `${sql} in (select value from json_each(?))`, params: [JSON.stringify(how.values)] }
    case 'wildcard':
      return { sql: `${sql} glob ?`, params: [parsePattern(how.pattern).glob] }
    case 'range': {
      // A value with less precision than the limit it is compared with lies within it: 1012 takes in 101259.
      const to = how.to === null ? undefined : kind === 'date' ? how.to : `${how.to}~`
      const from = how.from ?? ''
      return to === undefined
        ? { sql: `${sql} >= ? and ${sql} > ''`, params: [from] }
        : { sql: `${sql} >= ? and ${sql} <= ? and ${sql} > ''`, params: [from, to] }
    }
    default:
      return never(how)
  }
}

function wholeNumber(text: string): SqlParam {
  return /^[+-]?\d{1,15}$/.test(text.trim()) ? Number(text) : null
}

/** A range of texts that begin with `prefix`, as a condition on a column. */
export function startsWith(sql: string, prefix: string): Condition {
  const end = prefixEnd(prefix)
  return end === undefined
    ? { sql: `${sql} >= ?`, params: [prefix] }
    : { sql: `${sql} >= ? and ${sql} < ?`, params: [prefix, end] }
}

/** Exact, prefix or pattern on an indexed column: the prefix bounds the walk, the pattern decides. */
export function seek(sql: string, how: Match['how']): Condition | undefined {
  switch (how.is) {
    case 'single':
      return { sql: `${sql} = ?`, params: [how.value] }
    case 'list':
      return { sql: `${sql} in (select value from json_each(?))`, params: [JSON.stringify(how.values)] }
    case 'wildcard': {
      const { prefix, prefixOnly, glob } = parsePattern(how.pattern)
      if (prefix === '') return undefined
      const range = startsWith(sql, prefix)
      return prefixOnly ? range : { sql: `${range.sql} and ${sql} glob ?`, params: [...range.params, glob] }
    }
    case 'range':
      return {
        sql: `${sql} >= ? and ${sql} <= ?`,
        params: [how.from ?? '0', how.to ?? LAST_DATE],
      }
    default:
      return undefined
  }
}
