import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { auditEvent } from '#security/audit.ts'
import { verifyAudit } from '#security/audit-chain.ts'
import { checkPeer } from '#security/peers.ts'
import {
  type AccountRecord,
  SECURITY_WRITES,
  type SynchronousSecurityWriter,
  type TokenRecord,
} from '#security/ports.ts'
import { checkOriginator } from '#security/site-settings.ts'
import { type Database, openDatabase } from './database.ts'
import { migrate } from './migrate.ts'
import { security } from './migrations/002-security.ts'
import { peers } from './migrations/005-peers.ts'
import { sqliteSecurityReader, sqliteSecurityWriter } from './security-store.ts'

const TIME = '2026-11-24T10:00:00.000Z'
const event = auditEvent('ada', { kind: 'account' }, Date.parse(TIME))
const hash = (letter: string) => Buffer.alloc(32, letter)

const account = (name: string): AccountRecord => ({
  name,
  displayName: name,
  role: 'administrator',
  passwordHash: '$argon2id$',
  createdAt: TIME,
  createdBy: 'set-up',
  passwordChangedAt: TIME,
  disabledAt: null,
})

const token = (id: string): TokenRecord => ({
  id,
  secretHash: hash('t'),
  name: '',
  role: 'reader',
  scopes: ['patient/*.rs'],
  patients: [{ id: '1', issuer: null }],
  createdAt: TIME,
  createdBy: 'ada',
  expiresAt: null,
  revokedAt: null,
})

const peer = (aeTitle: string) => checkPeer({ aeTitle, addresses: ['10.0.0.1'] })

const session = { tokenHash: hash('s'), account: 'ada', createdAt: 1, seenAt: 1, expiresAt: 2, address: null }

/** One call of every write, on an archive that `prepare` has set up. */
const writes: { readonly [Method in keyof SynchronousSecurityWriter]: (writer: SynchronousSecurityWriter) => unknown } =
  {
    beginSetup: (writer) => writer.beginSetup(hash('n'), TIME),
    completeSetup: (writer) => writer.completeSetup(hash('u'), account('eve'), event),
    createAccount: (writer) => writer.createAccount(account('bob'), event),
    changeAccount: (writer) => writer.changeAccount('ada', { passwordHash: 'new' }, event),
    openSession: (writer) => writer.openSession({ ...session, tokenHash: hash('o'), createdAt: 0 }, event),
    touchSession: (writer) => writer.touchSession(hash('s'), 9),
    closeSession: (writer) => writer.closeSession(hash('s'), event),
    createToken: (writer) => writer.createToken(token('second'), event),
    revokeToken: (writer) => writer.revokeToken('first', event),
    changeSettings: (writer) => writer.changeSettings({ 'site.name': 'X', 'site.timeZone': 'UTC' }, event),
    putOriginators: (writer) =>
      writer.putOriginators([checkOriginator({ name: 'A' }), checkOriginator({ name: 'B' })], event),
    removeOriginator: (writer) => writer.removeOriginator('CT', event),
    putPeers: (writer) => writer.putPeers([peer('CT1'), peer('CT2')], event),
    removePeer: (writer) => writer.removePeer('PACS', event),
    importSite: (writer) =>
      writer.importSite(
        { settings: { 'site.name': 'Y' }, originators: [checkOriginator({ name: 'C' })], peers: [peer('CT3')] },
        event,
      ),
    appendAudit: (writer) => writer.appendAudit([event, event, event]),
  }

/** Accounts are missing where set-up is what is tried. */
function prepare(db: Database, method: keyof SynchronousSecurityWriter): void {
  const writer = sqliteSecurityWriter(db, 'node')
  const setup = method === 'beginSetup' || method === 'completeSetup'
  if (setup) writer.beginSetup(hash('u'), TIME)
  else {
    writer.createAccount(account('ada'), event)
    writer.openSession(session, event)
  }
  writer.createToken(token('first'), event)
  writer.putOriginators([checkOriginator({ name: 'CT' })], event)
  writer.putPeers([peer('PACS')], event)
}

