import { setTimeout as sleep } from 'node:timers/promises'
import type { Peer } from '#model/peer.ts'
import type { Association } from '#standards/dimse/association.ts'
import { COMMAND } from '#standards/dimse/command-set.ts'
import type { CommitmentAsks } from '../commitment-asks.ts'
import {
  ACTION_REQUEST,
  COMMITMENT_CLASS,
  COMMITMENT_INSTANCE,
  type CommitmentReport,
  encodeCommitmentRequest,
  type Reference,
  readCommitmentReport,
} from '../commitment-message.ts'
import { readMessage } from '../identifier.ts'
import { STATUS } from '../refusal.ts'
import { type Connector, numbered, UNCOMPRESSED } from './connector.ts'
import { contextOf, failureOf } from './query.ts'

export interface CommitQuestion {
  readonly transactionUID: string
  readonly references: readonly Reference[]
  /** How long the report is waited for, in milliseconds. */
  readonly waitMs: number
  /** While the association stays open for it, in milliseconds; then our own door takes it. */
  readonly holdMs: number
}

const REPORT_BYTES_MAX = 16 * 1024 * 1024

/**
 * Asks a peer to commit to instances and waits for its report, on the association or on our own door.
 * @returns undefined when no report came in time
 * @throws DimseError, ArchiveError 'peer.refused'
 */
export async function commitAt(
  connector: Connector,
  peer: Peer,
  question: CommitQuestion,
  asks: CommitmentAsks,
  signal: AbortSignal,
): Promise<CommitmentReport | undefined> {
  const { transactionUID, references, waitMs, holdMs } = question
  const expected = asks.expect(transactionUID)
  const over = new AbortController()
  const until = <T>(ms: number, work: Promise<T>) =>
    Promise.race([
      work,
      sleep(ms, undefined, { signal: AbortSignal.any([signal, over.signal]) }).catch(() => undefined),
    ])
  try {
    const association = await connector.connect(peer, {
      contexts: numbered([{ abstractSyntax: COMMITMENT_CLASS, transferSyntaxes: UNCOMPRESSED }]),
      signal,
    })
    const listening = listen(association, asks)
    listening.catch(() => undefined) // awaited below; until then a failure must not count as unhandled
    try {
      const context = contextOf(association, COMMITMENT_CLASS)
      const request = {
        commandField: COMMAND.N_ACTION_RQ,
        requestedSOPClassUID: COMMITMENT_CLASS,
        requestedSOPInstanceUID: COMMITMENT_INSTANCE,
        actionTypeId: ACTION_REQUEST,
      }
      const bytes = encodeCommitmentRequest({ transactionUID, references }, context.transferSyntax)
      for await (const answer of association.call(context.id, request, [bytes])) {
        await answer.drain()
        if (answer.command.status !== STATUS.success) throw failureOf(answer.command)
      }
      const report = await until(Math.min(holdMs, waitMs), Promise.race([expected.report, ended(association)]))
      if (report !== undefined) return report
    } finally {
      await association.release()
      await listening
    }
    return await until(Math.max(0, waitMs - holdMs), expected.report)
  } finally {
    over.abort()
    expected.stop()
  }
}

async function ended(association: Association): Promise<undefined> {
  await association.ended
  return undefined
}

/** Takes reports that come on the association we asked by. */
async function listen(association: Association, asks: CommitmentAsks): Promise<void> {
  for await (const message of association.messages()) {
    const { command, context } = message
    if (command.commandField !== COMMAND.N_EVENT_REPORT_RQ) {
      await message.drain()
      continue
    }
    const report = readCommitmentReport(await readMessage(message, REPORT_BYTES_MAX, STATUS.resourceLimitation))
    await association.send(context.id, {
      commandField: COMMAND.N_EVENT_REPORT_RSP,
      affectedSOPClassUID: COMMITMENT_CLASS,
      affectedSOPInstanceUID: COMMITMENT_INSTANCE,
      messageIdBeingRespondedTo: command.messageId ?? 0,
      eventTypeId: command.eventTypeId ?? 0,
      status: STATUS.success,
    })
    asks.tell(report)
  }
}
