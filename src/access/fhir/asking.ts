import type { FastifyReply } from 'fastify'
import { ArchiveError } from '#errors.ts'
import type { Asked } from '#model/route.ts'
import { visibilityOf } from '#security/decide.ts'
import { type Format, formatFor } from './formats.ts'
import { KINDS } from './kinds.ts'
import type { Asker } from './search.ts'

/** Where FHIR is, below the address of the server. */
export const FHIR_PATH = '/fhir'

/** One request to a FHIR route. */
export interface FhirAsked {
  readonly asked: Asked<unknown>
  readonly reply: FastifyReply
  readonly format: Format
  /** `https://archive.example/fhir` */
  readonly base: string
  readonly asker: Asker
  /** `Prefer: handling=strict` */
  readonly strict: boolean
}

/** @throws ArchiveError 'request.not-acceptable' */
export function fhirAsked(asked: Asked<unknown>, reply: FastifyReply): FhirAsked {
  const prefer = String(asked.headers['prefer'] ?? '')
  return {
    asked,
    reply,
    format: formatFor(asked.headers.accept, asked.query.get('_format')),
    base: asked.baseUrl + FHIR_PATH,
    asker: askerOf(asked),
    strict: /\bhandling\s*=\s*strict\b/.test(prefer),
  }
}

/** What the caller may see of each type, by role and scopes. */
export function askerOf({ subject, baseUrl }: Pick<Asked<unknown>, 'subject' | 'baseUrl'>): Asker {
  return {
    origin: baseUrl,
    sees(type, interactions) {
      const kind = KINDS.find((one) => one.type === type)
      if (kind === undefined) return 'forbidden'
      return visibilityOf(subject, kind.needs.read, { resource: type, interactions })
    },
  }
}

/** A parameter of the path. @throws ArchiveError 'request.not-found' for what is no id of FHIR */
export function idAsked(asked: Asked<unknown>, name = 'id'): string {
  const { params } = asked
  const value =
    typeof params === 'object' && params !== null ? (params as { [name: string]: unknown })[name] : undefined
  if (typeof value === 'string' && /^[A-Za-z0-9.-]{1,64}$/.test(value)) return value
  throw new ArchiveError('request.not-found', `${name} is no id`)
}
