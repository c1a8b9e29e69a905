import type { Deletion } from './archive-index.ts'
import type { Arrival, Receipt } from './arrival.ts'
import type { QuarantineDecision, QuarantineItem } from './quarantine.ts'

/** What doors call. Arrivals are handed over: memory buffers are transferred, spool files become the archive's. */
export interface Intake {
  /** Resolves when the outcome is durable: flushed and committed, or held, or refused with its record written. */
  receive(arrival: Arrival): Promise<Receipt>
  /** Judges and stores nothing. */
  judge(arrival: Arrival): Promise<Receipt>
}

/** Decisions on held objects; each is journalled and audited. */
export interface QuarantineDesk {
  list(filter: {
    readonly state?: string
    readonly sha256?: string
    readonly sopInstanceUid?: string
    readonly limit: number
    readonly cursor?: string
  }): Promise<{
    readonly items: readonly QuarantineItem[]
    readonly next: string | null
  }>
  item(id: string): Promise<QuarantineItem | undefined>
  /** @throws ArchiveError quarantine.decided, identity.conflict, request.not-found, request.malformed (no reason) */
  decide(id: string, action: QuarantineDecision['action'], reason: string, by: string): Promise<QuarantineItem>
  /** The original bytes as an encrypted container for a named role (G5). */
  original(id: string): Promise<Uint8Array>
}

export interface Deletions {
  /** @returns number of instances that became invisible; 0 when nothing matched */
  delete(deletion: Deletion): Promise<number>
}
