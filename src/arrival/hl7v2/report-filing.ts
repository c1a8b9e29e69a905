/** Keeps the documents of one message together with the message: one flush, one transaction, all or nothing. */
import { type ErrorCode, failures } from '#errors.ts'
import { isClean, type Member } from '#intake/submission-member.ts'
import type { Companion, SubmissionSteps } from '#intake/submission-steps.ts'
import type { DocumentDecision } from '#model/document-desk.ts'
import type { DocumentStore } from '#model/document-store.ts'
import { MESSAGE_KIND, type MessageJournalPayload } from '#model/message.ts'
import type { ReportStore } from '#model/report.ts'
import { DOCUMENT_KIND, type DocumentDecisions } from '#operations/document-desk.ts'
import { type Condition, Hl7Error } from '#standards/hl7v2/errors.ts'
import type { PlacedEntry } from '#storage/journal.ts'
import type { KnownReports, ReportPlan } from './report-plan.ts'

/** What the desk needs of the document panel. */
export interface ReportDesk extends Pick<SubmissionSteps, 'screened' | 'refuseScreened' | 'keep'> {
  readonly known: KnownReports
  /** Documents whose state a message changes: part of the transaction. */
  readonly store: Pick<DocumentStore, 'apply'>
  readonly reports: Pick<ReportStore, 'withdraw'>
  /** Told inside the transaction: jobs that follow are enqueued with it. */
  changed(objectIds: readonly string[]): void
}

/** Documents that were judged before the turn, by the SHA-256 of their bytes. */
export type ScreenedReports = Map<string, Member>

export type FiledIn = { readonly is: 'kept' } | { readonly is: 'refused'; readonly error: Hl7Error }

/** The message that goes with its documents. */
export interface FilingMessage {
  /** Sender, and what it sent: the cause of what changes. */
  readonly by: string
  readonly reason: string
  /** @param notes what was filed under which id */
  payload(notes: readonly string[]): MessageJournalPayload
  apply(placed: PlacedEntry | undefined, payload: MessageJournalPayload): void
}

export function hasEffect({ submission, decisions, withdrawals }: ReportPlan): boolean {
  return submission.documents.length + decisions.length + withdrawals.length > 0
}

/** Runs within a turn of the desk. */
export async function fileReports(
  desk: ReportDesk,
  plan: ReportPlan,
  screened: ScreenedReports,
  message: FilingMessage,
): Promise<FiledIn> {
  const members: Member[] = []
  try {
    for (const submitted of plan.submission.documents) {
      const { bytes } = submitted.arrival
      const ahead = [...screened.values()].find((member) => sameBytes(member.submitted.arrival.bytes, bytes))
      members.push(ahead === undefined ? await desk.screened(submitted) : { ...ahead, submitted })
    }
    const bad = members.find((member) => !isClean(member.screened))
    if (bad !== undefined) {
      await desk.refuseScreened(members)
      const code = bad.screened.verdict === 'quarantine' ? 'screening.held' : 'screening.rejected'
      return { is: 'refused', error: fault(code, bad.screened.reason) }
    }
    const receipt = await desk.keep(plan.submission, members, companion(desk, plan, message))
    if (receipt.is === 'kept') return { is: 'kept' }
    const [first] = receipt.faults
    return { is: 'refused', error: fault(first?.code ?? 'document.invalid', first?.detail ?? '') }
  } finally {
    for (const { source } of new Set([...members, ...screened.values()])) source.close()
  }
}

function companion(desk: ReportDesk, plan: ReportPlan, message: FilingMessage): Companion {
  const { decisions, withdrawals } = plan
  let payload: MessageJournalPayload | undefined
  const said: DocumentDecisions = { decisions, cause: { by: message.by, reason: message.reason } }
  return {
    decisions(ids) {
      const filed = [...ids.values()].map((id) => `filed as document ${id}`)
      const changed = decisions.flatMap((one) =>
        one.is === 'status' ? [`document ${one.objectId} ${one.status}`] : [],
      )
      payload = { ...message.payload([...filed, ...changed]), withdrawals }
      const states = decisions.length === 0 ? [] : [{ kind: DOCUMENT_KIND, payload: said }]
      return [...states, { kind: MESSAGE_KIND, payload }]
    },
    apply(placed) {
      const own = placed.at(-1)
      if (own === undefined || payload === undefined) throw new TypeError('the journal gave no entry for the message')
      desk.store.apply(decisions, said.cause, own.time)
      for (const withdrawal of withdrawals) desk.reports.withdraw(withdrawal)
      desk.changed(objectsOf(decisions))
      message.apply(own, payload)
    },
  }
}

function objectsOf(decisions: readonly DocumentDecision[]): readonly string[] {
  return decisions.flatMap((decision) => ('objectId' in decision ? [decision.objectId] : []))
}

/** Read from the same message twice, they are other arrays of the same bytes. */
function sameBytes(a: Member['submitted']['arrival']['bytes'], b: typeof a): boolean {
  return a.in === 'memory' && b.in === 'memory' && Buffer.compare(a.bytes, b.bytes) === 0
}

/** Refusals of the document panel in table 0357. */
const CONDITIONS: { readonly [code: string]: Condition } = {
  'document.conflict': 205,
  'document.patient-mismatch': 205,
  'document.superseded': 205,
  'document.reference': 204,
  'document.patient-unknown': 204,
  'document.incomplete': 101,
  'document.invalid': 103,
}

function fault(code: ErrorCode, detail: string): Hl7Error {
  return new Hl7Error(failures[code].ack, CONDITIONS[code] ?? 207, `${code}: ${detail}`)
}
