/** What FHIR reads of the archive beyond the other readers: patients, studies, visits, orders and facts as lists. */
import type { LedgerPatient, Order, PatientKey, Visit } from './identity.ts'
import type { Visibility } from './visibility.ts'

/** A page of a list in a stable order. `next` goes on behind it. */
export interface FhirRows<Row> {
  readonly items: readonly Row[]
  readonly next: string | null
}

export interface FhirPaging {
  readonly limit: number
  /** From an earlier answer. @throws ArchiveError 'request.malformed' for one we did not give */
  readonly cursor?: string
}

/** Days of DICOM, `YYYYMMDD`, both included. */
export interface DayRange {
  readonly from?: string
  readonly to?: string
}

export interface FhirPatientRow {
  readonly patient: LedgerPatient
  /** Opaque id of who this one was folded into; null when it stands for itself. */
  readonly mergedInto: string | null
  /** Opaque ids of those folded into this one, directly. */
  readonly replaces: readonly string[]
  /** Opaque ids of the same person under other numbers. */
  readonly linked: readonly string[]
  /** Instant of the last decision about the patient, else of the first object; null when neither is known. */
  readonly lastUpdated: string | null
}

export interface FhirPatientFilter extends FhirPaging {
  readonly ids?: readonly string[]
  /** Identifiers of which one must be the patient's, own or other; an empty issuer is any. */
  readonly identifiers?: readonly PatientKey[]
  /** Issuers of which one must have given a number. */
  readonly issuers?: readonly string[]
  /** Folded beginnings of the family name, alternatives. */
  readonly family?: readonly string[]
  /** Beginnings of any part of the name, alternatives. */
  readonly name?: readonly string[]
  readonly birthDate?: DayRange
  /** Only those folded into others, or only the others. */
  readonly merged?: boolean
}

export interface FhirStudyRow {
  readonly studyInstanceUID: string
  /** Current owner. */
  readonly patientId: string
  /** Start of the study, ISO 8601 UTC; null when no date is known. */
  readonly instant: string | null
  /** When the last instance came or the last decision about the study was taken, ISO 8601. */
  readonly lastUpdated: string | null
}

export interface FhirStudyFilter extends FhirPaging {
  readonly uids?: readonly string[]
  readonly patientIds?: readonly string[]
  readonly accessionNumbers?: readonly string[]
  readonly modalities?: readonly string[]
  readonly date?: DayRange
}

export interface FhirVisitRow {
  /** Who it is now. */
  readonly patientId: string
  /** Under whom it was said: never changes. */
  readonly statedPatientId: string
  readonly visit: Visit
}

export interface FhirOrderRow {
  readonly patientId: string
  readonly order: Order
}

/** Any thread. What the caller may not see does not exist. */
export interface FhirReader {
  /** By opaque key, oldest first. */
  patients(filter: FhirPatientFilter, visibility: Visibility): FhirRows<FhirPatientRow>
  /** Newest study date first. */
  studies(filter: FhirStudyFilter, visibility: Visibility): FhirRows<FhirStudyRow>
  visits(
    filter: FhirPaging & { readonly patientIds?: readonly string[]; readonly admissionIds?: readonly string[] },
    visibility: Visibility,
  ): FhirRows<FhirVisitRow>
  orders(
    filter: FhirPaging & {
      readonly ids?: readonly string[]
      readonly patientIds?: readonly string[]
      /** Accession, placer or filler numbers, of any issuer. */
      readonly numbers?: readonly string[]
      readonly studyInstanceUIDs?: readonly string[]
    },
    visibility: Visibility,
  ): FhirRows<FhirOrderRow>
}
