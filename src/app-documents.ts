/** The document panel put together inside the writer worker: its walk, its desk, and what the journal says of it. */

import { hash } from 'node:crypto'
import type { ReportDesk } from '#arrival/hl7v2/report-filing.ts'
import type { Config } from '#config.ts'
import { ArchiveError } from '#errors.ts'
import type { Database } from '#index/sqlite/database.ts'
import { createDocumentStore } from '#index/sqlite/document-store.ts'
import { createFhirResourceStore } from '#index/sqlite/fhir-resources.ts'
import { createIdentityReader } from '#index/sqlite/ledger-reader.ts'
import { createReportStore } from '#index/sqlite/report-store.ts'
import { createStudyFacts } from '#index/sqlite/study-facts.ts'
import type { Arrival, OpenArrival, Provenance, Receipt } from '#model/arrival.ts'
import type { DeliveryDesk } from '#model/delivery.ts'
import type { DocumentDesk, Submission } from '#model/document-desk.ts'
import type { DocumentStore } from '#model/document-store.ts'
import type { QuarantineStore } from '#model/quarantine.ts'
import type { ScreeningPolicy } from '#model/settings.ts'
import { prepareAlongside } from '#operations/alongside.ts'
import { createDocumentContext, type DocumentTerms, namedOwner } from '#operations/document-context.ts'
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
import { createValueSets } from '#placement/value-sets.ts'
import type { Screened } from '#screening/screened.ts'
import { auditEvent } from '#security/audit.ts'
import { createIssuers } from '#security/issuers.ts'
import type { AuditEvent, SecurityReader } from '#security/ports.ts'
import { settingIn } from '#security/site-settings.ts'
import { memorySource } from '#standards/byte-source.ts'
import { documentKindOf } from '#standards/media/document-kind.ts'
import { documentNames } from '#storage/entry-names.ts'
import type { Journal, PlacedEntry } from '#storage/journal.ts'
import { openSpooled } from '#storage/spool.ts'
import { openNotices } from './app-notices.ts'
import {
  applySubmission,
  createSubmissions,
  SUBMISSION_KIND,
  type SubmissionPayload,
  type SubmissionTools,
} from './intake/submission.ts'
import type { Terms, Walk } from './intake.ts'

/** What the document panel needs of the worker it runs in. */
export interface DocumentSurroundings
  extends Pick<SubmissionTools, 'segments' | 'seal' | 'dropSpool' | 'commit' | 'exclusively'> {
  /** The write connection. */
  readonly db: Database
  readonly config: Config
  readonly journal: Journal
  readonly held: QuarantineStore
  readonly security: Pick<SecurityReader, 'settings' | 'settingsVersion' | 'originators'>
  termsFor(provenance: Provenance): Terms
  screen(arrival: OpenArrival, policy: ScreeningPolicy): Screened | Promise<Screened>
  /** Part of the caller's transaction. */
  audit(events: readonly AuditEvent[]): void
  readonly walk: Pick<Walk, 'judge' | 'receive' | 'restore'>
  /** Documents came or changed: part of the transaction that keeps it, after it was applied. */
  changed(objectIds: readonly string[]): void
}

export interface Documents {
  readonly desk: DocumentDesk
  readonly store: DocumentStore
  /** The same walk for documents that come in HL7 v2 messages. */
  readonly reports: ReportDesk
  /** Notices to other systems, and what they hold. */
  readonly deliveries: DeliveryDesk
  /** The walk of held originals, which may be documents: those go to the document panel. */
  readonly walk: Pick<Walk, 'judge' | 'receive' | 'restore'>
}

