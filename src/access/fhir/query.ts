import { ArchiveError } from '#errors.ts'
import { type Filter, unescapedSplit } from '#standards/fhir/search-syntax.ts'
import type { ResourceKind } from './kind.ts'

/** A condition that goes through a reference: `patient.identifier`, `subject:Patient.name`. */
export interface Chain {
  readonly code: string
  /** Type the reference leads to; null for all that are possible. */
  readonly target: string | null
  /** What holds there: a parameter with its modifier. */
  readonly rest: string
  readonly values: readonly string[]
}

export interface Include {
  readonly type: string
  readonly code: string
  readonly target: string | null
  readonly iterate: boolean
}

export type Summary = 'true' | 'text' | 'data' | 'count' | 'false'

/** A search as it was understood. https://hl7.org/fhir/R4/search.html */
export interface FhirQuery {
  readonly filters: readonly Filter[]
  readonly chains: readonly Chain[]
  readonly includes: readonly Include[]
  readonly revIncludes: readonly Include[]
  readonly count: number
  readonly cursor: string | undefined
  /** One of the kind's `sorts`; its natural order when undefined. */
  readonly sort: string | undefined
  readonly summary: Summary
  readonly elements: readonly string[]
  readonly total: 'none' | 'estimate' | 'accurate'
  /** What was used, for the self link. */
  readonly used: readonly (readonly [name: string, value: string])[]
  /** What was not: told in strict handling, left out in lenient. */
  readonly ignored: readonly string[]
}

const COUNT_DEFAULT = 20
const COUNT_MAX = 1000
const PARAMETERS_MAX = 100
const VALUES_MAX = 500
const VALUE_LENGTH_MAX = 4096
const COMMON = ['_id', '_lastUpdated', '_tag', '_profile', '_security']
const MODIFIERS = ['missing', 'exact', 'contains', 'not', 'text', 'identifier', 'above', 'below']
/** Of the request itself, not of the search. */
const OF_REQUEST = ['_format', '_pretty']

/**
 * @param strict refuses what is not understood instead of ignoring it (`Prefer: handling=strict`)
 * @throws ArchiveError 'request.malformed'
 */
export function parseQuery(kind: ResourceKind, given: URLSearchParams, strict: boolean): FhirQuery {
  const filters: Filter[] = []
  const chains: Chain[] = []
  const includes: Include[] = []
  const revIncludes: Include[] = []
  const used: [string, string][] = []
  const ignored: string[] = []
  let count = COUNT_DEFAULT
  let cursor: string | undefined
  let sort: string | undefined
  let summary: Summary = 'false'
  let elements: string[] = []
  let total: FhirQuery['total'] = 'none'

  if ([...given.keys()].length > PARAMETERS_MAX) throw malformed(`more than ${PARAMETERS_MAX} parameters`)
  for (const [name, value] of given) {
    if (OF_REQUEST.includes(name) || value === '') continue
    if (value.length > VALUE_LENGTH_MAX * 4) throw malformed(`${name} is too long`)
    const use = () => used.push([name, value])
    switch (name) {
      case '_count':
        if (!/^\d{1,9}$/.test(value)) throw malformed('_count is a number, not negative')
        count = Math.min(Number(value), COUNT_MAX)
        use()
        continue
      case '_cursor':
        cursor = value
        continue
      case '_sort':
        if (kind.sorts.includes(value)) {
          sort = value
          use()
        } else ignored.push(`_sort=${value}`)
        continue
      case '_summary':
        if (!['true', 'text', 'data', 'count', 'false'].includes(value)) throw malformed(`_summary is not ${value}`)
        summary = value as Summary
        use()
        continue
      case '_elements':
        elements = value.split(',').map((element) => element.trim())
        use()
        continue
      case '_total':
        if (value !== 'none' && value !== 'estimate' && value !== 'accurate') throw malformed(`_total is not ${value}`)
        total = value
        use()
        continue
      case '_include':
      case '_include:iterate':
      case '_revinclude':
      case '_revinclude:iterate': {
        const include = includeOf(kind, name, value)
        if (include === undefined) ignored.push(`${name}=${value}`)
        else {
          if (name.startsWith('_include')) includes.push(include)
          else revIncludes.push(include)
          use()
        }
        continue
      }
      default: {
        const values = unescapedSplit(value, ',').filter((one) => one !== '')
        if (values.length > VALUES_MAX) throw malformed(`${name} has more than ${VALUES_MAX} alternatives`)
        const condition = conditionOf(kind, name, values)
        if (condition === undefined) ignored.push(name)
        else {
          if ('rest' in condition) chains.push(condition)
          else filters.push(condition)
          use()
        }
      }
    }
  }
  if (strict && ignored.length > 0) {
    throw malformed(`${kind.type} is not searched by: ${ignored.join(', ')}`)
  }
  return { filters, chains, includes, revIncludes, count, cursor, sort, summary, elements, total, used, ignored }
}

function malformed(detail: string): ArchiveError {
  return new ArchiveError('request.malformed', detail)
}

function includeOf(kind: ResourceKind, name: string, value: string): Include | undefined {
  const [type = '', code = '', target] = value.split(':')
  const iterate = name.endsWith(':iterate')
  const include = { type, code, target: target ?? null, iterate }
  if (name.startsWith('_include')) {
    return type === kind.type && !kind.includes.includes(code) && !iterate ? undefined : include
  }
  return kind.revIncludes.includes(`${type}:${code}`) || iterate ? include : undefined
}

/** @returns undefined for what this type is not searched by */
function conditionOf(kind: ResourceKind, name: string, values: readonly string[]): Filter | Chain | undefined {
  // Parameters of MHD with a point in their name are no chains.
  const has = (code: string) => kind.parameters.includes(code) || COMMON.includes(code)
  const [bare = '', modifier = null, ...more] = name.split(':')
  if (more.length === 0 && has(bare)) {
    if (modifier === null) return { code: bare, modifier, values }
    if (modifier === 'identifier' && (bare === 'patient' || bare === 'subject')) {
      return { code: bare, target: 'Patient', rest: 'identifier', values }
    }
    if (MODIFIERS.includes(modifier) || /^[A-Z][A-Za-z]+$/.test(modifier)) return { code: bare, modifier, values }
    return undefined
  }
  const chain = /^([a-z-]+)(?::([A-Z][A-Za-z]+))?\.(.+)$/.exec(name)
  const [, code = '', target = null, rest = ''] = chain ?? []
  if (chain === null || !has(code)) return undefined
  return { code, target, rest, values }
}
