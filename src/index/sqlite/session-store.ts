import type { SessionRecord, SessionStore, Written } from '#security/ports.ts'
import type { Database } from './database.ts'

interface Row {
  token_hash: Uint8Array
  account: string
  created_at: number
  seen_at: number
  expires_at: number
  address: string | null
}

/** Sessions by the hash of their cookie; the connection may be read-only. */
export class SqliteSessionReader implements SessionStore {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  session(tokenHash: Uint8Array): SessionRecord | undefined {
    const row = this.#db.get<Row>(
      'select token_hash, account, created_at, seen_at, expires_at, address from session where token_hash = ?',
      tokenHash,
    )
    if (row === undefined) return undefined
    return {
      tokenHash: row.token_hash,
      account: row.account,
      createdAt: row.created_at,
      seenAt: row.seen_at,
      expiresAt: row.expires_at,
      address: row.address,
    }
  }
}

/** Writes of sessions, inside the writer's transaction. Ended ones go when a new one begins. */
export class SqliteSessionWriter {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  open(session: SessionRecord): Written {
    this.#db.run('delete from session where expires_at <= ?', session.createdAt)
    const { changes } = this.#db.run(
      `insert into session (token_hash, account, created_at, seen_at, expires_at, address)
       select ?, name, ?, ?, ?, ? from account where name = ? and disabled_at is null`,
      session.tokenHash,
      session.createdAt,
      session.seenAt,
      session.expiresAt,
      session.address,
      session.account,
    )
    return changes === 0 ? 'missing' : 'written'
  }

  touch(tokenHash: Uint8Array, seenAt: number): Written {
    const { changes } = this.#db.run(
      'update session set seen_at = max(seen_at, ?) where token_hash = ?',
      seenAt,
      tokenHash,
    )
    return changes === 0 ? 'missing' : 'written'
  }

  close(tokenHash: Uint8Array): Written {
    const { changes } = this.#db.run('delete from session where token_hash = ?', tokenHash)
    return changes === 0 ? 'missing' : 'written'
  }
}
