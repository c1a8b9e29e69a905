import type { Permission, Subject } from '#model/permission.ts'
import type { ScopeNeed } from '#model/route.ts'
import type { Visibility } from '#model/visibility.ts'
import { PATIENT_PERMISSIONS, ROLE_PERMISSIONS } from './roles.ts'
import { grantedBy } from './scopes.ts'

/** Why somebody looks. HL7 v3 PurposeOfUse: TREAT, HOPERAT, BTG, HSYSADMIN, PATRQT. */
export type Purpose = 'treatment' | 'operations' | 'break-glass' | 'administration' | 'patient-request'

/** What is known of the object asked for; everything here can only take rights away. */
export interface Labels {
  /** HL7 v3 Confidentiality codes on the object or its patient: `N`, `R`, `V` ... */
  readonly confidentiality: readonly string[]
  /** The patient's consent: null when none was recorded. */
  readonly consent: 'permit' | 'deny' | null
  /** A person whose record is watched. */
  readonly vip: boolean
  /** True when the object is a document, native or encapsulated in a DICOM instance. */
  readonly document: boolean
}

export const NO_LABELS: Labels = { confidentiality: [], consent: null, vip: false, document: false }

export type Decision =
  | { readonly is: 'permit'; readonly rule: string; readonly alert: boolean }
  | { readonly is: 'deny'; readonly rule: string; readonly why: string }

/** Roles that may look at restricted records and break the glass: those who treat. */
export const TREATS: readonly string[] = ['clinician', 'administrator']
/** Roles that see documents labelled restricted: those who treat, and those who keep the documents in order. */
export const SEES_RESTRICTED: readonly string[] = [...TREATS, 'archivist']

/**
 * The one decision on one object of one patient. Deny wins: rules are asked in turn, the first that denies is the
 * answer, and break-glass sets aside only what consent and confidentiality took away.
 *
 * @param patientId opaque patient id; null when the action concerns no patient
 */
export function decide(
  subject: Subject,
  purpose: Purpose,
  patientId: string | null,
  labels: Labels,
  action: Permission,
): Decision {
  const visibility = visibilityOf(subject, action)
  if (visibility === 'forbidden') return deny('role', 'the role or scope does not hold this right')
  if (visibility.sees === 'nothing') return deny('sees-nothing', 'the subject reads nothing of the archive')
  if (visibility.sees === 'patients' && (patientId === null || !visibility.patientIds.includes(patientId))) {
    return deny('other-patient', 'the subject is limited to other patients')
  }
  if (labels.document && visibility.hidesDocuments === true) return deny('document', 'the scopes hold no documents')

  const mayBreakGlass = purpose === 'break-glass' && TREATS.includes(subject.role)
  const restricted = labels.confidentiality.some((code) => code === 'R' || code === 'V')
  const unbroken = [
    labels.consent === 'deny' ? deny('consent', 'the patient has not consented') : undefined,
    labels.confidentiality.includes('V') ? deny('very-restricted', 'very restricted: break-glass only') : undefined,
    restricted && !SEES_RESTRICTED.includes(subject.role)
      ? deny('restricted', 'restricted to those who treat')
      : undefined,
  ].find((decision) => decision !== undefined)
  if (unbroken !== undefined && !mayBreakGlass) return unbroken
  return {
    is: 'permit',
    rule: unbroken === undefined ? 'role' : 'break-glass',
    alert: unbroken !== undefined || labels.vip,
  }
}

function deny(rule: string, why: string): Decision {
  return { is: 'deny', rule, why }
}

/**
 * What of the archive a subject may see with a permission: given to every query. `forbidden`: the role or the scopes
 * do not hold the permission at all (403); otherwise what is not visible does not exist (404).
 *
 * @param scope the FHIR resource and interaction, for tokens that are limited by SMART scopes
 */
export function visibilityOf(subject: Subject, permission: Permission, scope?: ScopeNeed): Visibility | 'forbidden' {
  if (subject.kind === 'anonymous') return 'forbidden'
  if (!ROLE_PERMISSIONS[subject.role].includes(permission)) return 'forbidden'
  const granted = grantedBy(subject.scopes, permission, scope)
  if (granted === 'no') return 'forbidden'

  const limited = subject.patientIds !== null || granted === 'patient'
  if (limited && !PATIENT_PERMISSIONS.includes(permission)) return 'forbidden'
  if (subject.role === 'sender') return { sees: 'nothing' }

  const documents = permission === 'document.read' || mayReadDocuments(subject, permission)
  const hiding = documents ? {} : { hidesDocuments: true as const }
  const upTo = permission.startsWith('document.')
    ? ({ upTo: SEES_RESTRICTED.includes(subject.role) ? 'R' : 'N' } as const)
    : {}
  // Who keeps identities in order sees that a patient is there; what is kept of it is withheld.
  const kept = /^(object|document)\./.test(permission) ? subject.withholding : undefined
  const withholds = kept === undefined ? {} : { withholds: kept }
  // A scope `patient/...` without a patient context sees no patient at all.
  if (limited) return { sees: 'patients', patientIds: subject.patientIds ?? [], ...hiding, ...upTo, ...withholds }
  return { sees: 'all', ...hiding, ...upTo, ...withholds }
}

/**
 * `patient/ImagingStudy.rs` without `DocumentReference` must not reveal PDFs inside a study, nor a role that reads images
 * and no documents. threats.md section 5. Whose a study is and what is ordered has to be decided for all of them.
 */
function mayReadDocuments({ role, scopes }: Subject, permission: Permission): boolean {
  if (permission.startsWith('object.') && !ROLE_PERMISSIONS[role].includes('document.read')) return false
  return scopes.length === 0 || grantedBy(scopes, 'document.read') !== 'no'
}
