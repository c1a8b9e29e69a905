import type { Candidate, LedgerPatient } from '#model/identity.ts'
import type { StudyEvidence } from '#model/reconciliation.ts'
import { criteriaOf } from './criteria.ts'
import {
  candidatesFor,
  contradictions,
  isPointedAt,
  type MatchingOptions,
  proofOf,
  type Suspect,
  samePatient,
} from './matching.ts'
import { shareGivenName } from './names.ts'

/** What matching says of a study. `why` is one sentence for the worklist, the log of the import and the API. */
export type Match =
  /** Nothing to do: it is ours as it came. */
  | { readonly is: 'local'; readonly why: string }
  | {
      readonly is: 'certain'
      readonly why: string
      readonly chosen: Candidate
      readonly candidates: readonly Candidate[]
    }
  | { readonly is: 'unsure'; readonly why: string; readonly candidates: readonly Candidate[] }
  | { readonly is: 'none'; readonly why: string }

/**
 * Says whose a study is, given everybody it could be. Certain only with a strong proof, only when nobody else has one,
 * and never against a name, birth date or sex that says otherwise.
 *
 * @param own the patient it is kept under, when ADT or a person told of them; undefined for everybody else
 */
export function decideStudy(
  study: StudyEvidence,
  own: LedgerPatient | undefined,
  suspects: readonly Suspect[],
  options: MatchingOptions,
): Match {
  const candidates = candidatesFor(study, suspects, options)
  if (own !== undefined) return decideOwn(study, own, candidates, options)
  const [best] = candidates
  if (best === undefined) return { is: 'none', why: 'nobody we know resembles this patient' }
  const proven = candidates.filter(({ certain }) => certain)
  const [first] = proven
  if (first === undefined) return { is: 'unsure', candidates, why: unproven(best) }
  if (candidates.some((other) => isPointedAt(other) && !samePatient(other.patient, first.patient))) {
    return { is: 'unsure', candidates, why: 'numbers of more than one patient arrived' }
  }
  const chosen = orderOf(proven)
  if (chosen === undefined) {
    return { is: 'unsure', candidates, why: 'the patient is certain, more than one order could be meant' }
  }
  if (!options.automatic) {
    return { is: 'unsure', candidates, why: `${proofText(chosen)}, and this site decides nothing by itself` }
  }
  return { is: 'certain', chosen, candidates, why: proofText(chosen) }
}

/** Kept under a patient of ours: wrong only when the number was mistyped, incomplete when its order is missing. */
function decideOwn(
  study: StudyEvidence,
  own: LedgerPatient,
  candidates: readonly Candidate[],
  options: MatchingOptions,
): Match {
  const criteria = criteriaOf(study, own, null, options)
  const born = criteria.some(({ name, result }) => name === 'birth-date' && result === 'equal')
  const renamed = born && shareGivenName(study.name, own.demographics.name)
  const against = contradictions(criteria).filter(({ name }) => !(name === 'name' && renamed))
  if (against.length > 0) {
    const what = against.map(({ name }) => name.replace('-', ' ')).join(', ')
    return { is: 'unsure', candidates, why: `${own.issuer} ${own.id} is ours, but ${what} is another's` }
  }
  const ours = candidates.filter(({ patient, order }) => order !== null && samePatient(patient, own))
  const has = (candidate: Candidate, name: string, ...results: readonly string[]) =>
    candidate.criteria.some((each) => each.name === name && results.includes(each.result))
  const byNumber = ours.filter((candidate) => has(candidate, 'accession-number', 'equal'))
  const [numbered] = byNumber
  if (numbered !== undefined) {
    if (byNumber.length > 1) {
      return { is: 'unsure', candidates: byNumber, why: 'more than one order of this patient has its accession number' }
    }
    if (!options.automatic) return { is: 'unsure', candidates: byNumber, why: 'its order could be this one' }
    return { is: 'certain', chosen: numbered, candidates, why: proofText(numbered) }
  }
  if (ours.some((candidate) => has(candidate, 'accession-number', 'similar'))) {
    const why =
      'the patient is ours; an order has its accession number, but the issuers of the number differ or are missing'
    return { is: 'local', why }
  }
  const byUid = ours.filter((candidate) => has(candidate, 'study-uid', 'equal'))
  const [scheduled] = byUid
  if (scheduled !== undefined && scheduled.order?.accessionNumber != null) {
    if (options.automatic && byUid.length === 1) {
      return { is: 'certain', chosen: scheduled, candidates, why: proofText(scheduled) }
    }
    return { is: 'unsure', candidates: ours, why: 'its order could be this one' }
  }
  if ((study.accessionNumber ?? '') !== '') {
    return { is: 'local', why: 'the patient is ours; no open order of this patient has its accession number' }
  }
  const likely = ours.filter(
    (candidate) =>
      (candidate.order?.status === 'scheduled' || candidate.order?.status === 'in-progress') &&
      has(candidate, 'modality', 'equal') &&
      has(candidate, 'scheduled-date', 'equal', 'similar'),
  )
  if (likely.length === 0) {
    const why =
      'the patient is ours; it came without accession number, and no order of its modality is scheduled near its day'
    return { is: 'local', why }
  }
  return { is: 'unsure', candidates: likely, why: 'the patient is ours, it came without order, and an order waits' }
}

/** Among proofs of one patient: the order that is itself proven, the only order, or none when there is none. */
function orderOf(proven: readonly Candidate[]): Candidate | undefined {
  const byOrder = proven.filter(({ criteria }) =>
    criteria.some(({ name, result }) => (name === 'study-uid' || name === 'accession-number') && result === 'equal'),
  )
  if (byOrder.length > 0) return byOrder.length === 1 ? byOrder[0] : undefined
  return proven.length === 1 ? withoutGuess(proven[0]) : undefined
}

/** The number proves the patient, not that this order is meant: it needs its accession number to be assigned with it. */
function withoutGuess(candidate: Candidate | undefined): Candidate | undefined {
  if (candidate === undefined || candidate.order === null) return candidate
  const numbered = candidate.criteria.some(({ name, result }) => name === 'accession-number' && result === 'similar')
  return numbered ? candidate : { ...candidate, order: null }
}

function proofText({ criteria, patient, order }: Candidate): string {
  const proof = proofOf(criteria)
  const by = {
    'patient-id': 'the number and its issuer',
    'other-ids': 'another number and its issuer',
    'study-uid': 'the Study Instance UID of the order',
    'accession-number': 'the accession number and its issuer',
  }
  const what = proof === null ? 'a person' : by[proof]
  return `${what} proves ${patient.issuer} ${patient.id}${order === null ? '' : ' and the order'}`
}

function unproven({ criteria }: Candidate): string {
  const against = contradictions(criteria)
  if (against.length > 0) return `somebody resembles this patient, but ${against[0]?.name.replace('-', ' ')} differs`
  return 'somebody resembles this patient, and nothing proves it'
}
