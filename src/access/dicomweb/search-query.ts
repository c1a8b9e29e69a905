import { ArchiveError } from '#errors.ts'
import { WILDCARDS_MAX } from '#index/fold.ts'
import type { Match, Query } from '#model/search.ts'
import { lookup, tagOf } from '#standards/dicom/dictionary.ts'

/** A search request after parsing, with what the caller must be told about it. */
export interface ParsedSearch {
  readonly query: Query
  readonly warnings: readonly string[]
}

/** Matches per answer when the caller names no limit, and at most. threats.md section 4. */
export const LIMIT_MAX = 1000
const PARAMETERS_MAX = 100
const VALUE_MAX = 2048
const LIST_MAX = 1000
const PATH_DEPTH_MAX = 5
const OFFSET_MAX = 100_000_000

/** Parameters of the service itself. PS3.18 sections 8.3.3 and 8.3.4; `after` and `orderby` are ours. */
const OWN: ReadonlySet<string> = new Set([
  'accept',
  'charset',
  'includefield',
  'fuzzymatching',
  'emptyvaluematching',
  'multiplevaluematching',
  'limit',
  'offset',
  'orderby',
  'after',
])

const WILDCARD_VRS: ReadonlySet<string> = new Set(['AE', 'CS', 'LO', 'LT', 'PN', 'SH', 'ST', 'UC', 'UR', 'UT'])
/** What is written like an attribute: one mistyped must not widen a search unsaid. Other names are none of ours. */
const KEYWORD = /^[A-Z][A-Za-z0-9.]{1,63}$/
const UNKNOWN_TOLD_MAX = 4
const MODALITIES_IN_STUDY = 0x00080061

function refuse(detail: string, hint?: string): ArchiveError {
  return new ArchiveError('request.malformed', detail, hint === undefined ? undefined : { hint })
}

/** Tags of `00100010`, `PatientName` or a path of them joined by dots; undefined when it is no attribute. */
function attributePath(name: string): number[] | undefined {
  const steps = name.split('.')
  if (steps.length > PATH_DEPTH_MAX) return undefined
  const path: number[] = []
  for (const step of steps) {
    const tag = /^[0-9a-f]{8}$/i.test(step) ? Number.parseInt(step, 16) : tagOf(step)
    if (tag === undefined) return undefined
    path.push(tag)
  }
  return path
}

function single(query: URLSearchParams, name: string): string | null {
  const values = query.getAll(name)
  if (values.length > 1) throw refuse(`${name} is given more than once`)
  return values[0] ?? null
}

/** Unknown values of optional parameters are ignored (Sup 183). */
function flag(query: URLSearchParams, name: string): boolean {
  return single(query, name)?.toLowerCase() === 'true'
}

function count(query: URLSearchParams, name: string, absent: number, max: number): number {
  const text = single(query, name)
  if (text === null || text === '') return absent
  if (!/^\d{1,15}$/.test(text)) throw refuse(`${name} must be a number, not negative`)
  return Math.min(Number(text), max)
}

const DATE = /^(\d{4})[.]?(\d{2})[.]?(\d{2})$/

function date(text: string): string | null {
  if (text === '') return null
  const match = DATE.exec(text)
  const [, year = '', month = '', day = ''] = match ?? []
  if (match === null || month < '01' || month > '12' || day < '01' || day > '31') {
    throw refuse('a date is written YYYYMMDD')
  }
  return year + month + day
}

const TIME = /^([01]\d|2[0-3])(?::?([0-5]\d)(?::?([0-5]\d|60)(\.\d{1,6})?)?)?$/

function time(text: string): string | null {
  if (text === '') return null
  const match = TIME.exec(text)
  if (match === null) throw refuse('a time is written HHMMSS.FFFFFF')
  return match.slice(1).join('')
}

function dateTime(text: string): string | null {
  if (text === '') return null
  if (!/^\d{4,14}(\.\d{1,6})?([+-]\d{4})?$/.test(text))
    throw refuse('a date with time is written YYYYMMDDHHMMSS.FFFFFF')
  return text
}

/** `a-b`, `a-`, `-b` or one value. PS3.4 section C.2.2.2.5. */
function range(text: string, parse: (part: string) => string | null, dash: number): Match['how'] {
  if (dash < 0) {
    const value = parse(text)
    return value === null ? { is: 'universal' } : { is: 'single', value }
  }
  const from = parse(text.slice(0, dash))
  const to = parse(text.slice(dash + 1))
  if (from === null && to === null) throw refuse('a range needs at least one end')
  return { is: 'range', from, to }
}

/** The dash of a date-time range is one that cannot begin a time zone (-1200 to +1400). PS3.5 section 6.2, DT. */
function dateTimeDash(text: string): number {
  for (let at = text.indexOf('-'); at >= 0; at = text.indexOf('-', at + 1)) {
    const zone = /^-(\d{4})(-|$)/.exec(text.slice(at))
    if (at === 0 || zone === null || Number(zone[1]) > 1400) return at
  }
  return -1
}

interface Modes {
  readonly emptyValues: boolean
  readonly multipleValues: boolean
}

