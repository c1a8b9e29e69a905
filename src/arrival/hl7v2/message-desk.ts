import { hash } from 'node:crypto'
import type { LedgerDecision, LedgerEntry } from '#model/identity.ts'
import type { IdentityLedger } from '#model/identity-ledger.ts'
import {
  MESSAGE_KIND,
  type MessageAnswer,
  type MessageDesk,
  type MessageEnvelope,
  type MessageJournalPayload,
  type MessageRecord,
  type MessageStore,
} from '#model/message.ts'
import type { Originator } from '#model/settings.ts'
import { acknowledge, codesFor, type Outcome, wantedOf } from '#standards/hl7v2/acknowledge.ts'
import type { Undeclared } from '#standards/hl7v2/character-set.ts'
import type { Hl7Error } from '#standards/hl7v2/errors.ts'
import type { Hl7Limits } from '#standards/hl7v2/limits.ts'
import type { Hl7Message } from '#standards/hl7v2/message.ts'
import type { Journal, PlacedEntry } from '#storage/journal.ts'
import { failureOf, OurFault, told } from './message-faults.ts'
import { MessageGroups, type WaitingMessage } from './message-groups.ts'
import { identifiersOrNone, type Judged, type Ready, ready, saidBy, screenAhead, whoOf } from './message-judge.ts'
import { type FiledIn, fileReports, hasEffect, type ReportDesk, type ScreenedReports } from './report-filing.ts'
import type { KnownIdentities, MappingTerms } from './terms.ts'
import { typeOf } from './understand.ts'

/** Site settings and registers as they are now. */
export interface DeskTerms {
  readonly originators: readonly Originator[]
  readonly senders: 'loopback' | 'refuse' | 'any'
  readonly messages: { readonly [name: string]: 'act' | 'keep' | 'refuse' }
  readonly undeclared: Undeclared
  readonly siteIssuer: string
  readonly mapping: Omit<MappingTerms, 'defaultIssuer' | 'senderZone' | 'zSegments' | 'known'>
}

/** Rows of the audit trail that a message leaves. */
export interface MessageAudit {
  readonly who: string
  readonly address: string | null
  readonly outcome: 'success' | 'denied'
  readonly alert: boolean
  readonly detail: string
}

export interface MessageDeskTools {
  readonly store: MessageStore
  readonly ledger: Pick<IdentityLedger, 'check' | 'apply'>
  readonly known: KnownIdentities
  readonly journal: Journal
  /** Runs `fn` in one transaction that also writes the flushed position of the segments (the journal's). */
  commit(fn: () => void): void
  /** Runs one after the other whatever checks, journals and applies decisions of the ledger. */
  exclusively<T>(fn: () => Promise<T>): Promise<T>
  /** In the transaction: what these decisions may have been waited for is looked at again. */
  wake(decisions: readonly LedgerDecision[]): void
  audit(event: MessageAudit): void
  /** The walk of the documents that messages carry, and what is kept of reports. */
  readonly reports: ReportDesk
  terms(): DeskTerms
  readonly limits: Hl7Limits
  readonly us: { readonly application: string; readonly facility: string }
  onFault(error: unknown, what: string): void
}

/**
 * The desk of messages. Each is parsed, looked up in the ledger of control ids, understood and checked; what waits together
 * is journalled with its answers and its decisions in one flush, carried out in one transaction, and only then answered.
 */
export function createMessageDesk(tools: MessageDeskTools): MessageDesk {
  const groups = new MessageGroups()
  let called = false
  function call(): void {
    if (called || groups.isEmpty) return
    called = true
    void begin()
  }
  async function begin(): Promise<void> {
    // Documents are judged before the turn: a scan that takes its time holds up messages, and nobody else.
    const screened = await screenAhead(tools, groups.next)
    await tools.exclusively(async () => {
      called = false
      const group = groups.take((envelope) => ready(tools, envelope))
      call() // behind whoever decides something else meanwhile
      const [only] = group
      const filed = only?.judged.filing ?? null
      if (only === undefined || filed === null || !hasEffect(filed)) await settle(tools, group)
      else await settleFiling(tools, only, screened)
    })
  }
  return {
    receive: (envelope) =>
      new Promise((answer) => {
        groups.push({ envelope, answer })
        call()
      }),
  }
}

/** What is to be done for one message of a group. */
type Step =
  | { readonly is: 'answer'; readonly answer: MessageAnswer }
  | { readonly is: 'again'; readonly answer: MessageAnswer; readonly id: string }
  | { readonly is: 'keep'; readonly payload: MessageJournalPayload; readonly acknowledgements: readonly Uint8Array[] }

