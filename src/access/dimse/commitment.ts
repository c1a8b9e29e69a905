import type { DimseService, DimseSession } from '#model/dimse-service.ts'
import type { IncomingMessage } from '#standards/dimse/association.ts'
import { COMMAND, type CommandSet } from '#standards/dimse/command-set.ts'
import type { CommitmentAsks } from './commitment-asks.ts'
import {
  ACTION_REQUEST,
  COMMITMENT_CLASS,
  COMMITMENT_INSTANCE,
  readCommitmentReport,
  readCommitmentRequest,
} from './commitment-message.ts'
import type { CommitmentRunner } from './commitment-runner.ts'
import { identifierSyntax, readMessage } from './identifier.ts'
import { DimseRefusal, STATUS } from './refusal.ts'
import { answering } from './respond.ts'

export interface CommitmentServiceOptions {
  readonly runner: CommitmentRunner
  readonly asks: CommitmentAsks
  readonly identifierBytesMax: number
}

/**
 * Storage Commitment Push Model: as SCP it takes requests and reports later; as SCU it takes the reports of peers we
 * asked. PS3.4 annex J.
 */
export function commitmentService(options: CommitmentServiceOptions): DimseService {
  return {
    standard: 'PS3.4 annex J, Storage Commitment Push Model (SCP, and reports to us as SCU)',
    needs: 'commit',
    reversible: true,
    reversedNeeds: 'commit',
    serves: (sopClassUID) => sopClassUID === COMMITMENT_CLASS,
    transferSyntax: (_sopClassUID, proposed) => identifierSyntax(proposed),
    async handle(message, session) {
      const { command } = message
      if (command.commandField === COMMAND.N_ACTION_RQ) return action(options, message, session)
      if (command.commandField === COMMAND.N_EVENT_REPORT_RQ) return event(options, message, session)
      await message.drain()
      await session.association.send(message.context.id, {
        commandField: command.commandField | 0x8000,
        messageIdBeingRespondedTo: command.messageId ?? 0,
        status: STATUS.unrecognisedOperation,
      })
    },
  }
}

async function action(
  { runner, identifierBytesMax }: CommitmentServiceOptions,
  message: IncomingMessage,
  session: DimseSession,
): Promise<void> {
  const { context, command } = message
  const { association, caller } = session
  const response: CommandSet = {
    commandField: COMMAND.N_ACTION_RSP,
    affectedSOPClassUID: COMMITMENT_CLASS,
    affectedSOPInstanceUID: COMMITMENT_INSTANCE,
    messageIdBeingRespondedTo: command.messageId ?? 0,
    actionTypeId: command.actionTypeId ?? 0,
  }
  await answering(message, session, response, async () => {
    if (command.requestedSOPInstanceUID !== COMMITMENT_INSTANCE) {
      throw new DimseRefusal(STATUS.noSuchInstance, 'not the well-known instance')
    }
    if (command.actionTypeId !== ACTION_REQUEST) throw new DimseRefusal(STATUS.noSuchAction, 'no such action')
    const dataSet = await readMessage(message, identifierBytesMax, STATUS.resourceLimitation)
    const request = readCommitmentRequest(dataSet)
    await session.audit('query', { detail: 'storage commitment asked for', count: request.references.length })
    // Durable before it is answered: 0000H says that a report will come.
    const subject = await runner.accept(caller.aeTitle, request)
    runner.remember(subject, { association, contextId: context.id, transferSyntax: context.transferSyntax })
    await association.send(context.id, { ...response, status: STATUS.success })
    runner.wake()
  })
}

async function event(
  { asks, identifierBytesMax }: CommitmentServiceOptions,
  message: IncomingMessage,
  session: DimseSession,
): Promise<void> {
  const { context, command } = message
  const { association } = session
  const response: CommandSet = {
    commandField: COMMAND.N_EVENT_REPORT_RSP,
    affectedSOPClassUID: COMMITMENT_CLASS,
    affectedSOPInstanceUID: COMMITMENT_INSTANCE,
    messageIdBeingRespondedTo: command.messageId ?? 0,
    eventTypeId: command.eventTypeId ?? 0,
  }
  await answering(message, session, response, async () => {
    const known = command.eventTypeId === 1 || command.eventTypeId === 2
    if (!known) throw new DimseRefusal(STATUS.noSuchEventType, 'no such event type')
    const report = readCommitmentReport(await readMessage(message, identifierBytesMax, STATUS.resourceLimitation))
    const { committed, failed, transactionUID } = report
    await session.audit('decide', {
      detail: `storage commitment ${transactionUID}: ${committed.length} committed, ${failed.length} failed`,
      count: committed.length + failed.length,
    })
    asks.tell(report)
    await association.send(context.id, { ...response, status: STATUS.success })
  })
}
