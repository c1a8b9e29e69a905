import type { Criterion, LedgerPatient, Order, PatientKey } from '#model/identity.ts'
import type { StudyEvidence } from '#model/reconciliation.ts'
import { compareNames, type Likeness } from './names.ts'

/** Names of the criteria, in the order in which they are shown. docs/reference/reconciliation.md explains each. */
export type CriterionName =
  | 'patient-id'
  | 'other-ids'
  | 'name'
  | 'birth-date'
  | 'sex'
  | 'accession-number'
  | 'study-uid'
  | 'requested-procedure-id'
  | 'admission-id'
  | 'scheduled-date'
  | 'modality'
  | 'description'

type Weight = { readonly [likeness in Likeness]: number }

const weight = (equal: number, similar: number, different: number): Weight => ({
  equal,
  similar,
  different,
  missing: 0,
})

/** Points of each criterion. A better likeness never has fewer points than a worse one. */
export const WEIGHTS: { readonly [name in CriterionName]: Weight } = {
  'patient-id': weight(60, 15, -20),
  'other-ids': weight(50, 0, 0),
  name: weight(25, 15, -25),
  'birth-date': weight(20, 8, -25),
  sex: weight(5, 0, -10),
  'accession-number': weight(40, 25, -5),
  'study-uid': weight(60, 0, 0),
  'requested-procedure-id': weight(10, 5, 0),
  'admission-id': weight(10, 5, 0),
  'scheduled-date': weight(6, 3, -5),
  modality: weight(4, 0, -10),
  description: weight(3, 2, 0),
}

const ORDER_CRITERIA: ReadonlySet<string> = new Set<CriterionName>([
  'accession-number',
  'study-uid',
  'requested-procedure-id',
  'admission-id',
  'scheduled-date',
  'modality',
  'description',
])

/** Prefix of an issuer nobody stated: reconciliation/identity.ts made it up. */
export const ASSUMED_ISSUER = 'assumed:'

/** Days between the scheduled day and the day of the study or of its arrival that still count as near. */
export interface Nearness {
  readonly scheduledDays: number
}

/** All criteria of a patient and, when there is one, an order. Pure. */
export function criteriaOf(
  study: StudyEvidence,
  patient: LedgerPatient,
  order: Order | null,
  nearness: Nearness,
): readonly Criterion[] {
  const { demographics } = patient
  const lines = [
    patientId(study, patient),
    otherIds(study, patient),
    line('name', study.name, demographics.name, compareNames(study.name, demographics.name)),
    line('birth-date', study.birthDate, demographics.birthDate, compareDates(study.birthDate, demographics.birthDate)),
    line('sex', study.sex, demographics.sex, compareSex(study.sex, demographics.sex)),
  ]
  return order === null ? lines : [...lines, ...orderCriteria(study, patient, order, nearness)]
}

/** Sum of the points, 0 to 100. */
export function scoreOf(criteria: readonly Criterion[]): number {
  const sum = criteria.reduce((total, { score }) => total + score, 0)
  return Math.max(0, Math.min(100, sum))
}

/** Points of the order alone, without bounds. */
export function orderScore(criteria: readonly Criterion[]): number {
  return criteria.reduce((total, { name, score }) => total + (ORDER_CRITERIA.has(name) ? score : 0), 0)
}

function line(name: CriterionName, arrived: string | null, known: string | null, result: Likeness): Criterion {
  return { name, arrived: blank(arrived), known: blank(known), result, score: WEIGHTS[name][result] }
}

function blank(text: string | null): string | null {
  return text === null || text.trim() === '' ? null : text
}

/** Every number this patient is known by. */
function keysOf(patient: LedgerPatient): readonly PatientKey[] {
  return [patient, patient.survivor, ...patient.aliases, ...patient.demographics.otherIds]
}

function keyText({ issuer, id }: PatientKey): string {
  return `${issuer} ${id}`
}

