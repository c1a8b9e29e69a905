/** The document panel put together inside the writer worker: its walk, its desk, and what the journal says of it. */

import type { Database } from '#index/sqlite/database.ts'
import { createDocumentStore } from '#index/sqlite/document-store.ts'
import type { OpenArrival, Provenance } from '#model/arrival.ts'
import type { DocumentDesk } from '#model/document-desk.ts'
import type { DocumentStore } from '#model/document-store.ts'
import type { QuarantineStore } from '#model/quarantine.ts'
import type { ScreeningPolicy } from '#model/settings.ts'
import {
  createDocumentDesk,
  DOCUMENT_DELETE_KIND,
  DOCUMENT_FACE_KIND,
  DOCUMENT_KIND,
  type DocumentDecisions,
  type DocumentDeletion,
  type DocumentFaceDecision,
} from '#operations/document-desk.ts'
import { placeNativeDocument } from '#placement/native-document.ts'
import type { Screened } from '#screening/screened.ts'
import { auditEvent } from '#security/audit.ts'
import type { AuditEvent, SecurityReader } from '#security/ports.ts'
import { settingIn } from '#security/site-settings.ts'
import { documentKindOf } from '#standards/media/document-kind.ts'
import { documentNames } from '#storage/entry-names.ts'
import type { Journal, PlacedEntry } from '#storage/journal.ts'
import { openSpooled } from '#storage/spool.ts'
import {
  applySubmission,
  createSubmissions,
  SUBMISSION_KIND,
  type SubmissionPayload,
  type SubmissionTools,
} from './intake/submission.ts'
import type { Terms } from './intake.ts'

/** What the document panel needs of the worker it runs in. */
export interface DocumentSurroundings
  extends Pick<SubmissionTools, 'segments' | 'seal' | 'dropSpool' | 'commit' | 'exclusively'> {
  /** The write connection. */
  readonly db: Database
  readonly journal: Journal
  readonly held: QuarantineStore
  readonly security: Pick<SecurityReader, 'settings' | 'settingsVersion' | 'originators'>
  termsFor(provenance: Provenance): Terms
  screen(arrival: OpenArrival, policy: ScreeningPolicy): Screened | Promise<Screened>
  /** Part of the caller's transaction. */
  audit(events: readonly AuditEvent[]): void
}

export interface Documents {
  readonly desk: DocumentDesk
  readonly store: DocumentStore
}

export function createDocuments(around: DocumentSurroundings): Documents {
  const { db, journal, held, commit, exclusively } = around
  const store = createDocumentStore(db)
  const submissions = createSubmissions({
    ...{ store, segments: around.segments, commit, exclusively, open: openSpooled, documentNames },
    ...{ seal: around.seal, dropSpool: around.dropSpool },
    appendWith: (entries, decisions) => journal.appendWith(entries, decisions),
    screen: (arrival) => {
      const documentArrival = { ...arrival, claims: { ...arrival.claims, document: true } }
      return around.screen(documentArrival, around.termsFor(arrival.provenance).policy)
    },
    kindOf(source) {
      const told = documentKindOf(source)
      return told === null
        ? { kind: 'other', mediaType: 'application/octet-stream' }
        : { kind: told.word, mediaType: told.mediaType }
    },
    voices: () => [],
    ownerOf: () => null,
    place: ({ kind, mediaType }) => placeNativeDocument({ kind, mediaType }),
    registerHeld: (row) => held.hold(row),
    recordArrivals: (arrivals) => {
      for (const arrival of arrivals) store.recordArrival(arrival)
    },
    kept(documents, { user, address, door }) {
      const ids = documents.map(({ objectId }) => objectId).join(', ')
      const detail = `documents by ${door}: ${ids}`
      if (ids !== '')
        around.audit([auditEvent(user ?? 'anonymous', { kind: 'store', address, detail, count: documents.length })])
    },
    refused({ user, address, door }, faults) {
      const detail = `documents by ${door} refused: ${[...new Set(faults.map(({ code }) => code))].join(', ')}`
      around.audit([auditEvent(user ?? 'anonymous', { kind: 'store', outcome: 'denied', address, detail })])
    },
  })
  const decisions = createDocumentDesk({
    ...{ store, journal, commit, exclusively },
    audit: ({ cause, ...told }) =>
      around.audit([auditEvent(cause.by, { kind: 'decide', address: cause.address ?? null, ...told })]),
    hostStudy: (objectId) => store.hostStudy(objectId),
    faceVoices: () => [],
    graceDays: () => settingIn(around.security.settings(), 'deletion.graceDays'),
  })
  return { store, desk: { ...decisions, submit: (submission) => submissions.submit(submission) } }
}

/** Carries out again what the journal says of documents. What concerns one that was deleted since changes nothing. */
export function replayDocuments(store: DocumentStore, entry: PlacedEntry): void {
  const here = (objectId: string) => store.known(objectId) !== undefined
  switch (entry.kind) {
    case SUBMISSION_KIND: {
      const payload = entry.payload as SubmissionPayload
      applySubmission(store, { ...payload, superseded: payload.superseded.filter(here) }, entry.time)
      return
    }
    case DOCUMENT_KIND: {
      const { decisions, cause } = entry.payload as DocumentDecisions
      const left = decisions.filter((decision) => !('objectId' in decision) || here(decision.objectId))
      store.apply(left, cause, entry.time)
      return
    }
    case DOCUMENT_FACE_KIND: {
      const { face } = entry.payload as DocumentFaceDecision
      if (store.hostStudy(face.face.objectId) !== undefined) store.addFace({ ...face, time: entry.time })
      return
    }
    case DOCUMENT_DELETE_KIND: {
      const { objectId, cause, purgeAfter } = entry.payload as DocumentDeletion
      store.delete(objectId, cause, entry.time, purgeAfter)
    }
  }
}
