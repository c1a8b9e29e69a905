import { hash } from 'node:crypto'
import { ArchiveError, failures } from '#errors.ts'
import type { LedgerDecision, LedgerEntry } from '#model/identity.ts'
import type { IdentityLedger, Refusal } from '#model/identity-ledger.ts'
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
import { acknowledge, codesFor, type Outcome, readHeader, wantedOf } from '#standards/hl7v2/acknowledge.ts'
import type { Undeclared } from '#standards/hl7v2/character-set.ts'
import { type Condition, Hl7Error } from '#standards/hl7v2/errors.ts'
import type { Hl7Limits } from '#standards/hl7v2/limits.ts'
import { type Hl7Message, parseMessage } from '#standards/hl7v2/message.ts'
import type { Journal, PlacedEntry } from '#storage/journal.ts'
import { MessageGroups, type Names, type WaitingMessage } from './message-groups.ts'
import { admitStranger, senderOf } from './sender.ts'
import type { KnownIdentities, MappingTerms } from './terms.ts'
import { checkHeader, IDENTIFIERS_MAX, identifiersIn, typeOf, type Understood, understand } from './understand.ts'

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
  terms(): DeskTerms
  readonly limits: Hl7Limits
  readonly us: { readonly application: string; readonly facility: string }
  onFault(error: unknown, what: string): void
}

