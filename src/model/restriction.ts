/**
 * What is withheld of a patient, and from whom; and the glass that is broken in an emergency. Restrictions stand in
 * the journal: an index that is rebuilt withholds the same.
 */

/**
 * `restricted`: for those who treat and those who keep order. `very-restricted`, and `consent-denied` (the patient did
 * not consent): only after breaking the glass. `vip`: withheld from nobody, every look raises an alert.
 */
export const RESTRICTION_KINDS = ['restricted', 'very-restricted', 'consent-denied', 'vip'] as const
export type RestrictionKind = (typeof RESTRICTION_KINDS)[number]

/** Above 0 for documents and objects that are withheld: 1 from roles that do not treat, 2 from everybody. */
export const RESTRICTION_LEVEL: { readonly [kind in RestrictionKind]: 0 | 1 | 2 } = {
  ...{ vip: 0, restricted: 1, 'very-restricted': 2, 'consent-denied': 2 },
}

export interface Restriction {
  readonly id: string
  /** Opaque patient id. */
  readonly patientId: string
  readonly kind: RestrictionKind
  readonly reason: string
  readonly by: string
  readonly time: string
  /** Ends by itself at this instant; null: when somebody ends it. */
  readonly until: string | null
  readonly ended: { readonly by: string; readonly time: string; readonly reason: string } | null
}

/** One emergency: who looks at whom, why and until when. */
export interface BrokenGlass {
  readonly id: string
  readonly who: string
  readonly patientId: string
  readonly reason: string
  readonly time: string
  readonly until: string
  readonly address: string | null
  readonly ended: string | null
}

/** A patient as people name one: by issuer and number, or by the opaque id of lists. */
export type PatientGiven = { readonly patientId: string } | { readonly issuer: string; readonly id: string }

/** Reads, from any thread. */
export interface RestrictionReader {
  /** True while anything is restricted at all. */
  any(): boolean
  patient(given: PatientGiven): string | undefined
  restriction(id: string): Restriction | undefined
  /** Newest first; `patientId` as it is, or as whoever it lives on as. */
  restrictions(filter: {
    readonly patientId?: string
    readonly all?: boolean
    readonly limit: number
  }): readonly Restriction[]
  /** Patients whose glass this subject has broken and that are still open to it. */
  brokenBy(who: string, now: string): readonly string[]
  glasses(filter: {
    readonly id?: string
    readonly who?: string
    readonly open?: boolean
    readonly limit: number
  }): readonly BrokenGlass[]
  /** Whether a study or patient is of somebody whose record is watched; and whether it is one of these patients. */
  concerns(
    what: { readonly studyInstanceUID?: string | null; readonly patientId?: string | null },
    patientIds: readonly string[],
  ): { readonly watched: boolean; readonly among: boolean }
}

/** Writes, in the worker. */
export interface RestrictionDesk {
  /** @throws ArchiveError 'identity.unknown' */
  restrict(
    given: PatientGiven,
    kind: RestrictionKind,
    more: { readonly reason: string; readonly until: string | null },
    by: string,
    address: string | null,
  ): Promise<Restriction>
  /** @throws ArchiveError 'request.not-found' */
  end(id: string, reason: string, by: string, address: string | null): Promise<Restriction>
  /** @throws ArchiveError 'identity.unknown' */
  breakGlass(
    given: PatientGiven,
    reason: string,
    minutes: number,
    by: string,
    address: string | null,
  ): Promise<BrokenGlass>
  /** @throws ArchiveError 'request.not-found' */
  closeGlass(id: string, by: string, address: string | null): Promise<BrokenGlass>
}
