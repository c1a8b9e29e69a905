/** IHE ITI-119 Patient Demographics Match: `POST Patient/$match`. https://profiles.ihe.net/ITI/PDQm/ITI-119.html */
import type { Bundle, Parameters, Patient } from '@medplum/fhirtypes'
import { personName } from '#arrival/mhd/read-author.ts'
import type { Criterion, LedgerPatient, PatientKey } from '#model/identity.ts'
import type { IdentityReader } from '#model/identity-ledger.ts'
import type { Visibility } from '#model/visibility.ts'
import { type CriterionName, scoreOf, WEIGHTS } from '#reconciliation/criteria.ts'
import { contradictions, proofOf } from '#reconciliation/matching.ts'
import { compareNames, type Likeness } from '#reconciliation/names.ts'
import { issuerOfSystem } from '#security/issuer-systems.ts'
import type { FhirSources } from './kind.ts'
import { FhirFault } from './outcome.ts'
import { patientOf } from './patient.ts'

const GRADE = 'http://hl7.org/fhir/StructureDefinition/match-grade'
const COUNT_MAX = 50
const SUSPECTS_MAX = 200
/** Points, of 100, from which on somebody is shown at all, and from which on they are probable. */
const LEAST_SCORE = 25
const PROBABLE_SCORE = 45

interface Wanted {
  readonly patient: Patient
  readonly onlyCertain: boolean
  readonly count: number
}

/** @throws FhirFault 400 for parameters the operation does not have, 422 for a patient of whom nothing is said */
export function matchAsked(body: { readonly [name: string]: unknown }): Wanted {
  if (body['resourceType'] === 'Patient') return checked({ patient: body as unknown as Patient, ...NOTHING_SAID })
  if (body['resourceType'] !== 'Parameters') {
    throw FhirFault.at(400, 'invalid', 'resourceType', 'the body is Parameters or a Patient')
  }
  const { parameter = [] } = body as unknown as Parameters
  let wanted: Partial<Wanted> = NOTHING_SAID
  for (const [i, { name, resource, valueBoolean, valueInteger }] of parameter.entries()) {
    const at = `Parameters.parameter[${i}]`
    if (name === 'resource' && resource?.resourceType === 'Patient') wanted = { ...wanted, patient: resource }
    else if (name === 'onlyCertainMatches' && valueBoolean !== undefined)
      wanted = { ...wanted, onlyCertain: valueBoolean }
    else if (name === 'count' && valueInteger !== undefined && valueInteger > 0) {
      wanted = { ...wanted, count: Math.min(valueInteger, COUNT_MAX) }
    } else throw FhirFault.at(400, 'invalid', at, 'resource (a Patient), onlyCertainMatches or count')
  }
  if (wanted.patient === undefined) throw FhirFault.at(400, 'required', 'Parameters.parameter', 'resource: a Patient')
  return checked({ ...NOTHING_SAID, ...wanted, patient: wanted.patient })
}

const NOTHING_SAID = { onlyCertain: false, count: COUNT_MAX }

function checked(wanted: Wanted): Wanted {
  const { identifier, name, birthDate } = wanted.patient
  const said =
    identifier?.some(({ value }) => value) || name?.some(({ family, given, text }) => family || given || text)
  if (said || birthDate !== undefined) return wanted
  throw FhirFault.at(422, 'required', 'Patient', 'a number, a name or a birth date to look for')
}

interface Scored {
  readonly patient: LedgerPatient
  readonly score: number
  readonly grade: 'certain' | 'probable' | 'possible'
}

