import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import { openDatabase } from './database.ts'
import { createSqliteJobQueue } from './job-queue.ts'
import { migrate } from './migrate.ts'
import { createQuarantineStore } from './quarantine-store.ts'

const malformed = (error: unknown) => error instanceof ArchiveError && error.code === 'request.malformed'

// A made-up cursor that began anew, or ended the list, would be taken for an answer.
test('lists go on behind a cursor they gave, and with no other', () => {
  const db = openDatabase(':memory:')
  migrate(db)
  const lists = [createSqliteJobQueue(db), createQuarantineStore(db)]
  for (const { list } of lists) {
    assert.equal(list({ limit: 1, cursor: '5' }).items.length, 0)
    for (const cursor of ['x', '-1', '1e3', '1 or 1', '9'.repeat(16)]) {
      assert.throws(() => list({ limit: 1, cursor }), malformed, cursor)
    }
  }
  db.close()
})
