import { openDatabase } from '#index/sqlite/database.ts'
import { migrate } from '#index/sqlite/migrate.ts'
import { security } from '#index/sqlite/migrations/002-security.ts'
import { peers } from '#index/sqlite/migrations/005-peers.ts'
import { inProcessSecurityWriter, sqliteSecurityReader, sqliteSecurityWriter } from '#index/sqlite/security-store.ts'
import { Accounts } from '#security/accounts.ts'
import { Auditor } from '#security/audit.ts'
import { Peers } from '#security/peers.ts'
import { SiteSettings } from '#security/site-settings.ts'
import { type ResolvePatients, Tokens } from '#security/tokens.ts'
import { settingChecks } from '../../src/app-settings.ts'

/** Everything of security over a database in memory, with a clock that a test can move. */
export function securityFixture(patients: ResolvePatients = async ({ id }) => [`opaque-${id}`]) {
  const db = openDatabase(':memory:')
  migrate(db, [security, peers])
  const clock = { now: Date.parse('2026-11-24T10:00:00Z') }
  const now = () => clock.now
  const store = sqliteSecurityReader(db)
  const writer = inProcessSecurityWriter(sqliteSecurityWriter(db, 'node-1'))
  const auditor = new Auditor(writer, { windowSeconds: 300, now })
  return {
    db,
    clock,
    store,
    writer,
    auditor,
    accounts: new Accounts(store, writer, auditor, { idleMinutes: 30, absoluteHours: 12 }, now),
    tokens: new Tokens(store, writer, patients, now),
    settings: new SiteSettings(store, writer, settingChecks),
    peers: new Peers(store, writer),
  }
}

export type SecurityFixture = ReturnType<typeof securityFixture>

export const PASSWORD = 'correct horse battery staple'
