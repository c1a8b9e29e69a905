import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RestrictionKind } from '#model/restriction.ts'
import { withholdingFrom } from '#security/restrictions.ts'
import { openDatabase } from './database.ts'
import { migrate } from './migrate.ts'
import { createRestrictionStore } from './restriction-store.ts'
import { notWithheld } from './visible.ts'

/** Three patients: 1, 2 folded into 1, and 3. */
function site() {
  const db = openDatabase(':memory:')
  migrate(db)
  const columns = db.all<{ name: string; notnull: number; dflt_value: unknown; type: string }>(
    'pragma table_info(patient)',
  )
  const needed = columns
    .filter(({ notnull, dflt_value }) => notnull === 1 && dflt_value === null)
    .map(({ name }) => name)
  const insert = (values: { readonly [column: string]: string | number | null }) => {
    const row = { ...Object.fromEntries(needed.map((name) => [name, ''])), ...values }
    const names = Object.keys(row)
    db.run(`insert into patient (${names.join()}) values (${names.map(() => '?').join()})`, ...Object.values(row))
  }
  insert({ key: 1, id: 'p1', issuer: 'I', identifier: '1', survivor: null })
  insert({ key: 2, id: 'p2', issuer: 'I', identifier: '2', survivor: 1 })
  insert({ key: 3, id: 'p3', issuer: 'I', identifier: '3', survivor: null })
  const store = createRestrictionStore(db)
  let next = 0
  const put = (patientId: string, kind: RestrictionKind, until: string | null = null) => {
    next += 1
    const id = String(next)
    store.put({ id, patientId, kind, reason: 'r', by: 'ann', time: '2026-01-01T00:00:00.000Z', until, ended: null })
    return id
  }
  const seen = (role: 'reader' | 'clinician', name = 'clara', now = new Date()) => {
    const withholding = withholdingFrom(store, { name, role }, now)
    const { sql, params } =
      withholding === undefined ? { sql: '1', params: [] } : notWithheld(withholding, 'patient.key')
    return db.all<{ key: number }>(`select key from patient where ${sql} order by key`, ...params).map(({ key }) => key)
  }
  return { db, store, put, seen }
}

const NOBODY = '2026-06-01T00:00:00.000Z'
const rows: readonly (readonly [name: string, RestrictionKind, reader: number[], clinician: number[]])[] = [
  ['restricted', 'restricted', [3], [1, 2, 3]],
  ['very restricted', 'very-restricted', [3], [3]],
  ['no consent', 'consent-denied', [3], [3]],
  ['watched', 'vip', [1, 2, 3], [1, 2, 3]],
]
// A number that was folded into the person is the person: it must not stay visible under its old row.
for (const [name, kind, reader, clinician] of rows) {
  for (const patient of ['p1', 'p2']) {
    test(`${name}, said of ${patient === 'p1' ? 'the person' : 'a number that was merged'}`, () => {
      const { put, seen } = site()
      put(patient, kind)
      assert.deepEqual(seen('reader'), reader)
      assert.deepEqual(seen('clinician'), clinician)
    })
  }
}

test('what ended, by a person or by itself, withholds nothing', () => {
  const { store, put, seen } = site()
  const id = put('p1', 'very-restricted')
  put('p3', 'very-restricted', new Date(Date.now() - 1).toISOString())
  assert.deepEqual(seen('reader'), [3])
  store.end(id, { by: 'ann', time: NOBODY, reason: 'x' })
  assert.deepEqual(seen('reader'), [1, 2, 3])
  assert.equal(store.restriction(id)?.ended?.by, 'ann')
})

test('broken glass opens one patient, to whoever broke it, until it is over', () => {
  const { store, put, seen } = site()
  put('p1', 'very-restricted')
  put('p3', 'very-restricted')
  const until = new Date(Date.now() + 60_000).toISOString()
  const glass = store.breakGlass({ who: 'clara', patientId: 'p2', reason: 'r', time: NOBODY, until, address: null })
  assert.deepEqual(seen('clinician'), [1, 2], 'under whatever number')
  assert.deepEqual(seen('clinician', 'dora'), [])
  assert.deepEqual(seen('reader'), [], 'a role that does not treat breaks nothing')
  assert.deepEqual(seen('clinician', 'clara', new Date(Date.now() + 120_000)), [])
  store.closeGlass(glass.id, NOBODY)
  assert.deepEqual(seen('clinician'), [])
})

test('while nothing is restricted nothing is asked', () => {
  const { store, put } = site()
  assert.equal(withholdingFrom(store, { name: 'clara', role: 'reader' }), undefined)
  put('p1', 'vip')
  assert.deepEqual(withholdingFrom(store, { name: 'clara', role: 'clinician' }), { upTo: 'R', except: [] })
  assert.deepEqual(store.concerns({ patientId: 'p2' }, []), { watched: true, among: false })
  assert.deepEqual(store.concerns({ patientId: 'p3' }, ['p3']), { watched: false, among: true })
})
