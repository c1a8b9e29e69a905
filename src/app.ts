/** Puts the archive together: the only file, with app-writer.ts, that names adapters. */
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import type { Config } from '#config.ts'
import { type AuditSent, createAuditSent, type createAuditSentWriter } from '#index/sqlite/audit-sent.ts'
import { createCaptureLinkReader } from '#index/sqlite/capture-link-store.ts'
import { type Database, openDatabase } from '#index/sqlite/database.ts'
import { createDeliveryStore } from '#index/sqlite/delivery-store.ts'
import { createDocumentReader } from '#index/sqlite/document-reader.ts'
import { createFhirDerivedReader } from '#index/sqlite/fhir-derived.ts'
import { createFhirReader } from '#index/sqlite/fhir-reader.ts'
import { createFhirResourceReader } from '#index/sqlite/fhir-resources.ts'
import { createSqliteJobQueue } from '#index/sqlite/job-queue.ts'
import { createLeavingReader } from '#index/sqlite/leaving-store.ts'
import { createIdentityReader } from '#index/sqlite/ledger-reader.ts'
import { createMessageReader } from '#index/sqlite/message-store.ts'
import { createPlacementStore } from '#index/sqlite/placement-store.ts'
import { createSqliteReader } from '#index/sqlite/reader.ts'
import { createRestrictionStore } from '#index/sqlite/restriction-store.ts'
import { sqliteSecurityReader } from '#index/sqlite/security-store.ts'
import { createSurveyStore } from '#index/sqlite/survey-store.ts'
import type { ArchiveReader } from '#model/archive-index.ts'
import type { CaptureLinkWriter } from '#model/capture-link.ts'
import type { DeliveryDesk, DeliveryReader } from '#model/delivery.ts'
import type { DocumentDesk, DocumentReader } from '#model/document-desk.ts'
import type { FhirDerivedReader } from '#model/fhir-derived.ts'
import type { FhirReader } from '#model/fhir-reader.ts'
import type { FhirResourceReader } from '#model/fhir-store.ts'
import type { IdentityDesk, IdentityReader } from '#model/identity-ledger.ts'
import type { Deletions, Intake, QuarantineDesk } from '#model/intake.ts'
import type { JobQueue, SharedJobs } from '#model/job-queue.ts'
import type { LeavingDesk, LeavingReader } from '#model/leaving.ts'
import type { MessageDesk, MessageReader } from '#model/message.ts'
import type { PlacementDesk, PlacementReader } from '#model/placement.ts'
import type { ImportDesk, StudyReconciliation } from '#model/reconciliation.ts'
import type { RestrictionDesk, RestrictionReader } from '#model/restriction.ts'
import type { SurveyDesk, SurveyReader } from '#model/survey.ts'
import type { FaceDesk } from '#operations/keep-face.ts'
import { Accounts } from '#security/accounts.ts'
import { Auditor } from '#security/audit.ts'
import { CaptureLinks } from '#security/capture-links.ts'
import { Peers } from '#security/peers.ts'
import type { SecurityReader, SecurityWriter } from '#security/ports.ts'
import { loudness } from '#security/restrictions.ts'
import { SiteSettings } from '#security/site-settings.ts'
import { Tokens } from '#security/tokens.ts'
import { findJournalEntryIn } from '#storage/journal-search.ts'
import { openSegmentReader, type SegmentReader } from '#storage/segment-files.ts'
import { createExchange, type Exchange } from './app-exchange.ts'
import { type OnTheWay, openOnTheWay } from './app-faces.ts'
import { createMaintenance, type Maintenance } from './app-maintenance.ts'
import { createStateReader } from './app-reconciliation.ts'
import { settingChecks } from './app-settings.ts'
import { type StartedWriter, startWriter, type WriterOptions } from './app-start.ts'
import type { Caller } from './remote.ts'

export interface ArchiveOptions extends WriterOptions {
  /** A writer that was started already, so that both threads load at the same time. */
  readonly writer?: Promise<StartedWriter>
}

