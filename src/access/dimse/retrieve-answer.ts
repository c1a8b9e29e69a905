import type { DimseSession } from '#model/dimse-service.ts'
import { encodingOf } from '#standards/dicom/encoding.ts'
import { joinPieces } from '#standards/dicom/pieces.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { encodeDataSet, type WriteDataSet } from '#standards/dicom/write.ts'
import type { IncomingMessage } from '#standards/dimse/association.ts'
import type { CommandSet } from '#standards/dimse/command-set.ts'
import { STATUS } from './refusal.ts'
import type { Counts, Outcome } from './retrieve-run.ts'

/** Failed SOP Instance UID List. PS3.4 section C.4.2.1.4.2. */
const FAILED_LIST = 0x00080058
/** Between two pending responses, in milliseconds. */
const PENDING_MS = 500

/** Tells the counts in pending responses, now and then. */
export function pendingTeller(
  message: IncomingMessage,
  session: DimseSession,
  response: CommandSet,
): (counts: Counts) => Promise<void> {
  let told = 0
  return async (counts) => {
    const now = performance.now()
    if (counts.remaining === 0 || now - told < PENDING_MS) return
    told = now
    await session.association.send(message.context.id, {
      ...response,
      status: STATUS.pending,
      ...numbers(counts, true),
    })
  }
}

function numbers(counts: Counts, remaining: boolean): Partial<CommandSet> {
  return {
    ...(remaining ? { remainingSubOperations: Math.min(counts.remaining, 0xffff) } : {}),
    completedSubOperations: Math.min(counts.completed, 0xffff),
    failedSubOperations: Math.min(counts.failed, 0xffff),
    warningSubOperations: Math.min(counts.warning, 0xffff),
  }
}

/** The final response: what arrived, what did not. PS3.4 tables C.4-2 and C.4-3. */
export async function sendFinal(
  message: IncomingMessage,
  session: DimseSession,
  response: CommandSet,
  outcome: Outcome,
): Promise<void> {
  const { completed, warning, failed, cancelled, failedUids } = outcome
  const status = cancelled
    ? STATUS.cancelled
    : failed === 0 && warning === 0
      ? STATUS.success
      : completed + warning === 0
        ? STATUS.cannotPerform
        : STATUS.subOperationFailures
  const command = { ...response, status, ...numbers(outcome, cancelled) }
  const { association } = session
  if (status === STATUS.success) return association.send(message.context.id, command)
  const dataSet: WriteDataSet = new Map()
  const bytes = Buffer.from(failedUids.join('\\'), 'latin1')
  dataSet.set(FAILED_LIST, { tag: FAILED_LIST, vr: 'UI', value: { is: 'bytes', bytes } })
  const syntax = transferSyntax(message.context.transferSyntax)
  if (syntax === undefined) throw new RangeError(`nobody negotiated ${message.context.transferSyntax}`)
  return association.send(message.context.id, command, [joinPieces(encodeDataSet(dataSet, encodingOf(syntax)))])
}