/** What is thought of a message before anything happens. */
interface Judged {
  readonly message: Hl7Message | null
  readonly outcome: Outcome
  readonly understood: Understood | null
  /** False for a sender nobody knows: it is told and audited, and fills no disk. */
  readonly keep: boolean
  readonly originator: Originator | null
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
    void tools.exclusively(async () => {
      called = false
      const group = groups.take((envelope) => ready(tools, envelope))
      call() // behind whoever decides something else meanwhile
      await settle(tools, group)
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

/** A message read and judged, with what is to happen of it. */
interface Ready {
  readonly judged: Judged
  readonly names: Names
}

function ready(tools: MessageDeskTools, envelope: MessageEnvelope): Ready {
  const judged = judge(tools, envelope)
  return { judged, names: namesOf(judged.message) }
}

/** Everything that one message could say about: its identifiers, and the control id it came with. */
function namesOf(message: Hl7Message | null): Names {
  if (message === null) return null
  const identifiers = identifiersOrNone(message)
  if (identifiers.length === 0 || identifiers.length >= IDENTIFIERS_MAX) return null
  const { application, facility } = saidBy(message)
  return [...identifiers, JSON.stringify([application, facility, message.header.text(10)])]
}

function judge(tools: MessageDeskTools, envelope: MessageEnvelope): Judged {
  const terms = tools.terms()
  let message: Hl7Message | null = null
  let originator: Originator | undefined
  let keep = envelope.door === 'import'
  const refused = (error: Hl7Error): Judged => ({
    message,
    outcome: { ok: false, error },
    understood: null,
    keep,
    originator: originator ?? null,
  })
  try {
    message = readHeader(envelope.bytes)
    const said = saidBy(message)
    originator = senderOf(terms.originators, said, envelope)
    if (originator === undefined) admitStranger(terms.senders, envelope)
    keep = true
    if (envelope.broken !== undefined) throw brokenFault(envelope.broken, tools.limits.messageBytes)
    const parsed = parseMessage(envelope.bytes, { limits: tools.limits, undeclared: terms.undeclared })
    message = parsed
    checkHeader(parsed)
    const mapping: MappingTerms = {
      ...terms.mapping,
      defaultIssuer: originator?.issuer ?? terms.siteIssuer,
      senderZone: originator?.timeZone ?? null,
      zSegments: originator?.zSegments ?? {},
      known: tools.known,
    }
    const understood = understand(parsed, mapping, terms.messages)
    const refusal = understood.decisions.length === 0 ? null : tools.ledger.check(understood.decisions)
    if (refusal !== null) throw refusalFault(refusal, parsed)
    return { message, outcome: { ok: true }, understood, keep, originator: originator ?? null }
  } catch (error) {
    if (error instanceof Hl7Error) return refused(error)
    tools.onFault(error, 'a message could not be read')
    return refused(failureOf(error))
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

  const notes = [...(message?.notes ?? []), ...(understood?.notes ?? [])]
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
    decisions: understood?.decisions ?? [],
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

function saidBy(message: Hl7Message | null): { readonly application: string; readonly facility: string } {
  return { application: message?.header.text(3) ?? '', facility: message?.header.text(4) ?? '' }
}

function whoOf({ application, facility }: { readonly application: string; readonly facility: string }): string {
  return `${application}|${facility}`
}

function addressOf({ address, certificate }: MessageEnvelope): string | null {
  return certificate === null ? address : `${address ?? ''} ${certificate}`.trim()
}

const succeeded = ({ acknowledgement }: MessageRecord) => acknowledgement === 'AA' || acknowledgement === 'CA'

/** Refused for the same reason as before: then the answer is the one that was given. */
function sameRefusal(record: MessageRecord, outcome: Outcome): boolean {
  return !outcome.ok && record.error === told(outcome.error)
}

function told({ condition, message, location }: Hl7Error): string {
  const at = location === null ? '' : ` at ${location.segment}^${location.sequence}^${location.field ?? ''}`
  return `${condition}${at}: ${message}`
}

/** A fault of ours, which another try may not meet: nothing is kept of it. */
class OurFault extends Hl7Error {}

function failureOf(error: unknown): Hl7Error {
  if (error instanceof ArchiveError) {
    return new OurFault(failures[error.code].ack, 207, `${error.code}: the message was not kept, send it again`)
  }
  return new OurFault('AE', 207, 'archive.failed: the message was not kept, send it again')
}

function brokenFault(why: NonNullable<MessageEnvelope['broken']>, bytesMax: number): Hl7Error {
  switch (why) {
    case 'oversized':
      return new Hl7Error('AR', 207, `a message may have ${bytesMax} bytes`)
    case 'crowded':
      return new OurFault('AE', 207, 'no room for a message of this size now: send it again')
    case 'restarted':
      return new Hl7Error('AR', 100, 'a new message began before the end block of this one')
    case 'ended':
      return new Hl7Error('AR', 100, 'the end block of this message did not come')
  }
}

/** What the ledger refuses, as a sender is told: numbers of other patients stay here. */
const REFUSALS: { readonly [code: string]: readonly [condition: Condition, sentence: string] } = {
  'identity.cycle': [205, 'the surviving patient already lives on as the prior one'],
  'identity.merged': [205, 'the prior patient is merged into another one already'],
  'identity.conflict': [205, 'this contradicts what is known'],
  'identity.unknown': [204, 'what this is about is not known'],
  'identity.undone': [204, 'what this is about was taken back already'],
}

/** What the ledger has against it, at the field that names the patient. */
function refusalFault({ code }: Refusal, message: Hl7Message): Hl7Error {
  const [condition, sentence] = REFUSALS[code] ?? [207, 'the ledger refuses it']
  const segment = message.first('MRG') === undefined ? 'PID' : 'MRG'
  const at = { segment, sequence: 1, field: segment === 'MRG' ? 1 : 3, repetition: 1 }
  return new Hl7Error(failures[code].ack, condition, `${code}: ${sentence}`, at)
}

function identifiersOrNone(message: Hl7Message): readonly string[] {
  try {
    return identifiersIn(message)
  } catch (error) {
    if (error instanceof Hl7Error) return [] // too many parts: what was refused needs no search
    throw error
  }
}

/** A message that was refused as a whole: its Z-segments went with it. */
function zSegmentsRefused(message: Hl7Message | null): MessageRecord['zSegments'] {
  const segments = message?.segments.filter(({ name }) => name.startsWith('Z')) ?? []
  return segments.slice(0, 100).map(({ name, index }) => ({ name, index, done: 'refused' }))
}
