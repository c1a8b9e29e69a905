import type { Code, DocumentMetadata, DocumentPhase } from '#model/document.ts'
import { isOid } from '#standards/code-systems.ts'
import { Hl7Error } from '#standards/hl7v2/errors.ts'
import type { Hl7Message, Segment } from '#standards/hl7v2/message.ts'
import { reportText } from '#standards/hl7v2/report-text.ts'
import { embeddedIn, pointersIn, studiesIn, studiesOfZds, withoutWithdrawn } from './oru.ts'
import { pidOf, readPatient, readVisit } from './patient.ts'
import {
  instantIn,
  keyOf,
  messageTime,
  numberIn,
  type ReportAct,
  type SaidDocument,
  type SaidReport,
  type SaidResults,
  timeIn,
} from './report.ts'
import {
  codeIn,
  confidentialityOf,
  documentType,
  personIn,
  referencesOf,
  reportType,
  sourcePatientOf,
} from './report-metadata.ts'
import type { MappingTerms } from './terms.ts'

/** What an event of MDM does. Odd numbers come without content. HL7 v2.8 section 9.6. */
interface MdmRow {
  readonly event: string
  readonly act: ReportAct | 'notice'
  readonly content: boolean
  /** Shown in the reference. */
  readonly what: string
}

export const MDM_EVENTS: readonly MdmRow[] = [
  { event: 'T01', act: 'notice', content: false, what: 'a document somewhere else: kept as message' },
  {
    event: 'T02',
    act: 'version',
    content: true,
    what: 'kept; a further version of the same TXA-12 replaces the one before',
  },
  { event: 'T03', act: 'status', content: false, what: 'status by TXA-17 and TXA-19' },
  { event: 'T04', act: 'status', content: true, what: 'the same; other content than is kept is a new version' },
  { event: 'T05', act: 'notice', content: false, what: 'an addendum somewhere else: kept as message' },
  { event: 'T06', act: 'append', content: true, what: 'kept, appended to TXA-13' },
  { event: 'T07', act: 'status', content: false, what: 'status by TXA-17 and TXA-19' },
  { event: 'T08', act: 'version', content: true, what: 'a new version of TXA-12' },
  { event: 'T09', act: 'supersede', content: false, what: 'TXA-13 is superseded; its successor is somewhere else' },
  { event: 'T10', act: 'replace', content: true, what: 'kept, replaces TXA-13 (or the version of TXA-12 before)' },
  { event: 'T11', act: 'withdraw', content: false, what: 'TXA-12 (or TXA-13) is withdrawn: entered in error' },
]

/** TXA-17, Document Completion Status. Table 0271. */
const COMPLETION: { readonly [status: string]: DocumentPhase } = {
  ...{ DI: 'preliminary', DO: 'preliminary', IN: 'preliminary', IP: 'preliminary', PA: 'preliminary' },
  ...{ AU: 'final', LA: 'final' },
}

/** The report of a document message. @throws Hl7Error with the location */
export function documentReports(message: Hl7Message, event: string, terms: MappingTerms, now: string): SaidResults {
  const row = MDM_EVENTS.find((one) => one.event === event)
  const txa = message.first('TXA')
  if (row === undefined) return { reports: [], notes: [] }
  if (txa === undefined) throw new Hl7Error('AR', 100, 'TXA is missing', { segment: 'TXA', sequence: 1 })
  const number = numberIn(txa, 12, terms)
  if (number === null) throw new Hl7Error('AE', 101, 'TXA-12 names no document', txa.at(12))
  const patient = readPatient(pidOf(message), terms)
  const content = message.segments.filter(({ index }) => index > txa.index)
  const pointers = pointersIn(content)
  const notes = pointers.length === 0 ? [] : [`${pointers.length} pointers (RP) recorded and not fetched`]
  if (row.act === 'notice') return { reports: [], notes: [...notes, `${event} comes without content: nothing filed`] }
  const parent = numberIn(txa, 13, terms)
  const availability = txa.text(19).toUpperCase()
  const withdrawn = row.act === 'withdraw' || availability === 'CA' || availability === 'UN'
  const documents = row.content && !withdrawn ? documentsOf(content, txa, message) : []
  const act = actOf(
    row,
    {
      withdrawn,
      obsolete: availability === 'OB',
      documents: documents.length,
      pointers: pointers.length,
      parent: parent !== null,
    },
    txa,
    message,
  )
  if (act === null) return { reports: [], notes }
  // What is told of a document that was filed under its parent's number finds it there.
  const own = act === 'supersede' && row.act === 'supersede' ? (parent ?? number) : number
  const keyed = keyOf('document', own, message)
  const replaces = act === 'append' || act === 'replace' || act === 'withdraw' ? parent : null
  const said: SaidReport = {
    key: keyed,
    act,
    parent: replaces === null ? null : keyOf('document', replaces, message),
    phase: phaseOf(txa, row),
    stamp: instantIn(message.first('EVN')?.text(2) ?? '', terms) ?? messageTime(message, terms, now),
    stampIs: 'message',
    patient: patient.key,
    studyInstanceUID: studies(message, content, terms)[0] ?? null,
    uniqueId: isOid(number.id)
      ? `urn:oid:${number.id}`
      : UUID.test(number.id)
        ? `urn:uuid:${number.id.toLowerCase()}`
        : null,
    documents,
    metadata: metadataOf(message, txa, content, terms, patient, pointers),
    mustBeKnown: act === 'withdraw' || act === 'status' || act === 'supersede',
    at: txa.at(12),
  }
  return { reports: [said], notes }
}

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i

