import { ArchiveError } from '#errors.ts'
import type { ImportItem } from '#model/identity.ts'
import type { IdentityReader } from '#model/identity-ledger.ts'
import type { EvidenceReader, StudyReconciliation } from '#model/reconciliation.ts'
import { unmatchedState } from '#reconciliation/coercion.ts'

/** Entries of one study that are looked through: more decisions than this about one study nobody takes. */
const ENTRIES_MAX = 500

/** What a state is read from; on any thread. */
export interface StateReaders {
  readonly evidence: Pick<EvidenceReader, 'owner' | 'hasEvidence' | 'isLocalIssuer'>
  readonly ledger: Pick<IdentityReader, 'importItemOf' | 'entries' | 'entry' | 'patient'>
  /** Issuers this site calls its own: its default and those of its originators. */
  siteIssuers(): readonly string[]
}

/** How a study stands, without matching it. @returns undefined when it is not kept */
export function stateOf(readers: StateReaders, studyInstanceUID: string): StudyReconciliation | undefined {
  const owner = readers.evidence.owner(studyInstanceUID)
  if (owner === undefined) return undefined
  const item = readers.ledger.importItemOf(studyInstanceUID)
  const tell = (state: StudyReconciliation['state'], why: string): StudyReconciliation => ({
    studyInstanceUID,
    state,
    why,
    candidates: item?.candidates.length ?? 0,
    item: item?.id ?? null,
  })
  if (item?.state === 'decided' && !isOutdated(readers.ledger, item))
    return tell(item.reconciliation, decisionText(item))
  const assigned = activeAssignments(readers.ledger, studyInstanceUID).at(0)
  if (assigned !== undefined) return tell('coerced', `assigned by ${assigned.cause.by}`)
  if (item !== undefined) return tell('waiting', item.why)
  const local = isOurs(readers, owner.issuer)
  const state = unmatchedState(owner.issuer, local, readers.evidence.hasEvidence())
  return tell(state, state === 'local' ? 'kept as it came' : 'nobody we know resembles this patient')
}

/** What was decided, by whom and why; what the item asked before is no answer any more. */
function decisionText({ decision, why }: ImportItem): string {
  if (decision === null) return why
  const { action, patient, by, reason } = decision
  const to = patient === null ? '' : ` to ${patient.id} of ${patient.issuer}`
  return `${action === 'keep' ? 'kept as it came' : `assigned${to}`} by ${by}: ${reason ?? why}`
}

/** True for an issuer the site, ADT or a person uses. */
export function isOurs({ evidence, siteIssuers }: StateReaders, issuer: string): boolean {
  return siteIssuers().includes(issuer) || evidence.isLocalIssuer(issuer)
}

/** A decision whose every entry was taken back elsewhere decides nothing any more. */
export function isOutdated(ledger: Pick<IdentityReader, 'entry'>, { decision }: ImportItem): boolean {
  if (decision === null || decision.action !== 'assign' || decision.entries.length === 0) return false
  return decision.entries.every((id) => ledger.entry(id)?.undoneBy != null)
}

/** Assignments of a study that hold, newest first. */
export function activeAssignments(ledger: Pick<IdentityReader, 'entries'>, studyInstanceUID: string) {
  return entriesOf(ledger, studyInstanceUID).filter(
    ({ decision, undoneBy }) =>
      decision.do === 'assign' && decision.studyInstanceUID === studyInstanceUID && undoneBy === null,
  )
}

/** Entries that name a study, newest first. */
export function entriesOf(ledger: Pick<IdentityReader, 'entries'>, studyInstanceUID: string) {
  return ledger.entries({ studyInstanceUID, limit: ENTRIES_MAX }).items
}

/** @throws ArchiveError 'request.not-found' */
export function mustState(readers: StateReaders, studyInstanceUID: string): StudyReconciliation {
  const state = stateOf(readers, studyInstanceUID)
  if (state === undefined) throw new ArchiveError('request.not-found', 'study')
  return state
}
