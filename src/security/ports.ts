import type { Peer } from '#model/peer.ts'
import type { Role } from '#model/permission.ts'
import type { Originator } from '#model/settings.ts'

/**
 * What security keeps and who keeps it. Reads are synchronous point reads on a read-only connection of the asking
 * thread, so that a new or revoked token counts at once; writes go to the one writer (`SecurityWriter`), each with its
 * audit event in the same transaction.
 */

export interface AccountRecord {
  /** Lower case; the key. */
  readonly name: string
  readonly displayName: string
  readonly role: Role
  /** PHC string of argon2id: passwords.ts. */
  readonly passwordHash: string
  readonly createdAt: string
  readonly createdBy: string
  readonly passwordChangedAt: string
  readonly disabledAt: string | null
}

/** What may change of an account; absent keys stay. A new password or role, or disabling, ends its sessions. */
export interface AccountChange {
  readonly displayName?: string
  readonly role?: Role
  readonly passwordHash?: string
  readonly disabled?: boolean
}

/** Times in milliseconds since 1970. */
export interface SessionRecord {
  /** SHA-256 of the cookie value. */
  readonly tokenHash: Uint8Array
  readonly account: string
  readonly createdAt: number
  readonly seenAt: number
  readonly expiresAt: number
  readonly address: string | null
}

/** A patient as a token names one: the identifier, with the issuer when it was given. */
export interface PatientName {
  readonly id: string
  readonly issuer: string | null
}

export interface TokenRecord {
  /** Public part: stands in audit, provenance and lists. */
  readonly id: string
  /** SHA-256 of the secret part. */
  readonly secretHash: Uint8Array
  readonly name: string
  readonly role: Role
  readonly scopes: readonly string[]
  /** null: not limited to patients. */
  readonly patients: readonly PatientName[] | null
  readonly createdAt: string
  readonly createdBy: string
  readonly expiresAt: string | null
  readonly revokedAt: string | null
}

export type AuditKind =
  | 'start'
  | 'stop'
  | 'sign-in'
  | 'sign-out'
  | 'query'
  | 'read'
  | 'export'
  | 'store'
  | 'delete'
  | 'decide'
  | 'account'
  | 'token'
  | 'settings'
  | 'originator'
  | 'peer'
  | 'audit-log'
  | 'alert'

/** One thing that happened, before it has its place in the chain. */
export interface AuditEvent {
  /** Instant, ISO 8601 UTC. */
  readonly time: string
  readonly kind: AuditKind
  readonly outcome: 'success' | 'denied' | 'failed'
  /** Account name, token id, `local`, `open`, `system`, or the name that was tried. */
  readonly who: string
  readonly address: string | null
  readonly purpose: string | null
  readonly studyInstanceUID: string | null
  readonly patientId: string | null
  /** What was asked or done: identifiers, rule ids, query text. Never names or lists of patients. */
  readonly detail: string | null
  /** How many times within `since` .. `time`. */
  readonly count: number
  /** Start of the window the count is over; null for a single event. */
  readonly since: string | null
}

/** An event in the chain of one node. */
export interface AuditEntry extends AuditEvent {
  readonly node: string
  readonly sequence: number
  /** Lower-case hexadecimal SHA-256 over the previous hash and this entry: audit-chain.ts. */
  readonly hash: string
}

export interface AuditFilter {
  readonly since?: string
  readonly until?: string
  readonly kind?: string
  readonly who?: string
  readonly studyInstanceUID?: string
  readonly limit: number
  readonly cursor?: string
}

export interface AccountStore {
  account(name: string): AccountRecord | undefined
  accounts(): readonly AccountRecord[]
  /** True as soon as one account or token exists: then authentication is set up. */
  hasCredentials(): boolean
  hasAccounts(): boolean
  /** Hash of the one-time set-up token, while set-up is still open. */
  setupTokenHash(): Uint8Array | undefined
}

export interface SessionStore {
  session(tokenHash: Uint8Array): SessionRecord | undefined
}

export interface TokenStore {
  token(id: string): TokenRecord | undefined
  tokens(): readonly TokenRecord[]
}

