import type { Withholding } from './visibility.ts'

/** The few named rights; roles bundle them. design.md section 7. */
export const PERMISSIONS = [
  'object.read',
  'object.store',
  'object.delete',
  'object.export',
  'document.read',
  'document.store',
  'document.write',
  'document.original',
  'capture.link',
  'placement.decide',
  'quarantine.read',
  'quarantine.decide',
  'quarantine.original',
  'arrival.read',
  'identity.read',
  'identity.decide',
  'worklist.read',
  'message.read',
  'peer.write',
  'originator.write',
  'settings.read',
  'settings.write',
  'account.write',
  'audit.read',
  'jobs.read',
  'system.read',
] as const

export type Permission = (typeof PERMISSIONS)[number]

export const ROLES = [
  'administrator',
  'archivist',
  'clinician',
  'technologist',
  'front-desk',
  'sender',
  'reader',
  'auditor',
] as const

export type Role = (typeof ROLES)[number]

/**
 * Who asks: an account in a session, a token, the local owner of the data directory, anybody under `--open`, a DICOM
 * peer, or
 * `anonymous`, which reaches public routes only and sees nothing.
 */
export interface Subject {
  readonly kind: 'account' | 'token' | 'local' | 'open' | 'anonymous' | 'peer'
  /** Account name or token id: what audit and provenance show. */
  readonly name: string
  readonly role: Role
  /** SMART-like scopes a token was limited to; empty: all its role allows. */
  readonly scopes: readonly string[]
  /** Opaque patient ids a token is limited to; null: no limit. */
  readonly patientIds: readonly string[] | null
  /** What is withheld of restricted patients; absent: nothing is restricted, or the subject was not asked. */
  readonly withholding?: Withholding
}
