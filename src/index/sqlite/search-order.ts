import { hash } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { Query } from '#model/search.ts'
import { type Level, pathKey, type SearchableTable } from '../searchable.ts'
import type { SqlParam } from './database.ts'
import type { Condition } from './visible.ts'

/** One key of an order. Orders are total: the last key is unique. */
export interface OrderKey {
  readonly sql: string
  readonly descending: boolean
}

export interface Order {
  readonly keys: readonly OrderKey[]
  /** The order of the default index of the level, forwards or backwards. */
  readonly natural: boolean
}

const NO_NUMBER = Number.MAX_SAFE_INTEGER

function key(sql: string, descending = false): OrderKey {
  return { sql, descending }
}

/** A number column with missing values last. */
function numbered(sql: string, descending = false): OrderKey {
  return key(`coalesce(${sql}, ${descending ? -NO_NUMBER : NO_NUMBER})`, descending)
}

const SERIES_ORDER = [numbered('r.number'), key('r.uid'), key('r.key')]
const INSTANCE_ORDER = [numbered('i.number'), key('i.uid'), key('i.key')]

/** Newest study first; within a study or series by number. */
function defaultOrder(level: Level, scope: Query['scope']): Order {
  if (level === 'study') {
    return { keys: [key('s.date', true), key('s.time', true), key('s.key', true)], natural: true }
  }
  if (level === 'series') {
    if (scope.studyInstanceUID === undefined) return { keys: [key('r.key', true)], natural: true }
    return { keys: SERIES_ORDER, natural: true }
  }
  if (scope.seriesInstanceUID !== undefined) return { keys: INSTANCE_ORDER, natural: true }
  if (scope.studyInstanceUID !== undefined) {
    return { keys: [numbered('r.number'), key('r.uid'), ...INSTANCE_ORDER], natural: true }
  }
  return { keys: [key('i.key', true)], natural: true }
}

const ALIAS: Readonly<Record<Level, string>> = { study: 's', series: 'r', instance: 'i' }

/**
 * The order of a query's answer.
 * @param bounded true when few rows are sorted: then any column will do
 * @returns with the keys of attributes it cannot sort by
 */
export function orderOf(query: Query, table: SearchableTable, bounded: boolean): { order: Order; refused: string[] } {
  const natural = defaultOrder(query.level, query.scope)
  const refused: string[] = []
  if (query.order === null || query.order.length === 0) return { order: natural, refused }
  const keys: OrderKey[] = []
  let byDate = true
  let byName = query.level === 'study'
  for (const [position, { tag, descending }] of query.order.entries()) {
    const attribute = table.byKey.get(pathKey([tag]))
    const column = attribute?.column
    if (attribute === undefined || column === null || column === undefined || attribute.level !== query.level) {
      refused.push(pathKey([tag]))
      continue
    }
    if (attribute.key !== (position === 0 ? '00080020' : '00080030')) byDate = false
    if (position > 0 || attribute.key !== '00100010') byName = false
    const sql = `${ALIAS[query.level]}.${attribute.key === '00100010' ? 'name_key' : column}`
    keys.push(attribute.kind === 'number' ? numbered(sql, descending) : key(sql, descending))
  }
  const [first] = keys
  if (first === undefined) return { order: natural, refused }
  if (query.level === 'study' && byDate && keys.every(({ descending }) => descending === first.descending)) {
    const all = natural.keys.map(({ sql }) => key(sql, first.descending))
    return { order: { keys: all, natural: true }, refused }
  }
  if (byName) {
    // As the name index has it: forwards newest first within a name, backwards oldest first.
    const rest = natural.keys.map(({ sql }) => key(sql, !first.descending))
    return { order: { keys: [first, ...rest], natural: false }, refused }
  }
  if (!bounded) return { order: natural, refused: query.order.map(({ tag }) => pathKey([tag])) }
  return { order: { keys: [...keys, ...natural.keys], natural: false }, refused }
}

export function orderSql(order: Order): string {
  return order.keys.map(({ sql, descending }) => `${sql}${descending ? ' desc' : ''}`).join(', ')
}

/** Two orders with the same signature can share a cursor. */
function signature(level: Level, order: Order): string {
  return hash('sha256', `${level} ${orderSql(order)}`, 'hex').slice(0, 8)
}

/** Where a page ended, to go on from. */
export function cursorText(level: Level, order: Order, values: readonly SqlParam[]): string {
  return Buffer.from(JSON.stringify([signature(level, order), ...values])).toString('base64url')
}

/**
 * What stands behind a cursor in the order, as a condition an index can seek.
 * @throws ArchiveError 'request.malformed' for a cursor of another query, or none of ours
 */
export function afterCursor(level: Level, order: Order, cursor: string): Condition {
  const refuse = (): ArchiveError =>
    new ArchiveError('request.malformed', 'the continuation does not belong to this search', {
      hint: 'Start again without `after`.',
    })
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(cursor.slice(0, 2048), 'base64url').toString())
  } catch {
    throw refuse()
  }
  if (!Array.isArray(parsed) || parsed.length !== order.keys.length + 1) throw refuse()
  const [signed, ...values] = parsed as unknown[]
  if (signed !== signature(level, order)) throw refuse()
  const bound = values.map((value): string | number => {
    if (typeof value === 'string' || typeof value === 'number') return value
    throw refuse()
  })
  return beyond(order, bound)
}

/** What stands behind the given order keys. Leads with a bound on the first key, for the index to seek. */
export function beyond(order: Order, values: readonly (string | number)[]): Condition {
  let sql = ''
  const params: SqlParam[] = []
  for (let i = order.keys.length - 1; i >= 0; i--) {
    const { sql: column, descending } = order.keys[i] ?? key('')
    const sign = descending ? '<' : '>'
    const value = values[i] ?? ''
    if (sql === '') {
      sql = `${column} ${sign} ?`
      params.unshift(value)
    } else {
      sql = `${column} ${sign}= ? and (${column} ${sign} ? or (${column} = ? and ${sql}))`
      params.unshift(value, value, value)
    }
  }
  return { sql, params }
}

/** What stands up to and at the given order keys: the rest of `beyond`. */
export function upTo(order: Order, values: readonly (string | number)[]): Condition {
  const [first] = order.keys
  const behind = beyond(order, values)
  const sql = `${first?.sql} ${first?.descending === true ? '>=' : '<='} ? and not (${behind.sql})`
  return { sql, params: [values[0] ?? '', ...behind.params] }
}
