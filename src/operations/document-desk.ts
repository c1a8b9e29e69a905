/** Decisions about kept documents: checked, journalled, applied and audited, one after the other. */
import { createHash } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { DocumentOwner } from '#model/document.ts'
import type { DecisionCause, DocumentDecision, DocumentDesk, HostedDocument } from '#model/document-desk.ts'
import type { DocumentStore, NewFace } from '#model/document-store.ts'
import type { Voice } from '#placement/complete-metadata.ts'
import { completeMetadata } from '#placement/complete-metadata.ts'
import type { Journal } from '#storage/journal.ts'

/** Journal kinds of what is decided about documents. */
export const DOCUMENT_KIND = 'document'
export const DOCUMENT_FACE_KIND = 'document-face'
export const DOCUMENT_DELETE_KIND = 'document-delete'

export interface DocumentDecisions {
  readonly decisions: readonly DocumentDecision[]
  readonly cause: DecisionCause
}

export interface DocumentFaceDecision {
  /** Its `time` is the entry's. */
  readonly face: NewFace
  readonly cause: DecisionCause
}

export interface DocumentDeletion {
  readonly objectId: string
  readonly cause: DecisionCause
  readonly purgeAfter: string
}

export interface DocumentAudit {
  readonly cause: DecisionCause
  readonly outcome: 'success' | 'denied'
  readonly studyInstanceUID: string | null
  readonly patientId: string | null
  /** Object ids and kinds of decisions; or why it was refused. Never names. */
  readonly detail: string
}

export interface DocumentDeskTools {
  readonly store: DocumentStore
  readonly journal: Pick<Journal, 'append'>
  /** Runs `fn` in one transaction that also writes the flushed position of the segments (the journal's). */
  commit(fn: () => void): void
  exclusively<T>(fn: () => Promise<T>): Promise<T>
  /** In the transaction it is called in. */
  audit(told: DocumentAudit): void
  /** The study a kept DICOM object belongs to; undefined when there is no such object. */
  hostStudy(objectId: string): { readonly studyInstanceUID: string } | undefined
  /** Who else has something to say about a face, in the order in which they count. */
  faceVoices(face: HostedDocument, studyInstanceUID: string): readonly Voice[] | Promise<readonly Voice[]>
  /** Days before the bytes of a deleted document may go. */
  graceDays(): number
  /** Told inside the transaction: jobs that follow are enqueued with it. */
  changed?(objectIds: readonly string[]): void
}

/** Longest text of a decision's cause, in characters. */
const REASON_MAX = 2000
const DECISIONS_MAX = 10_000

export function createDocumentDesk(tools: DocumentDeskTools): Omit<DocumentDesk, 'submit'> {
  const { store, journal } = tools

  async function decide(
    decisions: readonly DocumentDecision[],
    given: DecisionCause,
    expected?: number,
  ): Promise<void> {
    if (decisions.length === 0) return
    if (decisions.length > DECISIONS_MAX) throw new ArchiveError('document.invalid', 'too many decisions at once')
    const cause = { ...given, reason: given.reason.slice(0, REASON_MAX) }
    const ids = [...new Set(decisions.flatMap(concerned))]
    const about = aboutOf(store, ids)
    try {
      for (const decision of decisions) checkDecision(store, decision)
      for (const id of expected === undefined ? [] : ids) {
        const version = store.known(id)?.version
        if (version !== undefined && version !== expected) {
          throw new ArchiveError('document.version', `the document is at version ${version}, expected was ${expected}`)
        }
      }
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error
      tools.audit({ cause, outcome: 'denied', ...about, detail: `document: ${error.code}: ${ids.join(', ')}` })
      throw error
    }
    const payload: DocumentDecisions = { decisions, cause }
    const [written] = await journal.append([{ kind: DOCUMENT_KIND, payload }])
    if (written === undefined) throw new ArchiveError('archive.failed', 'the journal gave no entry')
    tools.commit(() => {
      store.apply(decisions, cause, written.time)
      const told = decisions.map((decision) => `${decision.is} ${concerned(decision).join(' ') || listOf(decision)}`)
      tools.audit({ cause, outcome: 'success', ...about, detail: `document: ${told.join(', ')}` })
      tools.changed?.(ids)
    })
  }

  async function addFace(face: HostedDocument, cause: DecisionCause) {
    const ids = faceIds(face)
    const kept = store.document(ids.objectId)
    if (kept !== undefined) return kept
    const host = tools.hostStudy(face.objectId)
    if (host === undefined) throw new ArchiveError('document.unknown', `no object ${face.objectId}`)
    const { statement } = face
    const { metadata, sources } = completeMetadata([
      { source: 'sender', says: statement.metadata },
      ...(await tools.faceVoices(face, host.studyInstanceUID)),
    ])
    const owner: DocumentOwner = statement.owner ?? { by: 'study', studyInstanceUID: host.studyInstanceUID }
    const payload: DocumentFaceDecision = {
      face: {
        face,
        ...ids,
        uniqueId: statement.uniqueId ?? ids.uniqueId,
        owner,
        studyInstanceUID: statement.studyInstanceUID ?? host.studyInstanceUID,
        metadata,
        sources,
        placement: {
          ...{ rule: face.rule, ruleVersion: face.ruleVersion, panel: 'document', form: 'unwrapped' },
          facts: { host: face.objectId, start: face.start, length: face.length, kind: face.kind },
          alternatives: [],
        },
        time: '',
      },
      cause,
    }
    const [written] = await journal.append([{ kind: DOCUMENT_FACE_KIND, payload }])
    if (written === undefined) throw new ArchiveError('archive.failed', 'the journal gave no entry')
    tools.commit(() => {
      store.addFace({ ...payload.face, time: written.time })
      const about = aboutOf(store, [ids.objectId])
      tools.audit({ cause, outcome: 'success', ...about, detail: `document: face ${ids.objectId} of ${face.objectId}` })
      tools.changed?.([ids.objectId])
    })
    const made = store.document(ids.objectId)
    if (made === undefined) throw new ArchiveError('archive.failed', 'what was written cannot be found')
    return made
  }

  async function remove(objectId: string, cause: DecisionCause): Promise<boolean> {
    const known = store.known(objectId)
    if (known === undefined) return false
    const about = aboutOf(store, [known.objectId])
    const purgeAfter = new Date(Date.now() + tools.graceDays() * 86_400_000).toISOString()
    const payload: DocumentDeletion = { objectId: known.objectId, cause, purgeAfter }
    const [written] = await journal.append([{ kind: DOCUMENT_DELETE_KIND, payload }])
    if (written === undefined) throw new ArchiveError('archive.failed', 'the journal gave no entry')
    tools.commit(() => {
      store.delete(known.objectId, cause, written.time, purgeAfter)
      tools.audit({ cause, outcome: 'success', ...about, detail: `document: delete ${known.objectId}` })
    })
    return true
  }

  return {
    decide: (decisions, cause, expected) => tools.exclusively(() => decide(decisions, cause, expected)),
    addFace: (face, cause) => tools.exclusively(() => addFace(face, cause)),
    delete: (objectId, cause) => tools.exclusively(() => remove(objectId, cause)),
  }
}