/** What the writer worker can be asked besides the walk. */
export interface WriterLifecycle {
  /** Resolves when everything taken in is written and the worker may end. */
  close(): Promise<void>
  status(): Promise<WriterStatus>
}

export interface WriterStatus {
  readonly readOnly: boolean
  readonly scanner: 'none' | 'reachable' | 'unreachable'
  /** What start-up found; `missing`: segments that are not there, or not whole. Shown by readiness. */
  readonly recovery: { readonly missing: number; readonly dropped: number; readonly unlisted: number }
  /** Objects that wait in quarantine. */
  readonly held: number
}

/** An opened archive: everything doors, pages and commands are built from. */
export interface Archive {
  readonly dataDirectory: string
  readonly spoolDirectory: string
  readonly config: Config
  readonly intake: Intake
  readonly quarantine: QuarantineDesk
  readonly deletions: Deletions
  /** Decisions about who somebody is and what an object says; reads of the same. */
  readonly identity: IdentityDesk
  readonly ledger: IdentityReader
  /** The import worklist. */
  readonly imports: ImportDesk
  /** Where things belong: decisions, and reads of the same. */
  readonly placement: PlacementDesk
  readonly placementDecisions: PlacementReader
  /** What an existing collection keeps otherwise than the policy says. */
  readonly surveys: SurveyDesk
  readonly surveyReports: SurveyReader
  /** How a study stands, read here. */
  readonly reconciliationOf: (studyInstanceUID: string) => StudyReconciliation | undefined
  /** HL7 v2 messages: where they are handed in, and what became of them. */
  readonly messageDesk: MessageDesk
  readonly messages: MessageReader
  /** Notices to other systems: what they hold. */
  readonly deliveries: DeliveryReader
  readonly deliveryDesk: DeliveryDesk
  /** The document panel: reads here; submissions and decisions in the writer. */
  readonly documents: DocumentReader
  /** Patients, studies, visits and orders as FHIR lists them. */
  readonly fhir: FhirReader
  readonly fhirDerived: FhirDerivedReader
  readonly fhirResources: FhirResourceReader
  readonly documentDesk: DocumentDesk
  /** How documents leave, and which DICOM faces they have; decisions about both are the writer's. */
  readonly leaving: LeavingReader
  readonly leavingDesk: LeavingDesk
  readonly faceDesk: FaceDesk
  readonly onTheWay: OnTheWay
  /** Links by which patients send photographs. */
  readonly captureLinks: CaptureLinks
  readonly reader: ArchiveReader
  readonly segments: SegmentReader
  readonly security: SecurityReader
  readonly securityWriter: SecurityWriter
  readonly auditor: Auditor
  /** What is withheld of patients; broken glass. */
  readonly restrictions: RestrictionReader
  readonly restrictionDesk: RestrictionDesk
  /** How far the trail was sent to a syslog server, and saying so. */
  readonly auditSent: AuditSent
  readonly auditSending: ReturnType<typeof createAuditSentWriter>
  readonly accounts: Accounts
  readonly tokens: Tokens
  readonly settings: SiteSettings
  readonly peers: Peers
  readonly maintenance: Maintenance
  /** Work that is under way behind the answers; read only. */
  readonly jobs: JobQueue
  /** Jobs that run on this thread. */
  readonly sharedJobs: SharedJobs
  /** Calls to other archives. */
  readonly exchange: Exchange
  readonly writer: WriterLifecycle
  close(): Promise<void>
}

/**
 * Opens the archive: starts the writer worker, which migrates and recovers, unless it was started already.
 * @throws ArchiveError 'archive.newer', 'storage.damaged', 'archive.failed'
 */
