/** What becomes of the reports of a message, against what is kept: pure, nothing happens yet. */
import { hash } from 'node:crypto'
import type { Provenance } from '#model/arrival.ts'
import type { DocumentOwner, DocumentPhase, RelationKind, StoredDocument } from '#model/document.ts'
import type { DocumentDecision, Submission, SubmittedDocument } from '#model/document-desk.ts'
import type { PatientKey } from '#model/identity.ts'
import type { KnownReport, ReportStore, ReportWithdrawal } from '#model/report.ts'
import { Hl7Error } from '#standards/hl7v2/errors.ts'
import type { SaidDocument, SaidReport } from './report.ts'

/** What the writer knows that a plan needs. */
export interface KnownReports extends Pick<ReportStore, 'versions' | 'withdrawnAt'> {
  document(objectId: string): StoredDocument | undefined
  /** True when something is kept under this unique id. */
  isKnown(uniqueId: string): boolean
  /** Who an owner lives on as; null when nobody knows them. */
  survivorOf(owner: DocumentOwner): string | null
}

export interface ReportPlan {
  readonly submission: Submission
  /** Beside the documents: states of what is kept. */
  readonly decisions: readonly DocumentDecision[]
  readonly withdrawals: readonly ReportWithdrawal[]
  readonly notes: readonly string[]
}

const RANK: { readonly [phase: string]: number } = { preliminary: 0, final: 1, amended: 2 }
const rankOf = (phase: DocumentPhase) => (phase === null ? 1 : (RANK[phase] ?? 1))

interface Draft {
  readonly documents: SubmittedDocument[]
  readonly relations: { kind: RelationKind; from: string; to: string }[]
  readonly decisions: DocumentDecision[]
  readonly withdrawals: ReportWithdrawal[]
  readonly notes: string[]
}

/**
 * Compares reports with their kept versions: a newer one replaces, an older one that comes late is kept behind it, the
 * same bytes make no second document, what is taken back takes its additions with it.
 *
 * @throws Hl7Error AE 204 for what must be known and is not, AE 205 for a report that is kept for another patient
 */
export function planReports(reports: readonly SaidReport[], known: KnownReports, provenance: Provenance): ReportPlan {
  const draft: Draft = { documents: [], relations: [], decisions: [], withdrawals: [], notes: [] }
  for (const [i, report] of reports.entries()) {
    const owner = ownerOf(report.patient)
    const versions = known.versions(report.key)
    checkPatient(report, versions, known, owner)
    const linked = withoutForeignStudies(draft, report, known, owner)
    switch (report.act) {
      case 'withdraw':
        withdraw(draft, report, versions, known)
        break
      case 'status':
        restate(draft, report, versions)
        break
      case 'supersede':
        supersede(draft, report, versions)
        break
      case 'version':
      case 'append':
      case 'replace':
        file(draft, linked, versions, known, provenance, owner, i)
    }
  }
  const { documents, relations, decisions, withdrawals, notes } = draft
  const submission: Submission = { documents, relations, lists: [], patientsKnown: false, complete: false }
  return { submission, decisions, withdrawals, notes }
}

const ownerOf = ({ issuer, id }: PatientKey): DocumentOwner => ({ by: 'identifier', issuer, id, issuerAssumed: false })

/** A number that is in use for somebody else is a mistake of one of two senders: a person must look, nothing is guessed. */
function checkPatient(
  report: SaidReport,
  versions: readonly KnownReport[],
  known: KnownReports,
  owner: DocumentOwner,
): void {
  const inForce = versions.filter(({ status }) => status !== 'entered-in-error')
  const mine = known.survivorOf(owner)
  const other = inForce.find(({ patientId }) => patientId !== null && patientId !== mine)
  if (other === undefined) return
  throw new Hl7Error('AE', 205, 'a report with this number is kept for another patient', report.at)
}