function actOf(
  row: MdmRow,
  is: { withdrawn: boolean; obsolete: boolean; documents: number; pointers: number; parent: boolean },
  txa: Segment,
  message: Hl7Message,
): ReportAct | null {
  if (is.withdrawn) return 'withdraw'
  if (is.obsolete && row.act !== 'append') return 'supersede'
  if (!row.content) return row.act === 'notice' ? null : row.act
  if (is.documents === 0) {
    if (row.act === 'status') return 'status'
    if (is.pointers > 0) return null
    const at = message.first('OBX')?.at(5) ?? { segment: 'OBX', sequence: 1 }
    throw new Hl7Error('AE', 101, 'the document has no content', at)
  }
  if (row.act === 'status') return 'version'
  if (row.act === 'append' && !is.parent) throw new Hl7Error('AE', 101, 'TXA-13 names no document', txa.at(13))
  return row.act === 'notice' ? null : row.act === 'replace' && !is.parent ? 'version' : row.act
}

function phaseOf(txa: Segment, { act, event }: MdmRow): DocumentPhase {
  const said = txa.text(17).toUpperCase()
  if (said === '') return null
  if (!Object.hasOwn(COMPLETION, said)) {
    throw new Hl7Error('AE', 103, 'TXA-17 is no completion status that is known', txa.at(17))
  }
  const phase = COMPLETION[said] ?? null
  return phase === 'final' && (act === 'replace' || event === 'T08') ? 'amended' : phase
}

function documentsOf(content: readonly Segment[], txa: Segment, message: Hl7Message): readonly SaidDocument[] {
  const lines = withoutWithdrawn(content.filter(({ name }) => name === 'OBX' || name === 'NTE'))
  const embedded = embeddedIn(lines, undefined, message)
  if (embedded.length > 0) return embedded
  const texts = lines.filter((one) => one.name === 'NTE' || one.raw(5) !== '')
  const [first] = texts
  const text = reportText([{ title: '', segments: plain(texts) }], message.delimiters)
  if (first === undefined || text === '') return []
  const rtf = /^\s*(?:[^\n]*\n+)?(\{\\rtf[\s\S]*)$/.exec(text)?.[1]
  const bytes = new Uint8Array(Buffer.from(rtf ?? text, 'utf8'))
  const mediaType = rtf === undefined ? 'text/plain' : 'application/rtf'
  return [{ bytes, mediaType, metadata: { typeCode: documentType(txa) }, at: first.at(5) }]
}

/** Notes of a document are about its lines; those before the first line are about nothing here. */
function plain(segments: readonly Segment[]): readonly Segment[] {
  const start = segments.findIndex(({ name }) => name === 'OBX')
  return start === -1 ? [] : segments.slice(start)
}

function studies(message: Hl7Message, content: readonly Segment[], terms: MappingTerms): string[] {
  return [...new Set([...studiesIn(content), ...studiesOfZds(message, terms)])]
}

function metadataOf(
  message: Hl7Message,
  txa: Segment,
  content: readonly Segment[],
  terms: MappingTerms,
  patient: ReturnType<typeof readPatient>,
  pointers: readonly string[],
): Partial<DocumentMetadata> {
  const [orc, obr] = [message.first('ORC'), message.first('OBR')]
  const visit = readVisit(message, 'told', terms)
  const type = documentType(txa)
  const observed = content.find((one) => one.name === 'OBX' && ['ED', 'TX', 'FT', 'ST'].includes(one.text(2)))
  const author = personIn(txa.repetitions(9)[0]) ?? personIn(txa.repetitions(5)[0])
  const signed = ['AU', 'LA'].includes(txa.text(17).toUpperCase())
  const signer = personIn(txa.repetitions(22)[0]) ?? (signed ? personIn(txa.repetitions(10)[0]) : null)
  const procedure: Code | null = codeIn(obr?.repetitions(4)[0])
  const orders = [{ orc, obr }]
  const numbers = referencesOf(orders, { visit, studies: studies(message, content, terms) }, terms)
  for (const [field, kind] of [
    [14, 'order'],
    [15, 'order'],
    [12, 'unique-id'],
  ] as const) {
    const number = numberIn(txa, field, terms)
    if (number !== null && !numbers.some(({ type, id }) => type === kind && id === number.id)) {
      numbers.push({ type: kind, ...number })
    }
  }
  return {
    title:
      txa.text(25) ||
      txa.text(16) ||
      codeIn(observed?.repetitions(3)[0])?.display ||
      procedure?.display ||
      type?.display ||
      null,
    typeCode: type ?? reportType([observed], obr),
    authors: author === null ? [] : [author],
    legalAuthenticator: signer,
    creationTime:
      [8, 7, 6].map((field) => timeIn(txa.text(field), terms)).find((time) => time !== null) ??
      timeIn(message.header.text(7), terms),
    serviceStart: timeIn(txa.text(4), terms),
    confidentiality: confidentialityOf(txa.text(18)),
    eventCodes: procedure === null ? [] : [procedure],
    sourcePatient: sourcePatientOf(patient),
    references: numbers,
    ...(pointers.length === 0 ? {} : { extra: { 'hl7v2.pointers': pointers } }),
  }
}
