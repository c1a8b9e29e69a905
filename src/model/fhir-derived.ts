/** What FHIR reads out of DICOM objects beyond studies: measurements and the equipment that made a series. */
import type { Fact } from '#standards/dicom/sop-classes/family.ts'
import type { FhirPaging, FhirRows } from './fhir-reader.ts'
import type { Visibility } from './visibility.ts'

/** Families whose facts are measurements of a person. standards/dicom/sop-classes/. */
export const MEASURED_FAMILIES = ['xray-dose', 'ecg'] as const

export type MeasuredFamily = (typeof MEASURED_FAMILIES)[number]

/** One object with what was measured: a dose report or an ECG. */
export interface FhirMeasurementRow {
  readonly objectId: string
  readonly sopInstanceUID: string
  readonly studyInstanceUID: string
  readonly family: MeasuredFamily
  /** Current owner. */
  readonly patientId: string
  /** Id of the equipment of its series; null when nothing is said of it. */
  readonly deviceId: string | null
  /** Start of the study, ISO 8601 UTC; null when no date is known. */
  readonly instant: string | null
  /** When the object came, ISO 8601. */
  readonly lastUpdated: string
  readonly facts: readonly Fact[]
  /** Goes on behind this row. */
  readonly cursor: string
}

/** Equipment as the series say it: maker, model and station are what tells one from another. PS3.3 C.7.5.1. */
export interface FhirDeviceRow {
  /** Derived from maker, model and station, so that the same equipment always has the same one. */
  readonly id: string
  readonly manufacturer: string | null
  readonly model: string | null
  readonly stationName: string | null
  /** Of the newest series. */
  readonly serialNumber: string | null
  readonly softwareVersions: readonly string[]
  /** Unique device identifiers, human readable form. PS3.3 section 10.29. */
  readonly udis: readonly string[]
  /** When the newest series came, ISO 8601; null when nobody knows. */
  readonly lastUpdated: string | null
}

/** Any thread. What the caller may not see does not exist. */
export interface FhirDerivedReader {
  /** Ordered by class and place; stable while more comes in. */
  measurements(
    filter: FhirPaging & {
      readonly objectIds?: readonly string[]
      readonly patientIds?: readonly string[]
      readonly studyInstanceUIDs?: readonly string[]
      readonly families?: readonly MeasuredFamily[]
    },
    visibility: Visibility,
  ): FhirRows<FhirMeasurementRow>
  /** By maker, model and station. */
  devices(filter: FhirPaging & { readonly ids?: readonly string[] }, visibility: Visibility): FhirRows<FhirDeviceRow>
}
