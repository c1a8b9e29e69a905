import type { ImportEvent, ImportSummary } from '#arrival/media-import.ts'
import { ArchiveError } from '#errors.ts'
import type { Intake } from '#model/intake.ts'
import type { ImportDesk, Intention, StudyReconciliation } from '#model/reconciliation.ts'
import { type Given, text, UsageError } from '../command.ts'
import { oneLine } from '../terminal.ts'

/** How long an import waits for its studies to be matched, in milliseconds; what is left is matched in the background. */
const WAIT_MS = 60_000
/** Most studies listed in one summary. */
const STUDIES_MAX = 1000

/** The summary of an import with how each of its studies stands. */
export type ReconciledEvent =
  | Extract<ImportEvent, { line: unknown }>
  | { readonly summary: ImportSummary & { readonly reconciliation?: readonly StudyReconciliation[] } }

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

/** The same intake, noting which studies are in the archive because of it. */
export function noting(intake: Intake, studies: Set<string>): Intake {
  return {
    async receive(arrival) {
      const receipt = await intake.receive(arrival)
      if (receipt.stored && receipt.studyInstanceUID !== null) studies.add(receipt.studyInstanceUID)
      return receipt
    },
    judge: (arrival) => intake.judge(arrival),
  }
}

/** The events of an import; before the summary its studies are matched, and assigned as the person meant it. */
export async function* reconciled(
  events: AsyncIterable<ImportEvent>,
  imports: ImportDesk,
  studies: ReadonlySet<string>,
  intention: Intention | null,
  signal: AbortSignal,
): AsyncGenerator<ReconciledEvent> {
  for await (const event of events) {
    if ('summary' in event) {
      yield { summary: { ...event.summary, reconciliation: await match(imports, studies, intention, signal) } }
      continue
    }
    yield event
  }
}

async function match(
  imports: ImportDesk,
  studies: ReadonlySet<string>,
  intention: Intention | null,
  signal: AbortSignal,
): Promise<readonly StudyReconciliation[]> {
  const until = performance.now() + WAIT_MS
  const told: StudyReconciliation[] = []
  for (const study of studies) {
    if (told.length >= STUDIES_MAX) break
    const late = signal.aborted || performance.now() > until
    const state = await stateAfter(imports, study, late ? 'not now' : intention)
    if (state !== undefined) told.push(state)
  }
  return told
}

/** @returns undefined for a study that was deleted meanwhile */
async function stateAfter(
  imports: ImportDesk,
  study: string,
  intention: Intention | null | 'not now',
): Promise<StudyReconciliation | undefined> {
  try {
    if (intention === 'not now') return await imports.stateOf(study)
    if (intention === null) return await imports.reconcile(study)
    return await imports.intend(study, intention, { by: 'local', address: null })
  } catch (error) {
    if (error instanceof ArchiveError && error.code === 'request.not-found') return undefined
    throw error
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
