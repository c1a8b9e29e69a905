/** Serves an opened archive over HTTP: every route of every door, in one place. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deliveryRoutes } from '#access/desk/delivery-routes.ts'
import { deskRoutes } from '#access/desk/desk-routes.ts'
import { messageRoutes } from '#access/desk/message-routes.ts'
import { originalRoute } from '#access/desk/original-route.ts'
import { patientRoutes } from '#access/desk/patient-routes.ts'
import { placementRoutes } from '#access/desk/placement-routes.ts'
import { restrictionRoutes } from '#access/desk/restriction-routes.ts'
import type { JobList } from '#access/desk/services.ts'
import { surveyRoutes } from '#access/desk/survey-routes.ts'
import { worklistRoutes } from '#access/desk/worklist-routes.ts'
import { retrieveRoutes } from '#access/dicomweb/retrieve-routes.ts'
import { searchRoutes } from '#access/dicomweb/search.ts'
import { type HealthReason, healthRoutes } from '#access/health.ts'
import { createMetrics } from '#access/health-metrics.ts'
import { type HttpServer, startHttp } from '#access/http-server.ts'
import type { ErrorLog } from '#access/http-server-problem.ts'
import { apiIndexRoute, openApiRoute } from '#access/openapi.ts'
import { demoRoute } from '#access/page/demo-route.ts'
import { pageRoutes } from '#access/page/page-routes.ts'
import { RenderPool } from '#access/rendering/render-pool.ts'
import { storeRoutes } from '#arrival/stow.ts'
import { uploadRoutes } from '#arrival/web-upload.ts'
import { Uploads } from '#arrival/web-upload-store.ts'
import { ArchiveError } from '#errors.ts'
import type { JobQueue } from '#model/job-queue.ts'
import type { Route } from '#model/route.ts'
import { overlayChanges } from '#operations/overlay-changes.ts'
import { PatientDesk } from '#operations/patient-desk.ts'
import { authenticator } from '#security/authenticate.ts'
import { withholding } from '#security/restrictions.ts'
import { startSpoolThread } from '#storage/spool-sink.ts'
import type { Archive } from './app.ts'
import { documentImport, serveDocuments } from './app-document-routes.ts'
import { openFhir } from './app-fhir.ts'
import { hl7Limits } from './app-hl7.ts'
import { startNotices } from './app-notices.ts'
import { reserveBytes } from './app-start.ts'
import { syslogReasons } from './app-syslog.ts'

/** How long after the start the spool thread is started, in milliseconds. */
const SPOOL_THREAD_MS = 500

export interface ServeOptions {
  /** `--open`: loopback only, no login. */
  readonly open: boolean
  readonly log: ErrorLog
}

/** A served archive: the server, and how it ends. */
export interface Served {
  readonly http: HttpServer
  /** Drains within `drainMs`, then closes what is left. The archive itself stays open. */
  close(drainMs?: number): Promise<void>
}

/** The version in package.json. */
export function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'))
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) return String(manifest.version)
  throw new TypeError('package.json names no version')
}

/**
 * Serves the archive.
 * @throws ArchiveError 'configuration.invalid' for a port that is taken or an address that is not safe
 */
