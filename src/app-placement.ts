/** The placement engine put together inside the writer worker: what it looks at, its jobs, and when it looks again. */

import { ArchiveError } from '#errors.ts'
import type { Database } from '#index/sqlite/database.ts'
import { createEvidenceReader } from '#index/sqlite/evidence.ts'
import { createKeptObjects } from '#index/sqlite/kept-objects.ts'
import { createSituationReader } from '#index/sqlite/placement-facts.ts'
import { createPlacementStore } from '#index/sqlite/placement-store.ts'
import { createSqliteReader } from '#index/sqlite/reader.ts'
import { createSurveyStore } from '#index/sqlite/survey-store.ts'
import type { JobHandler } from '#jobs/job-runner.ts'
import type { Location, NewInstance } from '#model/archive-object.ts'
import type { DocumentDesk } from '#model/document-desk.ts'
import type { DocumentStore } from '#model/document-store.ts'
import type { Deletions, Intake } from '#model/intake.ts'
import type { JobQueue } from '#model/job-queue.ts'
import type { PlacementDesk } from '#model/placement.ts'
import { isImageClass, isLookedAt } from '#model/placement-facts.ts'
import type { SurveyDesk } from '#model/survey.ts'
import {
  applyPlacement,
  createPlacementDesk,
  MOVE_JOB,
  PLACE_JOB,
  type PlacementBook,
  placementPayload,
} from '#operations/placement-desk.ts'
import { createPlacementMoves } from '#operations/placement-moves.ts'
import { createSurveys, type MEND_JOB, type SURVEY_JOB } from '#operations/survey.ts'
import { auditEvent } from '#security/audit.ts'
import type { AuditEvent, SecurityReader } from '#security/ports.ts'
import { settingIn } from '#security/site-settings.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import { valuesAt } from '#standards/dicom/json-path.ts'
import type { Journal, PlacedEntry } from '#storage/journal.ts'
import { placementConverters } from './app-placement-converters.ts'

export interface PlacementParts {
  /** The write connection. */
  readonly db: Database
  readonly journal: Journal
  readonly jobs: JobQueue
  readonly documents: DocumentDesk
  readonly store: DocumentStore
  readonly intake: Intake
  readonly deletions: Deletions
  readonly security: Pick<SecurityReader, 'settings' | 'settingsVersion'>
  open(at: Location): ByteSource & { close(): void }
  commit(fn: () => void): void
  exclusively<T>(fn: () => Promise<T>): Promise<T>
  audit(events: readonly AuditEvent[]): void
  wake(): void
}

export interface Placing {
  readonly desk: PlacementDesk
  readonly surveys: SurveyDesk
  readonly handlers: {
    readonly [kind in typeof PLACE_JOB | typeof MOVE_JOB | typeof SURVEY_JOB | typeof MEND_JOB]: JobHandler
  }
  /** For the commit lane: part of its transaction. */
  stored(instances: readonly NewInstance[]): void
  /** Documents came or changed: part of the transaction that says so. */
  documents(objectIds: readonly string[]): void
}

/** A study is looked at when it has been quiet for so long, in milliseconds. */
const SETTLE_MS = 1500

