import type { PatientIdentity } from './archive-object.ts'
import type { ArrivalRecord } from './arrival.ts'
import type { ImportItem, PatientKey, ReconciliationState } from './identity.ts'

/** What a study says of itself when it is matched: as it arrived, decoded; null where it says nothing. */
export interface StudyEvidence {
  readonly studyInstanceUID: string
  /** Whose it is as it arrived. */
  readonly patient: PatientIdentity
  readonly name: string | null
  /** `YYYYMMDD`. */
  readonly birthDate: string | null
  readonly sex: string | null
  /** Other Patient IDs with an issuer. */
  readonly otherIds: readonly PatientKey[]
  readonly accessionNumber: string | null
  readonly accessionIssuer: string | null
  readonly requestedProcedureId: string | null
  readonly admissionId: string | null
  readonly studyDate: string | null
  /** Day of the first arrival, `YYYYMMDD`, UTC. */
  readonly arrivedOn: string | null
  readonly modalities: readonly string[]
  readonly description: string | null
  readonly bodyPart: string | null
  readonly sender: Sender
  /** Tags its first instance has at the outermost level. */
  readonly present: readonly string[]
}

/** Who an instance came from, as its first arrival says. */
export type Sender = Pick<ArrivalRecord, 'door' | 'peer' | 'originator' | 'user' | 'address' | 'medium'>

/** One instance as coercion rules see it: its metadata as it arrived, DICOM JSON. */
export interface InstanceMetadata {
  readonly seriesInstanceUID: string
  readonly sopInstanceUID: string
  readonly sender: Sender
  dataSet(): { readonly [tag: string]: unknown }
}

/** What reconciliation reads of the index. Synchronous: it runs beside the write connection. */
export interface EvidenceReader {
  /** Undefined when no such study is kept. */
  study(studyInstanceUID: string): StudyEvidence | undefined
  /** Whose a study is as it arrived. */
  owner(studyInstanceUID: string): PatientIdentity | undefined
  /** True once an ADT message, an order or a person told of somebody: before that there is nothing to match with. */
  hasEvidence(): boolean
  /** True when an issuer is one that ADT or a person uses. */
  isLocalIssuer(issuer: string): boolean
  /** Studies whose patient or order could be this one; at most `limit`, newest first. */
  studiesLike(
    like: {
      readonly keys: readonly PatientKey[]
      readonly name: string | null
      readonly birthDate: string | null
      readonly accessionNumber: string | null
      readonly studyInstanceUID: string | null
    },
    limit: number,
  ): readonly string[]
  /** Instances of a study in order. */
  instances(studyInstanceUID: string): Iterable<InstanceMetadata>
}

/** How a study stands: what `import` tells and the desk shows. */
export interface StudyReconciliation {
  readonly studyInstanceUID: string
  readonly state: ReconciliationState
  /** One sentence. */
  readonly why: string
  readonly candidates: number
  /** Item of the import worklist; null when there is none. */
  readonly item: string | null
}

/** What a person decides of an item. A patient, or a candidate by its place in the list. */
export interface ImportDecision {
  readonly action: 'assign' | 'keep'
  readonly patient?: PatientKey | undefined
  /** Zero-based. */
  readonly candidate?: number | undefined
  /** Null: no order. Undefined: that of the candidate. */
  readonly orderId?: string | null | undefined
  readonly reason: string
}

/** A patient, or null for the one it is kept under; an order by its id, or null for none. */
export interface ImportAssignment {
  readonly patient: PatientKey | null
  readonly orderId: string | null
  readonly reason: string
}

/** Who decides: account or token, and from where. */
export interface Decider {
  readonly by: string
  readonly address: string | null
}

/** What a person who imports a medium says it is: checked, never believed blindly. */
export interface Intention {
  readonly patient: PatientKey | null
  readonly accessionNumber: string | null
}

/** The import worklist. Lives in the writer worker; every method answers when what it did is durable. */
export interface ImportDesk {
  list(filter: {
    readonly state?: ImportItem['state']
    readonly reconciliation?: ReconciliationState
    readonly limit: number
    readonly cursor?: string
  }): Promise<{ readonly items: readonly ImportItem[]; readonly next: string | null }>
  item(id: string): Promise<ImportItem | undefined>
  /** @throws ArchiveError 'request.not-found', 'request.conflict' when decided already, 'identity.unknown' */
  decide(id: string, decision: ImportDecision, who: Decider): Promise<ImportItem>
  /**
   * Assigns a study without waiting for the worklist to ask: to a patient, by default the one it is kept under, and to
   * an order. Shows on the worklist as decided, and can be taken back there.
   * @throws ArchiveError 'request.not-found', 'request.conflict' when a person decided about it, 'identity.unknown'
   */
  assign(studyInstanceUID: string, to: ImportAssignment, who: Decider): Promise<ImportItem>
  /** Takes the decision back; the study is as it was before. @throws ArchiveError 'request.conflict' when it is open */
  undo(id: string, reason: string, who: Decider): Promise<ImportItem>
  /** Matches a study anew now. @throws ArchiveError 'request.not-found' */
  reconcile(studyInstanceUID: string): Promise<StudyReconciliation>
  /** How a study stands, without matching it. Undefined when it is not kept. */
  stateOf(studyInstanceUID: string): Promise<StudyReconciliation | undefined>
  /** Checks that the patient and order a person means exist. @throws ArchiveError 'identity.unknown' */
  checkIntention(intention: Intention): Promise<void>
  /** Assigns a study as a person meant it, unless something speaks against it: then it waits on the worklist. */
  intend(studyInstanceUID: string, intention: Intention, who: Decider): Promise<StudyReconciliation>
  /** Applies the coercion rules of the originator as they are now. @returns how many decisions it made */
  recoerce(studyInstanceUID: string, who: Decider): Promise<number>
}