/** Keeps, carries out and answers a group of messages, none of which depends on another. */
async function settle(
  tools: MessageDeskTools,
  group: readonly (Ready & { readonly waiting: WaitingMessage })[],
): Promise<void> {
  const answers: MessageAnswer[] = []
  try {
    const steps = group.map(({ judged, waiting }) => ({ ...stepOf(tools, waiting.envelope, judged), waiting, judged }))
    const kept = steps.filter((step) => step.is === 'keep')
    const placed = await tools.journal.append(kept.map(({ payload }) => ({ kind: MESSAGE_KIND, payload })))
    const places = new Map(kept.map((step, i) => [step, placed[i]]))
    if (steps.every(({ is }) => is === 'answer')) {
      for (const step of steps) if (step.is === 'answer') answers.push(step.answer)
    } else {
      tools.commit(() => {
        for (const step of steps) {
          if (step.is === 'again') tools.store.arrivedAgain(step.id)
          answers.push(step.is === 'keep' ? keep(tools, step, places.get(step)) : step.answer)
        }
      })
    }
  } catch (error) {
    tools.onFault(error, 'messages could not be kept')
    for (const { judged, waiting } of group)
      waiting.answer(unanswered(tools, waiting.envelope, judged.message, failureOf(error)))
    return
  }
  for (const [i, { waiting }] of group.entries()) waiting.answer(answers[i] as MessageAnswer)
}

/** The same for one message that carries documents: all of it is kept together, or its refusal. */
async function settleFiling(
  tools: MessageDeskTools,
  one: Ready & { readonly waiting: WaitingMessage },
  screened: ScreenedReports,
): Promise<void> {
  const { judged, waiting } = one
  const { envelope } = waiting
  const { filing } = judged
  const step = stepOf(tools, envelope, judged)
  if (filing === null || step.is !== 'keep') {
    await settle(tools, [one])
    return
  }
  let filed: FiledIn
  let answer: MessageAnswer | undefined
  try {
    filed = await fileReports(tools.reports, filing, screened, {
      ...{ by: whoOf(step.payload.record), reason: `${step.payload.record.type} ${step.payload.record.controlId}` },
      payload: (notes) => ({
        ...step.payload,
        record: { ...step.payload.record, notes: [...step.payload.record.notes, ...notes] },
      }),
      apply(placed, payload) {
        answer = keep(tools, { ...step, payload, judged, waiting }, placed)
      },
    })
  } catch (error) {
    tools.onFault(error, 'the documents of a message could not be kept')
    filed = { is: 'refused', error: failureOf(error) }
  }
  if (filed.is === 'kept' && answer !== undefined) waiting.answer(answer)
  else {
    const error = filed.is === 'refused' ? filed.error : failureOf(null)
    await settle(tools, [{ ...one, judged: { ...judged, outcome: { ok: false, error }, filing: null } }])
  }
}

function stepOf(tools: MessageDeskTools, envelope: MessageEnvelope, judged: Judged): Step {
  const { message, outcome, understood } = judged
  const said = saidBy(message)
  const { address } = envelope
  const sha256 = hash('sha256', envelope.bytes, 'hex')
  const controlId = message?.header.text(10) ?? ''
  if (understood?.action === 'acknowledgement') return { is: 'answer', answer: { acknowledgements: [], record: null } }
  if (!judged.keep || (!outcome.ok && outcome.error instanceof OurFault)) {
    const error = outcome.ok ? failureOf(null) : outcome.error
    const detail = `HL7 v2 refused: ${error.message}`
    tools.audit({ who: whoOf(said), address, outcome: 'denied', alert: !judged.keep, detail })
    return { is: 'answer', answer: unanswered(tools, envelope, message, error) }
  }

  const sender = { ...said, controlId }
  const before = controlId === '' ? undefined : tools.store.answered(sender, sha256)
  if (before !== undefined && (succeeded(before.record) || sameRefusal(before.record, outcome))) {
    const { id, acknowledgements } = before
    const record = { ...before.record, arrivals: before.record.arrivals + 1 }
    return { is: 'again', id, answer: { acknowledgements, record } }
  }

  const notes = [...(message?.notes ?? []), ...(understood?.notes ?? []), ...(judged.filing?.notes ?? [])]
  if (controlId !== '' && tools.store.usedForAnother(sender, sha256)) {
    notes.push('the sender used this control id for another message')
  }
  const { codes, acknowledgements } = answersOf(tools, envelope, message, outcome)
  const error = outcome.ok ? null : outcome.error
  const payload: MessageJournalPayload = {
    record: {
      time: envelope.time,
      ...said,
      address: addressOf(envelope),
      originator: judged.originator?.name ?? null,
      controlId,
      type: message === null ? '' : typeOf(message).name,
      sha256,
      size: envelope.bytes.byteLength,
      acknowledgement: codes[0] ?? (outcome.ok ? 'AA' : (error as Hl7Error).answer),
      error: error === null ? null : told(error),
      identifiers: message === null ? [] : identifiersOrNone(message),
      zSegments: understood?.zSegments ?? zSegmentsRefused(message),
      notes,
    },
    bytes: Buffer.from(envelope.bytes).toString('base64'),
    acknowledgements: acknowledgements.map((answer) => Buffer.from(answer).toString('base64')),
    decisions: outcome.ok ? (understood?.decisions ?? []) : [],
  }
  return { is: 'keep', payload, acknowledgements }
}

