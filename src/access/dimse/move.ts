import type { ArchiveReader } from '#model/archive-index.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import type { DimseCaller, DimseService, DimseSession } from '#model/dimse-service.ts'
import type { Peer } from '#model/peer.ts'
import type { IncomingMessage } from '#standards/dimse/association.ts'
import { COMMAND, type CommandSet } from '#standards/dimse/command-set.ts'
import { DimseError } from '#standards/dimse/dimse-error.ts'
import { identifierSyntax, readMessage } from './identifier.ts'
import { answerExtended, negotiated, queryModel } from './query-models.ts'
import { DimseRefusal, STATUS } from './refusal.ts'
import { answering } from './respond.ts'
import { pendingTeller, sendFinal } from './retrieve-answer.ts'
import type { InstanceData } from './retrieve-data.ts'
import { runSubOperations } from './retrieve-run.ts'
import { readRetrieve, survey } from './retrieve-scope.ts'
import type { Connector } from './scu/connector.ts'
import { StoreTarget } from './scu/store-target.ts'

export interface MoveOptions {
  readonly reader: Pick<ArchiveReader, 'search' | 'instance' | 'instances' | 'find'>
  readonly data: InstanceData
  readonly connector: Connector
  /** The register of peers. */
  readonly peer: (aeTitle: string) => Peer | undefined
  readonly identifierBytesMax: number
  readonly failed: (instance: StoredInstance, why: string) => void
}

/** C-MOVE of both information models: store operations go to a registered peer. PS3.4 section C.4.2. */
export function moveService(options: MoveOptions): DimseService {
  return {
    standard: 'PS3.4 section C.4.2, C-MOVE SCP: Patient Root and Study Root',
    needs: 'move',
    serves: (sopClassUID) => queryModel(sopClassUID)?.operation === 'move',
    transferSyntax: (_sopClassUID, proposed) => identifierSyntax(proposed),
    extended: answerExtended,
    handle(message, session) {
      const { context, command } = message
      const response: CommandSet = {
        commandField: COMMAND.C_MOVE_RSP,
        affectedSOPClassUID: context.abstractSyntax,
        messageIdBeingRespondedTo: command.messageId ?? 0,
      }
      return answering(message, session, response, () => move(options, message, session, response))
    },
  }
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
  { reader, data, connector, peer, identifierBytesMax, failed }: MoveOptions,
  message: IncomingMessage,
  session: DimseSession,
  response: CommandSet,
): Promise<void> {
  const { context, command } = message
  const { association, caller, signal } = session
  const model = queryModel(context.abstractSyntax)
  if (model === undefined) throw new DimseRefusal(STATUS.noSuchSopClass, 'SOP class not supported')
  const cancelled = AbortSignal.any([session.cancelled(command.messageId ?? 0), signal])
  const dataSet = await readMessage(message, identifierBytesMax)
  const { relational } = negotiated(association.extended.get(context.abstractSyntax))
  const request = readRetrieve(dataSet, model, relational)
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
