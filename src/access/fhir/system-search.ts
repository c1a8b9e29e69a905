import type { Resource } from '@medplum/fhirtypes'
import { ArchiveError } from '#errors.ts'
import { cursorKeys, cursorText } from '#model/cursor.ts'
import { type FhirQuery, parseQuery } from './query.ts'
import type { Asker, FhirSearch, Found, ServedKind } from './search.ts'

const LIST = 'fhir system'

/** Types that are only found by something more exact than everything of them. */
const ALONE = ['Binary', 'Provenance']

/**
 * Searches several types in turn, one after the other in the order of the CapabilityStatement; types the asker may not
 * search are left out, as if there were none. https://hl7.org/fhir/R4/http.html#search, `GET [base]?_type=`.
 *
 * @param strict refuses what one of the types is not searched by
 * @throws ArchiveError 'request.malformed'
 */
export async function systemSearch(
  search: FhirSearch,
  kinds: readonly ServedKind[],
  given: URLSearchParams,
  strict: boolean,
  asker: Asker,
): Promise<{ readonly query: FhirQuery; readonly found: Found }> {
  const named = given.get('_type')?.split(',').filter(Boolean)
  const unknown = named?.find((type) => !kinds.some(({ kind }) => kind.type === type))
  if (unknown !== undefined && strict)
    throw new ArchiveError('request.malformed', `_type=${unknown} is not served here`)
  const parameters = new URLSearchParams([...given].filter(([name]) => name !== '_type' && name !== '_sort'))
  const searched = kinds.filter(
    ({ kind }) =>
      (named === undefined ? !ALONE.includes(kind.type) : named.includes(kind.type)) &&
      asker.sees(kind.type, 's') !== 'forbidden',
  )
  const [first] = kinds
  if (first === undefined) throw new ArchiveError('request.not-found', 'nothing is served')
  const asked = parseQuery((searched[0] ?? first).kind, parameters, strict)
  const used = given.has('_type') ? [['_type', given.get('_type') ?? ''] as const, ...asked.used] : asked.used
  const [type, inner] = asked.cursor === undefined ? ['', ''] : cursorKeys(LIST, asked.cursor, ['', ''] as const)
  const from = Math.max(
    0,
    searched.findIndex(({ kind }) => kind.type === type),
  )
  const matched: Resource[] = []
  const included: Resource[] = []
  let total = asked.summary === 'count' || asked.count === 0 ? 0 : null
  let next: string | null = null
  for (const [i, served] of searched.slice(from).entries()) {
    const left = asked.count - matched.length
    if (total === null && left <= 0) {
      next = cursorText(LIST, [served.kind.type, ''])
      break
    }
    const own = parseQuery(served.kind, parameters, strict)
    const { cursor: _, ...rest } = own
    const cursor = i === 0 && inner !== '' ? inner : undefined
    const page = await search.search(served, { ...rest, cursor, count: left }, asker)
    if (total !== null) {
      total += page.total ?? 0
      continue
    }
    matched.push(...page.matched)
    included.push(...page.included)
    if (page.next !== null) {
      next = cursorText(LIST, [served.kind.type, page.next])
      break
    }
  }
  return { query: { ...asked, used }, found: { matched, included, next, total } }
}