/** In the transaction: what a message says is carried out. */
function keep(
  tools: MessageDeskTools,
  step: Extract<Step, { is: 'keep' }> & { readonly judged: Judged; readonly waiting: WaitingMessage },
  placed: PlacedEntry | undefined,
): MessageAnswer {
  if (placed === undefined) throw new TypeError('the journal took an entry and did not say where it stands')
  const { payload, acknowledgements, judged } = step
  const { envelope } = step.waiting
  const entries = entriesOfMessage(placed.sequence, placed.time, payload)
  const ids = entries.map(({ id }) => id)
  if (entries.length > 0) tools.ledger.apply(entries)
  tools.store.add(placed.sequence, payload, ids, placed.location)
  if (entries.length > 0) tools.wake(payload.decisions)
  const brought = envelope.user == null ? '' : `, brought by ${envelope.user}`
  tools.audit({
    who: whoOf(payload.record),
    address: envelope.address,
    outcome: judged.outcome.ok ? 'success' : 'denied',
    alert: false,
    detail: `HL7 v2 ${payload.record.type} ${payload.record.acknowledgement}${brought}`,
  })
  const record: MessageRecord = { ...payload.record, id: String(placed.sequence), arrivals: 1, entries: ids }
  return { acknowledgements, record }
}

/** Entries of the ledger that a message's decisions become: the same at a rebuild. */
export function entriesOfMessage(
  sequence: number,
  time: string,
  payload: MessageJournalPayload,
): readonly LedgerEntry[] {
  const { application, facility, type, controlId } = payload.record
  const cause = { by: `${application}|${facility}`, rule: type, reference: controlId, reason: null }
  return payload.decisions.map((decision, i) => ({ id: `${sequence}.${i}`, time, cause, decision, undoneBy: null }))
}

/** @returns the payload of a journal entry that keeps a message; undefined for other kinds and forms */
export function messageOf(entry: Pick<PlacedEntry, 'kind' | 'payload'>): MessageJournalPayload | undefined {
  if (entry.kind !== MESSAGE_KIND || typeof entry.payload !== 'object' || entry.payload === null) return undefined
  const { record, bytes, decisions }: { record?: unknown; bytes?: unknown; decisions?: unknown } = entry.payload
  if (typeof record !== 'object' || record === null || typeof bytes !== 'string') return undefined
  return Array.isArray(decisions) ? (entry.payload as MessageJournalPayload) : undefined
}

function answersOf(
  tools: MessageDeskTools,
  envelope: MessageEnvelope,
  message: Hl7Message | null,
  outcome: Outcome,
): { readonly codes: readonly MessageRecord['acknowledgement'][]; readonly acknowledgements: readonly Uint8Array[] } {
  const wanted = message === null ? null : wantedOf(message)
  const codes = wanted === null ? (outcome.ok ? [] : [outcome.error.answer]) : codesFor(wanted, outcome)
  const error = outcome.ok ? null : outcome.error
  const digest = hash('sha256', envelope.bytes, 'hex')
  const acknowledgements = codes.map((code, i) =>
    acknowledge(message, code, error, {
      ...tools.us,
      time: envelope.time,
      controlId: `${digest.slice(0, 10)}${BigInt(Date.parse(envelope.time) || 0).toString(36)}${i}`.slice(0, 20),
    }),
  )
  return { codes, acknowledgements }
}

/** An answer to what is not kept. */
function unanswered(
  tools: MessageDeskTools,
  envelope: MessageEnvelope,
  message: Hl7Message | null,
  error: Hl7Error,
): MessageAnswer {
  const { acknowledgements } = answersOf(tools, envelope, message, { ok: false, error })
  return { acknowledgements, record: null }
}

function addressOf({ address, certificate }: MessageEnvelope): string | null {
  return certificate === null ? address : `${address ?? ''} ${certificate}`.trim()
}

const succeeded = ({ acknowledgement }: MessageRecord) => acknowledgement === 'AA' || acknowledgement === 'CA'

/** Refused for the same reason as before: then the answer is the one that was given. */
function sameRefusal(record: MessageRecord, outcome: Outcome): boolean {
  return !outcome.ok && record.error === told(outcome.error)
}

/** A message that was refused as a whole: its Z-segments went with it. */
function zSegmentsRefused(message: Hl7Message | null): MessageRecord['zSegments'] {
  const segments = message?.segments.filter(({ name }) => name.startsWith('Z')) ?? []
  return segments.slice(0, 100).map(({ name, index }) => ({ name, index, done: 'refused' }))
}
