import type { StoredInstance } from '#model/archive-object.ts'
import type { Peer } from '#model/peer.ts'
import type { InstanceData } from '../retrieve-data.ts'
import { type Counts, type Outcome, runSubOperations } from '../retrieve-run.ts'
import type { Survey } from '../retrieve-scope.ts'
import type { Connector } from './connector.ts'
import { StoreTarget } from './store-target.ts'

/**
 * Stores instances at a peer.
 * @throws DimseError when the peer cannot be reached, or refuses us
 */
export async function sendTo(
  connector: Connector,
  peer: Peer,
  found: Survey,
  data: InstanceData,
  told: {
    readonly progress: (counts: Counts) => Promise<void>
    readonly failed: (instance: StoredInstance, why: string) => void
  },
  signal: AbortSignal,
): Promise<Outcome> {
  const target = new StoreTarget(connector, peer, found.classes)
  try {
    await target.begin()
    return await runSubOperations({
      count: found.count,
      instances: found.instances(),
      data,
      window: target.window,
      cancelled: signal,
      way: (instance) => target.way(instance),
      priority: 0,
      ...told,
    })
  } finally {
    await target.end()
  }
}
