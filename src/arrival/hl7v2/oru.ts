import type { DocumentMetadata } from '#model/document.ts'
import { readEncapsulated } from '#standards/hl7v2/encapsulated.ts'
import { Hl7Error } from '#standards/hl7v2/errors.ts'
import type { Hl7Message, Segment } from '#standards/hl7v2/message.ts'
import { reportText } from '#standards/hl7v2/report-text.ts'
import { readPatient, readVisit } from './patient.ts'
import {
  furthest,
  instantIn,
  keyOf,
  messageTime,
  numberIn,
  observationStatus,
  reportStatus,
  type SaidDocument,
  type SaidReport,
  type SaidResults,
} from './report.ts'
import { orderedMetadata, personIn, referencesOf, reportType, sourcePatientOf } from './report-metadata.ts'
import type { MappingTerms } from './terms.ts'

/** Result messages that are understood alike: R01, and those of point-of-care devices and alerts. */
export const RESULT_EVENTS: readonly string[] = ['R01', 'R30', 'R31', 'R32', 'R40']

/** One OBR with its ORC and what stands behind it. */
export interface ResultGroup {
  readonly orc: Segment | undefined
  readonly obr: Segment
  readonly observations: Segment[]
}

/** Reports of a result message: one for each order number. @throws Hl7Error with the location */
export function resultReports(message: Hl7Message, terms: MappingTerms, now: string): SaidResults {
  const notes: string[] = []
  const groups = groupsOf(message, notes)
  const pid = message.first('PID')
  if (groups.length === 0 || pid === undefined) return { reports: [], notes }
  const [, second] = message.all('PID')
  if (second !== undefined) throw new Hl7Error('AR', 100, 'results of several patients in one message', second.at(3))
  const patient = readPatient(pid, terms)
  const visit = readVisit(message, 'told', terms)
  const byNumber = new Map<string, ResultGroup[]>()
  for (const group of groups) {
    const key = keyIn(group, message, terms)
    byNumber.set(key, [...(byNumber.get(key) ?? []), group])
  }
  const reports = [...byNumber].flatMap(([key, own]): SaidReport[] => {
    const [first] = own
    const observations = own.flatMap((group) => group.observations)
    if (first === undefined) return []
    const withStatus = own.map(({ obr }) => reportStatus(obr))
    const ofLines = furthest(observations.filter(isObservation).map(observationStatus))
    const phase = ofLines === 'gone' ? 'gone' : (furthest(withStatus) ?? ofLines)
    if (observations.length === 0 && phase !== 'gone') return []
    // Orders that are reported on together, under one of their numbers.
    const about = byNumber.size === 1 || groups.filter((one) => one.observations.length > 0).length === 1 ? groups : own
    const studies = [...new Set([...studiesIn(observations), ...studiesOfZds(message, terms)])]
    const pointers = pointersIn(observations)
    if (pointers.length > 0) notes.push(`${pointers.length} pointers (RP) recorded and not fetched`)
    const metadata: Partial<DocumentMetadata> = {
      ...orderedMetadata(message, first.obr, first.orc, terms),
      ...authorsOf(first.obr, observations, message, terms),
      sourcePatient: sourcePatientOf(patient),
      references: referencesOf(about, { visit, studies }, terms),
      ...(pointers.length === 0 ? {} : { extra: { 'hl7v2.pointers': pointers } }),
    }
    const own22 = instantIn(first.obr.text(22), terms)
    const documents = phase === 'gone' ? [] : documentsOf(own, message)
    // Without values a status alone is told: that what was sent before is final now.
    const statusOnly = documents.length === 0 && phase !== null && pointers.length === 0
    if (documents.length === 0 && !statusOnly) {
      if (pointers.length === 0) notes.push('an OBR without results: nothing filed of it')
      return []
    }
    return [
      {
        ...{ key, parent: null, patient: patient.key, documents, metadata, uniqueId: null, mustBeKnown: false },
        act: phase === 'gone' ? 'withdraw' : statusOnly ? 'status' : 'version',
        phase: phase === 'gone' ? null : phase,
        stamp: own22 ?? messageTime(message, terms, now),
        stampIs: own22 === null ? 'message' : 'own',
        studyInstanceUID: studies[0] ?? null,
        at: first.obr.at(3),
      },
    ]
  })
  return { reports, notes }
}

function groupsOf(message: Hl7Message, notes: string[]): readonly ResultGroup[] {
  const groups: ResultGroup[] = []
  let orc: Segment | undefined
  let before: Segment | undefined
  for (const segment of message.segments) {
    if (segment.name === 'ORC') orc = segment
    if (segment.name === 'OBR') {
      groups.push({ orc, obr: segment, observations: [] })
      orc = undefined
    }
    if (segment.name !== 'OBX' && segment.name !== 'NTE') continue
    const last = groups.at(-1)
    if (last !== undefined) last.observations.push(segment)
    else if (segment.name === 'OBX') before ??= segment
  }
  if (before === undefined) return groups
  const holds = message
    .all('OBX')
    .some((obx) => isContent(obx) && (groups.length === 0 || obx.index < (groups[0]?.obr.index ?? 0)))
  if (groups.length === 0 && holds) throw new Hl7Error('AR', 100, 'OBR is missing before OBX', before.at(1))
  notes.push('observations before the first OBR are kept in the message only')
  return groups
}

const isObservation = (segment: Segment) => segment.name === 'OBX' && !isPointer(segment) && uidIn(segment) === null
const isPointer = (obx: Segment) => obx.text(2).toUpperCase() === 'RP'
const isContent = (obx: Segment) => !isPointer(obx) && uidIn(obx) === null && obx.raw(5) !== ''