export async function openArchive(options: ArchiveOptions): Promise<Archive> {
  const { dataDirectory, config } = options
  const { worker, caller } = await (options.writer ?? startWriter({ dataDirectory, config }))
  let db: Database | undefined
  try {
    db = openDatabase(join(dataDirectory, 'diptych.db'), { readOnly: true })
    return assemble(options, db, worker, caller)
  } catch (error) {
    db?.close()
    await worker.terminate()
    throw error
  }

  function assemble({ dataDirectory }: ArchiveOptions, db: Database, worker: Worker, caller: Caller): Archive {
    const reader = createSqliteReader(db)
    const segments = openSegmentReader(join(dataDirectory, 'segments'))
    const security = sqliteSecurityReader(db)
    const securityWriter = caller.service<SecurityWriter>('security')
    const restrictions = createRestrictionStore(db)
    const auditor = new Auditor(securityWriter, {
      windowSeconds: config.audit.readWindowSeconds,
      watch: (subject, told) => loudness(restrictions, subject, told),
    })
    const writer = caller.service<WriterLifecycle>('lifecycle')
    const settings = new SiteSettings(security, securityWriter, settingChecks)
    const documents = createDocumentReader(db)
    const leaving = createLeavingReader(db)
    const leavingDesk = caller.service<LeavingDesk>('leaving')
    const onTheWay = openOnTheWay(db, { segments, settings, leaving, leavingDesk, documents, reader, dataDirectory })
    const counting = setInterval(() => {
      // Counts stay for the next try; the entries of who read are durable already.
      auditor
        .flush()
        .catch((error: unknown) => process.emitWarning(`audit counts could not be written: ${String(error)}`))
    }, 10_000).unref()
    return {
      dataDirectory,
      spoolDirectory: join(dataDirectory, 'spool'),
      config,
      intake: caller.service<Intake>('intake'),
      quarantine: caller.service<QuarantineDesk>('quarantine'),
      deletions: caller.service<Deletions>('deletions'),
      identity: caller.service<IdentityDesk>('identity'),
      ledger: createIdentityReader(db),
      imports: caller.service<ImportDesk>('imports'),
      placement: caller.service<PlacementDesk>('placement'),
      placementDecisions: createPlacementStore(db),
      surveys: caller.service<SurveyDesk>('surveys'),
      surveyReports: createSurveyStore(db),
      reconciliationOf: createStateReader(db, createIdentityReader(db), security),
      deliveries: createDeliveryStore(db),
      deliveryDesk: caller.service<DeliveryDesk>('deliveries'),
      messageDesk: caller.service<MessageDesk>('messages'),
      messages: createMessageReader(db, {
        read: (at) => segments.read(at),
        find: (sequence) => findJournalEntryIn(join(dataDirectory, 'segments'), sequence),
      }),
      documents,
      fhir: createFhirReader(db),
      fhirDerived: createFhirDerivedReader(db),
      fhirResources: createFhirResourceReader(db),
      documentDesk: caller.service<DocumentDesk>('documents'),
      leaving,
      leavingDesk,
      faceDesk: caller.service<FaceDesk>('faces'),
      onTheWay,
      captureLinks: new CaptureLinks(createCaptureLinkReader(db), caller.service<CaptureLinkWriter>('captureLinks')),
      reader,
      segments,
      security,
      securityWriter,
      auditor,
      restrictions,
      restrictionDesk: caller.service<RestrictionDesk>('restrictions'),
      auditSent: createAuditSent(db),
      auditSending: caller.service<Archive['auditSending']>('auditSending'),
      accounts: new Accounts(security, securityWriter, auditor, config.session),
      tokens: new Tokens(security, securityWriter, (patient) =>
        reader.patientIds(patient.id, patient.issuer ?? undefined),
      ),
      settings,
      peers: new Peers(security, securityWriter),
      maintenance: createMaintenance(dataDirectory, reader, segments),
      jobs: createSqliteJobQueue(db),
      sharedJobs: caller.service<SharedJobs>('sharedJobs'),
      exchange: createExchange(config, segments),
      writer,
      async close() {
        clearInterval(counting)
        await auditor.flush(true)
        await onTheWay.faces.close()
        segments.close()
        db.close() // before the writer's: the last one that may write puts the log back into the database
        await writer.close()
        await worker.terminate()
      },
    }
  }
}
