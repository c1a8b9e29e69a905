import { ArchiveError } from '#errors.ts'
import type { Query, SearchPage } from '#model/search.ts'
import type { Visibility } from '#model/visibility.ts'
import type { Level, SearchableTable } from '../searchable.ts'
import type { Database, SqlParam } from './database.ts'
import { type Compiled, createCompiler } from './search-conditions.ts'
import { afterCursor, cursorText, type Order, orderOf, orderSql } from './search-order.ts'
import { createRenderer } from './search-rows.ts'
import type { Source } from './search-source.ts'
import type { Texts } from './texts.ts'
import { SLOTS } from './tree.ts'
import { all, type Condition, seesEverything, visible } from './visible.ts'

/** Rows of one page. threats.md section 4: query results. */
export const PAGE_MAX = 1000

/** Offsets from here on are found by the counts per day. */
const OFFSET_DEEP = 500

/** A condition with other filters inside the same index may look at this many entries before sorting. */
const COVERED_MAX = 20_000

export interface Search {
  search(query: Query, visibility: Visibility): SearchPage
  count(query: Query, visibility: Visibility): number
}

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
const ALIAS: Readonly<Record<Level, string>> = { study: 's', series: 'r', instance: 'i' }

interface Plan {
  readonly from: Condition
  readonly where: readonly Condition[]
  /** Few rows are sorted. */
  readonly bounded: boolean
}

export function createSearch(db: Database, texts: Texts, table: SearchableTable): Search {
  const compile = createCompiler(db, texts, table)
  const render = createRenderer(db, texts, table)

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
    return { from: { sql: from, params: [] }, where, bounded: true }
  }

  function choose(query: Query, visibility: Visibility, compiled: Compiled): Plan {
    const { level } = query
    const inScope = scoped(query)
    if (inScope !== undefined) return inScope
    if (visibility.sees === 'patients') {
      return {
        from: { sql: `study s indexed by study_patient${BELOW.study[level]}`, params: [] },
        where: [],
        bounded: true,
      }
    }
    const source = smallest(compiled)
    if (source !== undefined) return planFrom(level, source, true)
    const ordered = compiled.sources.find(({ kind, level: its }) => kind === 'ordered' && its === level)
    if (ordered !== undefined) return planFrom(level, ordered, false)
    const walk = level === 'study' ? 'study s indexed by study_date' : `${TABLE[level]}${BELOW[level][level]}`
    return { from: { sql: walk, params: [] }, where: [], bounded: false }
  }

  /**
   * The day a deep page begins at, and what is left to skip from there. Only for a list without other filters.
   * spike-notes.md section 5: 3,650 rows for ten years.
   */
  function skipDays(dates: { readonly from: string; readonly to: string }, offset: number): [Condition, number] {
    let skipped = 0
    const days = db.arrays(
      'select date, n from day_count where date >= ? and date <= ? and n > 0 order by date desc',
      dates.from,
      dates.to,
    )
    for (const [day, n] of days) {
      const count = Number(n)
      if (skipped + count > offset) return [{ sql: 's.date <= ?', params: [String(day)] }, offset - skipped]
      skipped += count
    }
    return [{ sql: '0', params: [] }, 0]
  }

  function search(query: Query, visibility: Visibility): SearchPage {
    if (visibility.sees === 'nothing') return { rows: [], more: false, next: null, warnings: [] }
    const { level } = query
    const limit = Math.min(query.limit, PAGE_MAX)
    if (!(limit >= 0) || !(query.offset >= 0))
      throw new ArchiveError('request.malformed', 'limit and offset are counts')
    const compiled = compile(query, level)
    const plan = choose(query, visibility, compiled)
    const { order, refused } = orderOf(query, table, plan.bounded)
    const from = walkByOrder(plan, order)
    const conditions: (Condition | undefined)[] = [...plan.where, ...compiled.where, visible(visibility, 's.patient')]
    let offset = query.offset
    if (query.after !== null) {
      conditions.push(afterCursor(level, order, query.after))
      offset = 0
    } else if (offset >= OFFSET_DEEP && canSkipDays(query, compiled, visibility, order)) {
      const [condition, rest] = skipDays(compiled.dates ?? { from: '', to: '' }, offset)
      conditions.push(condition)
      offset = rest
    }
    const where = all(conditions)
    const names = order.keys.map((_, i) => `k${i}`)
    const inner = `select ${ALIAS[level]}.key as key, ${order.keys.map(({ sql }, i) => `${sql} as k${i}`).join(', ')}
      from ${from.sql} where ${where.sql} order by ${orderSql(order)} limit ? offset ?`
    const outerOrder = order.keys.map(({ descending }, i) => `t.k${i}${descending ? ' desc' : ''}`).join(', ')
    const params: SqlParam[] = [...from.params, ...where.params, limit + 1, offset]
    const { rows, ends } = render(query, compiled.keys, {
      sql: (columns, joins) =>
        `select ${names.map((name) => `t.${name}`).join(', ')}, ${columns} from (${inner}) t ${joins} order by ${outerOrder}`,
      params,
      ends: names.length,
      limit,
    })
    const more = ends.more
    const warnings = [...compiled.warnings, ...ends.warnings]
    for (const key of refused) warnings.push(`The results cannot be ordered by ${key}.`)
    return {
      rows,
      more,
      next: more && ends.last !== undefined ? cursorText(level, order, ends.last) : null,
      warnings,
    }
  }

  /** A walk along the default index becomes one along the name index when names are the order. */
  function walkByOrder(plan: Plan, order: Order): Condition {
    const byName = order.keys[0]?.sql === 's.name_key' && !plan.bounded
    if (!byName) return plan.from
    return { sql: plan.from.sql.replace('study_date', 'study_name'), params: plan.from.params }
  }

  function canSkipDays(query: Query, compiled: Compiled, visibility: Visibility, order: Order): boolean {
    return (
      query.level === 'study' &&
      compiled.dates !== null &&
      seesEverything(visibility) &&
      order.natural &&
      order.keys[0]?.descending === true
    )
  }

  function count(query: Query, visibility: Visibility): number {
    if (visibility.sees === 'nothing') return 0
    const compiled = compile(query, query.level)
    const unfiltered = compiled.where.length === 0 && query.scope.studyInstanceUID === undefined
    if (unfiltered && seesEverything(visibility)) return db.get<{ n: number }>(TOTAL[query.level])?.n ?? 0
    const plan = choose(query, visibility, compiled)
    const where = all([...plan.where, ...compiled.where, visible(visibility, 's.patient')])
    const row = db.get<{ n: number }>(
      `select count(*) as n from ${plan.from.sql} where ${where.sql}`,
      ...plan.from.params,
      ...where.params,
    )
    return row?.n ?? 0
  }

  return { search, count }
}

const TOTAL: Readonly<Record<Level, string>> = {
  study: 'select studies as n from total',
  series: 'select series as n from total',
  instance: 'select instances as n from total',
}
