/** Restrictions of patients as rights see them: what is withheld from a subject, and what of its looks is told loudly. */
import type { Role, Subject } from '#model/permission.ts'
import type { RestrictionReader } from '#model/restriction.ts'
import type { Withholding } from '#model/visibility.ts'
import type { Told } from './audit.ts'
import type { Authenticate } from './authenticate.ts'
import { SEES_RESTRICTED, TREATS } from './decide.ts'

/** Purpose of use in the audit trail; HL7 v3 PurposeOfUse BTG. */
export const BREAK_GLASS = 'break-glass'

/** Roles that may open a restricted patient in an emergency. */
export function mayBreakGlass(role: Role): boolean {
  return TREATS.includes(role)
}

/** What is withheld from a subject now; undefined while nothing is restricted at all. */
export function withholdingFrom(
  store: Pick<RestrictionReader, 'any' | 'brokenBy'>,
  { name, role }: Pick<Subject, 'name' | 'role'>,
  now: Date = new Date(),
): Withholding | undefined {
  if (!store.any()) return undefined
  const except = mayBreakGlass(role) ? store.brokenBy(name, now.toISOString()) : []
  return { upTo: SEES_RESTRICTED.includes(role) ? 'R' : 'N', except }
}

/** Authentication whose subjects know what is withheld from them, asked with every request. */
export function withholding(
  authenticate: Authenticate,
  store: Pick<RestrictionReader, 'any' | 'brokenBy'>,
): Authenticate {
  return async (credentials) => {
    const who = await authenticate(credentials)
    const from = who.is === 'subject' ? withholdingFrom(store, who.subject) : undefined
    return who.is !== 'subject' || from === undefined ? who : { ...who, subject: { ...who.subject, withholding: from } }
  }
}

/** What is to be said of a look beside the look itself. */
export function loudness(
  store: Pick<RestrictionReader, 'any' | 'concerns'>,
  { withholding }: Subject,
  { kind, studyInstanceUID = null, patientId = null }: Told,
): { readonly purpose: string | null; readonly watched: boolean } {
  const looks = kind === 'read' || kind === 'export'
  if (!looks || (studyInstanceUID === null && patientId === null) || !store.any())
    return { purpose: null, watched: false }
  const { watched, among } = store.concerns({ studyInstanceUID, patientId }, withholding?.except ?? [])
  return { purpose: among ? BREAK_GLASS : null, watched }
}
