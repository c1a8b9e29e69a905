import type { Database } from './database.ts'

/** How far the chain of a node was sent to a syslog server. */
export interface AuditSent {
  /** The number of the last entry sent; for a target that is new, of the one before the last start of this node. */
  sent(node: string, target: string): number
}

/** Reads; the connection may be read-only. */
export function createAuditSent(db: Database): AuditSent {
  return {
    sent(node, target) {
      const row = db.get<{ sequence: number }>(
        'select sequence from audit_sent where node = ? and target = ?',
        ...[node, target],
      )
      if (row !== undefined) return row.sequence
      const start = db.get<{ sequence: number }>(
        "select sequence from audit where node = ? and kind = 'start' order by sequence desc limit 1",
        node,
      )
      return (start?.sequence ?? 1) - 1
    },
  }
}

/** The write, run in the worker. */
export function createAuditSentWriter(db: Database) {
  return {
    async advance(node: string, target: string, sequence: number): Promise<void> {
      db.run(
        `insert into audit_sent (node, target, sequence) values (?, ?, ?)
         on conflict (node, target) do update set sequence = max(sequence, excluded.sequence)`,
        ...[node, target, sequence],
      )
    },
  }
}
