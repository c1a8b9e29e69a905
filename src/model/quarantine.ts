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