/** Who could be meant, best first. `certain` takes a number with its issuer, and a name or birth date that agrees. */
export function matched(
  { fhir, issuers }: Pick<FhirSources, 'fhir' | 'issuers'>,
  ledger: Pick<IdentityReader, 'similar'>,
  { patient, onlyCertain, count }: Wanted,
  base: string,
  visibility: Visibility,
): Bundle {
  const register = issuers()
  const said = {
    numbers: (patient.identifier ?? []).flatMap(({ system, value }): PatientKey[] =>
      value === undefined ? [] : [{ issuer: system === undefined ? '' : issuerOfSystem(register, system), id: value }],
    ),
    name: personName(patient.name?.find(({ use }) => use === 'official') ?? patient.name?.[0]),
    birthDate: patient.birthDate?.replaceAll('-', '') ?? null,
    sex: { male: 'M', female: 'F', other: 'O' }[patient.gender as string] ?? null,
  }
  const person = { ...(said.name && { name: said.name }), ...(said.birthDate && { birthDate: said.birthDate }) }
  const suspects = [{ id: undefined }, ...said.numbers].flatMap(({ id }) =>
    ledger.similar(id === undefined ? person : { id }, SUSPECTS_MAX),
  )
  const alive = new Map(suspects.filter(({ mergedInto }) => mergedInto === null).map((one) => [one.patientId, one]))
  const scored = [...alive.values()]
    .map((one): Scored => graded(one, said))
    .filter(({ score, grade }) => (onlyCertain ? grade === 'certain' : score >= LEAST_SCORE))
    .sort((a, b) => Number(b.grade === 'certain') - Number(a.grade === 'certain') || b.score - a.score)
  // Several who are certain are one person under several numbers, or nobody is certain.
  const people = new Set(scored.map(({ patient: { survivor } }) => `${survivor.issuer}\u0000${survivor.id}`))
  const shown = onlyCertain && people.size > 1 ? [] : scored
  const rows = new Map(
    shown.length === 0
      ? []
      : fhir
          .patients({ ids: shown.map((one) => one.patient.patientId), limit: shown.length }, visibility)
          .items.map((row) => [row.patient.patientId, row]),
  )
  const entry = shown.flatMap(({ patient: { patientId }, score, grade }) => {
    const row = rows.get(patientId)
    if (row === undefined) return []
    const extension = [{ url: GRADE, valueCode: grade }]
    return [
      {
        fullUrl: `${base}/Patient/${patientId}`,
        resource: patientOf(row, register),
        search: { extension, mode: 'match' as const, score: score / 100 },
      },
    ]
  })
  const given = entry.slice(0, count)
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    total: given.length,
    ...(given.length === 0 ? {} : { entry: given }),
  }
}

interface Said {
  readonly numbers: readonly PatientKey[]
  readonly name: string | null
  readonly birthDate: string | null
  readonly sex: string | null
}

function graded(patient: LedgerPatient, said: Said): Scored {
  const criteria = criteriaOf(patient, said)
  const score = scoreOf(criteria)
  if (proofOf(criteria) !== null) return { patient, score, grade: 'certain' }
  const contradicted = contradictions(criteria).length > 0
  return { patient, score, grade: score >= PROBABLE_SCORE && !contradicted ? 'probable' : 'possible' }
}

function criteriaOf(patient: LedgerPatient, said: Said): Criterion[] {
  const { demographics } = patient
  const line = (name: CriterionName, arrived: string | null, known: string | null, result: Likeness): Criterion => ({
    ...{ name, arrived, known, result },
    score: WEIGHTS[name][result],
  })
  const numbers = [{ issuer: patient.issuer, id: patient.id }, ...patient.aliases, ...demographics.otherIds]
  const equal = said.numbers.some((one) => numbers.some(({ issuer, id }) => one.issuer === issuer && one.id === id))
  // The same authority gave both numbers, and they differ: two people, as far as it knows.
  const other = said.numbers.some((one) => one.issuer !== '' && one.issuer === patient.issuer && one.id !== patient.id)
  const alike = said.numbers.some((one) => one.issuer === '' && one.id === patient.id)
  const number = equal ? 'equal' : alike ? 'similar' : other ? 'different' : 'missing'
  const plain = (a: string | null, b: string | null): Likeness =>
    a === null || b === null || a === '' || b === '' ? 'missing' : a === b ? 'equal' : 'different'
  return [
    line('patient-id', said.numbers[0]?.id ?? null, patient.id, number),
    line('name', said.name, demographics.name, compareNames(said.name, demographics.name)),
    line('birth-date', said.birthDate, demographics.birthDate, born(said.birthDate, demographics.birthDate)),
    line('sex', said.sex, demographics.sex, plain(said.sex, demographics.sex)),
  ]
}

/** A year or a month alone is compared as far as it goes. */
function born(said: string | null, known: string | null): Likeness {
  if (said === null || known === null || said === '' || known === '') return 'missing'
  if (said === known) return 'equal'
  return known.startsWith(said) ? 'similar' : 'different'
}
