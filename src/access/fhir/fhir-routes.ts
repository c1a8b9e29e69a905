import type { OperationOutcome } from '@medplum/fhirtypes'
import type { FastifyReply } from 'fastify'
import { ArchiveError } from '#errors.ts'
import type { DocumentDesk } from '#model/document-desk.ts'
import type { IdentityDesk, IdentityReader } from '#model/identity-ledger.ts'
import type { Permission } from '#model/permission.ts'
import type { Asked, Route } from '#model/route.ts'
import type { ErrorTeller } from '../http-server.ts'
import type { ErrorLog } from '../http-server-problem.ts'
import { FHIR_PATH } from './asking.ts'
import { type Format, formatFor, MEDIA_TYPES } from './formats.ts'
import type { FhirSources, ResourceKind } from './kind.ts'
import { KINDS } from './kinds.ts'
import { type OperationName, operationRoutes } from './operation-routes.ts'
import { tellFailure } from './outcome.ts'
import { smartConfiguration } from './smart.ts'

/** What FHIR needs of the archive. */
export interface FhirServices {
  readonly sources: FhirSources
  readonly desk: Pick<DocumentDesk, 'submit' | 'delete'>
  readonly identity: IdentityDesk
  readonly ledger: Pick<IdentityReader, 'similar' | 'patient'>
  readonly log: ErrorLog
  readonly version: string
  readonly limits: { readonly httpJsonBytes: number; readonly jsonDepth: number }
}

type Handle = (asked: Asked<unknown>, reply: FastifyReply) => Promise<unknown>
type HandleType = (type: string, asked: Asked<unknown>, reply: FastifyReply) => Promise<unknown>

/** What the engine does; loaded with the first request, so that starting costs nothing. */
export interface FhirHandlers {
  readonly metadata: Handle
  readonly read: HandleType
  readonly vread: HandleType
  readonly history: HandleType
  readonly typeHistory: HandleType
  readonly search: HandleType
  readonly searchByPost: HandleType
  readonly searchAll: Handle
  readonly create: HandleType
  readonly update: HandleType
  readonly conditionalUpdate: HandleType
  readonly patch: HandleType
  readonly remove: HandleType
  readonly bundle: Handle
  operation(name: OperationName, asked: Asked<unknown>, reply: FastifyReply): Promise<unknown>
  outcome(outcome: OperationOutcome, format: Format): Buffer
}

const STANDARD = 'FHIR R4'

/** FHIR R4 below `/fhir`: routes, their rights, and how failures are told there. */
export interface FhirDoor {
  readonly routes: readonly Route[]
  readonly teller: ErrorTeller
}

export function fhirDoor(services: FhirServices): FhirDoor {
  let loading: Promise<FhirHandlers> | undefined
  const engine = (): Promise<FhirHandlers> => {
    loading ??= import('./engine.ts').then(({ createEngine }) => createEngine(services))
    return loading
  }
  const teller: ErrorTeller = {
    prefix: FHIR_PATH,
    async tell(error, request, reply) {
      const { status, outcome, retryAfter } = tellFailure(error, services.log)
      if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
      const format = formatOf(request.raw.url ?? '', request.headers.accept)
      const body = format === 'json' ? Buffer.from(JSON.stringify(outcome)) : (await engine()).outcome(outcome, format)
      reply.code(status).header('content-type', MEDIA_TYPES[format]).send(body)
      return true
    },
  }
  const routes: Route[] = [
    {
      method: 'GET',
      url: `${FHIR_PATH}/metadata`,
      standard: `${STANDARD} capabilities`,
      needs: 'signed-in',
      handle: async (asked, reply) => (await engine()).metadata(asked, reply),
    },
    {
      method: 'GET',
      url: `${FHIR_PATH}/.well-known/smart-configuration`,
      standard: 'SMART App Launch 2.1, discovery',
      needs: 'public',
      async handle({ baseUrl }, reply) {
        const body = JSON.stringify(smartConfiguration(baseUrl))
        return reply.header('cache-control', 'public, max-age=3600').type('application/json').send(body)
      },
    },
    {
      method: 'GET',
      url: FHIR_PATH,
      standard: `${STANDARD} search of several types`,
      // Each type is asked for its own right and scope.
      needs: 'signed-in',
      handle: async (asked, reply) => (await engine()).searchAll(asked, reply),
    },
    {
      method: 'POST',
      url: `${FHIR_PATH}/_search`,
      standard: `${STANDARD} search of several types by POST`,
      needs: 'signed-in',
      body: 'stream',
      handle: async (asked, reply) => (await engine()).searchAll(asked, reply),
    },
    {
      method: 'POST',
      url: FHIR_PATH,
      standard: `${STANDARD} batch, transaction; IHE ITI-65`,
      // Each entry is asked for its own right and scope.
      needs: 'signed-in',
      body: 'stream',
      handle: async (asked, reply) => (await engine()).bundle(asked, reply),
    },
    ...KINDS.flatMap((kind) => [...routesOf(kind, engine), ...writesOf(kind, engine)]),
    ...operationRoutes(async (name, asked, reply) => (await engine()).operation(name, asked, reply)),
  ]
  return { routes, teller }
}