/**
 * The number says nothing where issuers differ: two hospitals count from 1. Without a stated issuer an equal number is
 * a hint; the same issuer with another number speaks against it.
 */
function patientId(study: StudyEvidence, patient: LedgerPatient): Criterion {
  const { issuer, id } = study.patient
  const stated = !issuer.startsWith(ASSUMED_ISSUER)
  const arrived = id === '' ? null : stated ? keyText(study.patient) : id
  const keys = keysOf(patient)
  const known = (key: PatientKey | undefined) => keyText(key ?? patient)
  if (id === '') return line('patient-id', arrived, known(undefined), 'missing')
  const same = keys.find((key) => key.id === id && key.issuer === issuer)
  if (same !== undefined) return line('patient-id', arrived, known(same), 'equal')
  const alone = stated ? undefined : keys.find((key) => key.id === id)
  if (alone !== undefined) return line('patient-id', arrived, known(alone), 'similar')
  const contradicts = !study.patient.issuerAssumed && keys.some((key) => key.issuer === issuer)
  return line('patient-id', arrived, known(undefined), contradicts ? 'different' : 'missing')
}

function otherIds(study: StudyEvidence, patient: LedgerPatient): Criterion {
  const keys = keysOf(patient)
  const same = study.otherIds.find(({ issuer, id }) => keys.some((key) => key.issuer === issuer && key.id === id))
  const arrived = same ?? study.otherIds[0]
  return line(
    'other-ids',
    arrived === undefined ? null : keyText(arrived),
    same === undefined ? null : keyText(same),
    same === undefined ? 'missing' : 'equal',
  )
}

/**
 * Compares two days. Similar: day and month exchanged, two neighbouring digits exchanged, or one digit mistyped.
 * @param a `YYYYMMDD`; anything else counts as missing
 */
export function compareDates(a: string | null, b: string | null): Likeness {
  if (a === null || b === null || !/^\d{8}$/.test(a) || !/^\d{8}$/.test(b)) return 'missing'
  if (a === b) return 'equal'
  if (a.slice(0, 4) === b.slice(0, 4) && a.slice(4, 6) === b.slice(6) && a.slice(6) === b.slice(4, 6)) return 'similar'
  const differing = [...a].flatMap((digit, at) => (digit === b[at] ? [] : [at]))
  if (differing.length === 1) return 'similar'
  const [first = 0, second = 0] = differing
  const exchanged = differing.length === 2 && second === first + 1 && a[first] === b[second] && a[second] === b[first]
  return exchanged ? 'similar' : 'different'
}

/** `O` is what many send when they do not know. PS3.3 section C.7.1.1. */
function compareSex(a: string | null, b: string | null): Likeness {
  if ((a !== 'M' && a !== 'F') || (b !== 'M' && b !== 'F')) return 'missing'
  return a === b ? 'equal' : 'different'
}

function orderCriteria(study: StudyEvidence, patient: LedgerPatient, order: Order, nearness: Nearness): Criterion[] {
  const uid = order.studyInstanceUID
  const sameUid = uid !== '' && uid === study.studyInstanceUID
  const modalities = order.steps.flatMap(({ modality }) => (modality === null ? [] : [modality]))
  return [
    accession(study, patient, order),
    line('study-uid', study.studyInstanceUID, blank(uid), sameUid ? 'equal' : 'missing'),
    compareText('requested-procedure-id', study.requestedProcedureId, order.requestedProcedureId),
    compareText('admission-id', study.admissionId, order.admissionId),
    scheduled(study, order, nearness),
    line('modality', study.modalities.join(' '), modalities.join(' '), compareModalities(study.modalities, modalities)),
    description(study, order),
  ]
}

/**
 * Two departments count from 1 as well: the number is equal only with the same issuer on both sides, or when the study
 * names none and says the very number and issuer of the order's patient.
 */