function keyIn({ orc, obr }: ResultGroup, message: Hl7Message, terms: MappingTerms): string {
  const order = numberIn(obr, 3, terms) ?? numberIn(orc, 3, terms) ?? numberIn(obr, 2, terms) ?? numberIn(orc, 2, terms)
  if (order !== null) return keyOf('order', order, message)
  const accession = numberIn(obr, 18, terms)
  if (accession !== null) return keyOf('accession', accession, message)
  throw new Hl7Error('AE', 101, 'the report has neither filler, placer nor accession number', obr.at(3))
}

/** Documents that stand in the message; else its structured results as one text. */
function documentsOf(groups: readonly ResultGroup[], message: Hl7Message): SaidDocument[] {
  const inForce = groups.map(({ obr, observations }) => ({
    title: obr.text(4, 2) || obr.text(4, 5) || obr.text(4, 1),
    obr,
    segments: withoutWithdrawn(observations),
  }))
  const embedded = inForce.flatMap(({ obr, segments }) => embeddedIn(segments, obr, message))
  if (embedded.length > 0) return embedded
  const text = reportText(inForce, message.delimiters)
  const [first] = inForce
  const [line] = first?.segments ?? []
  if (text === '' || first === undefined || line === undefined) return []
  // One RTF in a text field is a document, not lines.
  const rtf = /^\s*(?:[^\n]*\n+)?(\{\\rtf[\s\S]*)$/.exec(text)?.[1]
  const bytes = new Uint8Array(Buffer.from(rtf ?? text, 'utf8'))
  return [
    {
      bytes,
      mediaType: rtf === undefined ? 'text/plain' : 'application/rtf',
      metadata: { typeCode: reportType([], first.obr) },
      at: line.at(5),
    },
  ]
}

/** Documents in OBX of type ED. */
export function embeddedIn(
  segments: readonly Segment[],
  obr: Segment | undefined,
  message: Hl7Message,
): readonly SaidDocument[] {
  return segments.flatMap((obx): SaidDocument[] => {
    if (obx.name !== 'OBX' || obx.text(2).toUpperCase() !== 'ED') return []
    const { bytes, mediaType } = readEncapsulated(obx, message.delimiters)
    return [{ bytes, mediaType, metadata: { typeCode: reportType([obx], obr) }, at: obx.at(5) }]
  })
}

/** OBX that were deleted, posted wrong or not obtained are left out, with their notes. */
export function withoutWithdrawn(segments: readonly Segment[]): Segment[] {
  let dropped = false
  return segments.filter((segment) => {
    if (segment.name === 'OBX') dropped = !isObservation(segment) || observationStatus(segment) === 'gone'
    return !dropped
  })
}

const UID = /^(0|[1-9]\d*)(\.(0|[1-9]\d*))+$/
/** "DICOM Study" and "Study Instance UID" of DCM; senders also write the text alone. RAD TF-2 section 4.128. */
const STUDY_CODES: ReadonlySet<string> = new Set(['113014', '110180'])

/** A DICOM UID that an observation names; null when it is something else. */
function uidIn(obx: Segment): { readonly of: 'study' | 'other'; readonly uid: string } | null {
  const uid = obx.text(5)
  if (uid.length > 64 || !UID.test(uid)) return null
  const [code, text] = [obx.text(3, 1), obx.text(3, 2)]
  if (STUDY_CODES.has(code) || /^(dicom study|study instance uid)$/i.test(text)) return { of: 'study', uid }
  return /^(series|sr|sop) instance uid$/i.test(text) ? { of: 'other', uid } : null
}

/** Study Instance UIDs in observations. */
export function studiesIn(segments: readonly Segment[]): string[] {
  return segments.flatMap((segment) => {
    const found = segment.name === 'OBX' ? uidIn(segment) : null
    return found?.of === 'study' ? [found.uid] : []
  })
}

/** ZDS-1, where the policy of its sender honours it. */
export function studiesOfZds(message: Hl7Message, terms: MappingTerms): string[] {
  if ((terms.zSegments['ZDS'] ?? terms.zSegments['*'] ?? 'honour') !== 'honour') return []
  return message.all('ZDS').flatMap((zds) => {
    const uid = zds.text(1)
    if (uid === '') return []
    if (uid.length <= 64 && UID.test(uid)) return [uid]
    throw new Hl7Error('AE', 102, 'the Study Instance UID is no UID', zds.at(1))
  })
}

/** Reference pointers as they stand: recorded, never fetched. */
export function pointersIn(segments: readonly Segment[]): string[] {
  return segments.flatMap((segment) =>
    segment.name === 'OBX' && isPointer(segment) && segment.raw(5) !== '' ? [segment.whole(5).slice(0, 1000)] : [],
  )
}

/** Who interpreted it, else who is responsible for its observations; who signed it when it is final. */
function authorsOf(obr: Segment, observations: readonly Segment[], message: Hl7Message, terms: MappingTerms) {
  const { authors = [] } = orderedMetadata(message, obr, undefined, terms)
  const observer = observations.find((segment) => segment.name === 'OBX' && segment.raw(16) !== '')
  const responsible = personIn(observer?.repetitions(16)[0], observer?.text(23) || null)
  const all = authors.length > 0 ? authors : responsible === null ? [] : [responsible]
  const final = reportStatus(obr) === 'final' || reportStatus(obr) === 'amended'
  return { authors: all, legalAuthenticator: final ? (authors[0] ?? null) : null }
}
