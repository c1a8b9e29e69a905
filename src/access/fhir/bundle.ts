import type { Bundle, BundleEntry } from '@medplum/fhirtypes'
import { provideProfileOf } from '#arrival/mhd/canonical.ts'
import { FhirFault } from './outcome.ts'
import { parseQuery } from './query.ts'
import { type Asker, type FhirSearch, referenceTo } from './search.ts'

/** A bundle made ready for the router. */
export interface Bundled {
  readonly bundle: Bundle
  /** As they were asked for, entry by entry. */
  readonly methods: readonly string[]
  /** Where a resource stands, once the router has given it its id. */
  locate(type: string, id: string | undefined): string
  /** Says of itself that all metadata are there. */
  readonly complete: boolean
}

/** Entries of one bundle; of updates the router takes 50. */
const ENTRIES_MAX = 1000

/**
 * Conditions of creates and updates are looked up here, entry by entry, so that each problem is told with its entry and
 * the router has plain interactions left.
 * @param positions where the entries stood in what was sent, when some were taken out
 * @throws FhirFault
 */
export async function preparedBundle(
  bundle: Bundle,
  search: FhirSearch,
  asker: Asker,
  positions: readonly number[] = [],
): Promise<Bundled> {
  const entries = bundle.entry ?? []
  if (bundle.type !== 'transaction' && bundle.type !== 'batch') {
    throw FhirFault.at(400, 'value', 'Bundle.type', 'only a batch or a transaction is taken here')
  }
  if (entries.length > ENTRIES_MAX)
    throw FhirFault.at(413, 'too-long', 'Bundle.entry', `more than ${ENTRIES_MAX} entries`)
  const made: BundleEntry[] = []
  const placeOf = (i: number) => `Bundle.entry[${positions[i] ?? i}]`
  for (const [i, entry] of entries.entries()) made.push(await preparedEntry(entry, placeOf(i), search, asker))
  const profile = provideProfileOf(bundle)
  return {
    bundle: { ...bundle, entry: made },
    methods: entries.map(({ request }) => request?.method ?? 'GET'),
    complete: profile === 'comprehensive' || profile === 'uncontained',
    locate(type, id) {
      const at = made.findIndex(
        ({ resource, request }) =>
          (resource?.resourceType === type && resource.id === id) || request?.url === `${type}/${id}`,
      )
      return at < 0 ? type : `${placeOf(at)}.resource`
    },
  }
}

async function preparedEntry(entry: BundleEntry, at: string, search: FhirSearch, asker: Asker): Promise<BundleEntry> {
  const { request, resource } = entry
  if (request?.url === undefined)
    throw FhirFault.at(400, 'required', `${at}.request`, 'an entry says what is to be done')
  const url = request.url.replace(/^.*\/fhir\//, '')
  const type = url.split(/[/?]/)[0] ?? ''
  const writes = request.method !== 'GET' && request.method !== 'HEAD'
  if (writes && search.served(type) === undefined) {
    throw FhirFault.at(422, 'not-supported', `${at}.request.url`, `${type} is not served here`)
  }
  if (request.method === 'POST' && request.ifNoneExist !== undefined) {
    const known = await only(type, request.ifNoneExist, `${at}.request.ifNoneExist`, search, asker)
    const { ifNoneExist: _, ...plain } = request
    if (known === undefined) return { ...entry, request: { ...plain, url } }
    // It is there: nothing is made, and others refer to it.
    return { ...entry, resource: undefined, request: { method: 'GET', url: known } } as unknown as BundleEntry
  }
  if (request.method === 'PUT' && url.includes('?')) {
    const known = await only(type, url.slice(url.indexOf('?') + 1), `${at}.request.url`, search, asker)
    if (known === undefined) return { ...entry, request: { method: 'POST', url: type } }
    const id = known.slice(type.length + 1)
    return {
      ...entry,
      resource: { ...resource, id } as BundleEntry['resource'],
      request: { ...request, url: known },
    } as BundleEntry
  }
  return { ...entry, request: { ...request, url } }
}

/** The one resource a condition names; undefined when there is none. @throws FhirFault 412 when there are more */
async function only(
  type: string,
  condition: string,
  at: string,
  search: FhirSearch,
  asker: Asker,
): Promise<string | undefined> {
  const served = search.served(type)
  if (served === undefined) return undefined
  const asked = new URLSearchParams(condition.slice(condition.indexOf('?') + 1))
  const query = parseQuery(served.kind, asked, true)
  const { matched } = await search.search(served, { ...query, count: 2 }, asker)
  if (matched.length > 1) throw FhirFault.at(412, 'multiple-matches', at, 'more than one resource matches')
  return matched[0] === undefined ? undefined : referenceTo(matched[0])
}
