import type { LedgerDecision, PatientKey } from '#model/identity.ts'
import type { IdentityReader } from '#model/identity-ledger.ts'
import type { Job, NewJob } from '#model/job-queue.ts'
import type { EvidenceReader } from '#model/reconciliation.ts'

/** Matches one study; its subject is the Study Instance UID. */
export const RECONCILE = 'reconcile'
/** Looks for studies that a patient or an order could belong to; see reconcileJobsFor. */
export const RECONCILE_CANDIDATES = 'reconcile-candidates'

/** Most studies that one ADT message or order sets in motion. */
export const LATE_STUDIES_MAX = 200

/** What a `reconcile-candidates` job is about: exactly one of the two. */
type About = { readonly patient: PatientKey } | { readonly order: string }

/** Jobs that decisions ask for: what was told of patients and orders may be what studies waited for. Once each. */
export function reconcileJobsFor(decisions: readonly LedgerDecision[]): readonly NewJob[] {
  const jobs = new Map<string, NewJob>()
  const add = (about: About) => {
    const subject = 'order' in about ? `order ${about.order}` : `patient ${about.patient.issuer} ${about.patient.id}`
    jobs.set(subject, { kind: RECONCILE_CANDIDATES, subject, payload: about })
  }
  for (const decision of decisions) {
    if (decision.do === 'register') add({ patient: key(decision.patient) })
    if (decision.do === 'merge') add({ patient: key(decision.into) })
    if (decision.do === 'order') add({ order: decision.order.id })
  }
  return [...jobs.values()]
}

function key({ issuer, id }: PatientKey): PatientKey {
  return { issuer, id }
}

/** What is asked to find studies of somebody. */
export interface LookTools {
  readonly ledger: Pick<IdentityReader, 'patient' | 'order'>
  readonly evidence: Pick<EvidenceReader, 'studiesLike'>
}

export interface CandidateTools extends LookTools {
  /** True for a study that matching may still change. */
  mayChange(studyInstanceUID: string): boolean
}

/** Studies that could belong to the patient or order of a job are matched anew; @returns their jobs, to be enqueued */
export function lateStudies(tools: CandidateTools, job: Pick<Job, 'payload'>): readonly NewJob[] {
  return studiesAbout(tools, job, LATE_STUDIES_MAX)
    .filter((uid) => tools.mayChange(uid))
    .map((uid) => ({ kind: RECONCILE, subject: uid }))
}

/** True when any study could belong to the patient or order of a job: without one the job has nothing to do. */
export function hasLateStudies(tools: LookTools, job: Pick<NewJob, 'payload'>): boolean {
  return studiesAbout(tools, job, 1).length > 0
}

function studiesAbout(tools: LookTools, job: { readonly payload?: unknown }, limit: number): readonly string[] {
  const about = readAbout(job.payload)
  const order = about !== undefined && 'order' in about ? tools.ledger.order(about.order) : undefined
  const patientKey = order?.patient ?? (about !== undefined && 'patient' in about ? about.patient : undefined)
  const patient = patientKey === undefined ? undefined : tools.ledger.patient(patientKey)
  if (patient === undefined) return [] // taken back meanwhile
  const { demographics, aliases } = patient
  const like = {
    keys: [patient, ...aliases, ...demographics.otherIds],
    name: demographics.name,
    birthDate: demographics.birthDate,
    accessionNumber: order?.accessionNumber ?? null,
    studyInstanceUID: order?.studyInstanceUID ?? null,
  }
  return tools.evidence.studiesLike(like, limit)
}

function readAbout(payload: unknown): About | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined
  const { patient, order }: { patient?: unknown; order?: unknown } = payload
  if (typeof order === 'string') return { order }
  if (typeof patient !== 'object' || patient === null) return undefined
  const { issuer, id }: { issuer?: unknown; id?: unknown } = patient
  return typeof issuer === 'string' && typeof id === 'string' ? { patient: { issuer, id } } : undefined
}
