import type { Peer } from '#model/peer.ts'
import type { Route } from '#model/route.ts'
import { shape } from '#model/route-schema.ts'
import { peerBody } from '#security/peers.ts'
import { registerRoutes } from './register-routes.ts'
import type { DeskServices } from './services.ts'

const PEER = shape<Peer>(
  ...(['aeTitle', 'host', 'port', 'allow', 'addresses', 'certificates', 'tls', 'callingAeTitle'] as const),
  ...(['originator', 'sopClasses', 'moveDestinations', 'associationsMax'] as const),
)

/** The register of application entities. contract.md, HTTP. */
export function peerRoutes({ peers, pageMax }: DeskServices): readonly Route[] {
  return registerRoutes(
    {
      ...{ url: '/api/v1/peers', parameter: 'aeTitle', entry: 'application entity', needs: 'peer.write' },
      lists: 'Which application entities may call us, and for what.',
      ...{ body: peerBody, shape: PEER },
      example: { aeTitle: 'CT1', host: '10.0.0.5', port: 104, allow: ['echo', 'store'] },
      all: () => peers.all(),
      get: (aeTitle) => peers.get(aeTitle),
      nameOf: ({ aeTitle }) => aeTitle,
      put: (...given) => peers.put(...given),
      remove: (...given) => peers.remove(...given),
    },
    pageMax,
  )
}
