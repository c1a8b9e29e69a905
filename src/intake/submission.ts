/**
 * The walk of documents: what comes together is screened, completed, placed and kept together, or not at all. One
 * append, one flush and one transaction for a whole submission, so that no crash leaves half of a set.
 */
import { hash, randomUUID } from 'node:crypto'
import type { Location, Placement } from '#model/archive-object.ts'
import type { ArrivalRecord, ArrivedBytes, OpenArrival, Provenance, Receipt } from '#model/arrival.ts'
import type {
  DocumentKindWord,
  DocumentList,
  DocumentMetadata,
  DocumentOwner,
  DocumentRecord,
  RelationKind,
} from '#model/document.ts'
import type {
  Alongside,
  Submission,
  SubmissionFault,
  SubmissionReceipt,
  SubmittedDocument,
} from '#model/document-desk.ts'
import { missingOf } from '#model/document-missing.ts'
import type { DocumentStore } from '#model/document-store.ts'
import type { HeldRow } from '#model/quarantine.ts'
import type { Entry, SegmentStore } from '#model/segment-store.ts'
import { completeMetadata, type Voice } from '#placement/complete-metadata.ts'
import type { Screened } from '#screening/screened.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import type { Decision, PlacedEntry } from '#storage/journal.ts'
import { placeHead } from '#storage/spool.ts'
import { resolveLists, resolveRelations } from './submission-links.ts'
import {
  arrivalOf,
  derivedId,
  heldRow,
  isClean,
  type Member,
  NOT_ALONE,
  needed,
  receiptOf,
  sha1Of,
} from './submission-member.ts'
import type { Companion, SubmissionSteps } from './submission-steps.ts'

/** Journal kind of what a submission says beside its documents: lists and relations. */
export const SUBMISSION_KIND = 'submission'

/** Payload of a submission in the journal. Documents themselves stand in their records. */
export interface SubmissionPayload {
  readonly lists: readonly { readonly list: DocumentList; readonly owner: DocumentOwner | null }[]
  readonly relations: readonly { readonly kind: RelationKind; readonly from: string; readonly to: string }[]
  /** Object ids that are superseded by it. */
  readonly superseded: readonly string[]
  readonly by: string
}

/** What the bytes of a document are: standards/media/document-kind.ts. */
export interface ToldKind {
  readonly kind: DocumentKindWord
  readonly mediaType: string
}

export interface SubmissionTools {
  readonly store: DocumentStore
  readonly segments: SegmentStore
  /** Numbers and writes journal entries in one append behind other entries. */
  appendWith(
    entries: readonly Entry[],
    decisions: readonly Decision[],
  ): Promise<{ readonly places: readonly Location[]; readonly journal: readonly PlacedEntry[] }>
  open(bytes: ArrivedBytes): ByteSource & { close(): void }
  /** Judges a document: `accept`, or what is wrong with it. */
  screen(arrival: OpenArrival): Screened | Promise<Screened>
  kindOf(source: ByteSource): ToldKind | null
  /** Who else has something to say, in the order in which they count; and the owner, where the sender names none. */
  context(
    document: SubmittedDocument,
    source: ByteSource,
  ): { readonly voices: readonly Voice[]; readonly owner: DocumentOwner | null }
  /** Coded values that a strict site refuses: dotted paths with the reason. */
  strangers(metadata: DocumentMetadata): readonly { readonly path: string; readonly detail: string }[]
  place(told: ToldKind, document: SubmittedDocument): Placement
  /** What stands against decisions that go with a submission, what the journal says of them, and how they are carried out. */
  alongside(decided: Alongside): {
    readonly faults: readonly SubmissionFault[]
    readonly decisions: readonly Decision[]
    apply(time: string): void
  }
  seal(sha256: string, source: ByteSource): Promise<void>
  registerHeld(row: HeldRow): string
  recordArrivals(arrivals: readonly ArrivalRecord[]): void
  dropSpool(path: string): Promise<void>
  /** One transaction that also writes the flushed position. */
  commit(fn: () => void): void
  exclusively<T>(fn: () => Promise<T>): Promise<T>
  /** In the transaction: audit and the jobs that follow. */
  kept(documents: readonly DocumentRecord[], provenance: Provenance): void
  refused(provenance: Provenance, faults: readonly SubmissionFault[]): void
  documentNames(
    sha256: string,
    objectId: string,
    kind: DocumentKindWord,
  ): { readonly object: string; readonly record: string }
}

