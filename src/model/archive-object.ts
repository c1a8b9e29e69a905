import type { FrameTable } from '#standards/dicom/frames.ts'
import type { Fact } from '#standards/dicom/sop-classes/family.ts'
import type { ArrivalRecord } from './arrival.ts'
import type { Finding, ScanReport, VerdictWord } from './finding.ts'

/** Where stored bytes are. Offsets and lengths in bytes, of the entry's content, without its tar header. */
export interface Location {
  readonly segment: string
  readonly offset: number
  readonly length: number
}

/** Who a study belongs to: (issuer, id). `issuerAssumed` when the issuer is not the sender's own statement. */
export interface PatientIdentity {
  /** Opaque id of the patient: derived from (issuer, id), so a rebuild finds the same one. */
  readonly patientId: string
  readonly issuer: string
  readonly id: string
  readonly issuerAssumed: boolean
}

/** Part of a metadata answer: DICOM JSON as raw deflate ended by a flush. spike-notes.md section 4. */
export interface MetadataChunk {
  readonly crc32: number
  /** Length in bytes of the JSON text. */
  readonly rawLength: number
  readonly deflated: Uint8Array
}

/** Indexed attribute values of one instance as text, decoded, keyed by tag (`00100010`); person names as `A=I=P`. */
export type AttributeValues = { readonly [tag: string]: readonly string[] }

/** One recorded change between what arrived and what is served. */
export interface Change {
  readonly tag: string
  readonly before: string | null
  readonly after: string | null
  readonly rule: string
  readonly by: string
  readonly time: string
  readonly undone: boolean
}

/** Hex SHA-256 digests. `arrived`: all bytes as sent; `dataSet`: after group 0002; `kept`: the stored Part 10 file. */
export interface Digests {
  readonly arrived: string
  readonly dataSet: string
  readonly kept: string
}

/** Where an object belongs and why. */
export interface Placement {
  readonly rule: string
  readonly ruleVersion: number
  readonly panel: 'image' | 'document'
  /** `pointer`: another system owns the document; here is where to look. */
  readonly form: 'as-received' | 'native' | 'encapsulated' | 'unwrapped' | 'pointer'
  readonly facts: { readonly [name: string]: string | number | boolean | null }
  readonly alternatives: readonly string[]
}

/**
 * The record beside each object in its segment (`<digest>.json`): all that is needed, with the object itself, to
 * rebuild its index rows. design.md section 6.
 */
export interface ObjectRecord {
  readonly format: 1
  readonly objectId: string
  readonly version: number
  readonly sopInstanceUID: string
  readonly digests: Digests
  /** Offset of the data set within the kept file. */
  readonly dataSetOffset: number
  readonly patient: PatientIdentity
  readonly arrival: ArrivalRecord
  /** The sender's preamble, prefix and group 0002, base64; null for a bare data set. */
  readonly arrivedHead: string | null
  /** Bytes that followed the data set and were not kept, base64 up to 2 KiB, else null with `trailingSha256`. */
  readonly arrivedTail: string | null
  readonly verdict: VerdictWord
  readonly findings: readonly Finding[]
  readonly scan: ScanReport
  readonly placement: Placement
  readonly time: string
}

/** Everything the index learns about one instance in one transaction. */
export interface NewInstance {
  readonly record: ObjectRecord
  readonly location: Location
  readonly sopClassUID: string
  readonly transferSyntaxUID: string
  readonly studyInstanceUID: string
  readonly seriesInstanceUID: string
  readonly attributes: AttributeValues
  readonly metadata: MetadataChunk
  readonly frames: FrameTable | null
  readonly family: string | null
  readonly facts: readonly Fact[]
  /** Instant of the content (ISO 8601 UTC), with whether the zone was assumed; null when no date is known. */
  readonly instant: string | null
  readonly zoneAssumed: boolean
}

/** One coercion or correction as the index keeps it: plain JSON. PS3.3 section C.12.1.1.9. */
export interface StoredOverlayEvent {
  readonly reason: 'COERCE' | 'CORRECT'
  readonly modifyingSystem: string
  readonly source: string
  /** A DICOM DT, UTC. */
  readonly time: string
  readonly changes: readonly { readonly path: string; readonly vr: string; readonly values: readonly string[] | null }[]
}

/** A stored instance as the index knows it: enough to read bytes without opening them. */
export interface StoredInstance {
  readonly objectId: string
  readonly sopInstanceUID: string
  readonly sopClassUID: string
  readonly transferSyntaxUID: string
  readonly studyInstanceUID: string
  readonly seriesInstanceUID: string
  readonly patientId: string
  readonly location: Location
  readonly dataSetOffset: number
  readonly digests: Digests
  readonly frames: FrameTable | null
  /** Versions that change what is served: they key ETags. */
  readonly overlayVersion: number
  /** What is served otherwise than stored, oldest first; empty for nearly everything. standards/dicom/overlay.ts. */
  readonly overlay: readonly StoredOverlayEvent[]
  readonly version: number
}
