import { randomUUID } from 'node:crypto'
import type { DimseService, DimseSession } from '#model/dimse-service.ts'
import type { LedgerDecision, Order, PerformedStep } from '#model/identity.ts'
import type { IdentityDesk, IdentityReader } from '#model/identity-ledger.ts'
import type { IncomingMessage } from '#standards/dimse/association.ts'
import { COMMAND, type CommandSet } from '#standards/dimse/command-set.ts'
import { SOP_CLASS } from '#standards/dimse/sop-classes.ts'
import { identifierSyntax, readMessage } from './identifier.ts'
import {
  ATTRIBUTE_LIST_ERROR,
  accessionsOf,
  attributesOf,
  changedStep,
  createdStep,
  encoded,
  isFinal,
  orderStatus,
} from './mpps-step.ts'
import { DimseRefusal, STATUS } from './refusal.ts'
import { answering } from './respond.ts'

export interface PerformedOptions {
  readonly ledger: Pick<IdentityReader, 'performedStep' | 'performedSteps' | 'orders'>
  readonly desk: IdentityDesk
  readonly identifierBytesMax: number
  /** Has what a completed step lists compared with what arrived. Called before the step is kept; durable when resolved. */
  compareLater(sopInstanceUID: string): Promise<void>
}

/** PS3.5 section B.2. */
function uuidUid(): string {
  return `2.25.${BigInt(`0x${randomUUID().replaceAll('-', '')}`)}`
}

const DUPLICATE = 0x0111
const NO_SUCH_INSTANCE = 0x0112
/** Error ID of "Performed Procedure Step Object may no longer be updated". PS3.4 Table F.7.2-2. */
const NO_LONGER = 0xa710

/** Modality Performed Procedure Step as SCP, and its retrieval. PS3.4 sections F.7 and F.8. */
export function performedStepService(options: PerformedOptions): DimseService {
  const turns = new Map<string, Promise<unknown>>()
  /** What is about one step happens one after the other, from whichever association. */
  async function inTurn<T>(uid: string, work: () => Promise<T>): Promise<T> {
    const before = turns.get(uid) ?? Promise.resolve()
    const mine = before.then(work, work)
    turns.set(uid, mine)
    try {
      return await mine
    } finally {
      if (turns.get(uid) === mine) turns.delete(uid)
    }
  }
  return {
    standard: 'PS3.4 sections F.7 and F.8, Modality Performed Procedure Step and its Retrieve (SCP)',
    needs: 'mpps',
    serves: (uid) =>
      uid === SOP_CLASS.modalityPerformedProcedureStep || uid === SOP_CLASS.modalityPerformedProcedureStepRetrieve,
    transferSyntax: (_sopClassUID, proposed) => identifierSyntax(proposed),
    async handle(message, session) {
      const { context, command } = message
      const performed = SOP_CLASS.modalityPerformedProcedureStep
      const uid = command.requestedSOPInstanceUID ?? command.affectedSOPInstanceUID ?? uuidUid()
      const response: CommandSet = {
        commandField: command.commandField | 0x8000,
        affectedSOPClassUID: command.requestedSOPClassUID ?? command.affectedSOPClassUID ?? performed,
        affectedSOPInstanceUID: uid,
        messageIdBeingRespondedTo: command.messageId ?? 0,
      }
      await answering(message, session, response, async () => {
        const { association } = session
        if (context.abstractSyntax === performed && command.commandField === COMMAND.N_CREATE_RQ) {
          const attributes = attributesOf(await readMessage(message, options.identifierBytesMax))
          await inTurn(uid, () => create(options, session, uid, attributes))
          await association.send(context.id, { ...response, status: STATUS.success })
        } else if (context.abstractSyntax === performed && command.commandField === COMMAND.N_SET_RQ) {
          const partly = await set(options, message, session, uid, response, inTurn)
          if (partly === null) return
          await association.send(context.id, { ...response, status: partly ? ATTRIBUTE_LIST_ERROR : STATUS.success })
        } else if (command.commandField === COMMAND.N_GET_RQ) {
          await message.drain()
          const step = options.ledger.performedStep(uid)
          if (step === undefined) throw new DimseRefusal(NO_SUCH_INSTANCE, 'there is no such performed procedure step')
          await session.audit('read', { detail: `performed procedure step ${uid}` })
          const bytes = encoded(step.attributes, command.attributeIdentifierList ?? [], context.transferSyntax)
          await association.send(context.id, { ...response, status: STATUS.success }, [bytes])
        } else throw new DimseRefusal(STATUS.unrecognisedOperation, 'this operation is not one of the class')
      })
    },
  }
}

type Turn = <T>(uid: string, work: () => Promise<T>) => Promise<T>

async function create(
  { ledger, desk }: PerformedOptions,
  session: DimseSession,
  uid: string,
  attributes: PerformedStep['attributes'],
): Promise<void> {
  const made = createdStep(uid, attributes)
  if (ledger.performedStep(uid) !== undefined)
    throw new DimseRefusal(DUPLICATE, 'this performed step was created already')
  const order = orderOf(ledger, made)
  await keep(ledger, desk, session, { ...made, orderId: order?.id ?? null }, order)
}

/** @returns whether only a part was taken; null when it was answered already */
async function set(
  options: PerformedOptions,
  message: IncomingMessage,
  session: DimseSession,
  uid: string,
  response: CommandSet,
  inTurn: Turn,
): Promise<boolean | null> {
  const { ledger, desk } = options
  const changes = attributesOf(await readMessage(message, options.identifierBytesMax))
  return await inTurn(uid, async () => {
    const before = ledger.performedStep(uid)
    if (before === undefined) throw new DimseRefusal(NO_SUCH_INSTANCE, 'there is no such performed procedure step')
    if (isFinal(before)) {
      const errorComment = 'Performed Procedure Step may no longer be updated'
      const fields = { status: STATUS.processingFailure, errorId: NO_LONGER, errorComment }
      await session.association.send(message.context.id, { ...response, ...fields })
      return null
    }
    const { step, partly } = changedStep(before, changes)
    if (step.status === 'COMPLETED') await options.compareLater(uid)
    await keep(ledger, desk, session, step, orderOf(ledger, step))
    return partly
  })
}

/** The order a step answers: by study, else by accession number when only one has it. */
function orderOf(ledger: PerformedOptions['ledger'], step: PerformedStep): Order | undefined {
  for (const studyInstanceUID of step.studyInstanceUIDs) {
    const [found] = ledger.orders({ studyInstanceUID, limit: 1 }).items
    if (found !== undefined) return found
  }
  for (const accessionNumber of accessionsOf(step)) {
    const { items } = ledger.orders({ accessionNumber, limit: 2 })
    if (items.length === 1) return items[0]
  }
  return undefined
}

async function keep(
  ledger: PerformedOptions['ledger'],
  desk: IdentityDesk,
  { caller }: DimseSession,
  step: PerformedStep,
  order: Order | undefined,
): Promise<void> {
  const decisions: LedgerDecision[] = [{ do: 'perform', step }]
  if (order !== undefined) {
    const others = ledger
      .performedSteps(order.id)
      .filter(({ sopInstanceUID }) => sopInstanceUID !== step.sopInstanceUID)
    const status = orderStatus(order, [...others, step])
    if (status !== order.status) decisions.push({ do: 'order', order: { ...order, status } })
  }
  const cause = { by: caller.aeTitle, rule: 'MPPS', reference: step.sopInstanceUID, reason: null }
  await desk.decide(decisions, cause, caller.address)
}
