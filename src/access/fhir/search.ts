import type { Resource } from '@medplum/fhirtypes'
import { ArchiveError } from '#errors.ts'
import { searchParameter } from '#standards/fhir/definitions.ts'
import { matches } from '#standards/fhir/search-match.ts'
import type { Filter } from '#standards/fhir/search-syntax.ts'
import { searchValues } from '#standards/fhir/search-values.ts'
import type { Json } from '#standards/fhir/xml-write.ts'
import { Criteria } from './criteria.ts'
import type { Caller, ResourceKind, ResourceSource } from './kind.ts'
import { type Chain, type FhirQuery, type Include, parseQuery } from './query.ts'

/** A type with where its resources come from. */
export interface ServedKind {
  readonly kind: ResourceKind
  readonly source: ResourceSource
}

export interface Found {
  readonly matched: readonly Resource[]
  readonly included: readonly Resource[]
  /** Goes on behind this page; the page may be short. */
  readonly next: string | null
  /** Null when nobody asked, or it is not cheap. */
  readonly total: number | null
}

/** Resources that may be looked at for one page, those a chain may lead to, and those that may be included. */
const SCANNED_MAX = 2000
const CHAINED_MAX = 500
const INCLUDED_MAX = 1000
const COUNTED_MAX = 20_000
const ITERATIONS_MAX = 3

/** Who asks, before it is said for which type. */
export type Asker = Omit<Caller, 'visibility'>

/** Searches over all types: indexes first, then what they cannot tell, on the resources themselves. */
export class FhirSearch {
  readonly #kinds: ReadonlyMap<string, ServedKind>

  constructor(kinds: ReadonlyMap<string, ServedKind>) {
    this.#kinds = kinds
  }

  served(type: string): ServedKind | undefined {
    return this.#kinds.get(type)
  }

  /** @throws ArchiveError 'request.forbidden' */
  caller(asker: Asker, type: string, interactions: 'r' | 's' | 'rs'): Caller {
    const visibility = asker.sees(type, interactions)
    if (visibility === 'forbidden') throw new ArchiveError('request.forbidden', `role or scopes do not reach ${type}`)
    return { origin: asker.origin, sees: asker.sees, visibility }
  }

  /** @returns undefined when there is none the asker may see */
  async read(type: string, id: string, asker: Asker): Promise<Resource | undefined> {
    const served = this.#kinds.get(type)
    if (served === undefined || asker.sees(type, 'r') === 'forbidden') return undefined
    return served.source.read(id, this.caller(asker, type, 'r'))
  }

  /** @throws ArchiveError 'request.malformed' for a chain that leads to too many */
  async search({ kind, source }: ServedKind, query: FhirQuery, asker: Asker): Promise<Found> {
    const caller = this.caller(asker, kind.type, 's')
    const nothing: Found = { matched: [], included: [], next: null, total: 0 }
    const filters = [...query.filters]
    for (const chain of query.chains) {
      const filter = await this.#resolved(kind, chain, asker)
      if (filter.values.length === 0) return nothing
      filters.push(filter)
    }
    if (query.summary === 'count' || query.count === 0) {
      return { ...nothing, total: await this.#count({ kind, source }, filters, caller) }
    }
    const matched: Resource[] = []
    let cursor = query.cursor
    let next: string | null = null
    for (let scanned = 0; ; ) {
      const criteria = new Criteria(filters)
      const limit = query.count - matched.length
      const page = await source.search(criteria, { limit, cursor, sort: query.sort }, caller)
      matched.push(...page.resources.filter((resource) => isMatch(resource, criteria.left)))
      scanned += Math.max(1, page.resources.length)
      next = page.next
      if (next === null || matched.length >= query.count || scanned >= SCANNED_MAX) break
      cursor = next
    }
    const complete = next === null && query.cursor === undefined
    const total = complete
      ? matched.length
      : query.total === 'accurate'
        ? await this.#count({ kind, source }, filters, caller)
        : null
    return { matched, included: await this.#included(matched, query, asker), next, total }
  }

  /** @throws ArchiveError 'request.malformed' when there are too many to count without an index */
  async #count({ source }: ServedKind, filters: readonly Filter[], caller: Caller): Promise<number> {
    const criteria = new Criteria(filters)
    const first = await source.search(criteria, { limit: 1, cursor: undefined, sort: undefined }, caller)
    if (first.next === null) return first.resources.filter((resource) => isMatch(resource, criteria.left)).length
    if (criteria.left.length === 0 && source.count !== undefined) return source.count(new Criteria(filters), caller)
    let count = 0
    let cursor: string | undefined
    for (let scanned = 0; scanned < COUNTED_MAX; ) {
      const again = new Criteria(filters)
      const page = await source.search(again, { limit: 200, cursor, sort: undefined }, caller)
      count += page.resources.filter((resource) => isMatch(resource, again.left)).length
      scanned += page.resources.length
      if (page.next === null) return count
      cursor = page.next
    }
    throw new ArchiveError('request.malformed', `more than ${COUNTED_MAX} to count`, { hint: 'Narrow the search.' })
  }

  /** A condition through a reference, as the references it leads to. */
  async #resolved(kind: ResourceKind, { code, target, rest, values }: Chain, asker: Asker): Promise<Filter> {
    const targets = searchParameter(kind.type, code)?.target ?? []
    const found: string[] = []
    for (const type of targets.filter((one) => target === null || one === target)) {
      const served = this.#kinds.get(type)
      if (served === undefined || asker.sees(type, 's') === 'forbidden') continue
      const inner = new URLSearchParams([[rest, values.join(',')]])
      const query = parseQuery(served.kind, inner, false)
      // Another type's parameter: this reference cannot lead there.
      if (query.ignored.length > 0) continue
      const page = await this.search(served, { ...query, count: CHAINED_MAX }, asker)
      if (page.next !== null) {
        throw new ArchiveError('request.malformed', `${code}.${rest} leads to more than ${CHAINED_MAX} resources`, {
          hint: 'Narrow it.',
        })
      }
      found.push(...page.matched.map(({ resourceType, id }) => `${resourceType}/${id}`))
    }
    return { code, modifier: null, values: found }
  }