/** The format a failure is told in: as asked, JSON where that cannot be told. */
function formatOf(url: string, accept: string | undefined): Format {
  try {
    return formatFor(accept, new URLSearchParams(url.split('?')[1] ?? '').get('_format'))
  } catch (error) {
    if (error instanceof ArchiveError) return 'json'
    throw error
  }
}

/** Routes of one type, each with its right and the SMART scope it stands for. */
function routesOf(kind: ResourceKind, engine: () => Promise<FhirHandlers>): Route[] {
  const { type, needs } = kind
  const reading = (
    url: string,
    interactions: 'r' | 's',
    standard: string,
    handle: (handlers: FhirHandlers) => HandleType,
  ): Route => ({
    method: 'GET',
    url: `${FHIR_PATH}/${type}${url}`,
    standard: `${STANDARD} ${standard}`,
    needs: needs.read,
    scope: { resource: type, interactions },
    handle: async (asked, reply) => handle(await engine())(type, asked, reply),
  })
  const routes = [reading('/:id', 'r', 'read', ({ read }) => read)]
  if (type === 'Binary') return routes
  routes.push(
    reading('', 's', 'search', ({ search }) => search),
    {
      ...reading('/_search', 's', 'search by POST', ({ searchByPost }) => searchByPost),
      method: 'POST',
      body: 'stream',
    },
    reading('/:id/_history/:version', 'r', 'vread', ({ vread }) => vread),
  )
  if (kind.typeHistory) routes.push(reading('/_history', 's', 'history of the type', ({ typeHistory }) => typeHistory))
  if (kind.history) routes.push(reading('/:id/_history', 'r', 'history', ({ history }) => history))
  return routes
}

/** Routes that write a type. Types that only mirror something answer 405. */
function writesOf({ type, needs }: ResourceKind, engine: () => Promise<FhirHandlers>): Route[] {
  const writing = (
    method: Route['method'],
    url: string,
    right: Permission,
    interactions: 'c' | 'u' | 'd',
    handle: (handlers: FhirHandlers) => HandleType,
  ): Route => ({
    ...{ method, url: `${FHIR_PATH}/${type}${url}`, standard: `${STANDARD} ${method}`, needs: right },
    scope: { resource: type, interactions },
    ...(method === 'DELETE' ? {} : { body: 'stream' as const }),
    handle: async (asked, reply) => handle(await engine())(type, asked, reply),
  })
  const { create, change } = needs
  return [
    ...(create === undefined ? [] : [writing('POST', '', create, 'c', (handlers) => handlers.create)]),
    ...(change === undefined
      ? []
      : [
          writing('PUT', '/:id', change, 'u', (handlers) => handlers.update),
          writing('PUT', '', change, 'u', (handlers) => handlers.conditionalUpdate),
          writing('PATCH', '/:id', change, 'u', (handlers) => handlers.patch),
          writing('DELETE', '/:id', change, 'd', (handlers) => handlers.remove),
        ]),
  ]
}
