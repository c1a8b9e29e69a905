import type { ErrorCode } from '#errors.ts'
import type {
  ImportItem,
  LedgerCause,
  LedgerDecision,
  LedgerEntry,
  LedgerPatient,
  Order,
  PatientKey,
  PerformedStep,
} from './identity.ts'

/** Why a decision cannot be taken: told to the sender, audited, nothing changed. */
export interface Refusal {
  readonly code: ErrorCode
  readonly detail: string
}

/**
 * Writes of the ledger: only inside the writer worker, synchronous, part of the caller's transaction. Applying an entry
 * also brings everything derived level in the same transaction: who owns which study, effective overlays, search
 * values, aliases, the change feed.
 */
export interface IdentityLedger {
  /** What stands against a decision given what is known now and the decisions before it in the same list. */
  check(decisions: readonly LedgerDecision[]): Refusal | null
  /** Idempotent by entry id. @throws ArchiveError when a decision makes no sense after all; the transaction then fails */
  apply(entries: readonly LedgerEntry[]): void
  /** Registers or replaces an item of the import worklist. */
  putImportItem(item: ImportItem): void
}

/** Reads of the ledger on whichever thread; newest committed state. */
export interface IdentityReader {
  /** The patient of exactly this key, merged or not. */
  patient(key: PatientKey): LedgerPatient | undefined
  patientById(patientId: string): LedgerPatient | undefined
  /** Possible persons by name (folded, prefix of the family name) or birth date or any identifier; at most `limit`. */
  similar(
    person: { readonly id?: string; readonly name?: string; readonly birthDate?: string },
    limit: number,
  ): readonly LedgerPatient[]
  entry(id: string): LedgerEntry | undefined
  /** Newest first. */
  entries(filter: {
    readonly patient?: PatientKey
    readonly studyInstanceUID?: string
    readonly limit: number
    readonly cursor?: string
  }): { readonly items: readonly LedgerEntry[]; readonly next: string | null }
  order(id: string): Order | undefined
  /** Orders of a patient (with all that was folded into it), or by accession, study or procedure-step id. */
  orders(filter: {
    readonly patient?: PatientKey
    readonly accessionNumber?: string
    readonly studyInstanceUID?: string
    readonly status?: Order['status']
    /** Start dates from .. to, `YYYYMMDD`. */
    readonly from?: string
    readonly to?: string
    readonly modality?: string
    readonly stationAeTitle?: string
    readonly limit: number
    readonly cursor?: string
  }): { readonly items: readonly Order[]; readonly next: string | null }
  performedStep(sopInstanceUID: string): PerformedStep | undefined
  /** Performed steps that answer an order. */
  performedSteps(orderId: string): readonly PerformedStep[]
  importItem(id: string): ImportItem | undefined
  importItemOf(studyInstanceUID: string): ImportItem | undefined
  importItems(filter: {
    readonly state?: ImportItem['state']
    readonly reconciliation?: ImportItem['reconciliation']
    readonly limit: number
    readonly cursor?: string
  }): { readonly items: readonly ImportItem[]; readonly next: string | null }
}

/** What doors and desks call: checks, journals (flushed), applies, audits. */
export interface IdentityDesk {
  /** @throws ArchiveError by Refusal.code; then nothing was decided */
  decide(
    decisions: readonly LedgerDecision[],
    cause: LedgerCause,
    address: string | null,
  ): Promise<readonly LedgerEntry[]>
}
