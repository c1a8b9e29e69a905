import type { CaptureLinkReader, CaptureLinkRecord, CaptureMedium } from '#model/capture-link.ts'
import type { Database } from './database.ts'

interface Row {
  readonly id: string
  readonly secret_hash: Uint8Array
  readonly purpose: string
  readonly body: string
  readonly uses_max: number
  readonly uses: number
  readonly created_at: string
  readonly created_by: string
  readonly expires_at: string
  readonly revoked_at: string | null
  readonly last_used_at: string | null
}

interface Body {
  readonly media: readonly CaptureMedium[]
  readonly bytesMax: number
  readonly about: CaptureLinkRecord['about']
}

const SELECT = `select id, secret_hash, purpose, body, uses_max, uses, created_at, created_by, expires_at, revoked_at,
  last_used_at from capture_link`

function recordOf(row: Row): CaptureLinkRecord {
  const { media, bytesMax, about } = JSON.parse(row.body) as Body
  return {
    ...{ id: row.id, secretHash: row.secret_hash, purpose: row.purpose, media, bytesMax, about },
    ...{ usesMax: row.uses_max, uses: row.uses, createdAt: row.created_at, createdBy: row.created_by },
    ...{ expiresAt: row.expires_at, revokedAt: row.revoked_at, lastUsedAt: row.last_used_at },
  }
}

/** Links by their public id; the connection may be read-only. */
export function createCaptureLinkReader(db: Database): CaptureLinkReader {
  return {
    captureLink(id) {
      const row = db.get<Row>(`${SELECT} where id = ?`, id)
      return row === undefined ? undefined : recordOf(row)
    },
    captureLinks: (limit) => db.all<Row>(`${SELECT} order by created_at desc, id limit ?`, limit).map(recordOf),
  }
}

/** Writes of links, inside the caller's transaction. */
export function createCaptureLinkWrites(db: Database) {
  return {
    create(link: CaptureLinkRecord): void {
      const { media, bytesMax, about } = link
      const body: Body = { media, bytesMax, about }
      db.run(
        `insert into capture_link (id, secret_hash, purpose, body, uses_max, uses, created_at, created_by, expires_at)
         values (?, ?, ?, ?, ?, 0, ?, ?, ?)`,
        ...[link.id, link.secretHash, link.purpose, JSON.stringify(body), link.usesMax],
        ...[link.createdAt, link.createdBy, link.expiresAt],
      )
    },
    revoke(id: string, time: string, by: string): boolean {
      const { changes } = db.run(
        'update capture_link set revoked_at = coalesce(revoked_at, ?), revoked_by = coalesce(revoked_by, ?) where id = ?',
        ...[time, by, id],
      )
      return changes > 0
    },
    take(id: string, now: string): boolean {
      const { changes } = db.run(
        `update capture_link set uses = uses + 1, last_used_at = ?1
         where id = ?2 and uses < uses_max and revoked_at is null and expires_at > ?1`,
        ...[now, id],
      )
      return changes > 0
    },
    giveBack(id: string): void {
      db.run('update capture_link set uses = uses - 1 where id = ? and uses > 0', id)
    },
  }
}
