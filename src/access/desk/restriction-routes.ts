import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import { RESTRICTION_KINDS, type RestrictionDesk, type RestrictionReader } from '#model/restriction.ts'
import type { Route } from '#model/route.ts'
import { BREAK_GLASS, mayBreakGlass } from '#security/restrictions.ts'
import {
  bodyAsked,
  filtersAsked,
  jsonSchema,
  LIST_SCHEMA,
  listAnswer,
  oneOf,
  pathParameter,
  reason,
  reasoned,
} from './ask.ts'

const STANDARD = 'Diptych pages'
/** Longest time a glass stays broken, in minutes; and how long when nobody says. */
const MINUTES_MAX = 480
const MINUTES = 60

const patient = z.union([
  z.strictObject({ patientId: z.string().min(1).max(200) }),
  z.strictObject({ issuer: z.string().max(1000), id: z.string().min(1).max(1000) }),
])
const restricting = z.strictObject({
  patient,
  kind: z.enum(RESTRICTION_KINDS),
  reason,
  until: z.iso.datetime('expected an instant such as 2026-12-31T00:00:00Z').nullable().default(null),
})
const breaking = z.strictObject({ patient, reason, minutes: z.int().min(1).max(MINUTES_MAX).default(MINUTES) })

export interface RestrictionServices {
  readonly restrictions: RestrictionReader
  readonly desk: RestrictionDesk
  readonly pageMax: number
}

/** What is withheld of patients, and the glass that is broken in an emergency. */
export function restrictionRoutes({ restrictions, desk, pageMax }: RestrictionServices): readonly Route[] {
  return [
    {
      method: 'GET',
      url: '/api/v1/restrictions',
      standard: STANDARD,
      needs: 'identity.read',
      describes: {
        summary: 'What is withheld of patients, newest first.',
        query: { patient: 'Opaque patient id.', ended: 'true: also those that were ended.' },
        response: LIST_SCHEMA,
      },
      async handle(asked) {
        const { patient: patientId, ended } = filtersAsked(asked, ['patient', 'ended'])
        oneOf(ended, 'ended', ['true', 'false'])
        await asked.audit('query', { detail: `restrictions ${asked.query}` })
        const items = restrictions.restrictions({
          ...{ all: ended === 'true', limit: pageMax },
          ...(patientId === undefined ? {} : { patientId }),
        })
        return listAnswer(items, null)
      },
    },
    {
      method: 'POST',
      url: '/api/v1/restrictions',
      standard: STANDARD,
      needs: 'identity.decide',
      body: 'json',
      describes: {
        example: { patient: { issuer: 'HOSPITAL', id: 'P100' }, kind: 'restricted', reason: 'asked for it' },
        summary: 'Restricts the record of a patient: restricted, very-restricted, consent-denied, or vip (watched).',
        request: jsonSchema(restricting),
      },
      async handle(asked, reply) {
        const { patient: given, kind, ...more } = bodyAsked(asked, restricting)
        return reply.code(201).send(await desk.restrict(given, kind, more, asked.subject.name, asked.address))
      },
    },
    {
      method: 'POST',
      url: '/api/v1/restrictions/:id/end',
      standard: STANDARD,
      needs: 'identity.decide',
      body: 'json',
      describes: {
        example: { reason: 'the patient agrees again' },
        summary: 'Ends a restriction; it stays listed as ended.',
        request: jsonSchema(reasoned),
      },
      handle: (asked) =>
        desk.end(pathParameter(asked, 'id'), bodyAsked(asked, reasoned).reason, asked.subject.name, asked.address),
    },
    {
      method: 'GET',
      url: '/api/v1/break-glass',
      standard: STANDARD,
      needs: 'audit.read',
      describes: {
        summary: 'Who opened whose restricted record and why, newest first.',
        query: { who: 'Account or token.', open: 'true: only what is open now.' },
        response: LIST_SCHEMA,
      },
      async handle(asked) {
        const { who, open } = filtersAsked(asked, ['who', 'open'])
        oneOf(open, 'open', ['true', 'false'])
        await asked.audit('query', { detail: `broken glass ${asked.query}` })
        const items = restrictions.glasses({
          ...{ open: open === 'true', limit: pageMax },
          ...(who === undefined ? {} : { who }),
        })
        return listAnswer(items, null)
      },
    },
    {
      method: 'POST',
      url: '/api/v1/break-glass',
      standard: STANDARD,
      needs: 'object.read',
      body: 'json',
      describes: {
        example: { patient: { issuer: 'HOSPITAL', id: 'P100' }, reason: 'unconscious in the emergency room' },
        summary: `Opens a restricted record in an emergency, for ${MINUTES} minutes or as asked: told as an alert.`,
        request: jsonSchema(breaking),
      },
      async handle(asked, reply) {
        const { patient: given, reason: why, minutes } = bodyAsked(asked, breaking)
        const { name, role } = asked.subject
        if (!mayBreakGlass(role) || asked.visibility.sees !== 'all') {
          await asked.audit('decide', { detail: `${BREAK_GLASS} refused: role ${role}` })
          throw new ArchiveError('request.forbidden', 'only those who treat may break the glass')
        }
        return reply.code(201).send(await desk.breakGlass(given, why, minutes, name, asked.address))
      },
    },
    {
      method: 'POST',
      url: '/api/v1/break-glass/:id/end',
      standard: STANDARD,
      needs: 'object.read',
      body: 'json',
      describes: { example: {}, summary: 'Closes a record again that this caller opened.' },
      async handle(asked) {
        const id = pathParameter(asked, 'id')
        const [glass] = restrictions.glasses({ id, limit: 1 })
        // Somebody else's is not there, except for administrators.
        if (glass === undefined || (glass.who !== asked.subject.name && asked.subject.role !== 'administrator')) {
          throw new ArchiveError('request.not-found', 'broken glass')
        }
        return desk.closeGlass(id, asked.subject.name, asked.address)
      },
    },
  ]
}
