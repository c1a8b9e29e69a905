import { ArchiveError } from '#errors.ts'
import type { QuarantineDecision, QuarantineItem } from '#model/quarantine.ts'
import type { Route } from '#model/route.ts'
import { listOf, shape } from '#model/route-schema.ts'
import {
  bodyAsked,
  filtersAsked,
  jsonSchema,
  listAnswer,
  oneOf,
  PAGE_QUERY,
  pageAsked,
  pathParameter,
  reasoned,
} from './ask.ts'
import type { DeskServices } from './services.ts'

const ITEM = shape<QuarantineItem>(
  ...([
    'id',
    'state',
    'sha256',
    'size',
    'sopInstanceUid',
    'arrivedAt',
    'door',
    'peer',
    'arrivals',
    'findings',
  ] as const),
  ...(['preambleHex', 'scan', 'patient', 'decision', 'joins?'] as const),
)

const ACTIONS: { readonly [action in QuarantineDecision['action']]: string } = {
  release: 'Takes a held object into the archive; its clinical content stays as it is.',
  sanitise: 'Takes it in without what the rules found fault with.',
  discard: 'Refuses it for good; the bytes go after the retention time.',
}

/** Held objects and what a person decides of them. */
export function quarantineRoutes({ quarantine, pageMax }: DeskServices): readonly Route[] {
  const filters = ['state', 'sha256', 'sopInstanceUid'] as const
  const decisions = Object.entries(ACTIONS).map(
    ([action, summary]): Route => ({
      method: 'POST',
      url: `/api/v1/quarantine/:id/${action}`,
      standard: 'Diptych pages',
      needs: 'quarantine.decide',
      body: 'json',
      describes: {
        response: ITEM,
        example: { reason: 'asked back: the sender confirms the file' },
        summary,
        request: jsonSchema(reasoned),
      },
      async handle(asked) {
        const id = pathParameter(asked, 'id')
        if ((await quarantine.item(id)) === undefined) throw new ArchiveError('request.not-found', 'held object')
        const { reason } = bodyAsked(asked, reasoned)
        return quarantine.decide(id, action as QuarantineDecision['action'], reason, asked.subject.name)
      },
    }),
  )
  return [
    {
      method: 'GET',
      url: '/api/v1/quarantine',
      standard: 'Diptych pages',
      needs: 'quarantine.read',
      describes: {
        response: listOf(ITEM),
        summary: 'Held objects, newest first.',
        query: {
          state: 'held, released or discarded.',
          sha256: 'Of the bytes as they arrived.',
          sopInstanceUid: '',
          ...PAGE_QUERY,
        },
      },
      async handle(asked) {
        const page = pageAsked(asked, pageMax, filters)
        const given = filtersAsked(asked, filters)
        oneOf(given.state, 'state', ['held', 'released', 'discarded'])
        const sha256 = given.sha256?.toLowerCase()
        await asked.audit('query', { detail: `quarantine ${asked.query}` })
        const { items, next } = await quarantine.list({
          ...page,
          ...given,
          ...(sha256 === undefined ? {} : { sha256 }),
        })
        return listAnswer(items, next)
      },
    },
    {
      method: 'GET',
      url: '/api/v1/quarantine/:id',
      standard: 'Diptych pages',
      needs: 'quarantine.read',
      describes: { response: ITEM, summary: 'One held object with its evidence.' },
      async handle(asked) {
        const id = pathParameter(asked, 'id')
        const item = await quarantine.item(id)
        if (item === undefined) throw new ArchiveError('request.not-found', 'held object')
        await asked.audit('read', { detail: `quarantine ${item.id}` })
        return item
      },
    },
    {
      method: 'GET',
      url: '/api/v1/quarantine/:id/original',
      standard: 'Diptych pages',
      needs: 'quarantine.original',
      describes: {
        answers: 'The container, `application/octet-stream`.',
        summary: 'The original as an encrypted container, for administrators.',
      },
      async handle(asked, reply) {
        const item = await quarantine.item(pathParameter(asked, 'id'))
        if (item === undefined) throw new ArchiveError('request.not-found', 'held object')
        await asked.audit('export', { detail: `quarantine ${item.id} original` })
        const container = await quarantine.original(item.id)
        return reply
          .header('content-type', 'application/octet-stream')
          .header('content-disposition', `attachment; filename="${item.sha256}.enc"`)
          .send(Buffer.from(container.buffer, container.byteOffset, container.byteLength))
      },
    },
    ...decisions,
  ]
}
