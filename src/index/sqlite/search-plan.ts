import type { Query } from '#model/search.ts'
import type { Visibility } from '#model/visibility.ts'
import type { Level } from '../searchable.ts'
import type { Database } from './database.ts'
import type { Compiled } from './search-conditions.ts'
import type { Source } from './search-source.ts'
import { SLOTS } from './tree.ts'
import type { Condition } from './visible.ts'

/** A condition with other filters inside the same index may look at this many entries before sorting. */
const COVERED_MAX = 20_000

/** Joins the levels below a starting level. `cross join` pins the order of the loops. */
const BELOW: Readonly<Record<Level, Readonly<Record<Level, string>>>> = {
  study: {
    study: '',
    series: ' cross join series r indexed by series_study on r.study = s.key',
    instance: ` cross join series r indexed by series_study on r.study = s.key
      cross join instance i on i.key >= r.key * ${SLOTS} and i.key < (r.key + 1) * ${SLOTS}`,
  },
  series: {
    study: '',
    series: ' cross join study s on s.key = r.study',
    instance: ` cross join study s on s.key = r.study
      cross join instance i on i.key >= r.key * ${SLOTS} and i.key < (r.key + 1) * ${SLOTS}`,
  },
  instance: {
    study: '',
    series: '',
    instance: ` cross join series r on r.key = i.key / ${SLOTS} cross join study s on s.key = r.study`,
  },
}

const TABLE: Readonly<Record<Level, string>> = { study: 'study s', series: 'series r', instance: 'instance i' }
export const ALIAS: Readonly<Record<Level, string>> = { study: 's', series: 'r', instance: 'i' }

/** Where a search starts, and how far it may go. */
export interface Plan {
  readonly from: Condition
  readonly where: readonly Condition[]
  /** Few rows are sorted. */
  readonly bounded: boolean
  /** The level's own table as it is walked in order, when nothing bounds the walk but its end. */
  readonly walk: string | null
}

/** Chooses where a search starts. */
export type Planner = (query: Query, visibility: Visibility, compiled: Compiled) => Plan

export function createPlanner(db: Database): Planner {
  /** Rows of a source up to a bound: the figure that chooses the plan. */
  function countUpTo(from: Condition, where: Condition, max: number): number {
    const row = db.get<{ n: number }>(
      `select count(*) as n from (select 1 from ${from.sql} where ${where.sql} limit ?)`,
      ...from.params,
      ...where.params,
      max + 1,
    )
    return row?.n ?? 0
  }

  function start(source: Source): Condition {
    const alias = ALIAS[source.level]
    if (source.is === 'index') return { sql: `${TABLE[source.level]} indexed by ${source.sql}`, params: [] }
    return {
      sql: `(${source.sql}) c cross join ${TABLE[source.level]} on ${alias}.key = c.key`,
      params: source.where.params,
    }
  }

  function planFrom(level: Level, source: Source, bounded: boolean): Plan {
    const from = start(source)
    return {
      from: { sql: from.sql + BELOW[source.level][level], params: from.params },
      where: source.is === 'index' ? [source.where] : [],
      bounded,
      walk: bounded ? null : from.sql,
    }
  }

  /** Keys of a source, when there are no more than `max`. */
  function fewKeys(source: Source, max: number): number[] | undefined {
    const rows = db.arrays(`select key from (${source.sql}) limit ?`, ...source.where.params, max + 1)
    return rows.length > max ? undefined : rows.map(([key]) => Number(key))
  }

  /** The smallest source that is small enough; undefined when walking in order is the better way. */
  function smallest({ sources, where, covered }: Compiled): Source | undefined {
    const unique = sources.find((source) => source.kind === 'unique')
    if (unique !== undefined) return unique
    const others = where.length > 1
    // One equality alone is answered by its index, in order: nothing to count.
    if (!others && sources.length > 0 && sources.every(({ kind }) => kind === 'ordered')) return undefined
    let best: { source: Source; n: number } | undefined
    // Indexes first: counting in them costs least, and every figure bounds the next.
    for (const source of sources.toSorted((a, b) => (a.is === b.is ? 0 : a.is === 'index' ? -1 : 1))) {
      const wide = others && covered && source.is === 'index' && source.level === 'study'
      const max = Math.min(wide ? COVERED_MAX : source.fewMax, (best?.n ?? Number.POSITIVE_INFINITY) - 1)
      if (source.is === 'index') {
        const n = countUpTo(start(source), source.where, max)
        if (n <= max) best = { source, n }
      } else {
        // Looked up once: what was counted is what is joined.
        const keys = fewKeys(source, max)
        if (keys !== undefined) {
          const where = { sql: '1', params: [JSON.stringify(keys)] }
          best = { source: { ...source, sql: 'select value as key from json_each(?)', where }, n: keys.length }
        }
      }
      if (best !== undefined && best.n < 300) break
    }
    return best?.source
  }

  function scoped(query: Query): Plan | undefined {
    const { studyInstanceUID: study, seriesInstanceUID: series } = query.scope
    if (study === undefined) return undefined
    const where: Condition[] = [{ sql: 's.uid = ?', params: [study] }]
    if (series !== undefined) where.push({ sql: 'r.uid = ?', params: [series] })
    const from = `study s indexed by study_uid${BELOW.study[query.level]}`
    return { from: { sql: from, params: [] }, where, bounded: true, walk: null }
  }

  function choose(query: Query, visibility: Visibility, compiled: Compiled): Plan {
    const { level } = query
    const inScope = scoped(query)
    if (inScope !== undefined) return inScope
    if (visibility.sees === 'patients') {
      return {
        from: { sql: `study s indexed by study_owner${BELOW.study[level]}`, params: [] },
        where: [],
        bounded: true,
        walk: null,
      }
    }
    const source = smallest(compiled)
    if (source !== undefined) return planFrom(level, source, true)
    const ordered = compiled.sources.find(({ kind, level: its }) => kind === 'ordered' && its === level)
    if (ordered !== undefined) return planFrom(level, ordered, false)
    const walk = level === 'study' ? 'study s indexed by study_date' : TABLE[level]
    return { from: { sql: walk + BELOW[level][level], params: [] }, where: [], bounded: false, walk }
  }

  return choose
}
