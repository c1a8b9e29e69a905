/** Routes of the operations of IHE, each with its right and scope: light, because every start reads it. */
import type { FastifyReply } from 'fastify'
import type { Asked, Route } from '#model/route.ts'
import { FHIR_PATH } from './asking.ts'

export type OperationName = 'pix' | 'match' | 'feed' | 'generate'

export interface Operation extends Pick<Route, 'method' | 'needs' | 'standard'> {
  readonly name: OperationName
  readonly type: string
  /** Behind the type: `/$match`; empty for the type itself. */
  readonly path: string
  readonly interactions: string
  /** Of CapabilityStatement.rest.resource.operation; absent for what is an interaction. */
  readonly told?: { readonly name: string; readonly definition: string }
}

const IHE = 'https://profiles.ihe.net/ITI'

export const OPERATIONS: readonly Operation[] = [
  {
    ...{ name: 'pix', method: 'GET', type: 'Patient', path: '/$ihe-pix', needs: 'object.read', interactions: 's' },
    standard: 'IHE ITI-83 Mobile Patient Identifier Cross-reference Query',
    told: { name: 'ihe-pix', definition: `${IHE}/PIXm/OperationDefinition/IHE.PIXm.pix` },
  },
  {
    ...{ name: 'match', method: 'POST', type: 'Patient', path: '/$match', needs: 'object.read', interactions: 's' },
    standard: 'IHE ITI-119 Patient Demographics Match',
    told: { name: 'match', definition: `${IHE}/PDQm/OperationDefinition/PDQmMatch` },
  },
  {
    ...{ name: 'feed', method: 'PUT', type: 'Patient', path: '', needs: 'identity.decide', interactions: 'u' },
    standard: 'IHE ITI-104 Patient Identity Feed FHIR',
  },
  {
    ...{ name: 'generate', method: 'POST', type: 'DocumentReference', path: '/$generate-metadata' },
    ...{ needs: 'document.store', interactions: 'c' },
    standard: 'IHE ITI-106 Generate Metadata',
    told: { name: 'generate-metadata', definition: `${IHE}/MHD/OperationDefinition/generate-metadata` },
  },
]

export function operationRoutes(
  run: (name: OperationName, asked: Asked<unknown>, reply: FastifyReply) => Promise<unknown>,
): Route[] {
  return OPERATIONS.map(({ name, method, type, path, needs, interactions, standard }) => ({
    ...{ method, needs, standard, url: `${FHIR_PATH}/${type}${path}`, scope: { resource: type, interactions } },
    ...(method === 'GET' ? {} : { body: 'stream' as const }),
    handle: (asked, reply) => run(name, asked, reply),
  }))
}