/** A study of somebody else is not this report's: it is filed with its patient, and the message says so. */
function withoutForeignStudies(
  draft: Draft,
  report: SaidReport,
  known: KnownReports,
  owner: DocumentOwner,
): SaidReport {
  const mine = known.survivorOf(owner)
  const isForeign = (studyInstanceUID: string) => {
    const theirs = known.survivorOf({ by: 'study', studyInstanceUID })
    return theirs !== null && theirs !== mine
  }
  const references = report.metadata.references ?? []
  const own = references.filter(({ type, id }) => type !== 'study' || !isForeign(id))
  const { studyInstanceUID } = report
  const foreign = studyInstanceUID !== null && isForeign(studyInstanceUID)
  if (!foreign && own.length === references.length) return report
  draft.notes.push('it names a study of another patient: filed without it')
  return {
    ...report,
    studyInstanceUID: foreign ? null : studyInstanceUID,
    metadata: { ...report.metadata, references: own },
  }
}

function unknown(report: SaidReport): Hl7Error {
  return new Hl7Error('AE', 204, 'the document is not known', report.at)
}

function withdraw(draft: Draft, report: SaidReport, own: readonly KnownReport[], known: KnownReports): void {
  const versions = own.length > 0 || report.parent === null ? own : known.versions(report.parent)
  if (versions.length === 0 && report.mustBeKnown) throw unknown(report)
  const key = versions[0]?.key ?? report.key
  draft.withdrawals.push({ key, stamp: report.stamp })
  if (versions.length === 0) draft.notes.push('nothing was kept of what is taken back')
  const late = versions.filter(({ stamp }) => stamp > report.stamp && report.stampIs === 'own')
  if (late.length > 0) draft.notes.push('a newer version stays: it was made after what takes the older back')
  const gone = versions.filter((version) => !late.includes(version)).map(({ objectId }) => objectId)
  for (const objectId of withDependants(gone, known)) {
    draft.decisions.push({ is: 'status', objectId, status: 'entered-in-error' })
  }
}

/** Additions and other forms go with what they belong to. */
function withDependants(objectIds: readonly string[], known: KnownReports): string[] {
  const found = new Map<string, StoredDocument>()
  const waiting = [...objectIds]
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const document = found.has(id) ? undefined : known.document(id)
    if (document === undefined) continue
    found.set(id, document)
    for (const { kind, from } of document.relatedBy) {
      if (kind === 'appends' || kind === 'transforms') waiting.push(from)
    }
  }
  return [...found.values()].filter(({ status }) => status !== 'entered-in-error').map(({ objectId }) => objectId)
}

/** The newest version that was not taken back, of the first document of a report. */
function currentOf(versions: readonly KnownReport[]): KnownReport | undefined {
  return (
    versions.findLast(({ status }) => status === 'current') ??
    versions.findLast(({ status }) => status === 'superseded')
  )
}

function restate(draft: Draft, report: SaidReport, versions: readonly KnownReport[]): void {
  const last = versions.findLast(({ status }) => status === 'current') ?? versions.at(-1)
  if (last === undefined) {
    if (report.mustBeKnown) throw unknown(report)
    draft.notes.push('a status of what was never sent: nothing filed')
    return
  }
  if (isLate(report, last)) {
    draft.notes.push('older than what is kept: its status is passed over')
    return
  }
  for (const { objectId, status, phase } of versions.filter(({ stamp }) => stamp === last.stamp)) {
    const next = report.phase ?? phase
    if (status === 'current' && next === phase) continue
    draft.decisions.push({ is: 'status', objectId, status: 'current', ...(next === phase ? {} : { phase: next }) })
  }
}

function supersede(draft: Draft, report: SaidReport, versions: readonly KnownReport[]): void {
  if (versions.length === 0) throw unknown(report)
  for (const { objectId, status } of versions) {
    if (status === 'current') draft.decisions.push({ is: 'status', objectId, status: 'superseded' })
  }
}

/** Older than what is kept; a lower state counts as older unless the report itself says when it was made. */
function isLate(report: Pick<SaidReport, 'stamp' | 'stampIs' | 'phase'>, than: KnownReport): boolean {
  if (report.stamp < than.stamp) return true
  const lower = report.phase === 'preliminary' && rankOf(report.phase) < rankOf(than.phase)
  return lower && (report.stamp === than.stamp || report.stampIs === 'message')
}

