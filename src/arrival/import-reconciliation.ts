import { ArchiveError } from '#errors.ts'
import type { Intake } from '#model/intake.ts'
import type { Decider, ImportDesk, Intention, StudyReconciliation } from '#model/reconciliation.ts'
import type { ImportSummary } from './import-line.ts'
import type { ImportEvent } from './media-import.ts'

/** How long an import waits for its studies to be matched, in milliseconds; what is left is matched in the background. */
const WAIT_MS = 60_000
/** Most studies listed in one summary. */
const STUDIES_MAX = 1000

/** A summary with how each study of the import stands. */
export type ReconciledSummary = ImportSummary & { readonly reconciliation?: readonly StudyReconciliation[] }

/** The events of an import, the last one with how its studies stand. */
export type ReconciledEvent = Extract<ImportEvent, { line: unknown }> | { readonly summary: ReconciledSummary }

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

/** What matching the studies of an import needs. */
export interface Matching {
  readonly imports: Pick<ImportDesk, 'stateOf' | 'reconcile' | 'intend'>
  /** Filled while the import runs: see `noting`. */
  readonly studies: ReadonlySet<string>
  /** Whose the importing person says it is; null when nothing was said. */
  readonly intention: Intention | null
  readonly who: Decider
  readonly signal: AbortSignal
}

/** The events of an import; before the summary its studies are matched, and assigned as the person meant it. */
export async function* reconciled(
  events: AsyncIterable<ImportEvent>,
  matching: Matching,
): AsyncGenerator<ReconciledEvent> {
  for await (const event of events) {
    if ('summary' in event) yield { summary: { ...event.summary, reconciliation: await matched(matching) } }
    else yield event
  }
}

/** Matches the studies of an import, and says how each stands: at most 1000, for at most a minute. */
export async function matched({
  imports,
  studies,
  intention,
  who,
  signal,
}: Matching): Promise<readonly StudyReconciliation[]> {
  const until = performance.now() + WAIT_MS
  const told: StudyReconciliation[] = []
  for (const study of studies) {
    if (told.length >= STUDIES_MAX) break
    const late = signal.aborted || performance.now() > until
    const state = await stateAfter(imports, study, late ? 'not now' : intention, who)
    if (state !== undefined) told.push(state)
  }
  return told
}

/** @returns undefined for a study that was deleted meanwhile */
async function stateAfter(
  imports: Matching['imports'],
  study: string,
  intention: Intention | null | 'not now',
  who: Decider,
): Promise<StudyReconciliation | undefined> {
  try {
    if (intention === 'not now') return await imports.stateOf(study)
    if (intention === null) return await imports.reconcile(study)
    return await imports.intend(study, intention, who)
  } catch (error) {
    if (error instanceof ArchiveError && error.code === 'request.not-found') return undefined
    throw error
  }
}
