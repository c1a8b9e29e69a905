/** The writer worker: owns the segments, the write connection, the quarantine; runs the walk. The app's other half. */
import { hash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type MessagePort, parentPort } from 'node:worker_threads'
import type { Config } from '#config.ts'
import { ArchiveError } from '#errors.ts'
import { createArrivedStudies } from '#index/sqlite/arrived-study.ts'
import { createAuditSentWriter } from '#index/sqlite/audit-sent.ts'
import { openDatabase } from '#index/sqlite/database.ts'
import { createSqliteJobQueue } from '#index/sqlite/job-queue.ts'
import { createJournalNumbers, createKeptObjects } from '#index/sqlite/kept-objects.ts'
import { createIdentityReader } from '#index/sqlite/ledger-reader.ts'
import { createMessageStore } from '#index/sqlite/message-store.ts'
import { migrate } from '#index/sqlite/migrate.ts'
import { createQuarantineStore } from '#index/sqlite/quarantine-store.ts'
import { createSqliteReader } from '#index/sqlite/reader.ts'
import { createRenderedMetadata } from '#index/sqlite/rendered-metadata.ts'
import { createRestrictionStore } from '#index/sqlite/restriction-store.ts'
import { sqliteSecurityReader, sqliteSecurityWriter } from '#index/sqlite/security-store.ts'
import { createStaleStudies } from '#index/sqlite/stale-studies.ts'
import { createSqliteWriter } from '#index/sqlite/writer.ts'
import { startJobRunner } from '#jobs/job-runner.ts'
import { createSharedJobs } from '#jobs/shared-jobs.ts'
import type { ArrivedBytes, OpenArrival, Provenance } from '#model/arrival.ts'
import type { LedgerDecision } from '#model/identity.ts'
import type { ScreeningPolicy } from '#model/settings.ts'
import { compact } from '#operations/compaction.ts'
import { createDeletions } from '#operations/deletion.ts'
import { createIdentityDesk, createTurns } from '#operations/identity-desk.ts'
import { collectOrphans } from '#operations/orphans.ts'
import { isOwnCopy } from '#operations/own-copy.ts'
import { PERFORMED_STEP_JOB, performedStepHandler } from '#operations/performed-step.ts'
import { createRendering } from '#operations/render-metadata.ts'
import { createRestrictionDesk } from '#operations/restriction-desk.ts'
import { createStudyJoins } from '#operations/study-join.ts'
import { createDesk } from '#quarantine/desk.ts'
import { nextRescan, RESCAN_JOB } from '#quarantine/rescan.ts'
import { openVault } from '#quarantine/vault.ts'
import { createInspector } from '#screening/document-inspector.ts'
import { rememberClean } from '#screening/scan.ts'
import { createClamd } from '#screening/scanner/clamd.ts'
import { screen } from '#screening/screen.ts'
import { auditEvent } from '#security/audit.ts'
import { originatorOf, screeningPolicyFor } from '#security/originators.ts'
import type { AuditEvent } from '#security/ports.ts'
import { settingIn } from '#security/site-settings.ts'
import { entryNames } from '#storage/entry-names.ts'
import { openFileSegments } from '#storage/file-segments.ts'
import { openSegmentSource } from '#storage/file-source.ts'
import { openJournal } from '#storage/journal.ts'
import { openKeyRing } from '#storage/key-ring.ts'
import { clearSpool, openSpooled } from '#storage/spool.ts'
import type { WriterStatus } from './app.ts'
import { createCaptureLinkDesk } from './app-captures.ts'
import { createDocuments } from './app-documents.ts'
import { openMessageDesk, siteTerms } from './app-hl7.ts'
import { createLeaving } from './app-leaving.ts'
import { dicomLimits } from './app-limits.ts'
import { createPlacing } from './app-placement.ts'
import { createReconciliation } from './app-reconciliation.ts'
import { reserveBytes } from './app-start.ts'
import { createWords } from './app-words.ts'
import { createCommitLane, type LaneAudit } from './intake/commit-lane.ts'
import { createWalk, type Terms } from './intake.ts'
import { type RemoteService, serveRemote } from './remote.ts'