  async #included(matched: readonly Resource[], query: FhirQuery, asker: Asker): Promise<Resource[]> {
    const { includes, revIncludes } = query
    if (includes.length + revIncludes.length === 0) return []
    const known = new Set(matched.map(referenceTo))
    const found: Resource[] = []
    let from: readonly Resource[] = matched
    for (let round = 0; round <= ITERATIONS_MAX && from.length > 0; round++) {
      const added: Resource[] = []
      const add = (resource: Resource | undefined) => {
        if (resource === undefined || known.has(referenceTo(resource))) return
        if (found.length + added.length >= INCLUDED_MAX) return
        known.add(referenceTo(resource))
        added.push(resource)
      }
      const now = (include: Include) => round === 0 || include.iterate
      for (const include of includes.filter(now)) {
        for (const reference of referencesOf(from, include)) {
          if (known.has(reference)) continue
          const [type = '', id = ''] = reference.split('/')
          add(await this.read(type, id, asker))
        }
      }
      for (const include of revIncludes.filter(now)) {
        for (const resource of await this.#reverse(from, include, asker)) add(resource)
      }
      found.push(...added)
      from = added
    }
    return found
  }

  async #reverse(from: readonly Resource[], { type, code }: Include, asker: Asker): Promise<readonly Resource[]> {
    const served = this.#kinds.get(type)
    if (served === undefined || asker.sees(type, 's') === 'forbidden' || from.length === 0) return []
    const targets = searchParameter(type, code)?.target
    const values = from.filter(({ resourceType }) => targets?.includes(resourceType) !== false).map(referenceTo)
    if (values.length === 0) return []
    const query = parseQuery(served.kind, new URLSearchParams([[code, values.join(',')]]), false)
    const page = await this.search(served, { ...query, count: INCLUDED_MAX }, asker)
    return page.matched
  }
}

/** @throws ArchiveError 'request.malformed' for a modifier that means nothing for a parameter */
function isMatch(resource: Resource, left: readonly Filter[]): boolean {
  return left.every((filter) => {
    const match = matches(resource as unknown as Json, filter)
    if (match !== undefined) return match
    const modifier = filter.modifier === null ? '' : `:${filter.modifier}`
    throw new ArchiveError('request.malformed', `${filter.code}${modifier} cannot be compared here`)
  })
}

export function referenceTo({ resourceType, id }: Resource): string {
  return `${resourceType}/${id}`
}

/** What resources refer to by a parameter, as `Type/id`; other servers' resources are left where they are. */
function referencesOf(resources: readonly Resource[], { type, code, target }: Include): Set<string> {
  const found = new Set<string>()
  for (const resource of resources) {
    if (resource.resourceType !== type) continue
    for (const value of searchValues(resource as unknown as Json, code) ?? []) {
      if (value.is !== 'reference' || !/^[A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64}$/.test(value.to)) continue
      if (target === null || value.to.startsWith(`${target}/`)) found.add(value.to)
    }
  }
  return found
}
