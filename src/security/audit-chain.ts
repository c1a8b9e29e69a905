import { createHash } from 'node:crypto'
import type { AuditEntry, AuditEvent, AuditStore } from './ports.ts'

/** The hash before the first entry of a node: SHA-256 of its name, so that chains cannot be exchanged. */
export function chainStart(node: string): Buffer {
  return createHash('sha256').update(`diptych audit chain 1\n${node}`).digest()
}

/** The text that is hashed and kept: members in this order, so that the same entry always gives the same bytes. */
export function canonicalEvent(event: AuditEvent): string {
  return JSON.stringify([
    event.time,
    event.kind,
    event.outcome,
    event.who,
    event.address,
    event.purpose,
    event.studyInstanceUID,
    event.patientId,
    event.detail,
    event.count,
    event.since,
  ])
}

/** SHA-256 over the previous hash (32 bytes), the sequence number in decimal, a line feed and the canonical text. */
export function chainHash(previous: Uint8Array, sequence: number, event: AuditEvent): Buffer {
  return createHash('sha256').update(previous).update(`${sequence}\n`).update(canonicalEvent(event)).digest()
}

export interface AuditVerification {
  readonly node: string
  readonly entries: number
  /** Hash of the last good entry, hexadecimal: noted elsewhere, it proves later that nothing before it changed. */
  readonly head: string
  readonly broken: { readonly sequence: number; readonly why: 'missing' | 'changed' } | null
}

const PAGE = 1000

/**
 * Walks every chain from its start. Tells the first entry that is missing or was changed.
 *
 * A cut tail cannot be seen from the chain alone: compare `head` with one that was noted elsewhere (`expected`).
 * @param expected heads noted earlier, by node, as `sequence:hash`
 */
export function verifyAudit(
  store: AuditStore,
  expected: { readonly [node: string]: string } = {},
): readonly AuditVerification[] {
  const nodes = new Set([...store.nodes(), ...Object.keys(expected)])
  return [...nodes].map((node) => verifyNode(store, node, expected[node]))
}

function verifyNode(store: AuditStore, node: string, expected: string | undefined): AuditVerification {
  let hash = chainStart(node)
  let entries = 0
  const noted = expected === undefined ? undefined : /^(\d+):([0-9a-f]{64})$/.exec(expected)
  const notedAt = noted === undefined || noted === null ? 0 : Number(noted[1])
  const answer = (broken: AuditVerification['broken']) => ({ node, entries, head: hash.toString('hex'), broken })
  for (;;) {
    const page: readonly AuditEntry[] = store.chain(node, entries, PAGE)
    if (page.length === 0) break
    for (const entry of page) {
      if (entry.sequence !== entries + 1) return answer({ sequence: entries + 1, why: 'missing' })
      const next = chainHash(hash, entry.sequence, entry)
      if (next.toString('hex') !== entry.hash) return answer({ sequence: entry.sequence, why: 'changed' })
      hash = next
      entries = entry.sequence
      if (entries === notedAt && entry.hash !== noted?.[2]) return answer({ sequence: entries, why: 'changed' })
    }
  }
  return answer(entries < notedAt ? { sequence: entries + 1, why: 'missing' } : null)
}