/** What the main thread tells the worker first. */
export interface WriterOptions {
  readonly dataDirectory: string
  readonly config: Config
}

async function start({ dataDirectory, config }: WriterOptions): Promise<{ readonly [name: string]: RemoteService }> {
  const folder = (name: string) => join(dataDirectory, name)
  const db = openDatabase(folder('diptych.db'))
  migrate(db)
  const writer = createSqliteWriter(db)
  const segments = openFileSegments(folder('segments'), {
    reserveBytes: reserveBytes(config, dataDirectory),
    alarm: (error) => logFault('the store became read-only', error),
  })
  const recovery = await segments.recover(writer.flushed(), writer.promised())
  clearSpool(folder('spool'))

  const security = sqliteSecurityReader(db)
  const securityWriter = sqliteSecurityWriter(db, hostname())
  const held = createQuarantineStore(db)
  const vault = openVault(folder('quarantine'), openKeyRing(folder('keys/key')))
  const journal = openJournal(segments, createJournalNumbers(db))
  const scanner = config.screening.clamd === undefined ? null : createClamd(config.screening.clamd)

  const limits = dicomLimits(config.limits)
  const clean = rememberClean()
  const inspector = createInspector()

  const reader = createSqliteReader(db)
  const lane = createCommitLane({
    segments,
    writer,
    transaction: (fn) => db.transaction(fn),
    registerHeld(row) {
      if (row.scan.status === 'pending') jobs.enqueue(nextRescan(Date.now()), Date.now())
      return held.hold(row)
    },
    audit: (entries) => {
      if (entries.length > 0) securityWriter.appendAudit(entries.flatMap(storeEvents))
    },
    stored: (instances, newStudies) => {
      reconciliation.stored(instances, newStudies)
      placing.stored(instances)
      words.stored(instances)
      rendering.follow()
    },
    isOwnCopy: (returned) => isOwnCopy({ reader, segments }, returned),
    entryNames,
  })

  /** Policies are read again only when a setting or an originator changed. */
  let terms = siteTerms(security, -1)
  function termsFor(provenance: Provenance): Terms {
    const version = security.settingsVersion()
    if (version !== terms.version) terms = siteTerms(security, version)
    const originator = originatorOf(terms.originators, {
      named: provenance.originator,
      account: provenance.user,
      address: provenance.address,
      aeTitle: provenance.door === 'dimse' ? provenance.peer : null,
    })
    const today = provenance.time.slice(0, 10)
    return {
      policy: screeningPolicyFor(terms.settings, provenance.door, originator, today),
      originator: originator ?? null,
      siteZone: settingIn(terms.settings, 'site.timeZone'),
      issuers: terms.issuers,
    }
  }

  const judge = (arrival: OpenArrival, policy: ScreeningPolicy) =>
    screen(arrival, policy, { scanner, limits, clean, inspector })
  const dropSpool = async (path: string) => {
    await rm(path, { force: true })
    await rm(`${path}.kept`, { force: true })
  }
  const walk = createWalk({
    termsFor,
    screen: judge,
    open: openSpooled,
    digest: (bytes: ArrivedBytes) => bytes.sha256 ?? (bytes.in === 'memory' ? hash('sha256', bytes.bytes, 'hex') : ''),
    seal: (sha256, source) => vault.seal(sha256, source),
    wasReleased: (sha256) => held.wasReleased(sha256),
    dropSpool,
    join: (joining) => joins.join(joining),
    lane,
    onFault: (error, provenance) => logFault(`walk failed at door ${provenance.door}, object held`, error),
  })

  /** What a decision changes, with the flushed position of the journal entry that says so. */
  const commit = (fn: () => void) =>
    db.transaction(() => {
      fn()
      rendering.follow()
      writer.commit({ instances: [], arrivals: [], flushed: segments.flushed() })
    })

  const exclusively = createTurns()
  const documents = createDocuments({
    ...{ db, config, journal, held, security, segments, commit, exclusively, termsFor, dropSpool, walk, screen: judge },
    seal: (sha256, source) => vault.seal(sha256, source),
    audit: (events) => securityWriter.appendAudit(events),
    changed: (objectIds) => {
      placing.documents(objectIds)
      words.documents(objectIds)
      leaving.documents(objectIds)
    },
  })

  const quarantine = createDesk({
    store: held,
    vault,
    journal,
    spoolDirectory: folder('spool'),
    restore: (arrival, how, released) => documents.walk.restore(arrival, how, released),
    joins: (item) => joins.of(item),
    retentionDays: () => settingIn(security.settings(), 'quarantine.retentionDays'),
    walk: documents.walk,
    commit,
    audit: (item, decision) => {
      const detail = `quarantine ${item.id}: ${decision.action}: ${decision.reason}`
      securityWriter.appendAudit([auditEvent(decision.by, { kind: 'decide', detail })])
    },
  })

  const deletions = createDeletions({
    writer,
    reader: createSqliteReader(db),
    journal,
    commit,
    deleted: (study) => reconciliation.deleted(study),
  })

  const identity = createIdentityDesk({
    exclusively,
    ledger: writer.ledger,
    journal,
    commit,
    audit: ({ cause, address, ...told }) =>
      securityWriter.appendAudit([auditEvent(cause.by, { kind: 'decide', address, ...told })]),
    applied: (entries) => follow(entries.map(({ decision }) => decision)),
  })

  const joins = createStudyJoins({
    ledger: createIdentityReader(db),
    desk: identity,
    study: createArrivedStudies(db),
    studyPatient: (uid) => writer.studyPatient(uid),
  })

  const jobs = createSqliteJobQueue(db)
  const messageStore = createMessageStore(db)
  const rendering = createRendering({
    store: createRenderedMetadata(db),
    stale: createStaleStudies(db),
    jobs,
    commit,
    wake: () => setImmediate(() => runner.wake()),
  })
  const reconciliation = createReconciliation({
    db,
    ledger: createIdentityReader(db),
    writer: writer.ledger,
    desk: identity,
    journal,
    security,
    jobs,
    commit,
    audit: (events) => securityWriter.appendAudit(events),
    wake: () => setImmediate(() => runner.wake()),
  })
  const placing = createPlacing({
    ...{ db, journal, jobs, security, deletions, commit, exclusively, intake: walk },
    ...{ documents: documents.desk, store: documents.store },
    open: (at) => openSegmentSource(folder('segments'), at),
    audit: (events) => securityWriter.appendAudit(events),
    wake: () => setImmediate(() => runner.wake()),
  })
  const words = createWords({
    ...{ db, jobs, commit, desk: documents.desk, document: (id) => documents.store.document(id) },
    open: (at) => openSegmentSource(folder('segments'), at),
    wake: () => setImmediate(() => runner.wake()),
  })
  words.begin()
  const leaving = createLeaving({
    ...{ db, jobs, security, commit, documents: documents.desk, intake: walk },
    document: (id) => documents.store.document(id),
    open: (at) => openSegmentSource(folder('segments'), at),
    audit: (events) => securityWriter.appendAudit(events),
    wake: () => setImmediate(() => runner.wake()),
  })
  const follow = (decisions: readonly LedgerDecision[]) => reconciliation.follow(decisions)
  jobs.endLeases(Date.now())
  const runner = startJobRunner(jobs, {
    worker: `${hostname()}:${process.pid}`,
    elsewhere: ['commitment'],
    handlers: {
      'purge-originals': async () => {
        await quarantine.purge()
        return undefined
      },
      [RESCAN_JOB]: async (_job, signal) => {
        const pending = await quarantine.rescan(signal)
        return pending ? () => void jobs.enqueue(nextRescan(Date.now()), Date.now()) : undefined
      },
      compact: async (_job, signal) => {
        const kept = createKeptObjects(db)
        await compact({ segments, kept, writer, commit, decisionsMoved: messageStore.moved, signal })
        await collectOrphans({ segments, kept, onRemove: (name) => commit(() => writer.retire(name)), signal })
        return undefined
      },
      [PERFORMED_STEP_JOB]: performedStepHandler({ reader: createSqliteReader(db), ledger: createIdentityReader(db) }),
      ...reconciliation.handlers,
      ...placing.handlers,
      ...words.handlers,
      ...leaving.handlers,
      ...rendering.handlers,
    },
    onFailure: (job, error) => logFault(`job ${job.kind} failed`, error),
  })
  const messages = openMessageDesk({
    config,
    store: messageStore,
    ledger: writer.ledger,
    reports: documents.reports,
    identities: createIdentityReader(db),
    journal,
    commit,
    exclusively,
    security,
    wake: follow,
    audit: (events) => void securityWriter.appendAudit(events),
    onFault: (error, what) => logFault(what, error),
  })
  const housekeeping = () => {
    const now = Date.now()
    jobs.enqueue({ kind: 'purge-originals', subject: 'all' }, now)
    if (writer.purgeable(new Date(now).toISOString(), 1).length > 0)
      jobs.enqueue({ kind: 'compact', subject: 'all' }, now)
    jobs.prune(new Date(now - JOBS_KEPT_MS).toISOString())
    runner.wake()
  }
  const clock = setInterval(housekeeping, HOUSEKEEPING_MS)

  const lifecycle = {
    async status(): Promise<WriterStatus> {
      const { missing, dropped, unlisted } = recovery
      return {
        readOnly: segments.isReadOnly,
        scanner: scanner === null ? 'none' : (await scanner.identity()) === null ? 'unreachable' : 'reachable',
        recovery: { missing: missing.length, dropped: dropped.length, unlisted: unlisted.length },
        held: held.count().held,
      }
    },
    async close(): Promise<void> {
      clearInterval(clock)
      await runner.stop()
      await lane.idle()
      await inspector.close()
      await scanner?.close()
      await segments.close()
      db.close()
    },
  }

  return {
    intake: walk,
    quarantine,
    deletions,
    identity,
    documents: documents.desk,
    captureLinks: createCaptureLinkDesk(db, (events) => securityWriter.appendAudit(events)),
    leaving: leaving.desk,
    faces: leaving.faces,
    imports: reconciliation.imports,
    placement: placing.desk,
    surveys: placing.surveys,
    messages,
    deliveries: documents.deliveries,
    security: securityWriter,
    auditSending: createAuditSentWriter(db),
    restrictions: createRestrictionDesk({
      ...{ book: createRestrictionStore(db), journal, commit, exclusively },
      audit: (events) => securityWriter.appendAudit(events),
    }),
    lifecycle,
    sharedJobs: createSharedJobs(jobs),
  }
}

