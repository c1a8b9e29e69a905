import type { DocumentPhase, DocumentStatus } from './document.ts'

/**
 * Which report a document is a version of, and when its sender made it so. Versions of one report replace each other by
 * their stamp, not by the order in which they arrive.
 */
export interface ReportVersion {
  /** Report number with whose it is; opaque. */
  readonly key: string
  /** Instant (ISO 8601 UTC) the sender gave this state of the report. */
  readonly stamp: string
}

/** A kept version of a report. */
export interface KnownReport extends ReportVersion {
  readonly objectId: string
  readonly status: DocumentStatus
  readonly phase: DocumentPhase
  readonly sha256: string
  /** Surviving owner. */
  readonly patientId: string | null
}

/** A report that its sender took back, at an instant of the sender's. */
export interface ReportWithdrawal extends ReportVersion {}

/** Inside the writer worker; writes are part of the caller's transaction. */
export interface ReportStore {
  /** Versions that are kept, oldest stamp first. */
  versions(key: string): readonly KnownReport[]
  /** Stamp of the newest withdrawal; null when it was never taken back. */
  withdrawnAt(key: string): string | null
  /** Idempotent. */
  withdraw(withdrawal: ReportWithdrawal): void
}
