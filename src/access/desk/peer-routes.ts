import { ArchiveError } from '#errors.ts'
import type { Route } from '#model/route.ts'
import { LIST_SCHEMA, listAnswer, pageAsked, pathParameter } from './ask.ts'
import type { DeskServices } from './services.ts'

/** The register of application entities. contract.md, HTTP. */
export function peerRoutes({ peers, pageMax }: DeskServices): readonly Route[] {
  const standard = 'Diptych pages'
  return [
    {
      method: 'GET',
      url: '/api/v1/peers',
      standard,
      needs: 'settings.read',
      describes: { summary: 'Which application entities may call us, and for what.', response: LIST_SCHEMA },
      async handle(asked) {
        pageAsked(asked, pageMax, [])
        const items = peers.all()
        return listAnswer(items, null, items.length)
      },
    },
    {
      method: 'GET',
      url: '/api/v1/peers/:aeTitle',
      standard,
      needs: 'settings.read',
      describes: { summary: 'One application entity.' },
      async handle(asked) {
        const peer = peers.get(pathParameter(asked, 'aeTitle'))
        if (peer === undefined) throw new ArchiveError('request.not-found', 'peer')
        return peer
      },
    },
    {
      method: 'POST',
      url: '/api/v1/peers',
      standard,
      needs: 'peer.write',
      body: 'json',
      describes: { summary: 'Registers an application entity, or replaces the one of that title.' },
      async handle(asked, reply) {
        const known = new Set(peers.all().map(({ aeTitle }) => aeTitle))
        const peer = await peers.put(asked.body, asked.subject.name, asked.address)
        return reply.code(known.has(peer.aeTitle) ? 200 : 201).send(peer)
      },
    },
    {
      method: 'DELETE',
      url: '/api/v1/peers/:aeTitle',
      standard,
      needs: 'peer.write',
      describes: { summary: 'Takes an application entity out of the register; its history stays.' },
      async handle(asked, reply) {
        await peers.remove(pathParameter(asked, 'aeTitle'), asked.subject.name, asked.address)
        return reply.code(204).send()
      },
    },
  ]
}