export function createPlacing(parts: PlacementParts): Placing {
  const { db, jobs } = parts
  const reader = createSqliteReader(db)
  const evidence = createEvidenceReader(db)
  const book = createPlacementStore(db)
  const situations = createSituationReader(db)
  const kept = createKeptObjects(db)

  /** The data set of the first instance of a study that `wanted` takes. */
  function dataSetWhere(studyInstanceUID: string, wanted: (sopInstanceUID: string, sopClassUID: string) => boolean) {
    for (const { sopInstanceUID, dataSet } of evidence.instances(studyInstanceUID)) {
      const read = dataSet()
      if (wanted(sopInstanceUID, valuesAt(read, '00080016')[0] ?? '')) return read
    }
    return undefined
  }

  /** Bytes that were hidden and never purged walk in again. */
  async function bringBack(objectId: string, by: string): Promise<void> {
    const hidden = kept.get(objectId)
    if (hidden === undefined || !hidden.deleted) return
    const source = parts.open(hidden.location)
    try {
      const bytes = new Uint8Array(source.size)
      for (let at = 0; at < source.size; at += READ_BYTES) {
        bytes.set(source.read(at, Math.min(at + READ_BYTES, source.size)), at)
      }
      const receipt = await parts.intake.receive({
        provenance: {
          ...{ door: 'placement', peer: by, originator: null, user: null, address: null, medium: null, path: null },
          time: new Date().toISOString(),
        },
        claims: {},
        bytes: { in: 'memory', bytes },
      })
      if (!receipt.stored) throw new ArchiveError('screening.held', `it could not be brought back: ${receipt.reason}`)
    } finally {
      source.close()
    }
  }

  const desk = createPlacementDesk({
    book,
    situations,
    policy: () => ({
      policy: settingIn(parts.security.settings(), 'placement.policy'),
      version: parts.security.settingsVersion(),
    }),
    moves: createPlacementMoves({
      ...{ reader, documents: parts.documents, store: parts.store, open: parts.open },
      dataSetOf: ({ studyInstanceUID, sopInstanceUID }) =>
        dataSetWhere(studyInstanceUID, (uid) => uid === sopInstanceUID),
      imageOf: (study) =>
        dataSetWhere(study, (_, sopClass) => isImageClass(sopClass)) ?? dataSetWhere(study, () => true),
      receive: (arrival) => parts.intake.receive(arrival),
      hide: async ({ studyInstanceUID, seriesInstanceUID, sopInstanceUID }, by, reason, forGood) => {
        const time = new Date().toISOString()
        const scope = { studyInstanceUID, seriesInstanceUID, sopInstanceUID }
        const days = settingIn(parts.security.settings(), 'deletion.graceDays')
        const purgeAfter = forGood ? new Date(Date.now() + days * 86_400_000).toISOString() : NEVER
        await parts.deletions.delete({ scope, by, reason, time, purgeAfter })
      },
      bringBack,
      person: (patientId) => situations.person(patientId),
      ...{ facesBy: situations.facesBy, hostedIn: situations.hostedIn, related: situations.related },
      converters: placementConverters,
    }),
    journal: parts.journal,
    jobs,
    commit: parts.commit,
    exclusively: parts.exclusively,
    audit: (by, detail, study) =>
      parts.audit([auditEvent(by, { kind: 'decide', detail: detail.slice(0, DETAIL_MAX), studyInstanceUID: study })]),
    studyOf(objectId) {
      const document = parts.store.document(objectId)
      if (document !== undefined) return document.studyInstanceUID
      return parts.store.hostStudy(objectId)?.studyInstanceUID
    },
    wake: parts.wake,
  })

  const surveys = createSurveys({
    ...{ book: createSurveyStore(db), situations, decisions: book, placements: desk, jobs, wake: parts.wake },
    policyVersion: () => parts.security.settingsVersion(),
    transaction: (fn) => db.transaction(fn),
    audit: (by, detail) => parts.audit([auditEvent(by, { kind: 'decide', detail: detail.slice(0, DETAIL_MAX) })]),
  })

  /** A group of arrivals may ask for many; the runner is woken once. */
  function look(subjects: ReadonlySet<string>): void {
    const now = Date.now()
    for (const subject of subjects) jobs.enqueue({ kind: PLACE_JOB, subject, runAfter: now + SETTLE_MS }, now)
    if (subjects.size > 0) parts.wake()
  }

  return {
    desk,
    surveys: surveys.desk,
    handlers: {
      ...surveys.handlers,
      [PLACE_JOB]: async ({ subject }) => {
        const [word, id] = subject.split(' ')
        if (id === undefined) throw new TypeError(`not a subject of placement: ${subject}`)
        await desk.evaluate(word === 'study' ? { studyInstanceUID: id } : { objectId: id })
        return undefined
      },
      [MOVE_JOB]: async ({ subject, attempts }) => {
        const settled = await desk.move(subject, attempts > 1)
        // Taken back while it was carried out: the same job once more.
        return settled ? undefined : () => void jobs.enqueue({ kind: MOVE_JOB, subject }, Date.now())
      },
    },
    stored(instances) {
      const studies = new Set<string>()
      for (const { studyInstanceUID, sopClassUID, attributes } of instances) {
        if (studies.has(studyInstanceUID)) continue
        // Plain images are looked at only where something else waits for them.
        const secondary = DOSE_PAGE_SERIES.has(attributes['00200011']?.[0]?.trim() ?? '')
        if (isLookedAt(sopClassUID) || secondary || parts.store.hasDocuments(studyInstanceUID))
          studies.add(studyInstanceUID)
        else if (book.speaksOf(studyInstanceUID)) studies.add(studyInstanceUID)
      }
      look(new Set([...studies].map((study) => `study ${study}`)))
    },
    documents(objectIds) {
      const subjects = new Set<string>()
      for (const objectId of objectIds) {
        const document = parts.store.document(objectId)
        if (document === undefined) continue
        subjects.add(document.studyInstanceUID === null ? `document ${objectId}` : `study ${document.studyInstanceUID}`)
      }
      look(subjects)
    },
  }
}

/** Series Numbers under which scanners send dose pages as CT images; placement/rules/dose-screen.ts. */
const DOSE_PAGE_SERIES = new Set(['501', '503', '999', '1000', '9000', '10999'])

/** Hidden scans are not purged: their decision may be taken back at any time. */
const NEVER = '9999-12-31T00:00:00.000Z'
const READ_BYTES = 4 * 1024 * 1024

/** Longest detail of one audit entry, in characters. */
const DETAIL_MAX = 4000

/** Carries out again what the journal says of placement. Jobs are not needed: what was made stands in other entries. */
export function replayPlacement(book: PlacementBook, entry: PlacedEntry): void {
  const payload = placementPayload(entry)
  if (payload !== undefined) applyPlacement(book, payload, entry.sequence)
}
