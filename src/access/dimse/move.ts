import type { DimseCaller, DimseService } from '#model/dimse-service.ts'
import type { Peer } from '#model/peer.ts'
import { DimseError } from '#standards/dimse/dimse-error.ts'
import { DimseRefusal, STATUS } from './refusal.ts'
import { pendingTeller, sendFinal } from './retrieve-answer.ts'
import { runSubOperations } from './retrieve-run.ts'
import { survey } from './retrieve-scope.ts'
import { type Retrieval, type RetrieveOptions, retrieveService } from './retrieve-service.ts'
import type { Connector } from './scu/connector.ts'
import { StoreTarget } from './scu/store-target.ts'

export interface MoveOptions extends RetrieveOptions {
  readonly connector: Connector
  /** The register of peers. */
  readonly peer: (aeTitle: string) => Peer | undefined
}

/** C-MOVE of both information models: store operations go to a registered peer. PS3.4 section C.4.2. */
export function moveService(options: MoveOptions): DimseService {
  return retrieveService('move', options, (retrieval) => move(options, retrieval))
}

/**
 * True when a caller may have objects sent there: itself, or what its entry in the register names. A stranger that was
 * let in from this machine may name any registered peer.
 */
export function mayMoveTo({ peer, aeTitle }: Pick<DimseCaller, 'peer' | 'aeTitle'>, destination: string): boolean {
  if (peer === null) return true
  return peer.moveDestinations === null ? destination === aeTitle : peer.moveDestinations.includes(destination)
}

async function move(
  { reader, data, connector, peer, failed }: MoveOptions,
  { message, session, response, request, cancelled }: Retrieval,
): Promise<void> {
  const { command } = message
  const { caller } = session
  const name = (command.moveDestination ?? '').trim()
  const destination = name === '' ? undefined : peer(name)
  // One that is not known and one that is not allowed are told alike.
  if (destination === undefined || destination.host === null || !mayMoveTo(caller, name)) {
    throw new DimseRefusal(STATUS.destinationUnknown, 'the move destination is unknown, or not allowed')
  }
  const found = await survey(request, reader, caller.visibility)
  for (const [studyInstanceUID, count] of found.studies) {
    await session.audit('export', { studyInstanceUID, count, detail: `C-MOVE ${request.level} to ${name}` })
  }
  const target = new StoreTarget(connector, destination, found.classes)
  try {
    await target.begin().catch((error: unknown) => {
      // Told with every instance: each counts as failed.
      if (!(error instanceof DimseError)) throw error
    })
    const outcome = await runSubOperations({
      count: found.count,
      instances: found.instances(),
      data,
      window: target.window,
      cancelled,
      way: (instance) => target.way(instance),
      priority: command.priority ?? 0,
      originator: { aeTitle: caller.aeTitle, messageId: command.messageId ?? 0 },
      progress: pendingTeller(message, session, response),
      failed,
    })
    await sendFinal(message, session, response, outcome)
  } finally {
    await target.end()
  }
}
