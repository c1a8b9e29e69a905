import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from './database.ts'
import { migrate } from './migrate.ts'
import { SqliteOriginatorReader } from './originator-store.ts'

// A register written by the version before knows no coercion: reading it must not make every later use fail.
test('an originator that an older version wrote has the defaults of what came later', () => {
  const db = openDatabase(':memory:')
  migrate(db)
  db.run(
    'insert into originator (name, value, by, time) values (?, ?, ?, ?)',
    'acme',
    JSON.stringify({ name: 'acme', rules: { P8: 'keep' } }),
    'ada',
    '2026-11-24T00:00:00.000Z',
  )
  const reader = new SqliteOriginatorReader(db)
  const expected = { defaults: [], map: [], privateElements: 'keep' }
  assert.deepEqual(reader.originator('acme')?.coercion, expected)
  assert.deepEqual(reader.originators()[0]?.coercion, expected)
  assert.deepEqual(reader.originator('acme')?.hl7Senders, [])
  assert.deepEqual(reader.originator('acme')?.rules, { P8: 'keep' })
  db.close()
})
