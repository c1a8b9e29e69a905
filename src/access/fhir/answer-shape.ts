import type { Bundle, BundleEntry, Resource } from '@medplum/fhirtypes'
import { typeNamed } from '#standards/fhir/definitions.ts'
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
    return `${base}/${type}${text === '' ? '' : `?${text}`}`
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

/** Former states of a resource, newest first. https://hl7.org/fhir/R4/http.html#history */
export function historyBundle(base: string, versions: readonly Resource[]): Bundle {
  return {
    resourceType: 'Bundle',
    type: 'history',
    total: versions.length,
    entry: versions.map((resource, i) => {
      const first = i === versions.length - 1
      const reference = referenceTo(resource)
      return {
        fullUrl: `${base}/${reference}`,
        resource,
        request: { method: first ? 'POST' : 'PUT', url: first ? resource.resourceType : reference },
        response: {
          status: first ? '201' : '200',
          etag: `W/"${resource.meta?.versionId}"`,
          ...(resource.meta?.lastUpdated === undefined ? {} : { lastModified: resource.meta.lastUpdated }),
        },
      }
    }),
  }
}
