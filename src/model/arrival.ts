import type { ErrorCode } from '#errors.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import type { Finding, ScanReport, VerdictWord } from './finding.ts'

export type Door = 'media' | 'web' | 'stow' | 'mailbox' | 'dimse' | 'hl7v2' | 'fhir' | 'xds' | 'demo' | 'placement'

/** Where an arrival came from: everything the record and the policy need, nothing from the bytes themselves. */
export interface Provenance {
  readonly door: Door
  /** AE title, host or user-visible name of the sender; null when nobody is named. */
  readonly peer: string | null
  /** Name of a registered originator, or null: unknown is a known state. */
  readonly originator: string | null
  /** Account or token subject. */
  readonly user: string | null
  readonly address: string | null
  /** Label written on the medium. */
  readonly medium: string | null
  /** Path on the medium or in the upload: a label, never resolved. */
  readonly path: string | null
  /** Instant of receipt, ISO 8601 UTC with milliseconds. */
  readonly time: string
  /** Transfer syntax negotiated for a data set that came alone (C-STORE); absent when the bytes are a whole file. */
  readonly dataSetIn?: string
}

/** What the sender says these bytes are; checked against what they are. */
export interface Claims {
  readonly mediaType?: string
  readonly sopClassUID?: string
  readonly sopInstanceUID?: string
  readonly transferSyntaxUID?: string
  /** The study a STOW-RS request is bound to: `POST /studies/{uid}`. */
  readonly studyInstanceUID?: string
  /** Sent as a document in its own format: judged as one. */
  readonly document?: boolean
  /** Accept a data set without preamble and File Meta (named option, rule P0). */
  readonly bareDataSet?: boolean
}

/** Where the bytes of an arrival are while it walks. */
export type ArrivedBytes =
  | {
      readonly in: 'memory'
      readonly bytes: Uint8Array
      /** SHA-256 (hex) of all of them, when the door made it already. */
      readonly sha256?: string
      /** The same of the bytes from an offset on. */
      readonly tail?: { readonly start: number; readonly sha256: string }
    }
  /** Spooled: see storage/spool.ts. `sha256` is of all bytes as they arrived (hex). */
  | {
      readonly in: 'spool'
      readonly path: string
      /** Preamble, prefix and group 0002 as they arrived; the file holds what follows. */
      readonly head: Uint8Array
      /** File offset of the first byte after `head`. */
      readonly dataStart: number
      readonly size: number
      readonly sha256: string
    }

export interface Arrival {
  readonly provenance: Provenance
  readonly claims: Claims
  readonly bytes: ArrivedBytes
}

/** An arrival being walked: the same, with random access to the bytes. */
export interface OpenArrival extends Arrival {
  readonly source: ByteSource
}

/** What became of an arrival; each door turns it into its own protocol's answer. */
export interface Receipt {
  readonly arrivalId: string
  readonly sha256: string
  readonly size: number
  /** `skip`: not an object of the archive (contract.md). */
  readonly verdict: VerdictWord | 'skip'
  /** True when these bytes are in the archive now (so also for a duplicate). Flushed and committed. */
  readonly stored: boolean
  readonly duplicate: boolean
  readonly sopClassUID: string | null
  readonly sopInstanceUID: string | null
  readonly seriesInstanceUID: string | null
  readonly studyInstanceUID: string | null
  readonly objectId: string | null
  readonly quarantineId: string | null
  /** One sentence for a person. */
  readonly reason: string
  readonly findings: readonly Finding[]
  readonly scan: ScanReport
  /** Set when the sender must be told a failure. */
  readonly failure: ErrorCode | null
  /** True when data elements (not just the wrapper) were removed: warning B006. */
  readonly elementsDiscarded: boolean
}

/** A row of `GET /api/v1/arrivals`: every arrival of any verdict. */
export interface ArrivalRecord {
  readonly id: string
  readonly sha256: string
  readonly size: number
  readonly door: Door
  readonly peer: string | null
  readonly originator: string | null
  readonly user: string | null
  readonly address: string | null
  readonly medium: string | null
  readonly path: string | null
  readonly time: string
  readonly verdict: VerdictWord | 'skip'
  readonly reason: string
  readonly findings: readonly Finding[]
  readonly scan: ScanReport
  readonly sopInstanceUid: string | null
  readonly objectId: string | null
  readonly quarantineId: string | null
}
