import type { PatientIdentity } from './archive-object.ts'

/** A patient as a sender names one; the issuer in the form the register of issuers gives it (security/issuers.ts). */
export interface PatientKey {
  readonly issuer: string
  readonly id: string
}

/** What a source says of a person. Texts decoded; names as `A=I=P`, dates as `YYYYMMDD`, sex as `M`, `F`, `O`. */
export interface Demographics {
  readonly name: string | null
  readonly birthDate: string | null
  readonly sex: string | null
  /** Further identifiers of the same person. */
  readonly otherIds: readonly PatientKey[]
  readonly address: string | null
  readonly telephone: string | null
  readonly motherName: string | null
}

/** An encounter as ADT or an order names it. */
export interface Visit {
  /** Admission ID (0038,0010). */
  readonly admissionId: string
  readonly issuer: string | null
  readonly location: string | null
  readonly referringPhysician: string | null
  readonly admittedAt: string | null
  readonly dischargedAt: string | null
  readonly status: 'planned' | 'active' | 'ended' | 'cancelled'
}

/** A concept. PS3.3 section 8.1. */
export interface Code {
  readonly value: string
  readonly scheme: string
  readonly meaning: string
}

/** One scheduled procedure step. PS3.3 section C.4.10. */
export interface ScheduledStep {
  readonly id: string
  readonly modality: string | null
  readonly stationAeTitle: string | null
  readonly stationName: string | null
  readonly location: string | null
  /** `YYYYMMDD` and `HHMMSS`, in the zone of the site. */
  readonly startDate: string | null
  readonly startTime: string | null
  readonly description: string | null
  readonly codes: readonly Code[]
  readonly performingPhysician: string | null
}

export type OrderStatus = 'scheduled' | 'in-progress' | 'completed' | 'cancelled' | 'discontinued'

/** An imaging order with its steps: what a worklist shows and reconciliation matches against. services.md E.4. */
export interface Order {
  /** Opaque, derived from (issuer of filler or placer number, number), so a rebuild finds the same one. */
  readonly id: string
  readonly patient: PatientKey
  readonly placerOrderNumber: string | null
  readonly placerIssuer: string | null
  readonly fillerOrderNumber: string | null
  readonly fillerIssuer: string | null
  readonly accessionNumber: string | null
  readonly accessionIssuer: string | null
  readonly requestedProcedureId: string | null
  readonly description: string | null
  readonly codes: readonly Code[]
  readonly studyInstanceUID: string
  /** Where the Study Instance UID came from. */
  readonly studyUidFrom: 'IPC' | 'ZDS' | 'generated'
  readonly steps: readonly ScheduledStep[]
  readonly priority: 'STAT' | 'HIGH' | 'ROUTINE' | 'MEDIUM' | 'LOW' | null
  readonly requestingPhysician: string | null
  readonly referringPhysician: string | null
  readonly requestingService: string | null
  readonly reason: string | null
  readonly medicalAlerts: string | null
  readonly patientState: string | null
  readonly transport: string | null
  readonly confidentiality: string | null
  readonly department: string | null
  readonly admissionId: string | null
  readonly status: OrderStatus
}

/** A performed procedure step as a modality reports it. PS3.4 annex F.7. */
export interface PerformedStep {
  readonly sopInstanceUID: string
  readonly status: 'IN PROGRESS' | 'COMPLETED' | 'DISCONTINUED'
  /** The whole N-CREATE data set with every N-SET applied, as DICOM JSON. */
  readonly attributes: { readonly [tag: string]: unknown }
  readonly orderId: string | null
  readonly studyInstanceUIDs: readonly string[]
}

/** An attribute that is served otherwise than stored. Path and VR as in standards/dicom/overlay.ts. */
export interface AttributeChange {
  /** `00100010`, or into a sequence with zero-based item indices: `00101002/0/00100020`. */
  readonly path: string
  readonly vr: string
  /** Texts; null removes the attribute. */
  readonly values: readonly string[] | null
}

/** What a correction is about: all studies of a patient, or a study, series, instance. */
export type OverlayScope =
  | { readonly of: 'patient'; readonly patient: PatientKey }
  | {
      readonly of: 'study'
      readonly studyInstanceUID: string
      readonly seriesInstanceUID?: string
      readonly sopInstanceUID?: string
    }

/**
 * A decision about who somebody is or what an object says. Appended to the journal, applied by the ledger, and undone
 * by another decision: nothing is ever taken out of the ledger.
 */