export async function serve(archive: Archive, { open, log }: ServeOptions): Promise<Served> {
  const { config, intake, reader, segments, quarantine, deletions, security, spoolDirectory } = archive
  const metrics = createMetrics()
  const uploads = await Uploads.open({
    directory: join(archive.dataDirectory, 'uploads'),
    spool: { directory: spoolDirectory, bytesMax: config.limits.objectSize },
    intake,
    documents: documentImport(archive),
    imports: archive.imports,
    messages: { desk: archive.messageDesk, limits: hl7Limits(config) },
    badZip: () => archive.settings.get('media.badZip'),
    studyOf: async (uid) => (await reader.find(uid, { sees: 'all' }))?.studyInstanceUID,
    limits: config.limits,
    onFault: (error, uploadId) => log.error({ err: error, uploadId }, 'an upload could not be imported'),
  })
  const rendering = new RenderPool()
  const routes: Route[] = [
    ...healthRoutes({ openJobs: async () => archive.jobs.openJobs(), reasons: () => healthReasons(archive) }, metrics),
    ...pageRoutes(),
    ...deskRoutes({
      version: version(),
      archive: reader,
      documents: archive.documents,
      overlayChanges: (instance, visibility) => overlayChanges(reader, archive.ledger, instance, visibility),
      quarantine,
      jobs: jobList(archive.jobs),
      accounts: archive.accounts,
      tokens: archive.tokens,
      settings: archive.settings,
      peers: archive.peers,
      auditTrail: security,
      imports: archive.imports,
      reconciliationOf: archive.reconciliationOf,
      holdingsOf: (objectId) => archive.deliveries.holdings({ objectId, limit: 100 }),
      placementOf: (objectId) => archive.placementDecisions.ofObject(objectId),
      pageMax: config.limits.queryResults,
    }),
    originalRoute({ archive: reader, segments }),
    ...patientRoutes({
      patients: new PatientDesk({ reader, ledger: archive.ledger, desk: archive.identity }),
      pageMax: config.limits.queryResults,
    }),
    ...worklistRoutes({ ledger: archive.ledger, reader }, config.limits.queryResults),
    ...placementRoutes({
      placement: archive.placement,
      decisions: archive.placementDecisions,
      settings: archive.settings,
      pageMax: config.limits.queryResults,
    }),
    ...restrictionRoutes({
      restrictions: archive.restrictions,
      desk: archive.restrictionDesk,
      pageMax: config.limits.queryResults,
    }),
    ...surveyRoutes({
      surveys: archive.surveys,
      reports: archive.surveyReports,
      pageMax: config.limits.queryResults,
    }),
    ...messageRoutes(archive.messages, config.limits.queryResults),
    ...deliveryRoutes({
      ...{ deliveries: archive.deliveries, desk: archive.deliveryDesk, pageMax: config.limits.queryResults },
    }),
    ...serveDocuments(archive),
    ...uploadRoutes(uploads),
    demoRoute(intake),
    ...searchRoutes(reader),
    ...retrieveRoutes({
      reader,
      segments,
      deletions,
      faces: archive.onTheWay.faces,
      deletionGraceDays: () => archive.settings.get('deletion.graceDays'),
      rendering,
      damaged: (damage) => log.error(damage, 'stored bytes are not what was kept'),
    }),
    ...(storeRoutes({
      intake,
      spoolDirectory,
      spool: { bytesMax: config.limits.objectSize, reserveBytes: reserveBytes(config, archive.dataDirectory) },
      report: (error) => log.error({ err: error }, 'an instance could not be taken in'),
    }) as Route[]),
  ]
  const fhir = openFhir(archive, version(), log)
  routes.push(
    ...fhir.routes,
    apiIndexRoute(() => routes, version()),
    openApiRoute(() => routes, version()),
  )
  const http = await startHttp({
    config,
    routes,
    authenticate: withholding(
      authenticator(archive.accounts, archive.tokens, archive.auditor, open),
      archive.restrictions,
    ),
    auditor: archive.auditor,
    open,
    authenticationReady: security.hasCredentials(),
    log,
    metrics,
    tellers: [fhir.teller],
  })
  // Behind the first answers, so that it delays none of them.
  setTimeout(startSpoolThread, SPOOL_THREAD_MS).unref()
  const notices = startNotices(archive, log)
  return {
    http,
    async close(drainMs) {
      await http.close(drainMs)
      await notices.stop()
      await uploads.close()
      await rendering.close()
    },
  }
}

/** Jobs as the pages' API shows them. */
function jobList(queue: JobQueue): JobList {
  const states = { waiting: 'open', leased: 'running', done: 'done', parked: 'parked' } as const
  const asked = { open: 'open', running: 'leased', done: 'done', parked: 'parked' } as const
  return {
    async list({ state, limit, cursor }) {
      const wanted = state === undefined ? undefined : asked[state as keyof typeof asked]
      if (state !== undefined && wanted === undefined) {
        throw new ArchiveError('request.malformed', `state is open, running, done or parked, not ${state}`)
      }
      const { items, next } = queue.list({
        limit,
        ...(wanted === undefined ? {} : { state: wanted }),
        ...(cursor === undefined ? {} : { cursor }),
      })
      const view = items.map((job) => ({
        id: String(job.id),
        kind: job.kind,
        state: states[job.state],
        attempts: job.attempts,
        createdAt: job.created,
        updatedAt: job.finished ?? job.created,
        error: job.error,
      }))
      return { items: view, next }
    },
  }
}

async function healthReasons(archive: Archive): Promise<HealthReason[]> {
  const { readOnly, scanner, recovery } = await archive.writer.status()
  const reasons: HealthReason[] = syslogReasons(archive)
  if (readOnly && recovery.missing === 0) {
    reasons.push({ code: 'storage-read-only', detail: 'a flush failed: nothing more is written', blocking: false })
  }
  if (scanner === 'unreachable') {
    reasons.push({ code: 'scanner-unreachable', detail: 'what arrives is held as pending', blocking: false })
  }
  if (recovery.missing > 0) {
    reasons.push({
      code: 'storage-missing',
      detail: `${recovery.missing} segments are missing or cut short: nothing is stored until they are back. verify says what they hold`,
      blocking: true,
    })
  }
  return reasons
}