/** How often housekeeping is looked for, and how long finished jobs are listed. */
const HOUSEKEEPING_MS = 3600_000
const JOBS_KEPT_MS = 7 * 24 * 3600_000

function logFault(what: string, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(`${JSON.stringify({ level: 50, time: Date.now(), msg: what, error: text })}\n`)
}

/** What a group of arrivals leaves in the audit trail: that it came, and a Security Alert for a whole attack. */
function storeEvents(entry: LaneAudit): AuditEvent[] {
  const about = { address: entry.address, studyInstanceUID: entry.studyInstanceUID, count: entry.count }
  const who = entry.user ?? 'anonymous'
  const outcome = entry.outcome === 'stored' ? 'success' : 'denied'
  const stored = auditEvent(who, { ...about, kind: 'store', outcome, detail: entry.outcome })
  if (entry.alerts === null) return [stored]
  return [stored, auditEvent(who, { ...about, kind: 'alert', outcome, detail: entry.alerts })]
}

async function begin(line: MessagePort, options: WriterOptions): Promise<void> {
  try {
    serveRemote(line, await start(options))
    line.postMessage({ ready: true })
  } catch (error) {
    const code = error instanceof ArchiveError ? error.code : 'archive.failed'
    const message =
      error instanceof Error
        ? error instanceof ArchiveError
          ? error.message
          : (error.stack ?? error.message)
        : String(error)
    line.postMessage({ failed: { code, message } })
  }
}

const line = parentPort
if (line === null) throw new TypeError('app-writer.ts runs as a worker')
// Loaded before anything is known of the archive; what comes first says where it is.
line.once('message', (options: WriterOptions) => void begin(line, options))
