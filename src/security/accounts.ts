import { ArchiveError } from '#errors.ts'
import { ROLES, type Role, type Subject } from '#model/permission.ts'
import { type Auditor, auditEvent, UNKNOWN_ACCOUNT } from './audit.ts'
import { checkPassword, hashPassword, verifyPassword } from './passwords.ts'
import type {
  AccountChange,
  AccountRecord,
  AccountStore,
  SecurityWriter,
  SessionRecord,
  SessionStore,
} from './ports.ts'
import { csrfOf, hashSecret, newSecret, sameBytes } from './secrets.ts'
import { Throttle } from './throttle.ts'

/** An account as lists show it. */
export interface AccountView {
  readonly name: string
  readonly displayName: string
  readonly role: Role
  readonly createdAt: string
  readonly createdBy: string
  readonly disabled: boolean
}

/** What a browser gets after signing in: the cookie value once, and the CSRF token for its writes. */
export interface SignedIn {
  readonly cookie: string
  readonly csrf: string
  readonly account: AccountView
  /** Seconds until the session ends in any case. */
  readonly maxAgeSeconds: number
}

export interface SessionLimits {
  readonly idleMinutes: number
  readonly absoluteHours: number
}

const ACCOUNT_NAME = /^[a-z0-9][a-z0-9._@-]{0,63}$/

/** A session is marked as used at most this often. */
const TOUCH_MS = 60_000

/** Accounts of people, set-up of the first one, and sessions. */
export class Accounts {
  readonly #store: AccountStore & SessionStore
  readonly #writer: SecurityWriter
  readonly #auditor: Auditor
  readonly #limits: SessionLimits
  readonly #now: () => number
  readonly #throttle: Throttle

  constructor(
    store: AccountStore & SessionStore,
    writer: SecurityWriter,
    auditor: Auditor,
    limits: SessionLimits,
    now: () => number = Date.now,
  ) {
    this.#store = store
    this.#writer = writer
    this.#auditor = auditor
    this.#limits = limits
    this.#now = now
    this.#throttle = new Throttle(5, now)
  }

  /** True while nobody has an account: the set-up link makes the first administrator. */
  setupNeeded(): boolean {
    return !this.#store.hasAccounts()
  }

  /** @returns a fresh one-time set-up token (an earlier one stops working); undefined once an account exists */
  async beginSetup(): Promise<string | undefined> {
    if (!this.setupNeeded()) return undefined
    const token = newSecret()
    const written = await this.#writer.beginSetup(hashSecret(token), new Date(this.#now()).toISOString())
    return written === 'written' ? token : undefined
  }

