import type { Intention, StudyReconciliation } from '#model/reconciliation.ts'
import { type Given, text, UsageError } from '../command.ts'
import { oneLine } from '../terminal.ts'

/**
 * What the person who imports says whose it is.
 * @returns null when nothing was said
 * @throws UsageError for half of a patient
 */
export function intentionOf(given: Given): Intention | null {
  const [id, issuer, accession] = [text(given, 'patient'), text(given, 'issuer'), text(given, 'accession')]
  if (id === undefined && issuer === undefined && accession === undefined) return null
  if ((id === undefined) !== (issuer === undefined)) throw new UsageError('--patient and --issuer go together')
  return {
    patient: id === undefined || issuer === undefined ? null : { issuer, id },
    accessionNumber: accession ?? null,
  }
}

const WORDS = { local: 'ours', coerced: 'assigned', waiting: 'waits on the import worklist', foreign: 'foreign' }

export function reconciliationText({ studyInstanceUID, state, why, candidates, item }: StudyReconciliation): string {
  const waits =
    state === 'waiting' && item !== null
      ? ` as ${item}, ${candidates} ${candidates === 1 ? 'candidate' : 'candidates'}`
      : ''
  return oneLine(`study ${studyInstanceUID} ${WORDS[state]}${waits}: ${why}`)
}
