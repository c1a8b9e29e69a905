/** One QIDO-RS / C-FIND question after parsing. PS3.18 section 8.3.4, PS3.4 C.2.2.2. */
export interface Query {
  readonly level: 'study' | 'series' | 'instance'
  readonly scope: { readonly studyInstanceUID?: string; readonly seriesInstanceUID?: string }
  readonly match: readonly Match[]
  /** Tag paths the caller wants back, or all that are supported. */
  readonly include: 'all' | readonly (readonly number[])[]
  readonly fuzzy: boolean
  readonly order: readonly { readonly tag: number; readonly descending: boolean }[] | null
  readonly limit: number
  readonly offset: number
  /** Opaque continuation of an earlier page (keyset). */
  readonly after: string | null
}

export interface Match {
  /** Tags from the root: one for a top-level attribute, more through sequences. */
  readonly path: readonly number[]
  readonly how:
    | { readonly is: 'universal' }
    | { readonly is: 'empty' }
    | { readonly is: 'single'; readonly value: string }
    | { readonly is: 'wildcard'; readonly pattern: string }
    | { readonly is: 'range'; readonly from: string | null; readonly to: string | null }
    | { readonly is: 'list'; readonly values: readonly string[] }
}

export interface SearchPage {
  /** One DICOM JSON object per match, without Retrieve URL: the door adds it from the UIDs. */
  readonly rows: readonly SearchRow[]
  readonly more: boolean
  readonly next: string | null
  /** Texts for `Warning: 299` (attributes that cannot be matched, fuzzy not applied ...). */
  readonly warnings: readonly string[]
}

export interface SearchRow {
  readonly studyInstanceUID: string
  readonly seriesInstanceUID: string | null
  readonly sopInstanceUID: string | null
  /** `{"00080020":{...},...}` ready to send; keys ascending. */
  readonly json: string
  /** Index in `json` where a member `"00081190":{...},` (Retrieve URL) belongs. */
  readonly urlAt: number
}

/** A question about patients: C-FIND at PATIENT level. PS3.4 section C.6.1.1.2. Conditions on other attributes warn. */
export interface PatientQuery {
  readonly match: readonly Match[]
  readonly fuzzy: boolean
  readonly limit: number
  /** Opaque continuation of an earlier page (keyset). */
  readonly after: string | null
}

export interface PatientPage {
  readonly rows: readonly PatientSearchRow[]
  readonly next: string | null
  readonly warnings: readonly string[]
}

export interface PatientSearchRow {
  /** Opaque id. */
  readonly patientId: string
  /** As in SearchRow: name, identifier, issuer, birth date, sex, and the counts (0020,1200), (0020,1202), (0020,1204). */
  readonly json: string
}