function dump(db: Database): string {
  const tables = ['account', 'setup', 'session', 'token', 'audit', 'setting', 'originator', 'peer']
  return JSON.stringify(tables.map((table) => db.arrays(`select * from ${table}`)))
}

/** A connection on which the k-th statement fails, as on a full disk. */
function failing(db: Database, k: number): Database {
  let ran = 0
  return {
    get inTransaction() {
      return db.inTransaction
    },
    get rollbacks() {
      return db.rollbacks
    },
    run(sql, ...params) {
      ran += 1
      if (ran === k) throw new Error('disk full')
      return db.run(sql, ...params)
    },
    get: (sql, ...params) => db.get(sql, ...params),
    all: (sql, ...params) => db.all(sql, ...params),
    arrays: (sql, ...params) => db.arrays(sql, ...params),
    iterate: (sql, ...params) => db.iterate(sql, ...params),
    exec: (sql) => db.exec(sql),
    transaction: (fn) => db.transaction(fn),
    within: (fn) => db.within(fn),
    close: () => db.close(),
  }
}

// A change without its audit entry, or an entry without its change, would both be lies.
for (const method of SECURITY_WRITES) {
  test(`${method}: all of it with its audit entry, or nothing, whichever statement fails`, async () => {
    for (let k = 1; ; k += 1) {
      const db = openDatabase(':memory:')
      migrate(db, [security, peers])
      prepare(db, method)
      const before = dump(db)
      try {
        assert.equal(writes[method](sqliteSecurityWriter(failing(db, k), 'node')), 'written')
        assert.notEqual(dump(db), before)
        assert.equal((await verifyAudit(sqliteSecurityReader(db)))[0]?.broken, null)
        assert.ok(k > 1, 'at least one statement was made to fail')
        return
      } catch (error) {
        assert.match(String(error), /disk full/)
        assert.equal(dump(db), before)
      }
      db.close()
    }
  })
}

test('a reader on its own connection sees a new token, and its revocation, at once', () => {
  const folder = mkdtempSync(join(tmpdir(), 'diptych-security-'))
  const db = openDatabase(join(folder, 'diptych.db'))
  migrate(db, [security, peers])
  const other = openDatabase(join(folder, 'diptych.db'), { readOnly: true })
  try {
    const writer = sqliteSecurityWriter(db, 'node')
    const reader = sqliteSecurityReader(other)
    assert.equal(reader.token('first'), undefined)
    assert.equal(reader.hasCredentials(), false)
    writer.createToken(token('first'), event)
    assert.deepEqual({ ...reader.token('first'), secretHash: '' }, { ...token('first'), secretHash: '' })
    assert.equal(reader.hasCredentials(), true)
    writer.revokeToken('first', event)
    assert.equal(reader.token('first')?.revokedAt, TIME)
    assert.throws(() => sqliteSecurityWriter(other, 'node').createToken(token('second'), event))
  } finally {
    other.close()
    db.close()
    rmSync(folder, { recursive: true })
  }
})

test('two nodes have a chain each, and one cannot pass for the other', async () => {
  const db = openDatabase(':memory:')
  migrate(db, [security, peers])
  sqliteSecurityWriter(db, 'a').appendAudit([event])
  sqliteSecurityWriter(db, 'b').appendAudit([event, event])
  const reader = sqliteSecurityReader(db)
  assert.deepEqual(
    (await verifyAudit(reader)).map(({ node, entries, broken }) => ({ node, entries, broken })),
    [
      { node: 'a', entries: 1, broken: null },
      { node: 'b', entries: 2, broken: null },
    ],
  )
  db.exec("drop trigger audit_is_append_only_u; update audit set node = 'c' where node = 'a'")
  assert.deepEqual((await verifyAudit(reader)).find(({ node }) => node === 'c')?.broken, {
    sequence: 1,
    why: 'changed',
  })
})
