import type { CapabilityStatement, CapabilityStatementRestResource } from '@medplum/fhirtypes'
import { searchParameter } from '#standards/fhir/definitions.ts'
import { compact, type Loose } from './compact.ts'
import type { ResourceKind } from './kind.ts'
import { MHD } from './list.ts'
import { OPERATIONS } from './operation-routes.ts'

const IHE = 'https://profiles.ihe.net/ITI'

/** Actors of IHE with their options, as their implementation guides name them. docs/reference/mhd.md */
const INSTANTIATES = [
  ...['DocumentResponder', 'DocumentRecipient', 'DocumentRecipient.Comprehensive', 'DocumentRecipient.UnContained'],
  ...['DocumentRecipient.Simplified', 'DocumentRecipient.Generate'],
]
  .map((actor) => `${MHD}/CapabilityStatement/IHE.MHD.${actor}`)
  .concat(
    `${IHE}/PDQm/CapabilityStatement/IHE.PDQm.PatientDemographicsSupplier`,
    `${IHE}/PDQm/CapabilityStatement/IHE.PDQm.PatientDemographicsSupplierMatch`,
    `${IHE}/PIXm/CapabilityStatement/IHE.PIXm.Manager`,
  )

type Interaction = NonNullable<CapabilityStatementRestResource['interaction']>[number]['code']

/** What may be done with a type: the routes are made from the same answer. */
export function interactionsOf(kind: ResourceKind): readonly NonNullable<Interaction>[] {
  return [
    'read',
    ...(kind.type === 'Binary' ? [] : (['vread', 'search-type'] as const)),
    ...(kind.history ? (['history-instance'] as const) : []),
    ...(kind.typeHistory ? (['history-type'] as const) : []),
    ...(kind.needs.create === undefined ? [] : (['create'] as const)),
    ...(kind.needs.change === undefined ? [] : (['update', 'patch', 'delete'] as const)),
  ]
}

const COMMON = ['_id', '_lastUpdated', '_tag']

function resourceOf(kind: ResourceKind): Loose<CapabilityStatementRestResource> {
  const interactions = interactionsOf(kind)
  const parameters = interactions.includes('search-type') ? [...COMMON, ...kind.parameters] : []
  const writes = interactions.includes('create')
  return {
    type: kind.type as NonNullable<CapabilityStatementRestResource['type']>,
    documentation: `${kind.made}: ${kind.owner}. Writable: ${kind.writable}.`,
    interaction: interactions.map((code) => ({ code })),
    versioning: kind.history ? 'versioned-update' : 'versioned',
    readHistory: kind.history,
    updateCreate: false,
    conditionalCreate: writes,
    conditionalUpdate: kind.needs.change !== undefined || kind.type === 'Patient',
    conditionalRead: 'full-support',
    searchInclude: kind.includes.map((code) => `${kind.type}:${code}`),
    searchRevInclude: kind.revIncludes,
    operation: OPERATIONS.flatMap(({ type, told }) => (type === kind.type && told !== undefined ? [told] : [])),
    searchParam: parameters.map((name) => {
      const found = searchParameter(kind.type, name)
      return { name, type: found?.type ?? 'string' }
    }),
  }
}

/** GET /metadata: what this server does, made from the table that its routes are made from. */
export function capabilityStatement(
  kinds: readonly ResourceKind[],
  about: { readonly base: string; readonly version: string; readonly started: string },
): CapabilityStatement {
  return compact<CapabilityStatement>({
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: about.started,
    kind: 'instance',
    instantiates: INSTANTIATES,
    software: { name: 'Diptych', version: about.version },
    implementation: { description: 'Diptych: images and documents of one archive', url: about.base },
    fhirVersion: '4.0.1',
    format: ['application/fhir+json', 'application/fhir+xml', 'json', 'xml'],
    patchFormat: ['application/json-patch+json', 'application/fhir+json', 'application/fhir+xml'],
    rest: [
      {
        mode: 'server',
        security: {
          cors: false,
          service: [
            {
              coding: [
                { system: 'http://terminology.hl7.org/CodeSystem/restful-security-service', code: 'SMART-on-FHIR' },
              ],
            },
          ],
          description: 'A bearer token; SMART scopes limit it by resource type, interaction and patient.',
        },
        resource: kinds.map(resourceOf),
        interaction: [{ code: 'transaction' }, { code: 'batch' }, { code: 'search-system' }],
      },
    ],
  })
}
