import { PERMISSIONS, type Permission, type Role } from '#model/permission.ts'

/** What each role may do. docs/reference/access.md and the access matrix are made from it. design.md section 7. */
export const ROLE_PERMISSIONS: { readonly [role in Role]: readonly Permission[] } = {
  administrator: PERMISSIONS,
  archivist: [
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
    'arrival.read',
    'identity.read',
    'identity.decide',
    'worklist.read',
    'message.read',
    'peer.write',
    'originator.write',
    'settings.read',
    'jobs.read',
    'system.read',
  ],
  clinician: ['object.read', 'object.export', 'document.read', 'document.store', 'capture.link'],
  technologist: [
    'object.read',
    'object.store',
    'document.read',
    'document.store',
    'capture.link',
    'quarantine.read',
    'arrival.read',
    'identity.read',
    'worklist.read',
    'jobs.read',
  ],
  'front-desk': [
    'object.read',
    'object.store',
    'document.store',
    'capture.link',
    'quarantine.read',
    'arrival.read',
    'identity.read',
    'identity.decide',
    'worklist.read',
  ],
  sender: ['object.store', 'document.store'],
  reader: ['object.read', 'document.read'],
  auditor: [
    'audit.read',
    'arrival.read',
    'message.read',
    'identity.read',
    'quarantine.read',
    'settings.read',
    'system.read',
  ],
}

/**
 * Permissions that are about objects of one patient. A subject limited to patients has no other: a list of arrivals
 * or of held objects would show it other patients, and what it stored or deleted could be another patient's.
 */
export const PATIENT_PERMISSIONS: readonly Permission[] = ['object.read', 'object.export', 'document.read']

/** Permissions whose answers are rows of the archive, filtered by a Visibility that may be everything. */
export const READS_OBJECTS: readonly Permission[] = ['object.read', 'object.export', 'object.delete', 'document.read']
