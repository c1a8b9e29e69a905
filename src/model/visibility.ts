/**
 * What a caller may see, decided by security/decide.ts; no query runs without one. design.md section 7.
 * Filtering happens in SQL, so that counts cannot leak. `hidesDocuments`: a scope for images without one for documents
 * does not show studies that hold encapsulated documents (SOP classes 1.2.840.10008.5.1.4.1.1.104.*), nor count them.
 */
export type Visibility =
  | {
      readonly sees: 'all'
      readonly hidesDocuments?: true
      readonly upTo?: ConfidentialityMax
      readonly withholds?: Withholding
    }
  /** Only these patients (opaque patient ids, not identifiers). Empty: nothing. */
  | {
      readonly sees: 'patients'
      readonly patientIds: readonly string[]
      readonly hidesDocuments?: true
      readonly upTo?: ConfidentialityMax
      readonly withholds?: Withholding
    }
  /** Only what the subject itself sent (role sender): nothing of the archive is readable. */
  | { readonly sees: 'nothing' }

/** Documents labelled stricter than this are not seen: HL7 v3 Confidentiality, `V` very restricted. Absent: all. */
export type ConfidentialityMax = 'N' | 'R'

/**
 * Patients restricted beyond `upTo` are not there, but for those whose glass the subject broke.
 * `N`: all restricted ones are withheld; `R`: very restricted ones and those who did not consent.
 */
export interface Withholding {
  readonly upTo: ConfidentialityMax
  /** Opaque patient ids. */
  readonly except: readonly string[]
}

export const EVERYTHING: Visibility = { sees: 'all' }
