import { cursorKeys, cursorText } from '#model/cursor.ts'
import { canonicalEvent, chainHash, chainStart } from '#security/audit-chain.ts'
import type { AuditEntry, AuditEvent, AuditFilter, AuditKind, AuditStore } from '#security/ports.ts'
import type { Database, SqlParam } from './database.ts'

interface Row {
  node: string
  sequence: number
  entry: string
  hash: Uint8Array
}

type Kept = [
  string,
  AuditKind,
  AuditEvent['outcome'],
  string,
  string | null,
  string | null,
  string | null,
  string | null,
  string | null,
  number,
  string | null,
]

function entry(row: Row): AuditEntry {
  const [time, kind, outcome, who, address, purpose, studyInstanceUID, patientId, detail, count, since] = JSON.parse(
    row.entry,
  ) as Kept
  return {
    node: row.node,
    sequence: row.sequence,
    time,
    kind,
    outcome,
    who,
    address,
    purpose,
    studyInstanceUID,
    patientId,
    detail,
    count,
    since,
    hash: Buffer.from(row.hash).toString('hex'),
  }
}

/** The audit trail, read; the connection may be read-only. */
export class SqliteAuditReader implements AuditStore {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  entries(filter: AuditFilter): { items: readonly AuditEntry[]; next: string | null } {
    const where: string[] = []
    const params: SqlParam[] = []
    const add = (sql: string, ...values: SqlParam[]) => {
      where.push(sql)
      params.push(...values)
    }
    if (filter.since !== undefined) add('time >= ?', filter.since)
    if (filter.until !== undefined) add('time < ?', filter.until)
    if (filter.kind !== undefined) add('kind = ?', filter.kind)
    if (filter.who !== undefined) add('who = ?', filter.who)
    if (filter.studyInstanceUID !== undefined) add('study = ?', filter.studyInstanceUID)
    if (filter.cursor !== undefined) {
      const [time, node, sequence] = cursorKeys('audit', filter.cursor, ['', '', 0] as const)
      add('(time, node, sequence) < (?, ?, ?)', time, node, sequence)
    }
    const condition = where.length === 0 ? '' : `where ${where.join(' and ')}`
    const rows = this.#db.all<Row & { time: string }>(
      `select node, sequence, time, entry, hash from audit ${condition} order by time desc, node desc, sequence desc limit ?`,
      ...params,
      filter.limit + 1,
    )
    const page = rows.slice(0, filter.limit)
    const last = page.at(-1)
    const more = rows.length > filter.limit && last !== undefined
    const next = more ? cursorText('audit', [last.time, last.node, last.sequence]) : null
    return { items: page.map(entry), next }
  }

  chain(node: string, after: number, limit: number): readonly AuditEntry[] {
    return this.#db
      .all<Row>(
        'select node, sequence, entry, hash from audit where node = ? and sequence > ? order by sequence limit ?',
        node,
        after,
        limit,
      )
      .map(entry)
  }

  nodes(): readonly string[] {
    return this.#db.all<{ node: string }>('select distinct node from audit order by node').map(({ node }) => node)
  }
}

/**
 * Appends to the chain of one node, inside the caller's transaction: what is audited and its entry commit together.
 */
export class SqliteAuditWriter {
  readonly #db: Database
  readonly #node: string

  /** @param node name of this node; its chain is its own */
  constructor(db: Database, node: string) {
    this.#db = db
    this.#node = node
  }

  append(events: readonly AuditEvent[]): void {
    if (events.length === 0) return
    const last = this.#db.get<{ sequence: number; hash: Uint8Array }>(
      'select sequence, hash from audit where node = ? order by sequence desc limit 1',
      this.#node,
    )
    let sequence = last?.sequence ?? 0
    let hash: Uint8Array = last?.hash ?? chainStart(this.#node)
    for (const event of events) {
      sequence += 1
      hash = chainHash(hash, sequence, event)
      this.#db.run(
        'insert into audit (node, sequence, time, kind, outcome, who, study, patient, entry, hash) values (?,?,?,?,?,?,?,?,?,?)',
        this.#node,
        sequence,
        event.time,
        event.kind,
        event.outcome,
        event.who,
        event.studyInstanceUID,
        event.patientId,
        canonicalEvent(event),
        hash,
      )
    }
  }
}
