import type { Provenance, Receipt } from '#model/arrival.ts'
import type { Finding, ScanReport } from '#model/finding.ts'

/** What is known of an arrival once it was screened; the lane completes it to a record and a receipt. */
export interface Base {
  readonly arrivalId: string
  readonly provenance: Provenance
  readonly sha256: string
  readonly size: number
  readonly verdict: Receipt['verdict']
  readonly reason: string
  readonly findings: readonly Finding[]
  readonly scan: ScanReport
  readonly elementsDiscarded: boolean
  readonly failure: Receipt['failure']
  readonly sopClassUID: string | null
  readonly sopInstanceUID: string | null
  readonly seriesInstanceUID: string | null
  readonly studyInstanceUID: string | null
}

/** The four identifiers without which nothing is stored. */
export interface InstanceUids {
  readonly sopClassUID: string
  readonly sopInstanceUID: string
  readonly studyInstanceUID: string
  readonly seriesInstanceUID: string
}
