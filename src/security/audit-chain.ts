import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { ArchiveError } from '#errors.ts'
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

/** Entries checked before other work of the thread gets its turn: a few milliseconds. */
const PAGE = 500

/**
 * Walks every chain from its start. Tells the first entry that is missing or was changed. Other work goes on meanwhile;
 * entries added while it runs may or may not be looked at.
 *
 * A cut tail cannot be seen from the chain alone: compare with a head that was noted elsewhere.
 * @param noted heads noted earlier, by node, as `sequence:hash`
 */
export async function verifyAudit(
  store: AuditStore,
  noted: { readonly [node: string]: string } = {},
): Promise<readonly AuditVerification[]> {
  const verified: AuditVerification[] = []
  for (const node of new Set([...store.nodes(), ...Object.keys(noted)])) {
    verified.push(await verifyNode(store, node, noted[node]))
  }
  return verified
}

async function verifyNode(store: AuditStore, node: string, noted: string | undefined): Promise<AuditVerification> {
  let hash = chainStart(node)
  let entries = 0
  const [, notedSequence = '0', notedHash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(noted ?? '') ?? []
  const notedAt = Number(notedSequence)
  const answer = (broken: AuditVerification['broken']) => ({ node, entries, head: hash.toString('hex'), broken })
  for (;;) {
    const page: readonly AuditEntry[] = store.chain(node, entries, PAGE)
    for (const entry of page) {
      if (entry.sequence !== entries + 1) return answer({ sequence: entries + 1, why: 'missing' })
      const next = chainHash(hash, entry.sequence, entry)
      if (next.toString('hex') !== entry.hash) return answer({ sequence: entry.sequence, why: 'changed' })
      if (entry.sequence === notedAt && entry.hash !== notedHash) return answer({ sequence: notedAt, why: 'changed' })
      hash = next
      entries = entry.sequence
    }
    if (page.length < PAGE) return answer(entries < notedAt ? { sequence: entries + 1, why: 'missing' } : null)
    await setImmediate()
  }
}

/**
 * Reads heads as a person notes them: `node@sequence:hash`, separated by commas.
 * @throws ArchiveError 'request.malformed'
 */
export function parseNotedHeads(text: string): { readonly [node: string]: string } {
  const heads = text.split(',').map((part): [string, string] => {
    const [, node, head] = /^(.{1,255})@(\d{1,15}:[0-9a-f]{64})$/.exec(part.trim()) ?? []
    if (node === undefined || head === undefined) {
      throw new ArchiveError(
        'request.malformed',
        'head: expected node@sequence:hash, as an earlier verification told it',
      )
    }
    return [node, head]
  })
  return Object.fromEntries(heads)
}