export function createDocuments(surroundings: DocumentSurroundings): Documents {
  const { db, journal, held, commit, exclusively } = surroundings
  const store = createDocumentStore(db)
  const notices = openNotices({ ...surroundings, documents: store })
  const around: DocumentSurroundings = {
    ...surroundings,
    changed(objectIds) {
      surroundings.changed(objectIds)
      notices.documents(objectIds)
    },
  }
  const fhir = createFhirResourceStore(db)
  const terms = documentTerms(around.security)
  const contextOf = createDocumentContext({
    ledger: createIdentityReader(db),
    studies: createStudyFacts(db),
    terms,
    originatorOf: (provenance) => around.termsFor(provenance).originator,
    survivorOf: (owner) => store.survivorOf(owner),
  })

  async function screened(arrival: OpenArrival, released: boolean): Promise<Screened> {
    const { policy } = around.termsFor(arrival.provenance)
    const judged = await around.screen({ ...arrival, claims: { ...arrival.claims, document: true } }, policy)
    if (judged.verdict !== 'quarantine') return judged
    const { bytes } = arrival
    const sha256 = bytes.sha256 ?? (bytes.in === 'memory' ? hash('sha256', bytes.bytes, 'hex') : '')
    if (!released && !held.wasReleased(sha256)) return judged
    return { ...judged, verdict: 'accept', reason: 'released by a person' }
  }

  const tools: Omit<SubmissionTools, 'screen'> = {
    ...{ store, segments: around.segments, commit, exclusively, open: openSpooled, documentNames },
    ...{ seal: around.seal, dropSpool: around.dropSpool },
    appendWith: (entries, decisions) => journal.appendWith(entries, decisions),
    kindOf(source) {
      const told = documentKindOf(source)
      return told === null
        ? { kind: 'other', mediaType: 'application/octet-stream' }
        : { kind: told.word, mediaType: told.mediaType }
    },
    context: ({ statement, arrival }, source) => contextOf(statement, arrival.provenance, source),
    strangers: (metadata) =>
      settingIn(around.security.settings(), 'documents.strict') ? terms().values.strangers(metadata) : [],
    place: ({ kind, mediaType }) => placeNativeDocument({ kind, mediaType }),
    alongside: (decided) =>
      prepareAlongside(
        {
          ...{ documents: store, fhir },
          decided({ cause }, detail, objectIds) {
            around.audit([
              auditEvent(cause.by, { kind: 'decide', address: cause.address ?? null, detail: `fhir: ${detail}` }),
            ])
            if (objectIds.length > 0) around.changed(objectIds)
          },
        },
        decided,
      ),
    registerHeld: (row) => held.hold(row),
    recordArrivals: (arrivals) => {
      for (const arrival of arrivals) store.recordArrival(arrival)
    },
    kept(documents, { user, address, door }) {
      around.changed(documents.map(({ objectId }) => objectId))
      const ids = documents.map(({ objectId }) => objectId).join(', ')
      const told = { address, detail: `documents by ${door}: ${ids}`, count: documents.length }
      if (ids !== '') around.audit([auditEvent(user ?? 'anonymous', { kind: 'store', ...told })])
    },
    refused({ user, address, door }, faults) {
      const detail = `documents by ${door} refused: ${[...new Set(faults.map(({ code }) => code))].join(', ')}`
      around.audit([auditEvent(user ?? 'anonymous', { kind: 'store', outcome: 'denied', address, detail })])
    },
  }
  const submissions = createSubmissions({ ...tools, screen: (arrival) => screened(arrival, false) })
  const reports = createReportStore(db)
  const released = createSubmissions({ ...tools, screen: (arrival) => screened(arrival, true) })
  const decisions = createDocumentDesk({
    ...{ store, journal, commit, exclusively },
    audit: ({ cause, ...told }) =>
      around.audit([auditEvent(cause.by, { kind: 'decide', address: cause.address ?? null, ...told })]),
    hostStudy: (objectId) => store.hostStudy(objectId),
    faceVoices: ({ statement }, studyInstanceUID) =>
      contextOf({ ...statement, studyInstanceUID }, NOBODY_SENT, memorySource(new Uint8Array(0))).voices,
    graceDays: () => settingIn(around.security.settings(), 'deletion.graceDays'),
    changed: (objectIds) => around.changed(objectIds),
  })

  /** An owner without an issuer gets the one of its sender. */
  function named(submission: Submission): Submission {
    return {
      ...submission,
      documents: submission.documents.map((document) => {
        const { statement, arrival } = document
        if (statement.owner === undefined) return document
        const owner = namedOwner(statement.owner, around.termsFor(arrival.provenance).originator, terms())
        return { ...document, statement: { ...statement, owner } }
      }),
    }
  }

  function isDocument({ bytes }: Arrival): boolean {
    const source = openSpooled(bytes)
    try {
      return documentKindOf(source) !== null
    } finally {
      source.close()
    }
  }

  async function alone(arrival: Arrival, walk: typeof submissions): Promise<Receipt> {
    const receipt = await walk.submit({
      documents: [{ label: '', arrival, statement: { metadata: {} } }],
      ...{ lists: [], relations: [], patientsKnown: false, complete: false },
    })
    const [only] = receipt.is === 'kept' ? receipt.documents : receipt.receipts
    if (only === undefined) throw new ArchiveError('archive.failed', 'a submission without a receipt')
    return only.receipt
  }

  return {
    store,
    deliveries: notices.desk,
    reports: {
      ...{ screened: submissions.screened, refuseScreened: submissions.refuseScreened, keep: submissions.keep },
      ...{ store, reports, changed: (objectIds) => around.changed(objectIds) },
      known: {
        ...{ versions: reports.versions, withdrawnAt: reports.withdrawnAt },
        document: (objectId) => store.document(objectId),
        isKnown: (uniqueId) => store.known(uniqueId) !== undefined,
        survivorOf: (owner) => store.survivorOf(owner),
      },
    },
    desk: { ...decisions, submit: (submission) => submissions.submit(named(submission)) },
    walk: {
      judge: (arrival) => around.walk.judge(isDocument(arrival) ? asDocument(arrival) : arrival),
      receive: (arrival) => (isDocument(arrival) ? alone(arrival, submissions) : around.walk.receive(arrival)),
      restore: (arrival, how, decided) =>
        isDocument(arrival) ? alone(arrival, released) : around.walk.restore(arrival, how, decided),
    },
  }
}

const asDocument = (arrival: Arrival): Arrival => ({ ...arrival, claims: { ...arrival.claims, document: true } })

/** Of a face: whoever sent its host is in the host's own record. */
const NOBODY_SENT: Provenance = {
  ...{ door: 'placement', peer: null, originator: null, user: null, address: null, medium: null, path: null },
  time: '',
}

/** Site policies of documents, read again only when a setting changed. */
function documentTerms(security: DocumentSurroundings['security']): () => DocumentTerms {
  let known: { readonly version: number; readonly terms: DocumentTerms } | null = null
  return () => {
    const version = security.settingsVersion()
    if (known?.version === version) return known.terms
    const kept = security.settings()
    const terms: DocumentTerms = {
      values: createValueSets(settingIn(kept, 'documents.values'), settingIn(kept, 'documents.departments')),
      defaults: settingIn(kept, 'documents.defaults'),
      issuers: createIssuers(settingIn(kept, 'identity.issuers')),
      siteIssuer: settingIn(kept, 'identity.defaultIssuer'),
    }
    known = { version, terms }
    return terms
  }
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
