import { setImmediate as pause } from 'node:timers/promises'
import { ArchiveError } from '#errors.ts'
import type { Query, SearchPage, SearchRow } from '#model/search.ts'
import type { Visibility } from '#model/visibility.ts'
import type { Level, SearchableTable } from '../searchable.ts'
import type { Database, SqlParam, SqlValue } from './database.ts'
import { type Compiled, createCompiler } from './search-conditions.ts'
import { afterCursor, beyond, cursorText, type Order, orderOf, orderSql, upTo } from './search-order.ts'
import { ALIAS, createPlanner, type Plan } from './search-plan.ts'
import { createRenderer } from './search-rows.ts'
import type { Texts } from './texts.ts'
import { all, type Condition, seesEverything, visible } from './visible.ts'

/** Rows of one page. threats.md section 4: query results. */
export const PAGE_MAX = 1000

/** Offsets from here on are found by the counts per day. */
const OFFSET_DEEP = 500

/**
 * Index entries one step of a filtered walk looks at. Between steps other requests have their turn, so that a question
 * no index answers costs its asker time and nobody else.
 */
const WINDOW = 20_000
const WINDOW_FIRST = 1500

const BY_NAME = 'study s indexed by study_name'

export interface Search {
  search(query: Query, visibility: Visibility): Promise<SearchPage>
  count(query: Query, visibility: Visibility): Promise<number>
}

/** A question made ready: where to start, what must hold, in which order. */
interface Ready {
  readonly plan: Plan
  readonly from: Condition
  readonly order: Order
  readonly conditions: readonly (Condition | undefined)[]
  /** True when the walk is cut into steps. */
  readonly stepwise: boolean
  /** What bounds the walk itself, for finding the ends of steps. */
  readonly bounds: readonly Condition[]
}

