import type { Resource } from '@medplum/fhirtypes'
import type { FhirIndexed, FhirState } from '#model/fhir-store.ts'
import { unescaped } from '#standards/fhir/search-syntax.ts'
import type { Criteria } from './criteria.ts'
import { foldText } from './folded.ts'
import type { HistoryEntry, ResourceKind } from './kind.ts'

/** How a parameter of an own resource is looked up. */
type Way = FhirIndexed['is']

function entryOf(state: FhirState): HistoryEntry {
  const { type, id, version, lastUpdated } = state
  return { type, id, resource: ownResource(state) ?? null, versionId: String(version), lastUpdated }
}

/** A state as it is served. */
export function ownResource({ type, id, version, lastUpdated, body }: FhirState): Resource | undefined {
  if (body === null) return undefined
  const meta = { ...(body['meta'] as object | undefined), versionId: String(version), lastUpdated }
  return { ...body, resourceType: type, id, meta } as unknown as Resource
}

function asked(criteria: Criteria, ways: { readonly [code: string]: Way }) {
  const found: { code: string; is: Way; alternatives: { value: string; system: string }[] }[] = []
  for (const [code, is] of Object.entries(ways)) {
    if (is === 'token') {
      const tokens = criteria.tokens(code)
      if (tokens !== undefined)
        found.push({ code, is, alternatives: tokens.map((one) => ({ value: one.code, system: one.system })) })
      continue
    }
    // Texts and references are compared exactly afterwards.
    const filter = criteria.peek(code)
    if (filter === undefined) continue
    const values = filter.values.map(unescaped)
    if (is === 'string') {
      found.push({ code, is, alternatives: values.map((value) => ({ value: foldText(value), system: '' })) })
    } else if (values.every((value) => /^[A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64}$/.test(value))) {
      found.push({ code, is, alternatives: values.map((value) => ({ value, system: '' })) })
    }
  }
  return found
}

/** A resource type that is its own truth: kept as it was written. */
export function ownKind(
  type: string,
  about: {
    readonly ways: { readonly [code: string]: Way }
    readonly includes: readonly string[]
    readonly revIncludes: readonly string[]
  },
): ResourceKind {
  return {
    type,
    made: 'primary',
    owner: 'FHIR resources of their own (`index/sqlite/fhir-resources.ts`)',
    writable: 'everything; unknown extensions are kept, modifier extensions are refused',
    versions: 'version of the resource; every former state is kept',
    needs: { read: 'object.read', create: 'identity.decide', change: 'identity.decide' },
    parameters: Object.keys(about.ways),
    includes: about.includes,
    revIncludes: about.revIncludes,
    sorts: [],
    history: true,
    typeHistory: true,
    source({ own }) {
      return {
        async read(id) {
          const state = own.resource(type, id)
          return state === undefined ? undefined : ownResource(state)
        },
        async versions(id) {
          return own.versions(type, id).flatMap((state) => ownResource(state) ?? [])
        },
        gone: (id) => own.resource(type, id)?.body === null,
        history: (id) => own.versions(type, id).map(entryOf),
        typeHistory(paging) {
          const { items, next } = own.changes(type, paging)
          return { items: items.map(entryOf), next }
        },
        async search(criteria, { limit, cursor }) {
          const ids = criteria.values('_id')
          const page = own.find(type, {
            values: asked(criteria, about.ways),
            limit,
            ...(ids === undefined ? {} : { ids }),
            ...(cursor === undefined ? {} : { cursor }),
          })
          return { resources: page.items.flatMap((state) => ownResource(state) ?? []), next: page.next }
        },
      }
    },
  }
}

export const organizationKind = ownKind('Organization', {
  ways: { identifier: 'token', name: 'string', address: 'string', type: 'token', active: 'token', partof: 'reference' },
  includes: ['partof'],
  revIncludes: ['PractitionerRole:organization'],
})

export const practitionerKind = ownKind('Practitioner', {
  ways: { identifier: 'token', family: 'string', given: 'string', name: 'string', active: 'token', telecom: 'token' },
  includes: [],
  revIncludes: ['PractitionerRole:practitioner'],
})

export const practitionerRoleKind = ownKind('PractitionerRole', {
  ways: {
    ...{ identifier: 'token', role: 'token', specialty: 'token', active: 'token' },
    ...{ practitioner: 'reference', organization: 'reference' },
  },
  includes: ['practitioner', 'organization'],
  revIncludes: [],
})
