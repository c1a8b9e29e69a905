import { createHash } from 'node:crypto'

/** Opaque id of a patient, derived from (issuer, id): a rebuild, a message and an object find the same one. */
export function patientIdOf(issuer: string, id: string): string {
  return `p${createHash('sha256').update(`${issuer}\u0000${id}`).digest('hex').slice(0, 31)}`
}
