/** What is thought of a message before anything happens. */
import type { MessageEnvelope } from '#model/message.ts'
import type { Originator } from '#model/settings.ts'
import { type Outcome, readHeader } from '#standards/hl7v2/acknowledge.ts'
import { Hl7Error } from '#standards/hl7v2/errors.ts'
import { type Hl7Message, parseMessage } from '#standards/hl7v2/message.ts'
import type { MessageDeskTools } from './message-desk.ts'
import { brokenFault, failureOf, refusalFault } from './message-faults.ts'
import type { Names } from './message-groups.ts'
import { hasEffect, type ScreenedReports } from './report-filing.ts'
import { planReports, type ReportPlan } from './report-plan.ts'
import { admitStranger, senderOf } from './sender.ts'
import type { MappingTerms } from './terms.ts'
import {
  checkHeader,
  FILED_TYPES,
  IDENTIFIERS_MAX,
  identifiersIn,
  typeOf,
  type Understood,
  understand,
} from './understand.ts'

/** What is thought of a message before anything happens. */
export interface Judged {
  readonly message: Hl7Message | null
  readonly outcome: Outcome
  readonly understood: Understood | null
  /** False for a sender nobody knows: it is told and audited, and fills no disk. */
  readonly keep: boolean
  readonly originator: Originator | null
  /** Documents, and states of documents, that it decides; null when it is about none. */
  readonly filing: ReportPlan | null
}

/** A message read and judged, with what is to happen of it. */
export interface Ready {
  readonly judged: Judged
  readonly names: Names
}

export function ready(tools: MessageDeskTools, envelope: MessageEnvelope): Ready {
  const judged = judge(tools, envelope)
  const alone = judged.filing !== null && hasEffect(judged.filing)
  return { judged, names: alone ? null : namesOf(judged.message) }
}

/** Screens the documents of the message that is next, where it carries any. */
export async function screenAhead(
  tools: MessageDeskTools,
  envelope: MessageEnvelope | undefined,
): Promise<ScreenedReports> {
  const screened: ScreenedReports = new Map()
  if (envelope === undefined || !carriesDocuments(envelope)) return screened
  const { filing } = judge(tools, envelope)
  for (const document of filing?.submission.documents ?? []) {
    try {
      const member = await tools.reports.screened(document)
      screened.set(member.sha256, member)
    } catch (error) {
      tools.onFault(error, 'a document of a message could not be screened') // tried again in its turn
    }
  }
  return screened
}

function carriesDocuments({ bytes }: MessageEnvelope): boolean {
  const header = readHeader(bytes)
  return header !== null && FILED_TYPES.has(typeOf(header).type)
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
    filing: null,
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
    const understood = understand(parsed, mapping, terms.messages, envelope.time)
    const refusal = understood.decisions.length === 0 ? null : tools.ledger.check(understood.decisions)
    if (refusal !== null) throw refusalFault(refusal, parsed)
    const filing =
      understood.reports.length === 0
        ? null
        : planReports(understood.reports, tools.reports.known, {
            ...{ door: 'hl7v2', peer: whoOf(said), originator: originator?.name ?? envelope.originator ?? null },
            ...{ user: envelope.user ?? null, address: envelope.address, medium: null, path: null },
            time: envelope.time,
          })
    return { message, outcome: { ok: true }, understood, keep, originator: originator ?? null, filing }
  } catch (error) {
    if (error instanceof Hl7Error) return refused(error)
    tools.onFault(error, 'a message could not be read')
    return refused(failureOf(error))
  }
}

export function saidBy(message: Hl7Message | null): { readonly application: string; readonly facility: string } {
  return { application: message?.header.text(3) ?? '', facility: message?.header.text(4) ?? '' }
}

export function whoOf({ application, facility }: { readonly application: string; readonly facility: string }): string {
  return `${application}|${facility}`
}

export function identifiersOrNone(message: Hl7Message): readonly string[] {
  try {
    return identifiersIn(message)
  } catch (error) {
    if (error instanceof Hl7Error) return [] // too many parts: what was refused needs no search
    throw error
  }
}
