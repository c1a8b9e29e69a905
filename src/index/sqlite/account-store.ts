import type { Role } from '#model/permission.ts'
import type { AccountChange, AccountRecord, AccountStore, Written } from '#security/ports.ts'
import type { Database } from './database.ts'

interface Row {
  name: string
  display_name: string
  role: string
  password_hash: string
  created_at: string
  created_by: string
  password_changed_at: string
  disabled_at: string | null
}

const COLUMNS = 'name, display_name, role, password_hash, created_at, created_by, password_changed_at, disabled_at'

function record(row: Row): AccountRecord {
  return {
    name: row.name,
    displayName: row.display_name,
    role: row.role as Role, // written by this store only, from a checked role
    passwordHash: row.password_hash,
    createdAt: row.created_at,
    createdBy: row.created_by,
    passwordChangedAt: row.password_changed_at,
    disabledAt: row.disabled_at,
  }
}

/** Point reads of accounts; the connection may be read-only. */
export class SqliteAccountReader implements AccountStore {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  account(name: string): AccountRecord | undefined {
    const row = this.#db.get<Row>(`select ${COLUMNS} from account where name = ?`, name)
    return row === undefined ? undefined : record(row)
  }

  accounts(): readonly AccountRecord[] {
    return this.#db.all<Row>(`select ${COLUMNS} from account order by name`).map(record)
  }

  hasAccounts(): boolean {
    return this.#db.get('select 1 from account limit 1') !== undefined
  }

  hasCredentials(): boolean {
    return this.hasAccounts() || this.#db.get('select 1 from token where revoked_at is null limit 1') !== undefined
  }

  setupTokenHash(): Uint8Array | undefined {
    const row = this.#db.get<{ token_hash: Uint8Array | null }>(
      'select token_hash from setup where completed_at is null',
    )
    return row?.token_hash ?? undefined
  }
}

/** Writes of accounts, inside the writer's transaction. */
export class SqliteAccountWriter {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  beginSetup(tokenHash: Uint8Array, time: string): Written {
    if (this.#db.get('select 1 from account limit 1') !== undefined) return 'exists'
    this.#db.run(
      `insert into setup (id, token_hash, created_at) values (1, ?, ?)
       on conflict (id) do update set token_hash = excluded.token_hash, created_at = excluded.created_at, completed_at = null`,
      tokenHash,
      time,
    )
    return 'written'
  }

  completeSetup(tokenHash: Uint8Array, account: AccountRecord): Written {
    const { changes } = this.#db.run(
      `update setup set token_hash = null, completed_at = ?
       where id = 1 and completed_at is null and token_hash = ? and not exists (select 1 from account)`,
      account.createdAt,
      tokenHash,
    )
    return changes === 0 ? 'missing' : this.create(account)
  }

  create(account: AccountRecord): Written {
    const { changes } = this.#db.run(
      `insert into account (${COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (name) do nothing`,
      account.name,
      account.displayName,
      account.role,
      account.passwordHash,
      account.createdAt,
      account.createdBy,
      account.passwordChangedAt,
      account.disabledAt,
    )
    return changes === 0 ? 'exists' : 'written'
  }

  change(name: string, change: AccountChange, time: string): Written {
    const now = this.#db.get<Row>(`select ${COLUMNS} from account where name = ?`, name)
    if (now === undefined) return 'missing'
    const role = change.role ?? now.role
    const disabledAt =
      change.disabled === undefined ? now.disabled_at : change.disabled ? (now.disabled_at ?? time) : null
    const administers = now.role === 'administrator' && now.disabled_at === null
    if (administers && (role !== 'administrator' || disabledAt !== null)) {
      const others = this.#db.get(
        "select 1 from account where role = 'administrator' and disabled_at is null and name <> ? limit 1",
        name,
      )
      if (others === undefined) return 'last-administrator'
    }
    this.#db.run(
      `update account set display_name = ?, role = ?, password_hash = ?, password_changed_at = ?, disabled_at = ? where name = ?`,
      change.displayName ?? now.display_name,
      role,
      change.passwordHash ?? now.password_hash,
      change.passwordHash === undefined ? now.password_changed_at : time,
      disabledAt,
      name,
    )
    if (role !== now.role || change.passwordHash !== undefined || disabledAt !== null) {
      this.#db.run('delete from session where account = ?', name)
    }
    return 'written'
  }
}
