import { createHash } from 'node:crypto'
import type { PatientIdentity } from '#model/archive-object.ts'
import { patientIdOf } from '#model/patient-id.ts'

/** What an arrival says of its patient, decoded, as sent. */
export interface StatedPatient {
  readonly id: string
  /** Issuer of Patient ID (0010,0021), or the Universal Entity ID of its qualifiers; empty when absent. */
  readonly issuer: string
  readonly name: string
  readonly birthDate: string
  readonly sex: string
  readonly studyInstanceUID: string
}

/** What the provenance adds: the issuer an originator stands for, and the label on the medium. */
export interface IdentityContext {
  readonly defaultIssuer: string | null
  readonly originator: string | null
  readonly medium: string | null
}

/**
 * Whose an arrival is: (issuer, id).
 *
 * A sender that names its issuer is believed; one that does not gets its originator's default issuer. When neither
 * exists the issuer is *assumed*: it is derived from everything else that is stated, so that two discs that both call
 * somebody "1" never share a patient, while the same disc read twice finds the same one. Without a birth date the
 * study is part of it, because a number and a name alone do not tell people apart. See
 * docs/decisions/assumed-issuers.md.
 */
export function identityOf(stated: StatedPatient, context: IdentityContext): PatientIdentity {
  if (stated.issuer !== '') return identity(stated.issuer, stated.id || `study:${stated.studyInstanceUID}`, false)
  if (context.defaultIssuer !== null && stated.id !== '') return identity(context.defaultIssuer, stated.id, true)
  const evidence = [
    context.originator ?? '',
    context.medium ?? '',
    normalised(stated.name),
    stated.birthDate,
    stated.sex,
    stated.birthDate === '' || stated.id === '' ? stated.studyInstanceUID : '',
  ]
  return identity(`assumed:${digest(evidence.join('\u0000')).slice(0, 16)}`, stated.id, true)
}

/**
 * Joins an arrival to the patient its study is kept under, or says that they are different people.
 *
 * Instances of one study often differ in whether they state an issuer; the same identifier with an assumed issuer on
 * either side is the same patient. Another identifier, or another stated issuer, is a conflict for a person to decide.
 */
export function joinStudy(arriving: PatientIdentity, kept: PatientIdentity | undefined): PatientIdentity | 'conflict' {
  if (kept === undefined || kept.patientId === arriving.patientId) return arriving
  if (kept.id !== arriving.id) return 'conflict'
  if (!kept.issuerAssumed && !arriving.issuerAssumed) return 'conflict'
  return kept
}

function identity(issuer: string, id: string, issuerAssumed: boolean): PatientIdentity {
  return { patientId: patientIdOf(issuer, id), issuer, id, issuerAssumed }
}

/** Upper case, without diacritics, punctuation or case of the separators: spelling noise between instances. */
function normalised(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toUpperCase()
    .replace(/[\^=\s]+/g, ' ')
    .trim()
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
