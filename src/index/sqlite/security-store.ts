import type { SecurityReader, SecurityWriter, SynchronousSecurityWriter, Written } from '#security/ports.ts'
import { SqliteAccountReader, SqliteAccountWriter } from './account-store.ts'
import { SqliteAuditReader, SqliteAuditWriter } from './audit-store.ts'
import type { Database } from './database.ts'
import { SqliteOriginatorReader, SqliteOriginatorWriter } from './originator-store.ts'
import { SqlitePeerReader, SqlitePeerWriter } from './peer-store.ts'
import { SqliteSessionReader, SqliteSessionWriter } from './session-store.ts'
import { SqliteSettingsReader, SqliteSettingsWriter } from './settings-store.ts'
import { SqliteTokenReader, SqliteTokenWriter } from './token-store.ts'

/** Every read of security over one (read-only) connection. */
export function sqliteSecurityReader(db: Database): SecurityReader {
  const accounts = new SqliteAccountReader(db)
  const sessions = new SqliteSessionReader(db)
  const tokens = new SqliteTokenReader(db)
  const audit = new SqliteAuditReader(db)
  const settings = new SqliteSettingsReader(db)
  const originators = new SqliteOriginatorReader(db)
  const peers = new SqlitePeerReader(db)
  return {
    account: (name) => accounts.account(name),
    accounts: () => accounts.accounts(),
    hasAccounts: () => accounts.hasAccounts(),
    hasCredentials: () => accounts.hasCredentials(),
    setupTokenHash: () => accounts.setupTokenHash(),
    session: (hash) => sessions.session(hash),
    token: (id) => tokens.token(id),
    tokens: () => tokens.tokens(),
    entries: (filter) => audit.entries(filter),
    chain: (node, after, limit) => audit.chain(node, after, limit),
    nodes: () => audit.nodes(),
    settings: () => settings.settings(),
    settingsVersion: () => settings.settingsVersion(),
    settingHistory: (key) => settings.settingHistory(key),
    originators: () => originators.originators(),
    originator: (name) => originators.originator(name),
    peers: () => peers.peers(),
    peer: (aeTitle) => peers.peer(aeTitle),
  }
}

/**
 * Every write of security, in the writer worker: each change and its audit entry in one transaction. Nested in an
 * open transaction it is a savepoint, so a group commit may hold it.
 *
 * @param node name of this node in the audit trail
 */
export function sqliteSecurityWriter(db: Database, node: string): SynchronousSecurityWriter {
  const accounts = new SqliteAccountWriter(db)
  const sessions = new SqliteSessionWriter(db)
  const tokens = new SqliteTokenWriter(db)
  const audit = new SqliteAuditWriter(db, node)
  const settings = new SqliteSettingsWriter(db)
  const originators = new SqliteOriginatorWriter(db)
  const peers = new SqlitePeerWriter(db)

  /** Audits a change that was made; one that was not leaves no entry here: the caller audits the refusal. */
  function audited(event: Parameters<typeof audit.append>[0][number], change: () => Written): Written {
    return db.transaction(() => {
      const written = change()
      if (written === 'written') audit.append([event])
      return written
    })
  }

  return {
    beginSetup: (hash, time) => db.transaction(() => accounts.beginSetup(hash, time)),
    completeSetup: (hash, account, event) => audited(event, () => accounts.completeSetup(hash, account)),
    createAccount: (account, event) => audited(event, () => accounts.create(account)),
    changeAccount: (name, change, event) => audited(event, () => accounts.change(name, change, event.time)),
    openSession: (session, event) => audited(event, () => sessions.open(session)),
    touchSession: (hash, seenAt) => db.transaction(() => sessions.touch(hash, seenAt)),
    closeSession: (hash, event) => audited(event, () => sessions.close(hash)),
    createToken: (token, event) => audited(event, () => tokens.create(token)),
    revokeToken: (id, event) => audited(event, () => tokens.revoke(id, event.time, event.who)),
    changeSettings: (changes, event) =>
      audited(event, () => {
        settings.change(changes, event.who, event.time)
        return 'written'
      }),
    putOriginators: (list, event) =>
      audited(event, () => {
        for (const originator of list) originators.put(originator, event.who, event.time)
        return 'written'
      }),
    removeOriginator: (name, event) => audited(event, () => originators.remove(name, event.who, event.time)),
    putPeers: (list, event) =>
      audited(event, () => {
        for (const peer of list) peers.put(peer, event.who, event.time)
        return 'written'
      }),
    removePeer: (aeTitle, event) => audited(event, () => peers.remove(aeTitle, event.who, event.time)),
    importSite: (site, event) =>
      audited(event, () => {
        settings.change(site.settings, event.who, event.time)
        for (const originator of site.originators) originators.put(originator, event.who, event.time)
        for (const peer of site.peers) peers.put(peer, event.who, event.time)
        return 'written'
      }),
    appendAudit: (events) =>
      db.within(() => {
        audit.append(events)
        return 'written'
      }),
  }
}

/** The writer behind promises without a thread between: for commands that open the data themselves, and for tests. */
export function inProcessSecurityWriter(writer: SynchronousSecurityWriter): SecurityWriter {
  return {
    beginSetup: async (...args) => writer.beginSetup(...args),
    completeSetup: async (...args) => writer.completeSetup(...args),
    createAccount: async (...args) => writer.createAccount(...args),
    changeAccount: async (...args) => writer.changeAccount(...args),
    openSession: async (...args) => writer.openSession(...args),
    touchSession: async (...args) => writer.touchSession(...args),
    closeSession: async (...args) => writer.closeSession(...args),
    createToken: async (...args) => writer.createToken(...args),
    revokeToken: async (...args) => writer.revokeToken(...args),
    changeSettings: async (...args) => writer.changeSettings(...args),
    putOriginators: async (...args) => writer.putOriginators(...args),
    removeOriginator: async (...args) => writer.removeOriginator(...args),
    putPeers: async (...args) => writer.putPeers(...args),
    removePeer: async (...args) => writer.removePeer(...args),
    importSite: async (...args) => writer.importSite(...args),
    appendAudit: async (...args) => writer.appendAudit(...args),
  }
}
