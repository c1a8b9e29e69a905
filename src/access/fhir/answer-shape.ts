import type { Bundle, BundleEntry, Resource } from '@medplum/fhirtypes'
import { typeNamed } from '#standards/fhir/definitions.ts'
import type { HistoryEntry } from './kind.ts'
import type { FhirQuery } from './query.ts'
import { type Found, referenceTo } from './search.ts'

const SUBSETTED = { system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'SUBSETTED' }

/** A resource cut down to what was asked for. https://hl7.org/fhir/R4/search.html#summary */
export function shaped(resource: Resource, { summary, elements }: Pick<FhirQuery, 'summary' | 'elements'>): Resource {
  if (summary === 'false' && elements.length === 0) return resource
  const schema = typeNamed(resource.resourceType)
  const mandatory = Object.entries(schema?.elements ?? {}).flatMap(([name, { min }]) => (min > 0 ? [name] : []))
  const always = ['resourceType', 'id', 'meta', ...mandatory]
  const keeps = (name: string): boolean => {
    const plain = name.replace(/^_/, '')
    if (elements.length > 0) return always.includes(plain) || elements.includes(plain)
    if (summary === 'data') return plain !== 'text'
    if (summary === 'text') return always.includes(plain) || plain === 'text'
    const declared = [...(schema?.summaryProperties ?? [])].some(
      (one) => one === plain || (one.endsWith('[x]') && plain.startsWith(one.slice(0, -3))),
    )
    return always.includes(plain) || declared
  }
  const kept = Object.fromEntries(Object.entries(resource).filter(([name]) => keeps(name)))
  const meta = { ...resource.meta, tag: [...(resource.meta?.tag ?? []), SUBSETTED] }
  return { ...kept, meta } as Resource
}

/** What a search found, as a Bundle whose links show what was used. */
export function searchBundle(base: string, type: string, query: FhirQuery, found: Found): Bundle {
  const link = (extra: readonly (readonly [string, string])[]) => {
    const text = new URLSearchParams(
      [...query.used, ...extra].map(([name, value]): [string, string] => [name, value]),
    ).toString()
    return `${base}${type === '' ? '' : `/${type}`}${text === '' ? '' : `?${text}`}`
  }
  const entry = (resource: Resource, mode: 'match' | 'include'): BundleEntry => ({
    fullUrl: `${base}/${referenceTo(resource)}`,
    resource: shaped(resource, query),
    search: { mode },
  })
  const entries = [
    ...found.matched.map((resource) => entry(resource, 'match')),
    ...found.included.map((resource) => entry(resource, 'include')),
  ]
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    ...(found.total === null || (query.total === 'none' && query.summary !== 'count' && found.next !== null)
      ? {}
      : { total: found.total }),
    link: [
      { relation: 'self', url: link(query.cursor === undefined ? [] : [['_cursor', query.cursor]]) },
      ...(found.next === null ? [] : [{ relation: 'next', url: link([['_cursor', found.next]]) }]),
    ],
    ...(entries.length === 0 ? {} : { entry: entries }),
  }
}

/** What was done to a resource, or to all of a type, newest first. https://hl7.org/fhir/R4/http.html#history */
export function historyBundle(
  base: string,
  entries: readonly HistoryEntry[],
  links: NonNullable<Bundle['link']> = [],
): Bundle {
  return {
    resourceType: 'Bundle',
    type: 'history',
    ...(links.some(({ relation }) => relation === 'next') ? {} : { total: entries.length }),
    ...(links.length === 0 ? {} : { link: links }),
    entry: entries.map(({ type, id, resource, versionId, lastUpdated }) => {
      const reference = `${type}/${id}`
      // Digests are no numbers: of what is derived there is one state, and nobody made it by a request.
      const first = versionId === '1'
      const method = resource === null ? 'DELETE' : first ? 'POST' : 'PUT'
      return {
        fullUrl: `${base}/${reference}`,
        ...(resource === null ? {} : { resource }),
        request: { method, url: first ? type : reference },
        response: {
          status: resource === null ? '204' : first ? '201' : '200',
          etag: `W/"${versionId}"`,
          ...(lastUpdated === undefined ? {} : { lastModified: lastUpdated }),
        },
      }
    }),
  }
}
