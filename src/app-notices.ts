/** Notices put together: made in the writer worker, sent from the main thread, where the sockets are. */
import { DeliverySender } from '#access/hl7v2/delivery-sender.ts'
import type { ErrorLog } from '#access/http-server-problem.ts'
import type { Config } from '#config.ts'
import type { Database } from '#index/sqlite/database.ts'
import { createDeliveryStore, createPendingNotices } from '#index/sqlite/delivery-store.ts'
import type { NoticePolicy } from '#model/delivery.ts'
import type { DocumentStore } from '#model/document-store.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { leavingBytes } from '#operations/leaving-documents.ts'
import { createNotices, type Notices, type NoticeTools } from '#operations/notices.ts'
import { auditEvent } from '#security/audit.ts'
import { createIssuers } from '#security/issuers.ts'
import type { AuditEvent, SecurityReader } from '#security/ports.ts'
import { settingIn } from '#security/site-settings.ts'
import type { Archive } from './app.ts'

/** What notices need of the worker they are made in. */
export interface NoticeSurroundings extends Pick<NoticeTools, 'journal' | 'commit' | 'exclusively'> {
  readonly db: Database
  readonly config: Config
  readonly documents: Pick<DocumentStore, 'document'>
  readonly security: Pick<SecurityReader, 'settings' | 'settingsVersion'>
  audit(events: readonly AuditEvent[]): void
}

export function openNotices(around: NoticeSurroundings): Notices {
  const { db, config, security, journal, commit, exclusively } = around
  const pending = createPendingNotices(db)
  const us = { application: config.hl7.application, facility: config.hl7.facility }
  const site = remembered(security, () => {
    const kept = security.settings()
    const issuers = createIssuers(settingIn(kept, 'identity.issuers'))
    const terms = { us, baseUrl: config.http.publicBaseUrl ?? null, issuer: (name: string) => issuers.entry(name) }
    return { policy: policyIn(security), terms }
  })
  const notices = createNotices({
    ...{ pending, journal, commit, exclusively, store: createDeliveryStore(db) },
    document: (objectId) => around.documents.document(objectId),
    originatorOf: (objectId) => pending.originatorOf(objectId),
    policy: () => site().policy,
    terms: () => site().terms,
    audit: ({ by, address }, detail) => {
      around.audit([auditEvent(by.slice(0, 200), { kind: 'decide', address: address ?? null, detail })])
    },
    onFault(error, what) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      process.stderr.write(`${JSON.stringify({ level: 50, time: Date.now(), msg: what, error: text })}\n`)
    },
  })
  notices.begin()
  return notices
}

/** Larger documents are told by a pointer whatever a destination takes. Bytes. */
const EMBED_MAX = 256 * 1024 * 1024

/** Sends what waits, until it is stopped. */
export function startNotices(archive: Archive, log: ErrorLog): { stop(): Promise<void> } {
  const { config, deliveries, deliveryDesk, documents, security } = archive
  const sender = new DeliverySender({
    ...{ deliveries, desk: deliveryDesk, hl7: config.hl7 },
    policy: remembered(security, () => policyIn(security)),
    async content(objectId) {
      const document = await documents.document(objectId, EVERYTHING)
      if (document === undefined) return undefined
      return leavingBytes(await archive.onTheWay.documents.of(document), EMBED_MAX)
    },
    report: (error, what) => log.error({ err: error }, what),
  })
  sender.start()
  return sender
}

function policyIn(security: Pick<SecurityReader, 'settings'>): NoticePolicy {
  return settingIn(security.settings(), 'notices.policy')
}

/** Read again only when a setting changed. */
function remembered<T>(security: Pick<SecurityReader, 'settingsVersion'>, read: () => T): () => T {
  let known: { readonly version: number; readonly value: T } | null = null
  return () => {
    const version = security.settingsVersion()
    if (known?.version !== version) known = { version, value: read() }
    return known.value
  }
}
