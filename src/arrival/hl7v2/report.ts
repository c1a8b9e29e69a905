/** What a message says about reports, before it is compared with what is kept. */
import type { DocumentMetadata, DocumentPhase } from '#model/document.ts'
import type { PatientKey } from '#model/identity.ts'
import { instantOf } from '#model/instant.ts'
import { Hl7Error, type Hl7Location } from '#standards/hl7v2/errors.ts'
import type { Hl7Message, Segment } from '#standards/hl7v2/message.ts'
import { dateTime, ei } from '#standards/hl7v2/values.ts'
import { issuerOf } from './patient.ts'
import type { MappingTerms } from './terms.ts'

/** A document as it stands in a message. */
export interface SaidDocument {
  readonly bytes: Uint8Array
  /** As the sender says it; null when nothing is said. */
  readonly mediaType: string | null
  readonly metadata: Partial<DocumentMetadata>
  readonly at: Hl7Location
}

/** What is to become of a report. */
export type ReportAct =
  /** A version of it: the first, or one that takes the place of the one before. */
  | 'version'
  /** Something added to another report (`parent`), which stays in force. */
  | 'append'
  /** A version that takes the place of another report (`parent`). */
  | 'replace'
  /** Only its state changes. */
  | 'status'
  /** Another report, whose content is not in this message, took its place. */
  | 'supersede'
  | 'withdraw'

/** One report of a message. */
export interface SaidReport {
  readonly key: string
  readonly act: ReportAct
  /** Key of the report it belongs to or replaces. */
  readonly parent: string | null
  readonly phase: DocumentPhase
  /** Instant of this state, ISO 8601 UTC. `own`: the report's own time, not the message's. */
  readonly stamp: string
  readonly stampIs: 'own' | 'message'
  readonly patient: PatientKey
  readonly studyInstanceUID: string | null
  /** An OID or UUID that the sender calls the document by. */
  readonly uniqueId: string | null
  readonly documents: readonly SaidDocument[]
  readonly metadata: Partial<DocumentMetadata>
  /** Must be known already, or AE 204. */
  readonly mustBeKnown: boolean
  readonly at: Hl7Location
}

/** What a result or document message says. */
export interface SaidResults {
  readonly reports: readonly SaidReport[]
  readonly notes: readonly string[]
}

/** An order or document number with whose it is; numbers without an authority are their sender's. */
export interface ReportNumber {
  readonly id: string
  readonly issuer: string
}

/** @returns null where the field holds none */
export function numberIn(segment: Segment | undefined, field: number, terms: MappingTerms): ReportNumber | null {
  const read = ei(segment?.repetitions(field)[0])
  return read.id === '' ? null : { id: read.id, issuer: issuerOf(read.authority, terms) ?? '' }
}

/** The same number of the same authority, or of the same sender where none is named, is the same report. */
export function keyOf(kind: 'order' | 'accession' | 'document', number: ReportNumber, message: Hl7Message): string {
  const { header } = message
  const whose = number.issuer === '' ? `${header.text(3)}|${header.text(4)}` : number.issuer
  return JSON.stringify([kind, whose, number.id])
}

/** State of a report as its sender writes it. `gone`: taken back. */
export type SaidPhase = Exclude<DocumentPhase, null> | 'gone'

/** OBR-25, Result Status. Table 0123. */
const REPORT_STATUS: { readonly [status: string]: SaidPhase } = {
  ...{ O: 'preliminary', I: 'preliminary', S: 'preliminary', A: 'preliminary', P: 'preliminary', R: 'preliminary' },
  ...{ F: 'final', C: 'amended', K: 'amended', M: 'amended', X: 'gone' },
}

/** OBX-11, Observation Result Status. Table 0085: D deletes the line, W was posted wrong, X cannot be obtained. */
const OBSERVATION_STATUS: { readonly [status: string]: SaidPhase } = {
  ...{ B: 'preliminary', I: 'preliminary', N: 'preliminary', O: 'preliminary', P: 'preliminary', R: 'preliminary' },
  ...{ S: 'preliminary', F: 'final', U: 'final', V: 'final', C: 'amended', A: 'amended' },
  ...{ D: 'gone', W: 'gone', X: 'gone' },
}

/** @throws Hl7Error AE 102 for a status that is in no table */
export function reportStatus(obr: Segment): SaidPhase | null {
  return statusIn(REPORT_STATUS, obr, 25)
}

export function observationStatus(obx: Segment): SaidPhase | null {
  return statusIn(OBSERVATION_STATUS, obx, 11)
}

function statusIn(table: { readonly [status: string]: SaidPhase }, segment: Segment, field: number): SaidPhase | null {
  const said = segment.text(field).toUpperCase()
  if (said === '') return null
  if (Object.hasOwn(table, said)) return table[said] ?? null
  // Y and Z of table 0123 say that nothing is known; nothing can be filed from them.
  throw new Hl7Error('AE', 103, `${segment.name}-${field} is no status of a report that is known`, segment.at(field))
}

/** The most advanced state of several lines; null when none says one. */
export function furthest(phases: readonly (SaidPhase | null)[]): SaidPhase | null {
  const said = phases.filter((phase) => phase !== null)
  if (said.length === 0) return null
  if (said.every((phase) => phase === 'gone')) return 'gone'
  return (['amended', 'preliminary', 'final'] as const).find((phase) => said.includes(phase)) ?? null
}

/** The instant a field names; null when it names no day. */
export function instantIn(text: string, terms: Pick<MappingTerms, 'senderZone' | 'siteZone'>): string | null {
  const read = dateTime(text)
  if (read === null || read.date === null) return null
  return instantOf(read.date, read.time ?? '', read.offset ?? '', terms.senderZone, terms.siteZone)?.instant ?? null
}

/** A point in time with the precision it has, ISO 8601: an instant, a day, a month, a year. */
export function timeIn(text: string, terms: Pick<MappingTerms, 'senderZone' | 'siteZone'>): string | null {
  const read = dateTime(text)
  if (read === null) return null
  if (read.time !== null) return instantIn(text, terms)
  const [, year, month, day] = /^(\d{4})(\d{2})?(\d{2})?/.exec(read.text) ?? []
  return [year, month, day].filter((part) => part !== undefined).join('-')
}

/** When the message was made: MSH-7, else now. */
export function messageTime(message: Hl7Message, terms: MappingTerms, now: string): string {
  return instantIn(message.header.text(7), terms) ?? now
}