export function createSearch(db: Database, texts: Texts, table: SearchableTable, window: number = WINDOW): Search {
  const compile = createCompiler(db, texts, table)
  const choose = createPlanner(db)
  const render = createRenderer(db, texts, table)

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

  function prepare(query: Query, visibility: Visibility, compiled: Compiled): Ready & { refused: string[] } {
    const plan = choose(query, visibility, compiled)
    const { order, refused } = orderOf(query, table, plan.bounded)
    const from = walkByOrder(plan, order)
    const filters = all([...plan.where, ...compiled.where]).sql !== all(plan.where).sql
    const { date, name } = compiled.bounds
    return {
      plan,
      from,
      order,
      conditions: [...plan.where, ...compiled.where, visible(visibility, 's.owner')],
      stepwise: plan.walk !== null && ((filters && compiled.dates === null) || !seesEverything(visibility)),
      bounds: [...plan.where, ...(query.level !== 'study' ? [] : from.sql.startsWith(BY_NAME) ? name : date)],
      refused,
    }
  }

  /**
   * The steps of a walk: one for all of it, or as many as it has entries, each with the condition that confines it.
   * @param from where the walk begins, or undefined
   */
  async function* steps(ready: Ready, from: Condition | undefined): AsyncGenerator<Condition | undefined> {
    const { plan, order } = ready
    if (!ready.stepwise || plan.walk === null) {
      yield from
      return
    }
    const walk = ready.from.sql.startsWith(BY_NAME) ? BY_NAME : plan.walk
    const keys = order.keys.map(({ sql }) => sql).join(', ')
    let begin = from
    // Short at first: what matches often is found at once.
    for (let size = Math.min(window, WINDOW_FIRST); ; size = Math.min(window, size * 4)) {
      const inside = all([...ready.bounds, begin])
      const [end] = db.arrays(
        `select ${keys} from ${walk} where ${inside.sql} order by ${orderSql(order)} limit 1 offset ?`,
        ...inside.params,
        size - 1,
      )
      if (end === undefined) {
        yield begin
        return
      }
      const values = end.map(bindable)
      yield all([begin, upTo(order, values)])
      begin = beyond(order, values)
      await pause()
    }
  }

  function countIn(ready: Ready, step: Condition | undefined): number {
    const where = all([...ready.conditions, step])
    const { from } = ready
    const sql = `select count(*) as n from ${from.sql} where ${where.sql}`
    return db.get<{ n: number }>(sql, ...from.params, ...where.params)?.n ?? 0
  }

  async function search(query: Query, visibility: Visibility): Promise<SearchPage> {
    if (visibility.sees === 'nothing') return { rows: [], more: false, next: null, warnings: [] }
    const { level } = query
    const limit = Math.min(query.limit, PAGE_MAX)
    if (!(limit >= 0) || !(query.offset >= 0)) {
      throw new ArchiveError('request.malformed', 'limit and offset are counts')
    }
    const compiled = compile(query, level)
    const ready = prepare(query, visibility, compiled)
    const { order } = ready
    let offset = query.offset
    let begin: Condition | undefined
    if (query.after !== null) {
      begin = afterCursor(level, order, query.after)
      offset = 0
    } else if (offset >= OFFSET_DEEP && canSkipDays(query, compiled, visibility, order)) {
      const [condition, rest] = skipDays(compiled.dates ?? { from: '', to: '' }, offset)
      begin = condition
      offset = rest
    }
    const rows: SearchRow[] = []
    const warnings = [...compiled.warnings]
    for (const key of ready.refused) warnings.push(`The results cannot be ordered by ${key}.`)
    let last: readonly SqlParam[] | undefined
    let more = false
    for await (const step of steps(ready, begin)) {
      if (offset > 0 && ready.stepwise) {
        const skipped = countIn(ready, step)
        if (skipped <= offset) {
          offset -= skipped
          continue
        }
      }
      const page = render(query, compiled.keys, pageSql(ready, level, step, limit - rows.length, offset))
      offset = 0
      for (const row of page.rows) rows.push(row)
      warnings.push(...page.ends.warnings)
      last = page.ends.last ?? last
      more = page.ends.more
      if (more) break
    }
    return { rows, more, next: more && last !== undefined ? cursorText(level, order, last) : null, warnings }
  }

  /** Picks keys inside an index first, then fetches the rows of those. spike-notes.md section 5. */
  function pageSql(ready: Ready, level: Level, step: Condition | undefined, limit: number, offset: number) {
    const { from, order } = ready
    const where = all([...ready.conditions, step])
    const names = order.keys.map((_, i) => `t.k${i}`)
    const inner = `select ${ALIAS[level]}.key as key, ${order.keys.map(({ sql }, i) => `${sql} as k${i}`).join(', ')}
      from ${from.sql} where ${where.sql} order by ${orderSql(order)} limit ? offset ?`
    const outerOrder = order.keys.map(({ descending }, i) => `t.k${i}${descending ? ' desc' : ''}`).join(', ')
    return {
      sql: (columns: string, joins: string) =>
        `select ${names.join(', ')}, ${columns} from (${inner}) t ${joins} order by ${outerOrder}`,
      params: [...from.params, ...where.params, limit + 1, offset],
      ends: names.length,
      limit,
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

  async function count(query: Query, visibility: Visibility): Promise<number> {
    if (visibility.sees === 'nothing') return 0
    const compiled = compile(query, query.level)
    const unfiltered = compiled.where.length === 0 && query.scope.studyInstanceUID === undefined
    if (unfiltered && seesEverything(visibility)) return db.get<{ n: number }>(TOTAL[query.level])?.n ?? 0
    const ready = prepare({ ...query, order: null }, visibility, compiled)
    let sum = 0
    for await (const step of steps(ready, undefined)) sum += countIn(ready, step)
    return sum
  }

  return { search, count }
}

/** Order keys are never null or bytes: columns they come from are not. */
function bindable(value: SqlValue): string | number {
  if (typeof value === 'string' || typeof value === 'number') return value
  throw new RangeError(`an order key is ${typeof value}`)
}

const TOTAL: Readonly<Record<Level, string>> = {
  study: 'select studies as n from total',
  series: 'select series as n from total',
  instance: 'select instances as n from total',
}