function listOf(values: readonly string[]): Match['how'] {
  const some = [...new Set(values.map((value) => value.trim()))].filter((value) => value !== '')
  if (some.length > LIST_MAX) throw refuse(`a list has at most ${LIST_MAX} values`)
  const [first] = some
  if (first === undefined) return { is: 'universal' }
  return some.length === 1 ? { is: 'single', value: first } : { is: 'list', values: some }
}

/** What a value asks for. PS3.4 section C.2.2.2 by VR. */
function howOf(path: readonly number[], raw: string, modes: Modes): Match['how'] {
  const value = raw.trim()
  // A lone `*` is universal matching whatever the VR. PS3.4 section C.2.2.2.4.
  if (/^\**$/.test(value)) return { is: 'universal' }
  if (value === '""' && modes.emptyValues) return { is: 'empty' }
  const tag = path.at(-1) ?? 0
  const vr = lookup(tag)?.vr ?? 'UN'
  if (vr === 'UI') return listOf(value.split(/[,\\]/))
  if (vr === 'DA') return range(value, date, value.indexOf('-'))
  if (vr === 'TM') return range(value, time, value.indexOf('-'))
  if (vr === 'DT') return range(value, dateTime, dateTimeDash(value))
  if (WILDCARD_VRS.has(vr) || vr === 'UN') {
    const wild = value.match(/[*?]/g)?.length ?? 0
    if (wild > WILDCARDS_MAX) throw refuse(`a value has at most ${WILDCARDS_MAX} wild cards`)
    if (wild > 0) return { is: 'wildcard', pattern: value }
  }
  // A comma cannot be part of a code string, so viewers that join modalities by one are understood.
  if (tag === MODALITIES_IN_STUDY) return listOf(value.split(/[,\\]/))
  if (modes.multipleValues || vr === 'CS') return listOf(value.split('\\'))
  return { is: 'single', value }
}

function includes(query: URLSearchParams): Query['include'] {
  const names = query.getAll('includefield').flatMap((value) => value.split(','))
  if (names.length > PARAMETERS_MAX * 5) throw refuse('too many fields in includefield')
  if (names.some((name) => name.trim().toLowerCase() === 'all')) return 'all'
  const paths: number[][] = []
  for (const name of names) {
    const path = attributePath(name.trim())
    if (path !== undefined) paths.push(path)
  }
  return paths
}

function orderOf(query: URLSearchParams, warnings: string[]): Query['order'] {
  const text = single(query, 'orderby')
  if (text === null || text.trim() === '') return null
  const order: { tag: number; descending: boolean }[] = []
  for (const part of text.split(',').slice(0, 8)) {
    const name = part.trim().replace(/^[+-]/, '')
    const path = attributePath(name)
    if (path?.length !== 1) warnings.push('orderby names an attribute that is not known. It was ignored.')
    else order.push({ tag: path[0] ?? 0, descending: part.trim().startsWith('-') })
  }
  return order.length === 0 ? null : order
}

/**
 * Reads the parameters of a search. PS3.18 section 8.3.4. Names that are no attribute are ignored, with a
 * warning when they look like one.
 *
 * @throws ArchiveError 'request.malformed' for an attribute given twice, a value its VR cannot have, or one over the
 *   limits
 */
export function parseSearch(level: Query['level'], scope: Query['scope'], query: URLSearchParams): ParsedSearch {
  const warnings: string[] = []
  const modes: Modes = {
    emptyValues: flag(query, 'emptyvaluematching'),
    multipleValues: flag(query, 'multiplevaluematching'),
  }
  const match: Match[] = []
  const seen = new Set<string>()
  const unknown = new Set<string>()
  let parameters = 0
  for (const [name, value] of query) {
    if (++parameters > PARAMETERS_MAX * 5) throw refuse('too many parameters')
    if (OWN.has(name)) continue
    const path = attributePath(name)
    if (path === undefined) {
      if (KEYWORD.test(name) && unknown.size < UNKNOWN_TOLD_MAX) unknown.add(name)
      continue
    }
    if (value.length > VALUE_MAX && lookup(path.at(-1) ?? 0)?.vr !== 'UI')
      throw refuse(`the value of ${name} is too long`)
    const key = path.join('.')
    if (seen.has(key))
      throw refuse(`${name} is given more than once`, 'Each attribute may stand once, by tag or keyword.')
    seen.add(key)
    if (seen.size > PARAMETERS_MAX) throw refuse('too many attributes')
    match.push({ path, how: howOf(path, value, modes) })
  }
  for (const name of unknown) warnings.push(`The attribute ${name} is not known. It was ignored.`)
  const after = single(query, 'after')
  return {
    query: {
      level,
      scope,
      match,
      include: includes(query),
      fuzzy: flag(query, 'fuzzymatching'),
      order: orderOf(query, warnings),
      limit: count(query, 'limit', LIMIT_MAX, LIMIT_MAX),
      offset: count(query, 'offset', 0, OFFSET_MAX),
      after: after === null || after === '' ? null : after,
    },
    warnings,
  }
}
