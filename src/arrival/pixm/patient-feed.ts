/**
 * IHE ITI-104 Patient Identity Feed FHIR: a Patient resource as decisions of the identity ledger, the same ones an HL7 v2
 * ADT message leads to. https://profiles.ihe.net/ITI/PIXm/ITI-104.html
 */
import type { Identifier, Patient } from '@medplum/fhirtypes'
import type { Demographics, LedgerDecision, LedgerPatient, PatientKey } from '#model/identity.ts'
import { issuerOfSystem } from '#security/issuer-systems.ts'
import type { Issuers } from '#security/issuers.ts'
import { changeProblem } from '#standards/dicom/overlay-check.ts'
import type { Problem } from '#standards/fhir/validate.ts'
import { missing, told, wrong } from '../mhd/problem.ts'
import { personName } from '../mhd/read-author.ts'

export interface FeedContext {
  readonly issuers: Issuers
  /** What is known of exactly this key. */
  known(key: PatientKey): LedgerPatient | undefined
  /** Key of `Patient/id` of this archive. */
  keyOf(reference: string): PatientKey | undefined
}

export interface Fed {
  readonly patient: PatientKey
  /** Empty when all of it is in force already. */
  readonly decisions: readonly LedgerDecision[]
  readonly problems: readonly Problem[]
}

const MOTHER = 'http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName'
const SEXES: Readonly<Record<string, string>> = { male: 'M', female: 'F', other: 'O' }

/**
 * What a fed patient means: registered or revised; folded into another when a link says `replaced-by`.
 * @param asked the identifier of the condition, `system|value`
 */
export function fedPatient(patient: Patient, asked: { system: string; value: string }, context: FeedContext): Fed {
  const problems: Problem[] = []
  const key = { issuer: issuerOfSystem(context.issuers, asked.system), id: asked.value }
  const identifiers = patient.identifier ?? []
  if (!identifiers.some(({ system, value }) => system === asked.system && value === asked.value)) {
    problems.push(wrong('Patient.identifier', 'the identifier of the condition is not among them', 'invariant'))
  }
  const fits = (path: string, vr: 'LO' | 'PN', value: string, at: string) => {
    if (value === '' || changeProblem({ path, vr, values: [value] }) === null) return
    problems.push(wrong(at, `it cannot be a DICOM ${vr}: too long, or with a backslash or control characters`, 'value'))
  }
  fits('00100020', 'LO', key.id, 'Patient.identifier')
  fits('00100021', 'LO', key.issuer, 'Patient.identifier')
  const name = personName(patient.name?.find(({ use }) => use === 'official') ?? patient.name?.[0])
  if (name === null) problems.push(missing('Patient.name', 'the name of the patient'))
  else fits('00100010', 'PN', name, 'Patient.name')
  const decisions: LedgerDecision[] = [
    { do: 'register', patient: key, demographics: demographicsOf(patient, key, name, context), ...REGISTERED },
  ]
  const links = (patient.link ?? []).map((link, i) => ({ ...link, at: `Patient.link[${i}]` }))
  const replaced = links.filter(({ type }) => type === 'replaced-by')
  if (patient.active === false && replaced.length === 0) {
    problems.push(
      wrong('Patient.active', 'who is not active is replaced by another: a link says by whom', 'not-supported'),
    )
  }
  for (const { at, type } of links) {
    if (type === 'replaced-by' || type === 'replaces') continue
    problems.push(wrong(`${at}.type`, 'only replaced-by is acted on: links are decided here', 'not-supported'))
  }
  for (const { other, at } of replaced.slice(0, 1)) {
    const into = otherKey(other, context)
    if (into === undefined || context.known(into) === undefined) {
      problems.push(told('document.patient-unknown', `${at}.other`, 'the surviving patient is not known here'))
    } else if (same(into, key)) {
      problems.push(wrong(`${at}.other`, 'a patient is not replaced by itself', 'invariant'))
    } else decisions.push(...mergeOf(key, into, context))
  }
  if (replaced.length > 1) problems.push(wrong(`${replaced[1]?.at}`, 'one patient survives', 'invariant'))
  return { patient: key, decisions, problems }
}

const REGISTERED = { visit: null, authority: 'adt' } as const

/** Said again, a merge is in force already: a second entry would outlive the taking back of the first. */
function mergeOf(from: PatientKey, into: PatientKey, { known }: FeedContext): LedgerDecision[] {
  const standing = known(from)?.mergedInto ?? null
  if (standing !== null && same(standing, into)) return []
  return [{ do: 'merge', from, into, how: 'merge' }]
}

function otherKey(
  { identifier, reference }: { readonly identifier?: Identifier; readonly reference?: string },
  context: FeedContext,
): PatientKey | undefined {
  if (identifier?.value !== undefined && identifier.system !== undefined) {
    return { issuer: issuerOfSystem(context.issuers, identifier.system), id: identifier.value }
  }
  return reference === undefined ? undefined : context.keyOf(reference)
}

function demographicsOf(
  patient: Patient,
  key: PatientKey,
  name: string | null,
  { issuers }: FeedContext,
): Partial<Demographics> {
  const otherIds = (patient.identifier ?? []).flatMap(({ system, value, use }): PatientKey[] => {
    if (value === undefined || system === undefined || use === 'old') return []
    const other = { issuer: issuerOfSystem(issuers, system), id: value }
    return same(other, key) ? [] : [other]
  })
  const day = /^(\d{4})-(\d{2})-(\d{2})$/.exec(patient.birthDate ?? '')
  const sex = SEXES[patient.gender ?? '']
  const phone = patient.telecom?.find(({ system, value }) => system === 'phone' && value !== undefined)?.value
  const mother = patient.extension?.find(({ url }) => url === MOTHER)?.valueString
  const address = addressOf(patient)
  return {
    ...(name === null ? {} : { name }),
    ...(day === null ? {} : { birthDate: day.slice(1).join('') }),
    ...(sex === undefined ? {} : { sex }),
    ...(otherIds.length === 0 ? {} : { otherIds }),
    ...(address === undefined ? {} : { address }),
    ...(phone === undefined ? {} : { telephone: phone }),
    ...(mother === undefined ? {} : { motherName: mother }),
  }
}

function addressOf({ address }: Patient): string | undefined {
  const [home] = address ?? []
  if (home === undefined) return undefined
  const parts = [...(home.line ?? []), home.postalCode, home.city, home.state, home.country]
  return home.text ?? (parts.filter((part) => part !== undefined && part !== '').join(', ') || undefined)
}

function same(a: PatientKey, b: PatientKey): boolean {
  return a.issuer === b.issuer && a.id === b.id
}
