import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LedgerEntry } from '#model/identity.ts'
import { type Database, openDatabase } from './database.ts'
import { migrate } from './migrate.ts'
import { createSqliteWriter } from './writer.ts'

/** How many statements registering so many patients in one batch takes. */
function statementsFor(patients: number): number {
  const real = openDatabase(':memory:')
  migrate(real)
  let count = 0
  const db = new Proxy(real, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        if (name !== 'transaction') count += 1
        return Reflect.apply(value, target, args)
      }
    },
  }) as Database
  const { ledger } = createSqliteWriter(db)
  const entries = Array.from({ length: patients }, (_, i): LedgerEntry => {
    const demographics = { name: `DOE^J${i}`, birthDate: '19700101', sex: 'M' }
    return {
      id: `1.${i}`,
      time: '2026-11-24T00:00:00.000Z',
      cause: { by: 'HIS', rule: 'ADT^A28', reference: null, reason: null },
      decision: {
        do: 'register',
        patient: { issuer: 'HOSP', id: `P${i}` },
        demographics,
        visit: null,
        authority: 'adt',
      },
      undoneBy: null,
    }
  })
  real.transaction(() => ledger.apply(entries))
  assert.equal(real.get<{ n: number }>('select count(*) as n from patient')?.n, patients)
  real.close()
  return count
}

// A register hands over its patients in one file: twice as many must take twice as long, not four times.
test('a batch of registrations takes work in proportion to its length', () => {
  const [few, many] = [statementsFor(50), statementsFor(200)]
  assert.ok(many < few * 4.5, `${few} statements for 50, ${many} for 200`)
})
