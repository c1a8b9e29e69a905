import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import { DELIVERY_STATES, type DeliveryDesk, type DeliveryReader } from '#model/delivery.ts'
import type { Asked, Route } from '#model/route.ts'
import {
  bodyAsked,
  filtersAsked,
  jsonSchema,
  LIST_SCHEMA,
  listAnswer,
  oneOf,
  PAGE_QUERY,
  pageAsked,
  pathParameter,
  reason,
  reasoned,
} from './ask.ts'

export interface DeliveryServices {
  readonly deliveries: DeliveryReader
  readonly desk: Pick<DeliveryDesk, 'resend' | 'level'>
  readonly pageMax: number
}

const levelling = z.strictObject({
  reason,
  object: z.string().trim().min(1).max(200).optional(),
  destination: z.string().trim().min(1).max(64).optional(),
})

const byOf = ({ subject, address }: Asked, why: string) => ({
  by: subject.kind === 'open' ? 'open' : subject.name,
  address,
  reason: why,
})

/** The delivery ledger: which system was told of which version, and holds it. */
export function deliveryRoutes({ deliveries, desk, pageMax }: DeliveryServices): readonly Route[] {
  const standard = 'Diptych pages'
  const filters = ['object', 'destination', 'state', 'controlId'] as const
  return [
    {
      method: 'GET',
      url: '/api/v1/deliveries',
      standard,
      needs: 'message.read',
      describes: {
        summary: 'Notices to other systems, newest first: waiting, acknowledged, refused or given up.',
        query: {
          object: 'Object id of a document.',
          destination: 'Name of a destination in notices.policy.',
          state: `${DELIVERY_STATES.join(', ')}.`,
          controlId: 'MSH-10, exactly.',
          ...PAGE_QUERY,
        },
        response: LIST_SCHEMA,
      },
      async handle(asked) {
        const page = pageAsked(asked, pageMax, filters)
        const { object, state, ...given } = filtersAsked(asked, filters)
        oneOf(state, 'state', DELIVERY_STATES)
        await asked.audit('query', { detail: `deliveries ${asked.query}` })
        const { items, next } = deliveries.deliveries({
          ...{ ...page, ...given },
          ...(object === undefined ? {} : { objectId: object }),
          ...(state === undefined ? {} : { state: state as (typeof DELIVERY_STATES)[number] }),
        })
        return listAnswer(items, next)
      },
    },
    {
      method: 'GET',
      url: '/api/v1/deliveries/holdings',
      standard,
      needs: 'message.read',
      describes: {
        summary: 'What other systems hold: the newest version each acknowledged, and whether it must be brought level.',
        query: {
          object: 'Object id.',
          destination: 'Name.',
          behind: 'true: only what must be brought level.',
          ...PAGE_QUERY,
        },
        response: LIST_SCHEMA,
      },
      async handle(asked) {
        const { limit } = pageAsked(asked, pageMax, ['object', 'destination', 'behind'])
        const { object, destination, behind } = filtersAsked(asked, ['object', 'destination', 'behind'] as const)
        oneOf(behind, 'behind', ['true', 'false'])
        await asked.audit('query', { detail: `holdings ${asked.query}` })
        const items = deliveries.holdings({
          ...{ limit, behind: behind === 'true' },
          ...(object === undefined ? {} : { objectId: object }),
          ...(destination === undefined ? {} : { destination }),
        })
        return listAnswer(items, null)
      },
    },
    {
      method: 'GET',
      url: '/api/v1/deliveries/:id',
      standard,
      needs: 'message.read',
      describes: { summary: 'One notice, with the segments that are sent before the document.' },
      async handle(asked) {
        const id = pathParameter(asked, 'id')
        const found = deliveries.delivery(id)
        if (found === undefined) throw new ArchiveError('request.not-found', 'delivery')
        await asked.audit('read', { detail: `delivery ${id}` })
        const { body, ...delivery } = found
        return { ...delivery, form: body.form, segments: body.before.split('\r').filter((line) => line !== '') }
      },
    },
    {
      method: 'POST',
      url: '/api/v1/deliveries/:id/resend',
      standard,
      needs: 'document.write',
      body: 'json',
      describes: {
        example: { reason: 'restored from an older backup there' },
        summary: 'Tells the present state of its document again.',
        request: jsonSchema(reasoned),
      },
      async handle(asked) {
        const { reason: why } = bodyAsked(asked, reasoned)
        return desk.resend(pathParameter(asked, 'id'), byOf(asked, why))
      },
    },
    {
      method: 'POST',
      url: '/api/v1/deliveries/level',
      standard,
      needs: 'document.write',
      body: 'json',
      describes: {
        example: { destination: 'HIS', reason: 'their register was restored' },
        summary: 'Tells systems that hold what is superseded or withdrawn: of one document, one destination, or all.',
        request: jsonSchema(levelling),
      },
      async handle(asked) {
        const { reason: why, object, destination } = bodyAsked(asked, levelling)
        const about = {
          ...(object === undefined ? {} : { objectId: object }),
          ...(destination === undefined ? {} : { destination }),
        }
        return listAnswer(await desk.level(about, byOf(asked, why)), null)
      },
    },
  ]
}
