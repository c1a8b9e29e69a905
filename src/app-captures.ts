/** Capture links inside the writer worker: each change is one transaction with its audit entry. */
import { createCaptureLinkWrites } from '#index/sqlite/capture-link-store.ts'
import type { Database } from '#index/sqlite/database.ts'
import type { CaptureLinkWriter } from '#model/capture-link.ts'
import { auditEvent } from '#security/audit.ts'
import type { AuditEvent } from '#security/ports.ts'

export function createCaptureLinkDesk(db: Database, audit: (events: readonly AuditEvent[]) => void): CaptureLinkWriter {
  const links = createCaptureLinkWrites(db)
  return {
    create: async (link, { by, address }) =>
      db.transaction(() => {
        links.create(link)
        audit([auditEvent(by, { kind: 'token', address, detail: `capture link ${link.id} for ${link.usesMax} files` })])
      }),
    revoke: async (id, { by, address }) =>
      db.transaction(() => {
        const revoked = links.revoke(id, new Date().toISOString(), by)
        if (revoked) audit([auditEvent(by, { kind: 'token', address, detail: `capture link ${id} revoked` })])
        return revoked
      }),
    take: async (id, now) => db.transaction(() => links.take(id, now)),
    giveBack: async (id) => db.transaction(() => links.giveBack(id)),
  }
}