  /**
   * Makes the first administrator and signs it in.
   * @throws ArchiveError 'request.forbidden' for a wrong or used token, 'request.malformed' for a bad name or password
   */
  async completeSetup(given: NewAccount & { readonly token: string }, address: string | null): Promise<SignedIn> {
    const expected = this.#store.setupTokenHash()
    const hash = hashSecret(given.token)
    const wrong = () =>
      new ArchiveError('request.forbidden', 'the set-up link is not valid (any more)', {
        hint: 'A restart of the server prints a fresh link as long as there is no account.',
      })
    if (expected === undefined || !sameBytes(expected, hash)) {
      await this.#auditor.note('anonymous', {
        kind: 'alert',
        outcome: 'denied',
        address,
        detail: 'set-up: wrong token',
      })
      throw wrong()
    }
    const account = await this.#newAccount({ ...given, role: 'administrator' }, 'set-up')
    const event = auditEvent(
      account.name,
      { kind: 'account', address, detail: `set-up: created ${account.name}` },
      this.#now(),
    )
    const written = await this.#writer.completeSetup(hash, account, event)
    if (written !== 'written') throw wrong()
    return this.#openSession(account, address)
  }

  /**
   * @throws ArchiveError 'request.unauthenticated' for a wrong name or password (which of the two is not told),
   *   'request.too-many' after repeated failures of this account
   */
  async signIn(name: string, password: string, address: string | null): Promise<SignedIn> {
    const key = name.trim().toLowerCase().slice(0, 64)
    const wait = this.#throttle.waitSeconds(key)
    if (wait > 0) throw new RetryLater(`too many failures for this account; try again in ${wait} s`, wait)
    const account = this.#store.account(key)
    // Counted before the slow part, so that parallel guesses are slowed too.
    this.#throttle.failed(key)
    const right = await verifyPassword(password, account?.passwordHash)
    if (!right || account === undefined || account.disabledAt !== null) {
      await this.#auditor.note(account?.name ?? UNKNOWN_ACCOUNT, { kind: 'sign-in', outcome: 'failed', address })
      throw new ArchiveError('request.unauthenticated', 'the account name or the password is wrong')
    }
    this.#throttle.succeeded(key)
    return this.#openSession(account, address)
  }

  /** @returns undefined when the cookie belongs to no living session */
  session(
    cookie: string,
  ): { readonly subject: Subject; readonly account: AccountView; readonly csrf: string } | undefined {
    const record = this.#living(hashSecret(cookie))
    const account = record === undefined ? undefined : this.#store.account(record.account)
    if (record === undefined || account === undefined || account.disabledAt !== null) return undefined
    return { subject: subjectOf(account), account: view(account), csrf: csrfOf(cookie) }
  }

  /** Notes that a session is in use, so that it does not end as idle. Cheap: once a minute it writes. */
  async touch(cookie: string): Promise<void> {
    const hash = hashSecret(cookie)
    const record = this.#store.session(hash)
    if (record === undefined || this.#now() - record.seenAt < TOUCH_MS) return
    await this.#writer.touchSession(hash, this.#now())
  }

  async signOut(cookie: string, subject: Subject, address: string | null): Promise<void> {
    await this.#writer.closeSession(
      hashSecret(cookie),
      auditEvent(subject.name, { kind: 'sign-out', address }, this.#now()),
    )
  }

  list(): readonly AccountView[] {
    return this.#store.accounts().map(view)
  }

  /** @throws ArchiveError 'request.malformed', 'request.conflict' when the name is taken */
  async create(given: NewAccount & { readonly role: Role }, by: string, address: string | null): Promise<AccountView> {
    const account = await this.#newAccount(given, by)
    const detail = `created ${account.name} as ${account.role}`
    const written = await this.#writer.createAccount(
      account,
      auditEvent(by, { kind: 'account', address, detail }, this.#now()),
    )
    if (written === 'exists') throw new ArchiveError('request.conflict', `account ${account.name} exists`)
    return view(account)
  }

  /** @throws ArchiveError 'request.not-found', 'request.conflict' for the last administrator, 'request.malformed' */
  async change(
    name: string,
    given: {
      readonly displayName?: string
      readonly role?: Role
      readonly password?: string
      readonly disabled?: boolean
    },
    by: string,
    address: string | null,
  ): Promise<AccountView> {
    const { password, ...rest } = given
    if (password !== undefined) checkPassword(password, name)
    const change: AccountChange =
      password === undefined ? rest : { ...rest, passwordHash: await hashPassword(password) }
    const detail = `changed ${name}: ${Object.keys(given).sort().join(', ')}`
    const written = await this.#writer.changeAccount(
      name,
      change,
      auditEvent(by, { kind: 'account', address, detail }, this.#now()),
    )
    if (written === 'missing') throw new ArchiveError('request.not-found', `account ${name}`)
    if (written === 'last-administrator') {
      throw new ArchiveError('request.conflict', 'the last administrator stays', {
        hint: 'Make another administrator first.',
      })
    }
    const account = this.#store.account(name)
    if (account === undefined) throw new ArchiveError('request.not-found', `account ${name}`)
    return view(account)
  }

  /**
   * Changes the password of the account that asks; its sessions end and a new one begins.
   * @throws ArchiveError 'request.forbidden' when the current password is wrong, 'request.malformed'; RetryLater
   */
  async changeOwnPassword(name: string, current: string, password: string, address: string | null): Promise<SignedIn> {
    const wait = this.#throttle.waitSeconds(name)
    if (wait > 0) throw new RetryLater(`too many failures for this account; try again in ${wait} s`, wait)
    this.#throttle.failed(name)
    if (!(await verifyPassword(current, this.#store.account(name)?.passwordHash))) {
      await this.#auditor.note(name, { kind: 'sign-in', outcome: 'failed', address, detail: 'change of password' })
      throw new ArchiveError('request.forbidden', 'the current password is wrong')
    }
    this.#throttle.succeeded(name)
    await this.change(name, { password }, name, address)
    const account = this.#store.account(name)
    if (account === undefined) throw new ArchiveError('request.not-found', `account ${name}`)
    return this.#openSession(account, address)
  }

  #living(hash: Uint8Array): SessionRecord | undefined {
    const record = this.#store.session(hash)
    if (record === undefined) return undefined
    const idleUntil = record.seenAt + this.#limits.idleMinutes * 60_000
    return this.#now() < Math.min(record.expiresAt, idleUntil) ? record : undefined
  }

  async #newAccount(given: NewAccount & { readonly role: Role }, by: string): Promise<AccountRecord> {
    const name = given.name.trim().toLowerCase()
    if (!ACCOUNT_NAME.test(name)) {
      throw new ArchiveError(
        'request.malformed',
        'name: letters, digits, ". _ @ -", at most 64, beginning with a letter or digit',
      )
    }
    if (!ROLES.includes(given.role)) throw new ArchiveError('request.malformed', `role: one of ${ROLES.join(', ')}`)
    checkPassword(given.password, name)
    const time = new Date(this.#now()).toISOString()
    return {
      name,
      displayName: given.displayName?.trim().slice(0, 200) || name,
      role: given.role,
      passwordHash: await hashPassword(given.password),
      createdAt: time,
      createdBy: by,
      passwordChangedAt: time,
      disabledAt: null,
    }
  }

  async #openSession(account: AccountRecord, address: string | null): Promise<SignedIn> {
    const cookie = newSecret()
    const now = this.#now()
    const maxAgeSeconds = Math.round(this.#limits.absoluteHours * 3600)
    const written = await this.#writer.openSession(
      {
        tokenHash: hashSecret(cookie),
        account: account.name,
        createdAt: now,
        seenAt: now,
        expiresAt: now + maxAgeSeconds * 1000,
        address,
      },
      auditEvent(account.name, { kind: 'sign-in', address }, now),
    )
    if (written !== 'written') throw new ArchiveError('request.unauthenticated', 'the account was just disabled')
    return { cookie, csrf: csrfOf(cookie), account: view(account), maxAgeSeconds }
  }
}

export interface NewAccount {
  readonly name: string
  readonly displayName?: string
  readonly password: string
}

/** A refusal that passes: `Retry-After` tells when. */
export class RetryLater extends ArchiveError {
  readonly retryAfterSeconds: number

  constructor(detail: string, retryAfterSeconds: number) {
    super('request.too-many', detail)
    this.retryAfterSeconds = retryAfterSeconds
  }
}

function subjectOf(account: AccountRecord): Subject {
  return { kind: 'account', name: account.name, role: account.role, scopes: [], patientIds: null }
}

function view(account: AccountRecord): AccountView {
  const { name, displayName, role, createdAt, createdBy, disabledAt } = account
  return { name, displayName, role, createdAt, createdBy, disabled: disabledAt !== null }
}
