import type { LedgerDecision } from '#model/identity.ts'
import type { MessageRecord } from '#model/message.ts'
import { Hl7Error } from '#standards/hl7v2/errors.ts'
import type { Hl7Message } from '#standards/hl7v2/message.ts'
import { cx, ei } from '#standards/hl7v2/values.ts'
import { actionOf, type MessageAction } from './actions.ts'
import { adtDecisions } from './adt.ts'
import { documentReports } from './mdm.ts'
import { orderDecisions } from './order.ts'
import { resultReports } from './oru.ts'
import { pidOf, readPatient, readVisit } from './patient.ts'
import type { SaidReport, SaidResults } from './report.ts'
import type { MappingTerms } from './terms.ts'
import { judgeZSegments } from './z-segments.ts'

/** MSH-9 in its parts; the event falls back to EVN-1, which older senders fill instead. */
export function typeOf(message: Hl7Message): { readonly type: string; readonly event: string; readonly name: string } {
  const type = message.header.text(9, 1).toUpperCase()
  const event = (message.header.text(9, 2) || message.first('EVN')?.text(1) || '').toUpperCase()
  return { type, event, name: event === '' ? type : `${type}^${event}` }
}

/** Processing ids and versions that are taken. Tables 0103 and 0104. */
const PROCESSING_IDS = ['P', 'T', 'D']
const VERSION = /^2\.[1-9](\.[0-9])?$/

/**
 * What the header must say.
 * @throws Hl7Error AE 101 without control id; AR 200, 202, 203
 */
export function checkHeader(message: Hl7Message): void {
  const { header } = message
  const fault = (answer: 'AE' | 'AR', condition: 101 | 200 | 202 | 203, field: number, detail: string) =>
    new Hl7Error(answer, condition, detail, header.at(field))
  if (header.text(9) === '') throw fault('AR', 200, 9, 'MSH-9 names no message type')
  if (header.text(10) === '') throw fault('AE', 101, 10, 'MSH-10 is empty')
  const processing = header.text(11).toUpperCase()
  if (processing !== '' && !PROCESSING_IDS.includes(processing)) {
    throw fault('AR', 202, 11, 'MSH-11 is none of P, T, D')
  }
  const version = header.text(12)
  if (version !== '' && !VERSION.test(version)) throw fault('AR', 203, 12, 'MSH-12 is no version 2.x')
}

/** What a message means here. */
export interface Understood {
  readonly action: MessageAction['is']
  readonly decisions: readonly LedgerDecision[]
  /** Reports that are filed, replaced or taken back. */
  readonly reports: readonly SaidReport[]
  readonly zSegments: MessageRecord['zSegments']
  readonly notes: readonly string[]
}

/** Types of messages that may carry documents. */
export const FILED_TYPES: ReadonlySet<string> = new Set(['ORU', 'MDM'])

/**
 * Says what a message means, against what is known now. Pure: nothing happens yet.
 * @param now of a message that does not say when it was made; ISO 8601 UTC
 * @throws Hl7Error with the location of the fault
 */
export function understand(
  message: Hl7Message,
  terms: MappingTerms,
  site: { readonly [name: string]: 'act' | 'keep' | 'refuse' },
  now = '',
): Understood {
  const { type, event } = typeOf(message)
  const action = actionOf(type, event, site)
  const usesZds = action.is === 'order' || action.is === 'results' || action.is === 'document'
  const z = judgeZSegments(message, terms.zSegments, usesZds)
  const rest = { action: action.is, zSegments: z.done, notes: z.notes, reports: [] }
  const filed = ({ reports, notes }: SaidResults): Understood => ({
    ...{ ...rest, reports, notes: [...z.notes, ...notes] },
    decisions: reports.length === 0 ? [] : [registration(message, terms)],
  })
  switch (action.is) {
    case 'adt':
      return { ...rest, decisions: adtDecisions(message, action.action, terms) }
    case 'order':
      return { ...rest, decisions: orderDecisions(message, terms) }
    case 'results':
      return filed(resultReports(message, terms, now))
    case 'document':
      return filed(documentReports(message, event, terms, now))
    case 'keep':
    case 'acknowledgement':
      return { ...rest, decisions: [] }
  }
}

/** The patient and visit of a report, as of an order. */
function registration(message: Hl7Message, terms: MappingTerms): LedgerDecision {
  const { key, demographics } = readPatient(pidOf(message), terms)
  return { do: 'register', patient: key, demographics, visit: readVisit(message, 'told', terms), authority: 'adt' }
}

/** Most identifiers kept of one message, and the longest, in characters. */
export const IDENTIFIERS_MAX = 200
const IDENTIFIER_LENGTH_MAX = 200

/** Where identifiers stand, by segment: CX fields, and EI fields. */
const CX_FIELDS: { readonly [segment: string]: readonly number[] } = {
  PID: [2, 3, 4, 18],
  MRG: [1, 2, 3, 4],
  PV1: [19],
}
const EI_FIELDS: { readonly [segment: string]: readonly number[] } = {
  ORC: [2, 3, 4],
  OBR: [2, 3, 18, 19],
  IPC: [1, 2, 3],
  ZDS: [1],
  TXA: [12, 13, 14, 15],
  SCH: [1, 2],
}

/** Identifiers of patients, visits, orders, studies and documents, for the search of the message archive. */
export function identifiersIn(message: Hl7Message): readonly string[] {
  const found = new Set<string>()
  for (const segment of message.segments) {
    if (found.size >= IDENTIFIERS_MAX) break
    const add = (id: string) => {
      if (id !== '' && found.size < IDENTIFIERS_MAX) found.add(id.slice(0, IDENTIFIER_LENGTH_MAX))
    }
    for (const field of CX_FIELDS[segment.name] ?? []) for (const one of segment.repetitions(field)) add(cx(one).id)
    for (const field of EI_FIELDS[segment.name] ?? []) for (const one of segment.repetitions(field)) add(ei(one).id)
  }
  return [...found]
}
