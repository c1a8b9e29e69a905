import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { SqliteAuditReader } from './audit-store.ts'
import { openDatabase } from './database.ts'
import { createSqliteJobQueue } from './job-queue.ts'
import { createIdentityReader } from './ledger-reader.ts'
import { createMessageReader } from './message-store.ts'
import { migrate } from './migrate.ts'
import { createQuarantineStore } from './quarantine-store.ts'
import { createSqliteReader } from './reader.ts'

const malformed = (error: unknown) => error instanceof ArchiveError && error.code === 'request.malformed'

// A made-up cursor that began anew, or ended the list, would be taken for an answer.
test('no list goes on behind a cursor that it did not give', async () => {
  const db = openDatabase(':memory:')
  migrate(db)
  const reader = createSqliteReader(db)
  const ledger = createIdentityReader(db)
  const messages = createMessageReader(db, { read: async () => undefined, find: async () => undefined })
  const lists: { readonly [name: string]: (page: { limit: number; cursor: string }) => unknown } = {
    jobs: createSqliteJobQueue(db).list,
    quarantine: createQuarantineStore(db).list,
    arrivals: (page) => reader.arrivals(page),
    patients: (page) => reader.patients(page, EVERYTHING),
    'patients by name': (page) => reader.patients({ ...page, name: 'doe' }, EVERYTHING),
    messages: messages.messages,
    orders: ledger.orders,
    ledger: ledger.entries,
    'import worklist': ledger.importItems,
    audit: (page) => new SqliteAuditReader(db).entries(page),
  }
  for (const [name, list] of Object.entries(lists)) {
    for (const cursor of ['x', '5', '-1', '1.0', 'WyIiLDFd', 'bm90IG91cnM']) {
      await assert.rejects(async () => list({ limit: 1, cursor }), malformed, `${name}: ${cursor}`)
    }
  }
  db.close()
})
