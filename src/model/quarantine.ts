import type { Door, Provenance } from './arrival.ts'
import type { Finding, ScanReport } from './finding.ts'

/** An item of the quarantine as the contract shows it. */
export interface QuarantineItem {
  readonly id: string
  readonly state: 'held' | 'released' | 'discarded'
  readonly sha256: string
  readonly size: number
  readonly sopInstanceUid: string | null
  readonly arrivedAt: string
  readonly door: Door
  readonly peer: string | null
  /** How often these bytes arrived. */
  readonly arrivals: number
  readonly findings: readonly Finding[]
  /** First 128 bytes, hexadecimal. */
  readonly preambleHex: string
  readonly scan: ScanReport
  readonly patient: {
    readonly name: string | null
    readonly id: string | null
    readonly birthDate: string | null
  } | null
  readonly decision: QuarantineDecision | null
  /** What a release would join it to; absent when it would not. */
  readonly joins?: StudyJoin
}

/** A release that makes an object of another patient part of a study: it is served with the patient of the study. */
export interface StudyJoin {
  readonly studyInstanceUid: string
  /** Whose the study is now. */
  readonly patient: { readonly issuer: string; readonly id: string; readonly name: string | null }
}

/** Rule of what is held because its study is kept under another patient. */
export const STUDY_CONFLICT = 'study-patient-conflict'

/** The finding that says so. */
export function studyConflict(studyInstanceUID: string): Finding {
  const detail = `study ${studyInstanceUID} is kept under another patient`
  return { rule: STUDY_CONFLICT, severity: 'quarantine', detail, offset: null, tag: '00100020' }
}

/** The study such a finding is about; undefined when there is none. */
export function conflictingStudy(findings: readonly Finding[]): string | undefined {
  const found = findings.findLast(({ rule }) => rule === STUDY_CONFLICT)
  return found === undefined ? undefined : /^study ([0-9.]+) /.exec(found.detail)?.[1]
}

export interface QuarantineDecision {
  readonly action: 'release' | 'sanitise' | 'discard'
  readonly reason: string
  readonly by: string
  readonly time: string
  readonly objectId: string | null
}

export interface HeldRow extends Omit<QuarantineItem, 'arrivals'> {
  readonly provenance: Provenance
}

/** A held object as the desk works on it. */
export interface HeldItem extends HeldRow {
  readonly arrivals: number
}

/**
 * Rows of the quarantine; the bytes are in the vault. Only inside the writer worker, synchronous like ArchiveWriter, so
 * that a row and what goes with it commit together.
 */
export interface QuarantineStore {
  /**
   * Holds bytes, or counts one more arrival when the same bytes are held or were discarded: a sender that retries gets
   * the same answer. Bytes that were released before are held anew.
   * @returns id of the item
   */
  hold(row: HeldRow): string
  get(id: string): HeldItem | undefined
  /** Newest first. */
  list(filter: {
    readonly state?: string
    readonly sha256?: string
    readonly sopInstanceUid?: string
    readonly limit: number
    readonly cursor?: string
  }): { readonly items: readonly QuarantineItem[]; readonly next: string | null }
  /** @returns false when it is not held (any more); nothing is changed then */
  decide(id: string, decision: QuarantineDecision): boolean
  /** What a held object is held for now that it was judged again; one that is not held any more stays as it is. */
  reassess(id: string, findings: readonly Finding[], scan: ScanReport): void
  /** True when a person released exactly these bytes; a release by rule is none. */
  wasReleased(sha256: string): boolean
  /** True when the vault must keep these bytes: held, or decided at `after` or later (ISO 8601 UTC). */
  needsOriginal(sha256: string, after: string): boolean
  count(): { readonly held: number; readonly released: number; readonly discarded: number }
}