/** A member that can be kept, or that is kept already. */
interface Ready {
  readonly member: Member
  readonly record: DocumentRecord
  readonly duplicateOf: string | null
}

/** Makes the walk of submissions over the rooms' tools. */
export function createSubmissions(tools: SubmissionTools): SubmissionSteps {
  async function submit(submission: Submission): Promise<SubmissionReceipt> {
    const members: Member[] = []
    try {
      for (const submitted of submission.documents) members.push(await screened(submitted))
      if (members.some(({ screened }) => !isClean(screened))) return await refuseScreened(members)
      return await tools.exclusively(() => keep(submission, members))
    } finally {
      for (const { source } of members) source.close()
      for (const { arrival } of submission.documents) {
        if (arrival.bytes.in === 'spool') await tools.dropSpool(arrival.bytes.path)
      }
    }
  }

  async function screened(submitted: SubmittedDocument): Promise<Member> {
    const { arrival } = submitted
    const source = tools.open(arrival.bytes)
    try {
      const screened = await tools.screen({ ...arrival, source })
      const sha256 = arrival.bytes.in === 'memory' ? hash('sha256', arrival.bytes.bytes, 'hex') : arrival.bytes.sha256
      const sha1 = arrival.bytes.in === 'memory' ? hash('sha1', arrival.bytes.bytes, 'hex') : await sha1Of(source)
      return { submitted, source, screened, sha256, sha1, arrivalId: randomUUID() }
    } catch (error) {
      source.close()
      throw error
    }
  }

  /** Nothing of the set is kept; what must be looked at is sealed, and every arrival leaves its record. */
  async function refuseScreened(members: readonly Member[]): Promise<SubmissionReceipt> {
    const faults: SubmissionFault[] = []
    const receipts: { label: string; receipt: Receipt }[] = []
    const rows = new Map<Member, HeldRow>()
    for (const member of members) {
      if (member.screened.verdict !== 'quarantine') continue
      await tools.seal(member.sha256, member.source)
      rows.set(member, heldRow(member))
    }
    tools.commit(() => {
      const arrivals: ArrivalRecord[] = []
      for (const member of members) {
        const row = rows.get(member)
        const quarantineId = row === undefined ? null : tools.registerHeld(row)
        const arrival = arrivalOf(member, null, quarantineId, isClean(member.screened) ? NOT_ALONE : null)
        arrivals.push(arrival)
        receipts.push({ label: member.submitted.label, receipt: receiptOf(member, arrival, false, false) })
        if (!isClean(member.screened)) {
          const code = row === undefined ? 'screening.rejected' : 'screening.held'
          faults.push({ label: member.submitted.label, code, path: null, detail: arrival.reason })
        }
      }
      tools.recordArrivals(arrivals)
      const provenance = members[0]?.submitted.arrival.provenance
      if (provenance !== undefined) tools.refused(provenance, faults)
    })
    return { is: 'refused', faults, receipts }
  }

  async function keep(
    submission: Submission,
    members: readonly Member[],
    companion?: Companion,
  ): Promise<SubmissionReceipt> {
    const faults: SubmissionFault[] = []
    const warnings: SubmissionFault[] = []
    const ready: Ready[] = []
    const taken = new Set<string>()
    for (const member of members) {
      const one = prepare(submission, member, taken, faults)
      if (one !== null) ready.push(one)
    }
    const ids = new Map(
      ready.map(({ member, record, duplicateOf }) => [member.submitted.label, duplicateOf ?? record.objectId]),
    )
    const links = resolveRelations(tools.store, submission, ready, ids, faults)
    const lists = resolveLists(tools.store, submission, ids, faults)
    const beside = submission.alongside === undefined ? undefined : tools.alongside(submission.alongside)
    faults.push(...(beside?.faults ?? []))
    if (faults.length > 0) return refuse(members, faults)

    const fresh = ready.filter(({ duplicateOf }) => duplicateOf === null)
    const payload: SubmissionPayload = {
      lists,
      relations: links.relations,
      superseded: links.superseded,
      by: submission.documents[0]?.arrival.provenance.user ?? 'submission',
    }
    const says = lists.length > 0 || links.relations.length > 0
    const said = says ? [{ kind: SUBMISSION_KIND, payload }] : []
    const together = companion?.decisions(ids) ?? []
    const { places, journal } = await write(fresh, [...said, ...(beside?.decisions ?? []), ...together])
    const time = journal[0]?.time ?? new Date().toISOString()
    tools.commit(() => {
      for (const [i, { record }] of fresh.entries()) tools.store.add({ record, location: placeAt(places, i) })
      if (says) applySubmission(tools.store, payload, time)
      beside?.apply(time)
      // Those of what is new came in with it.
      tools.recordArrivals(
        ready.flatMap(({ member, duplicateOf }) =>
          duplicateOf === null ? [] : [arrivalOf(member, duplicateOf, null, 'this document is kept already')],
        ),
      )
      const provenance = members[0]?.submitted.arrival.provenance
      if (provenance !== undefined)
        tools.kept(
          fresh.map(({ record }) => record),
          provenance,
        )
      companion?.apply(journal.slice(journal.length - together.length))
    })
    return {
      is: 'kept',
      documents: ready.map(({ member, record, duplicateOf }) => ({
        label: member.submitted.label,
        document: needed(tools.store.document(duplicateOf ?? record.objectId)),
        receipt: receiptOf(
          member,
          { ...record.arrival, objectId: duplicateOf ?? record.objectId },
          true,
          duplicateOf !== null,
        ),
        duplicate: duplicateOf !== null,
      })),
      lists: submission.lists.map(({ label }, i) => ({
        label,
        list: needed(tools.store.list(lists[i]?.list.id ?? '')),
      })),
      warnings,
    }
  }

  function refuse(members: readonly Member[], faults: readonly SubmissionFault[]): SubmissionReceipt {
    const [worst] = faults
    const receipts = members.map((member) => {
      const arrival = { ...arrivalOf(member, null, null, worst?.detail ?? NOT_ALONE), verdict: 'reject' as const }
      return {
        label: member.submitted.label,
        arrival,
        receipt: receiptOf(member, arrival, false, false, worst?.code ?? null),
      }
    })
    tools.commit(() => {
      tools.recordArrivals(receipts.map(({ arrival }) => arrival))
      const provenance = members[0]?.submitted.arrival.provenance
      if (provenance !== undefined) tools.refused(provenance, faults)
    })
    return { is: 'refused', faults, receipts: receipts.map(({ label, receipt }) => ({ label, receipt })) }
  }

  function prepare(
    submission: Submission,
    member: Member,
    taken: Set<string>,
    faults: SubmissionFault[],
  ): Ready | null {
    const { submitted, source, sha256, sha1 } = member
    const { statement, label } = submitted
    const fault = (code: SubmissionFault['code'], path: string | null, detail: string): null => {
      faults.push({ label, code, path, detail })
      return null
    }
    const told = tools.kindOf(source)
    if (told === null) return fault('document.type', null, 'not a kind of document that is kept here')
    if (statement.sha1 !== undefined && statement.sha1.toLowerCase() !== sha1) {
      return fault('document.digest', 'sha1', `the bytes have SHA-1 ${sha1}, stated is ${statement.sha1}`)
    }
    if (statement.size !== undefined && statement.size !== source.size) {
      return fault('document.digest', 'size', `the document has ${source.size} bytes, stated are ${statement.size}`)
    }
    const context = tools.context(submitted, source)
    const owner = statement.owner ?? context.owner
    if (submission.patientsKnown && (owner === null || !tools.store.knowsPatient(owner))) {
      return fault(
        'document.patient-unknown',
        'owner',
        owner === null ? 'no patient is named' : 'the patient is not known here',
      )
    }
    const uniqueId = statement.uniqueId ?? derivedId(sha256, owner)
    if (taken.has(uniqueId)) return fault('document.conflict', 'uniqueId', `${uniqueId} occurs twice in the submission`)
    taken.add(uniqueId)
    const kept = tools.store.known(uniqueId)
    if (kept !== undefined && kept.sha256 !== sha256) {
      return fault('document.conflict', 'uniqueId', `${uniqueId} is kept with other content`)
    }
    const sender = { source: 'sender' as const, says: statement.metadata }
    const { metadata, sources } = completeMetadata([sender, ...context.voices])
    const strangers = tools.strangers(metadata)
    if (strangers.length > 0) {
      for (const { path, detail } of strangers) fault('document.invalid', path, detail)
      return null
    }
    const missing = missingOf({ metadata, patient: owner })
    if (submission.complete && missing.length > 0) {
      for (const field of missing)
        fault('document.incomplete', `metadata.${field}`, `${field} is required and nobody said it`)
      return null
    }
    const entryUuid = statement.entryUuid?.replace(/^urn:uuid:/i, '').toLowerCase()
    if (kept === undefined && entryUuid !== undefined && tools.store.known(entryUuid) !== undefined) {
      return fault('document.conflict', 'entryUuid', `${entryUuid} is the id of another document`)
    }
    const objectId = kept?.objectId ?? randomUUID().replaceAll('-', '')
    const record: DocumentRecord = {
      format: 1,
      record: 'document',
      objectId,
      uniqueId,
      entryUuid: entryUuid !== undefined && UUID.test(entryUuid) ? entryUuid : randomUUID(),
      kind: told.kind,
      mediaType: told.mediaType,
      sha1,
      sha256,
      patient: owner,
      studyInstanceUID:
        statement.studyInstanceUID ?? metadata.references.find(({ type }) => type === 'study')?.id ?? null,
      phase: statement.phase ?? null,
      metadata,
      sources,
      arrival: arrivalOf(member, objectId, null, null),
      verdict: 'accept',
      findings: member.screened.findings,
      scan: member.screened.scan,
      placement: tools.place(told, submitted),
      time: new Date().toISOString(),
      ...(statement.report === undefined ? {} : { report: statement.report }),
    }
    return { member, record, duplicateOf: kept?.objectId ?? null }
  }

  /** Bytes first, the decision behind them, one flush; large ones become segments of their own before. */
  async function write(
    fresh: readonly Ready[],
    decisions: readonly Decision[],
  ): Promise<{ places: readonly Location[]; journal: readonly PlacedEntry[] }> {
    const places: Location[] = []
    const entries: { readonly at: number; readonly entries: readonly Entry[] }[] = []
    for (const [at, { member, record }] of fresh.entries()) {
      const { bytes } = member.submitted.arrival
      const names = tools.documentNames(record.sha256, record.objectId, record.kind)
      const beside: Entry = { name: names.record, content: [Buffer.from(JSON.stringify(record))] }
      if (bytes.in === 'memory') {
        entries.push({ at, entries: [{ name: names.object, content: [bytes.bytes] }, beside] })
        continue
      }
      const placed = await placeHead(bytes, bytes.head, [{ start: bytes.head.length, end: bytes.size }])
      const [location] = await tools.segments.adopt({ ...placed, name: names.object, followedBy: [beside] }, 'default')
      places[at] = needed(location)
    }
    const all = entries.flatMap((one) => one.entries)
    const written = all.length + decisions.length === 0 ? null : await tools.appendWith(all, decisions)
    for (const [i, { at }] of entries.entries()) places[at] = needed(written?.places[2 * i])
    return { places, journal: written?.journal ?? [] }
  }

  return { submit, screened, refuseScreened, keep }
}

/** Carries out what a submission says beside its documents; also when the journal is read again. */
export function applySubmission(store: DocumentStore, payload: SubmissionPayload, time: string): void {
  for (const { kind, from, to } of payload.relations) store.relate(kind, from, to)
  const cause = { by: payload.by, reason: 'replaced by a newer document' }
  store.apply(
    payload.superseded.map((objectId) => ({ is: 'status', objectId, status: 'superseded' }) as const),
    cause,
    time,
  )
  for (const { list, owner } of payload.lists) store.putList({ ...list, lastUpdated: time }, owner)
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

function placeAt(places: readonly Location[], i: number): Location {
  return needed(places[i])
}