function accession(study: StudyEvidence, patient: LedgerPatient, order: Order): Criterion {
  const arrived = blank(study.accessionNumber)
  const known = blank(order.accessionNumber)
  const text = (number: string | null, issuer: string | null) =>
    number === null ? null : issuer === null ? number : `${issuer} ${number}`
  const tell = (result: Likeness) =>
    line('accession-number', text(arrived, study.accessionIssuer), text(known, order.accessionIssuer), result)
  if (arrived === null || known === null) return tell('missing')
  const bothIssuers = study.accessionIssuer !== null && order.accessionIssuer !== null
  if (bothIssuers && study.accessionIssuer !== order.accessionIssuer) return tell('missing')
  // Without an issuer the number of another hospital's study is its own: it says nothing of our orders.
  const elsewhere = study.accessionIssuer === null && study.patient.issuer !== order.patient.issuer
  if (arrived !== known) return tell(elsewhere ? 'missing' : 'different')
  const { issuer, id } = study.patient
  const samePatient = id !== '' && keysOf(patient).some((key) => key.issuer === issuer && key.id === id)
  return tell(bothIssuers || (study.accessionIssuer === null && samePatient) ? 'equal' : 'similar')
}

function compareText(name: CriterionName, arrived: string | null, known: string | null): Criterion {
  const [a, b] = [blank(arrived), blank(known)]
  if (a === null || b === null) return line(name, a, b, 'missing')
  if (a === b) return line(name, a, b, 'equal')
  return line(name, a, b, a.toUpperCase() === b.toUpperCase() ? 'similar' : 'different')
}

function scheduled(study: StudyEvidence, order: Order, { scheduledDays }: Nearness): Criterion {
  const days = order.steps.flatMap(({ startDate }) => (startDate === null ? [] : [startDate]))
  const [known = null] = days
  const arrived = study.studyDate ?? study.arrivedOn
  if (known === null || arrived === null) return line('scheduled-date', arrived, known, 'missing')
  if (study.studyDate !== null && days.includes(study.studyDate)) {
    return line('scheduled-date', arrived, study.studyDate, 'equal')
  }
  // A disc that is brought in is older than the order to import it: the day it was brought counts as well.
  const near = [study.studyDate, study.arrivedOn].some((day) =>
    days.some((other) => daysApart(day, other) <= scheduledDays),
  )
  return line('scheduled-date', arrived, known, near ? 'similar' : 'different')
}

function daysApart(a: string | null, b: string): number {
  const [x, y] = [a ?? '', b].map((day) =>
    Date.UTC(Number(day.slice(0, 4)), Number(day.slice(4, 6)) - 1, Number(day.slice(6, 8))),
  )
  if (x === undefined || y === undefined || a === null || Number.isNaN(x) || Number.isNaN(y))
    return Number.POSITIVE_INFINITY
  return Math.abs(x - y) / 86_400_000
}

function compareModalities(study: readonly string[], order: readonly string[]): Likeness {
  if (study.length === 0 || order.length === 0) return 'missing'
  return study.some((modality) => order.includes(modality)) ? 'equal' : 'different'
}

/** Words of the description and of the body part that the order uses too. */
function description(study: StudyEvidence, order: Order): Criterion {
  const arrived = [study.description, study.bodyPart].filter((text) => blank(text) !== null).join(', ')
  const told = [
    order.description,
    ...order.codes.map(({ meaning }) => meaning),
    ...order.steps.map((step) => step.description),
  ]
  const known = [...new Set(told.filter((text) => blank(text) !== null))].join(', ')
  if (arrived === '' || known === '') return line('description', arrived, known, 'missing')
  if (arrived.toUpperCase() === known.toUpperCase()) return line('description', arrived, known, 'equal')
  const words = (text: string) => new Set(text.toUpperCase().match(/[\p{L}\p{N}]{3,}/gu) ?? [])
  const [a, b] = [words(arrived), words(known)]
  // Two ways to call one exam are no contradiction.
  return line('description', arrived, known, [...a].some((word) => b.has(word)) ? 'similar' : 'missing')
}