export interface AuditStore {
  /** Newest first. */
  entries(filter: AuditFilter): { readonly items: readonly AuditEntry[]; readonly next: string | null }
  /** Oldest first, one node: for the verifier and for export. */
  chain(node: string, after: number, limit: number): readonly AuditEntry[]
  nodes(): readonly string[]
}

export interface SettingsStore {
  /** Values in force, by key; keys nobody set are absent. */
  settings(): { readonly [key: string]: unknown }
  /** Grows with every change of a setting, an originator or a peer. */
  settingsVersion(): number
  settingHistory(key: string): readonly SettingVersion[]
}

export interface SettingVersion {
  readonly version: number
  readonly key: string
  /** null: set back to the default. */
  readonly value: unknown
  readonly by: string
  readonly time: string
}

export interface OriginatorStore {
  originators(): readonly Originator[]
  originator(name: string): Originator | undefined
}

export interface PeerStore {
  peers(): readonly Peer[]
  peer(aeTitle: string): Peer | undefined
}

export type SecurityReader = AccountStore &
  SessionStore &
  TokenStore &
  AuditStore &
  SettingsStore &
  OriginatorStore &
  PeerStore

/** Outcome of a write that depends on what is there. */
export type Written = 'written' | 'exists' | 'missing' | 'last-administrator'

/**
 * The writes, as the main thread sees them: arguments and answers are structured-cloneable. Resolves when committed
 * with full synchronous setting. Adapter: index/sqlite/security-writer.ts, run in the writer worker.
 */
export interface SecurityWriter {
  /** Opens set-up anew: an earlier set-up token no longer works. `exists` once an account was made. */
  beginSetup(tokenHash: Uint8Array, time: string): Promise<Written>
  /** Creates the first administrator if the token is still good; one caller wins. `missing`: not open, or wrong token. */
  completeSetup(tokenHash: Uint8Array, account: AccountRecord, event: AuditEvent): Promise<Written>
  createAccount(account: AccountRecord, event: AuditEvent): Promise<Written>
  changeAccount(name: string, change: AccountChange, event: AuditEvent): Promise<Written>
  openSession(session: SessionRecord, event: AuditEvent): Promise<Written>
  touchSession(tokenHash: Uint8Array, seenAt: number): Promise<Written>
  closeSession(tokenHash: Uint8Array, event: AuditEvent): Promise<Written>
  createToken(token: TokenRecord, event: AuditEvent): Promise<Written>
  revokeToken(id: string, event: AuditEvent): Promise<Written>
  /** null as a value sets a key back to its default. */
  changeSettings(changes: { readonly [key: string]: unknown }, event: AuditEvent): Promise<Written>
  putOriginators(originators: readonly Originator[], event: AuditEvent): Promise<Written>
  removeOriginator(name: string, event: AuditEvent): Promise<Written>
  putPeers(peers: readonly Peer[], event: AuditEvent): Promise<Written>
  removePeer(aeTitle: string, event: AuditEvent): Promise<Written>
  /** Settings, originators and peers as one file, all or nothing. */
  importSite(
    site: {
      readonly settings: { readonly [key: string]: unknown }
      readonly originators: readonly Originator[]
      readonly peers: readonly Peer[]
    },
    event: AuditEvent,
  ): Promise<Written>
  appendAudit(events: readonly AuditEvent[]): Promise<Written>
}

/** The same writes inside the worker, where one connection writes. */
export type SynchronousSecurityWriter = {
  [Method in keyof SecurityWriter]: (
    ...args: Parameters<SecurityWriter[Method]>
  ) => Awaited<ReturnType<SecurityWriter[Method]>>
}

/** Every method of the port: what an RPC may call. */
export const SECURITY_WRITES = [
  'beginSetup',
  'completeSetup',
  'createAccount',
  'changeAccount',
  'openSession',
  'touchSession',
  'closeSession',
  'createToken',
  'revokeToken',
  'changeSettings',
  'putOriginators',
  'removeOriginator',
  'putPeers',
  'removePeer',
  'importSite',
  'appendAudit',
] as const satisfies readonly (keyof SecurityWriter)[]