export type LedgerDecision =
  /** Creates or updates a patient. `authority`: `adt` and `person` outrank what objects say; absent demographics stay. */
  | {
      readonly do: 'register'
      readonly patient: PatientKey
      readonly demographics: Partial<Demographics>
      readonly visit: Visit | null
      readonly authority: 'adt' | 'person'
    }
  /** Folds `from` into `into`; `change-id` says that it is another number of the same record (ADT^A47). */
  | { readonly do: 'merge'; readonly from: PatientKey; readonly into: PatientKey; readonly how: 'merge' | 'change-id' }
  /** Same person under two numbers, both stay (ADT^A24); undone by `undo` (ADT^A37). */
  | { readonly do: 'link'; readonly a: PatientKey; readonly b: PatientKey }
  /** A study belongs to somebody else than it says (reconciliation, ADT^A43 to A45). */
  | {
      readonly do: 'assign'
      readonly studyInstanceUID: string
      readonly patient: PatientKey
      readonly orderId: string | null
      /** Further coercions of the study (accession number, admission ID ...), without the patient module. */
      readonly changes: readonly AttributeChange[]
    }
  /** A correction or coercion of attributes. */
  | {
      readonly do: 'overlay'
      readonly scope: OverlayScope
      readonly reason: 'COERCE' | 'CORRECT'
      readonly changes: readonly AttributeChange[]
    }
  | { readonly do: 'order'; readonly order: Order }
  | { readonly do: 'perform'; readonly step: PerformedStep }
  /** Takes an earlier decision back: unmerge, unlink, unassign, uncorrect. */
  | { readonly do: 'undo'; readonly entry: string }

/** Who decided, and why. */
export interface LedgerCause {
  /** Account, token, AE title, or the message's sender `app|facility`. */
  readonly by: string
  /** Rule that decided: `ADT^A40`, `reconcile.certain`, `desk`, `coercion.<originator>`. */
  readonly rule: string
  /** Control id of the message, id of the worklist item; null when a person simply did it. */
  readonly reference: string | null
  /** What a person wrote. */
  readonly reason: string | null
}

/** A decision with its place in the journal. */
export interface LedgerEntry {
  /** `<journal sequence>.<position>`: the same after a rebuild. */
  readonly id: string
  readonly time: string
  readonly cause: LedgerCause
  readonly decision: LedgerDecision
  /** Entry that took it back. */
  readonly undoneBy: string | null
}

/** A patient as the ledger knows one. */
export interface LedgerPatient extends PatientIdentity {
  readonly demographics: Demographics
  /** Who said so: `object` when only images and documents did. */
  readonly authority: 'adt' | 'person' | 'object'
  readonly visits: readonly Visit[]
  /** The patient this one was folded into, and in the end lives on as; its own key when it was not. */
  readonly mergedInto: PatientKey | null
  readonly survivor: PatientKey
  /** Every identifier that leads here: merged ones, other ids, linked ones. */
  readonly aliases: readonly PatientKey[]
  readonly linked: readonly PatientKey[]
}

/** How sure a candidate is, and why: one line per criterion. */
export interface Criterion {
  readonly name: string
  readonly arrived: string | null
  readonly known: string | null
  readonly result: 'equal' | 'similar' | 'different' | 'missing'
  readonly score: number
}

export interface Candidate {
  readonly patient: LedgerPatient
  readonly order: Order | null
  /** 0 to 100. */
  readonly score: number
  readonly certain: boolean
  readonly criteria: readonly Criterion[]
}

/**
 * State of a study's reconciliation. `local`: it is ours as it came; `coerced`: assigned by rule or person; `waiting`: on
 * the import worklist; `foreign`: nobody matches, kept under its own issuer.
 */
export type ReconciliationState = 'local' | 'coerced' | 'waiting' | 'foreign'

/** An item of the import worklist. */
export interface ImportItem {
  readonly id: string
  readonly studyInstanceUID: string
  readonly state: 'open' | 'decided'
  readonly reconciliation: ReconciliationState
  readonly arrivedAs: {
    readonly issuer: string
    readonly id: string
    readonly name: string | null
    readonly birthDate: string | null
    readonly sex: string | null
    readonly accessionNumber: string | null
    readonly studyDate: string | null
    readonly modalities: readonly string[]
    readonly description: string | null
  }
  readonly originator: string | null
  readonly medium: string | null
  readonly why: string
  readonly candidates: readonly Candidate[]
  readonly decision: {
    readonly action: 'assign' | 'keep'
    readonly patient: PatientKey | null
    readonly orderId: string | null
    readonly reason: string | null
    readonly by: string
    readonly time: string
    /** Ledger entries it made: undo takes them back. */
    readonly entries: readonly string[]
  } | null
  /** Decisions that were taken back, oldest first: after one of a person nothing decides by itself any more. */
  readonly earlier?: readonly {
    readonly action: 'assign' | 'keep'
    readonly patient: PatientKey | null
    readonly by: string
    readonly time: string
    readonly undoneBy: string
    readonly undoneAt: string
    readonly undoReason: string | null
  }[]
}
