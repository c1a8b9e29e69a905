import type { Role } from '#model/permission.ts'
import type { PatientName, TokenRecord, TokenStore, Written } from '#security/ports.ts'
import type { Database } from './database.ts'

interface Row {
  id: string
  secret_hash: Uint8Array
  name: string
  role: string
  scopes: string
  patients: string | null
  created_at: string
  created_by: string
  expires_at: string | null
  revoked_at: string | null
}

const COLUMNS = 'id, secret_hash, name, role, scopes, patients, created_at, created_by, expires_at, revoked_at'

function record(row: Row): TokenRecord {
  return {
    id: row.id,
    secretHash: row.secret_hash,
    name: row.name,
    role: row.role as Role, // written by this store only, from a checked role
    scopes: JSON.parse(row.scopes) as string[],
    patients: row.patients === null ? null : (JSON.parse(row.patients) as PatientName[]),
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
  }
}

/** Tokens by their public id; the connection may be read-only. */
export class SqliteTokenReader implements TokenStore {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  token(id: string): TokenRecord | undefined {
    const row = this.#db.get<Row>(`select ${COLUMNS} from token where id = ?`, id)
    return row === undefined ? undefined : record(row)
  }

  tokens(): readonly TokenRecord[] {
    return this.#db.all<Row>(`select ${COLUMNS} from token order by created_at desc, id`).map(record)
  }
}

/** Writes of tokens, inside the writer's transaction. */
export class SqliteTokenWriter {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  create(token: TokenRecord): Written {
    const { changes } = this.#db.run(
      `insert into token (${COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (id) do nothing`,
      token.id,
      token.secretHash,
      token.name,
      token.role,
      JSON.stringify(token.scopes),
      token.patients === null ? null : JSON.stringify(token.patients),
      token.createdAt,
      token.createdBy,
      token.expiresAt,
      token.revokedAt,
    )
    return changes === 0 ? 'exists' : 'written'
  }

  revoke(id: string, time: string, by: string): Written {
    const { changes } = this.#db.run(
      'update token set revoked_at = coalesce(revoked_at, ?), revoked_by = coalesce(revoked_by, ?) where id = ?',
      time,
      by,
      id,
    )
    return changes === 0 ? 'missing' : 'written'
  }
}
