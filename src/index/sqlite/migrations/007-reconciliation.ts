import type { Migration } from '../migrate.ts'

/** Whether there is anybody to compare with, and which issuers are ours, without a walk over all patients. */
export const reconciliation: Migration = {
  number: 7,
  name: 'reconciliation',
  sqlite: ["create index patient_told on patient(issuer) where authority <> 'object'"],
}
