import { ArchiveError } from '#errors.ts'
import type { LedgerCause, LedgerDecision, LedgerEntry } from '#model/identity.ts'
import type { IdentityDesk, IdentityLedger } from '#model/identity-ledger.ts'
import type { Journal, JournalEntry } from '#storage/journal.ts'

/** Journal kind of decisions of the ledger; its payload is an IdentityDecisions. */
export const IDENTITY_KIND = 'identity'

/** What was decided together, and why. */
export interface IdentityDecisions {
  readonly decisions: readonly LedgerDecision[]
  readonly cause: LedgerCause
}

export interface IdentityDeskTools {
  readonly ledger: Pick<IdentityLedger, 'check' | 'apply'>
  readonly journal: Pick<Journal, 'append'>
  /** Runs `fn` in one transaction that also writes the flushed position of the segments (the journal's). */
  commit(fn: () => void): void
  /** Runs one after the other whatever checks, journals and applies decisions: what was checked still holds then. */
  exclusively<T>(fn: () => Promise<T>): Promise<T>
  /** Tells the audit trail, in the transaction it is called in. */
  audit(told: IdentityAudit): void
  /** Told of what was applied, inside the transaction: jobs that follow from it are enqueued with it. */
  applied?(entries: readonly LedgerEntry[]): void
}

export interface IdentityAudit {
  readonly cause: LedgerCause
  readonly address: string | null
  readonly outcome: 'success' | 'denied'
  readonly studyInstanceUID: string | null
  /** Kinds of decisions and entry ids; or why it was refused. Never names. */
  readonly detail: string
}

/** One turn after the other, in the order they were asked for. */
export function createTurns(): <T>(fn: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (fn) => {
    const turn = last.then(fn)
    last = turn.then(
      () => undefined,
      () => undefined, // whoever asked is told; the next one starts anew
    )
    return turn
  }
}

/** Checks, journals (flushed), applies and audits in one commit. */
export function createIdentityDesk(tools: IdentityDeskTools): IdentityDesk {
  async function decide(
    decisions: readonly LedgerDecision[],
    cause: LedgerCause,
    address: string | null,
  ): Promise<readonly LedgerEntry[]> {
    if (decisions.length === 0) return []
    const studyInstanceUID = oneStudy(decisions)
    const refusal = tools.ledger.check(decisions)
    if (refusal !== null) {
      const detail = `identity: ${refusal.code}: ${refusal.detail}`
      tools.audit({ cause, address, outcome: 'denied', studyInstanceUID, detail })
      throw new ArchiveError(refusal.code, refusal.detail)
    }
    const payload: IdentityDecisions = { decisions, cause }
    const [written] = await tools.journal.append([{ kind: IDENTITY_KIND, payload }])
    if (written === undefined) throw new ArchiveError('archive.failed', 'the journal gave no entry')
    const entries = entriesOf(written.sequence, written.time, payload)
    tools.commit(() => {
      tools.ledger.apply(entries)
      const detail = `identity: ${cause.rule}: ${entries.map(({ id, decision }) => `${id} ${decision.do}`).join(', ')}`
      tools.audit({ cause, address, outcome: 'success', studyInstanceUID, detail })
      tools.applied?.(entries)
    })
    return entries
  }

  return {
    decide: (decisions, cause, address) => tools.exclusively(() => decide(decisions, cause, address)),
  }
}

/** Entries of a journal entry: `<sequence>.<position>`. */
export function entriesOf(sequence: number, time: string, { decisions, cause }: IdentityDecisions): LedgerEntry[] {
  return decisions.map((decision, i) => ({ id: `${sequence}.${i}`, time, cause, decision, undoneBy: null }))
}

/** @returns entries of a journal entry that carries decisions of the ledger; undefined for other kinds */
export function ledgerEntries(entry: JournalEntry): readonly LedgerEntry[] | undefined {
  if (entry.kind !== IDENTITY_KIND) return undefined
  const { payload } = entry
  if (typeof payload !== 'object' || payload === null) return undefined
  const { decisions, cause }: { decisions?: unknown; cause?: unknown } = payload
  if (!Array.isArray(decisions) || typeof cause !== 'object' || cause === null) return undefined
  return entriesOf(entry.sequence, entry.time, payload as IdentityDecisions)
}

/** The study all decisions are about, when it is one. */
function oneStudy(decisions: readonly LedgerDecision[]): string | null {
  const studies = new Set(
    decisions.map((decision) => {
      if (decision.do === 'assign') return decision.studyInstanceUID
      return decision.do === 'overlay' && decision.scope.of === 'study' ? decision.scope.studyInstanceUID : null
    }),
  )
  return studies.size === 1 ? ([...studies][0] ?? null) : null
}
