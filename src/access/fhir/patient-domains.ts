import type { Patient, Resource } from '@medplum/fhirtypes'
import { issuerOfSystem } from '#security/issuer-systems.ts'
import { type Filter, tokenOf } from '#standards/fhir/search-syntax.ts'
import type { FhirSources } from './kind.ts'
import { FhirFault } from './outcome.ts'
import { isKnownIssuer } from './patient-pix.ts'

/**
 * Domains a search of patients is limited to: `identifier=urn:oid:1.2.3|,urn:oid:4.5.6|`. IHE ITI-78, section
 * 2:3.78.4.1.2.3.
 * @returns undefined when none is named
 * @throws FhirFault 404 for a domain nobody here has a number of (Case 4)
 */
export function domainsAsked(
  sources: Pick<FhirSources, 'fhir' | 'issuers'>,
  filters: readonly Filter[],
): ReadonlySet<string> | undefined {
  const asked = filters
    .filter(({ code, modifier }) => code === 'identifier' && modifier === null)
    .map(({ values }) => values.map(tokenOf))
    .find((tokens) => tokens.every(({ system, code }) => system !== null && system !== '' && code === null))
  if (asked === undefined) return undefined
  const domains = asked.map(({ system }) => issuerOfSystem(sources.issuers(), system ?? ''))
  if (domains.every((domain) => isKnownIssuer(sources, domain))) return new Set(domains)
  throw new FhirFault(404, [
    { severity: 'warning', code: 'not-found', expression: 'identifier', detail: 'targetSystem not found' },
  ])
}

/** A patient with the numbers of these domains alone. */
export function withinDomains(
  { issuers }: Pick<FhirSources, 'issuers'>,
  resource: Resource,
  domains: ReadonlySet<string>,
): Resource {
  if (resource.resourceType !== 'Patient') return resource
  const register = issuers()
  const identifier = (resource.identifier ?? []).filter(({ system }) =>
    domains.has(issuerOfSystem(register, system ?? '')),
  )
  const { identifier: _, ...rest } = resource
  return { ...rest, ...(identifier.length === 0 ? {} : { identifier }) } as Patient
}
