/**
 * What a caller may see, decided by security/decide.ts; no query runs without one. design.md section 7.
 * Filtering happens in SQL, so that counts cannot leak.
 */
export type Visibility =
  | { readonly sees: 'all' }
  /** Only these patients (opaque patient ids, not identifiers). Empty: nothing. */
  | { readonly sees: 'patients'; readonly patientIds: readonly string[] }
  /** Only what the subject itself sent (role sender): nothing of the archive is readable. */
  | { readonly sees: 'nothing' }

export const EVERYTHING: Visibility = { sees: 'all' }