/** Ids of a face follow from its host and its place there: the same face again is the same document. */
export function faceIds({ objectId, start, length }: Pick<HostedDocument, 'objectId' | 'start' | 'length'>) {
  const digest = createHash('sha256').update(`face\u0000${objectId}\u0000${start}\u0000${length}`).digest()
  const id = digest.subarray(0, 16)
  // A name-based UUID in form: version 8 (custom), variant 1. RFC 9562 section 5.8.
  const uuid = Buffer.from(id)
  uuid[6] = ((uuid[6] ?? 0) & 0x0f) | 0x80
  uuid[8] = ((uuid[8] ?? 0) & 0x3f) | 0x80
  const hex = uuid.toString('hex')
  return {
    objectId: id.toString('hex'),
    uniqueId: `urn:oid:2.25.${BigInt(`0x${id.toString('hex')}`)}`,
    entryUuid: [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-'),
  }
}

/** Object ids of documents a decision makes a new version of. */
function concerned(decision: DocumentDecision): string[] {
  return 'objectId' in decision ? [decision.objectId] : []
}

function listOf(decision: DocumentDecision): string {
  if (decision.is === 'list') return decision.list.id
  if (decision.is === 'list-status') return decision.listId
  return 'relation' in decision ? `${decision.relation.from} ${decision.relation.to}` : ''
}

function aboutOf(store: DocumentStore, ids: readonly string[]): Pick<DocumentAudit, 'studyInstanceUID' | 'patientId'> {
  const one = ids.length === 1 && ids[0] !== undefined ? store.document(ids[0]) : undefined
  return { studyInstanceUID: one?.studyInstanceUID ?? null, patientId: one?.patientId ?? null }
}

/** @throws ArchiveError 'document.unknown', 'document.invalid' */
export function checkDecision(store: DocumentStore, decision: DocumentDecision): void {
  for (const id of concerned(decision)) {
    if (store.known(id)?.objectId !== id) throw new ArchiveError('document.unknown', `no document ${id}`)
  }
  if (decision.is === 'relate' && decision.relation.from === decision.relation.to) {
    throw new ArchiveError('document.invalid', 'a document is not related to itself')
  }
  if (decision.is === 'list-status' && store.list(decision.listId) === undefined) {
    throw new ArchiveError('document.unknown', `no list ${decision.listId}`)
  }
  if (decision.is === 'list') {
    const kept = store.list(decision.list.uniqueId)
    if (kept !== undefined && kept.id !== decision.list.id) {
      throw new ArchiveError('document.conflict', `${decision.list.uniqueId} is the uniqueId of another list`)
    }
  }
}
