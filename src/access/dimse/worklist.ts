import { setImmediate as pause } from 'node:timers/promises'
import type { DimseService, DimseSession } from '#model/dimse-service.ts'
import type { LedgerPatient, Order, PatientKey } from '#model/identity.ts'
import type { IdentityReader } from '#model/identity-ledger.ts'
import type { Visibility } from '#model/visibility.ts'
import type { IncomingMessage } from '#standards/dimse/association.ts'
import { COMMAND, type CommandSet } from '#standards/dimse/command-set.ts'
import { SOP_CLASS } from '#standards/dimse/sop-classes.ts'
import { FindAnswers } from './find-answer.ts'
import { identifierSyntax, readMessage } from './identifier.ts'
import { DimseRefusal, STATUS } from './refusal.ts'
import { answering } from './respond.ts'
import { boundsOf, meets, planWorklist, supportsAll } from './worklist-match.ts'
import { worklistRow } from './worklist-row.ts'

export interface WorklistOptions {
  readonly orders: Pick<IdentityReader, 'orders' | 'patient'>
  readonly identifierBytesMax: number
  /** Answers to one question at most; what is cut is told with A700. */
  readonly resultsMax: number
  /** Site settings `worklist.shows` and `worklist.ownStation`, read for each query. */
  policy(): { readonly shows: 'scheduled' | 'started'; readonly ownStation: boolean }
}

const PAGE = 200

/** Modality Worklist as SCP. PS3.4 annex K. */
export function worklistService(options: WorklistOptions): DimseService {
  return {
    standard: 'PS3.4 annex K, Modality Worklist Information Model FIND (SCP)',
    needs: 'worklist',
    serves: (sopClassUID) => sopClassUID === SOP_CLASS.modalityWorklistFind,
    transferSyntax: (_sopClassUID, proposed) => identifierSyntax(proposed),
    async handle(message, session) {
      const { context, command } = message
      const response: CommandSet = {
        commandField: COMMAND.C_FIND_RSP,
        affectedSOPClassUID: context.abstractSyntax,
        messageIdBeingRespondedTo: command.messageId ?? 0,
      }
      await answering(message, session, response, async () => {
        if (command.commandField !== COMMAND.C_FIND_RQ) {
          throw new DimseRefusal(STATUS.unrecognisedOperation, 'a worklist is asked with C-FIND')
        }
        const status = await answer(options, message, session, response)
        await session.association.send(context.id, { ...response, status })
      })
    },
  }
}

/** Sends the pending responses. @returns status of the final one */
async function answer(
  { orders, identifierBytesMax, resultsMax, policy }: WorklistOptions,
  message: IncomingMessage,
  session: DimseSession,
  response: CommandSet,
): Promise<number> {
  const { context } = message
  const { association, caller, signal } = session
  const cancelled = session.cancelled(response.messageIdBeingRespondedTo ?? 0)
  const plan = planWorklist(await readMessage(message, identifierBytesMax))
  await session.audit('query', { detail: 'C-FIND modality worklist' })
  const { shows, ownStation } = policy()
  const answers = new FindAnswers(plan, context.transferSyntax, null)
  const bounds = boundsOf(plan)
  const patientOf = survivors(orders)
  let sent = 0
  for (const status of shows === 'scheduled' ? STATUSES.slice(0, 1) : STATUSES) {
    let cursor: string | null = null
    do {
      const page: { readonly items: readonly Order[]; readonly next: string | null } = orders.orders({
        ...bounds,
        status,
        limit: PAGE,
        ...(cursor === null ? {} : { cursor }),
      })
      for (const order of page.items) {
        const patient = patientOf(order.patient)
        if (patient === undefined || !mayKnow(caller.visibility, patient)) continue
        for (const step of order.steps) {
          if (ownStation && step.stationAeTitle !== null && step.stationAeTitle !== caller.aeTitle) continue
          const row = worklistRow(order, step, patient)
          if (!meets(row, plan)) continue
          if (sent >= resultsMax) {
            throw new DimseRefusal(
              STATUS.outOfResources,
              `only the first ${resultsMax} matches were sent: ask for fewer`,
            )
          }
          const known = supportsAll(row, plan)
          const pending = { ...response, status: known ? STATUS.pending : STATUS.pendingKeysUnsupported }
          await association.send(context.id, pending, [answers.encode(JSON.stringify(row))])
          sent++
        }
        if (cancelled.aborted || signal.aborted) return STATUS.cancelled
      }
      cursor = page.items.length === 0 ? null : page.next
      await pause()
    } while (cursor !== null)
  }
  return cancelled.aborted ? STATUS.cancelled : STATUS.success
}

const STATUSES = ['scheduled', 'in-progress'] as const

/** The patient an order is for today; each looked up once per query. */
function survivors(ledger: Pick<IdentityReader, 'patient'>): (key: PatientKey) => LedgerPatient | undefined {
  const known = new Map<string, LedgerPatient | undefined>()
  return (key) => {
    const name = JSON.stringify([key.issuer, key.id])
    if (!known.has(name)) {
      const named = ledger.patient(key)
      known.set(name, named === undefined ? undefined : ledger.patient(named.survivor))
    }
    return known.get(name)
  }
}

function mayKnow(visibility: Visibility, { patientId }: LedgerPatient): boolean {
  if (visibility.sees === 'all') return true
  return visibility.sees === 'patients' && visibility.patientIds.includes(patientId)
}
