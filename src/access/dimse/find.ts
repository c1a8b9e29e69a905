import { setImmediate as pause } from 'node:timers/promises'
import type { ArchiveReader } from '#model/archive-index.ts'
import type { DimseService, DimseSession } from '#model/dimse-service.ts'
import type { IncomingMessage } from '#standards/dimse/association.ts'
import { COMMAND } from '#standards/dimse/command-set.ts'
import { FindAnswers } from './find-answer.ts'
import { type CombinedRange, type FindPlan, planFind } from './find-plan.ts'
import { identifierSyntax, readMessage } from './identifier.ts'
import { answerExtended, negotiated, queryModel } from './query-models.ts'
import { DimseRefusal, STATUS } from './refusal.ts'
import { answering } from './respond.ts'

export interface FindOptions {
  readonly reader: Pick<ArchiveReader, 'search' | 'searchPatients'>
  /** Ours: Retrieve AE Title of every answer. */
  readonly aeTitle: string
  readonly identifierBytesMax: number
  /** Answers to one question at most; what is cut is told with A700. */
  readonly resultsMax: number
}

/** Rows read at once: the first page is short, so that the first answer is early. */
const FIRST_PAGE = 50
const PAGE = 500
/** Answers between two looks at what the peer sends, C-CANCEL among it. */
const BURST = 32

/** C-FIND of both information models. PS3.4 sections C.4.1 and C.6. */
export function findService(options: FindOptions): DimseService {
  return {
    standard: 'PS3.4 section C.4.1, C-FIND SCP: Patient Root and Study Root',
    needs: 'find',
    serves: (sopClassUID) => queryModel(sopClassUID)?.operation === 'find',
    transferSyntax: (_sopClassUID, proposed) => identifierSyntax(proposed),
    extended: answerExtended,
    handle: (message, session) => handle(options, message, session),
  }
}

async function handle(options: FindOptions, message: IncomingMessage, session: DimseSession): Promise<void> {
  const { context, command } = message
  const response = {
    commandField: COMMAND.C_FIND_RSP,
    affectedSOPClassUID: context.abstractSyntax,
    messageIdBeingRespondedTo: command.messageId ?? 0,
  }
  await answering(message, session, response, async () => {
    const status = await answer(options, message, session, response)
    await session.association.send(context.id, { ...response, status })
  })
}

/** Sends the pending responses. @returns status of the final one */
async function answer(
  { reader, aeTitle, identifierBytesMax, resultsMax }: FindOptions,
  message: IncomingMessage,
  session: DimseSession,
  response: { readonly commandField: number; readonly messageIdBeingRespondedTo: number },
): Promise<number> {
  const { context } = message
  const { association, signal } = session
  const model = queryModel(context.abstractSyntax)
  if (model === undefined) throw new DimseRefusal(STATUS.noSuchSopClass, 'SOP class not supported')
  const cancelled = session.cancelled(response.messageIdBeingRespondedTo)
  const agreed = negotiated(association.extended.get(context.abstractSyntax))
  const dataSet = await readMessage(message, identifierBytesMax)
  const plan = planFind(dataSet, model, agreed, FIRST_PAGE)
  const study = plan.query?.scope.studyInstanceUID
  await session.audit('query', {
    detail: `C-FIND ${plan.level}`,
    ...(study === undefined ? {} : { studyInstanceUID: study }),
  })
  const answers = new FindAnswers(plan, context.transferSyntax, aeTitle)
  let { unsupported } = plan
  let after: string | null = null
  let sent = 0
  /** A patient found by two spellings of the name is one patient. */
  const patients = new Set<string>()
  for (let limit = FIRST_PAGE; ; limit = PAGE) {
    const page: Page = await pageOf(reader, plan, session, limit, after)
    unsupported ||= page.warnings.length > 0
    const pending = { ...response, status: unsupported ? STATUS.pendingKeysUnsupported : STATUS.pending }
    let burst: Promise<void>[] = []
    for (const { json, patientId } of page.rows) {
      if (patientId !== undefined) {
        if (patients.has(patientId)) continue
        patients.add(patientId)
      }
      if (plan.combined !== null && !isWithin(json, plan.combined)) continue
      if (sent >= resultsMax) {
        await Promise.all(burst)
        throw new DimseRefusal(STATUS.outOfResources, `only the first ${resultsMax} matches were sent: ask for fewer`)
      }
      // Handed over together: they share writes. Awaited together: a slow peer is waited for.
      burst.push(association.send(context.id, pending, [answers.encode(json)]))
      sent++
      if (burst.length < BURST) continue
      await Promise.all(burst)
      burst = []
      await pause()
      if (cancelled.aborted || signal.aborted) return STATUS.cancelled
    }
    await Promise.all(burst)
    if (page.next === null) break
    after = page.next
    await pause()
    if (cancelled.aborted || signal.aborted) return STATUS.cancelled
  }
  return cancelled.aborted ? STATUS.cancelled : STATUS.success
}

interface Page {
  readonly rows: readonly { readonly json: string; readonly patientId?: string }[]
  readonly next: string | null
  readonly warnings: readonly string[]
}

function pageOf(
  reader: FindOptions['reader'],
  plan: FindPlan,
  { caller }: DimseSession,
  limit: number,
  after: string | null,
): Promise<Page> {
  const { visibility } = caller
  if (plan.patients !== null) return reader.searchPatients({ ...plan.patients, limit, after }, visibility)
  if (plan.query === null) throw new RangeError('a question about nothing')
  return reader.search({ ...plan.query, limit, after }, visibility)
}

/** True when date and time of a row lie in one range. A time that is not known is anywhere in its day. */
function isWithin(json: string, { from, to }: CombinedRange): boolean {
  const row = JSON.parse(json) as { readonly [key: string]: { readonly Value?: readonly unknown[] } | undefined }
  const date = String(row['00080020']?.Value?.[0] ?? '')
  const time = String(row['00080030']?.Value?.[0] ?? '')
  if (date === '') return false
  if (time === '') return date >= from.slice(0, 8) && date <= to
  const instant = date + time
  // A limit with less precision takes in all that begins with it: `~` stands behind every digit.
  return instant >= from && instant <= to
}