function file(
  draft: Draft,
  report: SaidReport,
  own: readonly KnownReport[],
  known: KnownReports,
  provenance: Provenance,
  owner: DocumentOwner,
  index: number,
): void {
  const parents = report.parent === null ? [] : known.versions(report.parent)
  if (report.act === 'append' && currentOf(parents) === undefined) throw unknown(report)
  if (report.act === 'replace' && parents.length === 0 && own.length === 0) throw unknown(report)
  checkPatient(report, parents, known, owner)
  const withdrawnAt = known.withdrawnAt(report.key)
  if (withdrawnAt !== null && report.stamp <= withdrawnAt) {
    draft.notes.push('taken back by its sender at a later time: not filed')
    return
  }
  const kept = new Map(own.map((version) => [version.sha256, version]))
  const newer = own.filter((version) => version.status !== 'entered-in-error' && isLate(report, version))
  const [next] = newer
  const last = own.findLast(({ status }) => status === 'current')
  const labels: string[] = []
  const taken = new Set<string>()
  for (const [position, document] of report.documents.entries()) {
    const label = `report ${index + 1}.${position + 1}`
    const sha256 = hash('sha256', document.bytes, 'hex')
    if (taken.has(sha256)) continue
    taken.add(sha256)
    const same = kept.get(sha256)
    if (same !== undefined) {
      again(draft, report, same, own, next !== undefined)
      continue
    }
    const uniqueId = uniqueIdOf(report, document, own.length === 0 && position === 0, known)
    draft.documents.push(submitted(label, report, document, uniqueId, provenance, owner))
    labels.push(label)
    const [first] = labels
    if (first !== undefined && label !== first) draft.relations.push({ kind: 'transforms', from: label, to: first })
  }
  const [first] = labels
  if (first === undefined) return
  if (next !== undefined) {
    draft.notes.push('older than what is kept: filed behind it')
    for (const label of labels) draft.relations.push({ kind: 'replaces', from: next.objectId, to: label })
    return
  }
  if (last !== undefined) {
    for (const { objectId } of own.filter(({ status }) => status === 'current')) {
      draft.relations.push({ kind: 'replaces', from: first, to: objectId })
    }
  }
  const parent = currentOf(parents)
  if (parent === undefined) return
  if (report.act === 'append') draft.relations.push({ kind: 'appends', from: first, to: parent.objectId })
  else if (parent.status === 'current' && !own.includes(parent)) {
    draft.relations.push({ kind: 'replaces', from: first, to: parent.objectId })
  }
}

/** The bytes are kept already: at most their state changes. */
function again(draft: Draft, report: SaidReport, same: KnownReport, own: readonly KnownReport[], late: boolean): void {
  if (late || (same.status === 'superseded' && same.stamp >= report.stamp)) return
  const phase = report.phase ?? same.phase
  if (same.status === 'current' && phase === same.phase) return
  // Sent anew after it was taken back, or after another content.
  for (const { objectId, status, stamp } of own) {
    if (status === 'current' && stamp !== same.stamp)
      draft.decisions.push({ is: 'status', objectId, status: 'superseded' })
  }
  draft.decisions.push({ is: 'status', objectId: same.objectId, status: 'current', phase })
}

function submitted(
  label: string,
  report: SaidReport,
  { bytes, mediaType, metadata }: SaidDocument,
  uniqueId: string,
  provenance: Provenance,
  owner: DocumentOwner,
): SubmittedDocument {
  return {
    label,
    arrival: {
      provenance,
      claims: { document: true, ...(mediaType === null ? {} : { mediaType }) },
      bytes: { in: 'memory', bytes },
    },
    statement: {
      ...{ uniqueId, owner, metadata: { ...report.metadata, ...metadata } },
      ...(report.phase === null ? {} : { phase: report.phase }),
      ...(report.studyInstanceUID === null ? {} : { studyInstanceUID: report.studyInstanceUID }),
      report: { key: report.key, stamp: report.stamp },
    },
  }
}

/** The sender's own for the first version; those behind it, which it calls by the same number, get one of ours. */
function uniqueIdOf(report: SaidReport, document: SaidDocument, first: boolean, known: KnownReports): string {
  if (first && report.uniqueId !== null && !known.isKnown(report.uniqueId)) return report.uniqueId
  const digest = hash('sha256', `${report.key}\u0000${hash('sha256', document.bytes, 'hex')}`, 'hex')
  return `urn:oid:2.25.${BigInt(`0x${digest.slice(0, 32)}`)}`
}
