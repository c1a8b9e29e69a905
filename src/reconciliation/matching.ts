import type { Candidate, Criterion, LedgerPatient, Order, PatientKey } from '#model/identity.ts'
import type { StudyEvidence } from '#model/reconciliation.ts'
import { criteriaOf, orderScore, scoreOf } from './criteria.ts'

/** How a site matches: setting `identity.matching`. */
export interface MatchingOptions {
  /** False: a person decides everything, also what is certain. */
  readonly automatic: boolean
  /** Candidates below this score, 0 to 100, are not shown. */
  readonly leastScore: number
  readonly scheduledDays: number
  /** Most candidates of one study. */
  readonly candidatesMax: number
}

export const MATCHING_DEFAULTS: MatchingOptions = {
  automatic: true,
  leastScore: 25,
  scheduledDays: 7,
  candidatesMax: 10,
}

/** Most orders of one patient that are shown beside each other. */
const ORDERS_MAX = 3

/** A patient who could be meant, with the orders that are open for them. */
export interface Suspect {
  readonly patient: LedgerPatient
  readonly orders: readonly Order[]
}

/** Orders that nothing is made for any more. */
export function isOpen(order: Order): boolean {
  return order.status !== 'cancelled' && order.status !== 'discontinued'
}

/**
 * Scores every patient with each order that has something in common with the study, best first. A patient stands once
 * per order that fits, and without order when none does. Pure.
 */
export function candidatesFor(
  study: StudyEvidence,
  suspects: readonly Suspect[],
  options: MatchingOptions,
): readonly Candidate[] {
  const candidates = distinct(suspects).flatMap((suspect) => ofPatient(study, suspect, options))
  return candidates
    .filter((candidate) => isPointedAt(candidate) || candidate.score >= options.leastScore)
    .sort((a, b) => Number(b.certain) - Number(a.certain) || b.score - a.score || order(a, b))
    .slice(0, options.candidatesMax)
}

function order(a: Candidate, b: Candidate): number {
  const key = ({ patient, order }: Candidate) => `${patient.issuer}\u0000${patient.id}\u0000${order?.id ?? ''}`
  return key(a) < key(b) ? -1 : 1
}

function ofPatient(study: StudyEvidence, { patient, orders }: Suspect, options: MatchingOptions): Candidate[] {
  const candidate = (order: Order | null): Candidate => {
    const criteria = criteriaOf(study, patient, order, options)
    return { patient, order, score: scoreOf(criteria), certain: proofOf(criteria) !== null, criteria }
  }
  const withOrder = orders
    .filter(isOpen)
    .map(candidate)
    .filter(({ criteria }) => orderScore(criteria) > 0)
    .sort((a, b) => orderScore(b.criteria) - orderScore(a.criteria))
    .slice(0, ORDERS_MAX)
  return withOrder.length === 0 ? [candidate(null)] : withOrder
}

function distinct(suspects: readonly Suspect[]): Suspect[] {
  const byPatient = new Map<string, Suspect>()
  for (const suspect of suspects) {
    const known = byPatient.get(suspect.patient.patientId)
    const orders = new Map([...(known?.orders ?? []), ...suspect.orders].map((each) => [each.id, each]))
    byPatient.set(suspect.patient.patientId, { patient: suspect.patient, orders: [...orders.values()] })
  }
  return [...byPatient.values()]
}

/** A number with its issuer, or the UID of an order, leads to this candidate, whatever else speaks against them. */
export function isPointedAt({ criteria }: Candidate): boolean {
  return criteria.some(({ name, result }) => result === 'equal' && POINTING.has(name))
}

const POINTING: ReadonlySet<string> = new Set<Proof>(['patient-id', 'other-ids', 'study-uid', 'accession-number'])

/** What a strong proof is called. */
export type Proof = 'patient-id' | 'other-ids' | 'study-uid' | 'accession-number'

/**
 * The strong proof among criteria, if nothing contradicts it: a number with its issuer and a name or birth date that
 * agrees; the Study Instance UID that an order gave out and a name, birth date or number that agrees; an accession
 * number with its issuer and name and birth date. Name, birth date and sex together are no proof: a person looks at
 * them (services.md D.5, two-key rule).
 */
export function proofOf(criteria: readonly Criterion[]): Proof | null {
  if (contradictions(criteria).length > 0) return null
  const is = (name: string, ...results: readonly Criterion['result'][]) =>
    criteria.some((criterion) => criterion.name === name && results.includes(criterion.result))
  const named = is('name', 'equal', 'similar')
  const born = is('birth-date', 'equal')
  if (is('patient-id', 'equal') && (named || born)) return 'patient-id'
  if (is('other-ids', 'equal') && (named || born)) return 'other-ids'
  if (is('study-uid', 'equal') && (named || born || is('patient-id', 'equal', 'similar'))) return 'study-uid'
  if (is('accession-number', 'equal') && named && born) return 'accession-number'
  return null
}

/** Criteria that say it is somebody else. */
export function contradictions(criteria: readonly Criterion[]): readonly Criterion[] {
  return criteria.filter(
    ({ name, result }) => result === 'different' && ['patient-id', 'name', 'birth-date', 'sex'].includes(name),
  )
}

export function samePatient(a: PatientKey, b: PatientKey): boolean {
  return a.issuer === b.issuer && a.id === b.id
}
