/**
 * Surveys at work: a durable job asks every rule about a page of what is stored, keeps what it found and how far it is
 * in one transaction, and goes on with the next page; killed at any time, it goes on from there. Mending is such a job
 * too.
 */
import { ArchiveError } from '#errors.ts'
import type { JobHandler } from '#jobs/job-runner.ts'
import type { JobQueue } from '#model/job-queue.ts'
import type { PlacementDecision } from '#model/placement.ts'
import type { Situation } from '#model/placement-facts.ts'
import type { FindingState, Survey, SurveyDesk, SurveyFinding } from '#model/survey.ts'
import { type PlacementVerdict, sameEffect } from '#placement/decide.ts'
import type { Placements, Situations } from './placement-desk.ts'

export const SURVEY_JOB = 'survey'
export const MEND_JOB = 'mend'

/** Time one run of a job takes, in milliseconds: other jobs get their turn between. */
const RUN_MS = 500
const PAGE = 50

interface Place {
  readonly phase: 'studies' | 'documents'
  readonly after: number
}
type NewFinding = Omit<SurveyFinding, 'id' | 'error'>

/** Where surveys are kept; index/sqlite/survey-store.ts. Each method is part of the caller's transaction. */
export interface SurveyBook {
  survey(id: string): Survey | undefined
  running(): Survey | undefined
  begin(by: string, time: string, policyVersion: number, total: number): Survey
  placeOf(id: string): Place | undefined
  advance(id: string, place: Place, counts: { readonly looked: number; readonly objects: number }): void
  add(id: string, findings: readonly NewFinding[]): void
  end(id: string, state: 'done' | 'cancelled', time: string): void
  ask(id: string, rules: readonly string[] | null, ids: readonly string[] | null, by: string, reason: string): number
  asked(id: string, limit: number): readonly (SurveyFinding & { readonly by: string; readonly reason: string })[]
  settle(findingId: string, state: FindingState, decision: string | null, error: string | null): void
}

export interface SurveyTools {
  readonly book: SurveyBook
  readonly situations: Situations & { count(): { readonly studies: number; readonly documents: number } }
  readonly decisions: {
    standing(objectIds: readonly string[]): ReadonlyMap<string, PlacementDecision>
  }
  readonly placements: Pick<Placements, 'verdicts' | 'saidNo' | 'evaluate' | 'accept'>
  readonly jobs: Pick<JobQueue, 'enqueue'>
  policyVersion(): number
  /** One transaction. */
  transaction(fn: () => void): void
  audit(by: string, detail: string): void
  wake(): void
}

export interface Surveys {
  readonly desk: SurveyDesk
  readonly handlers: { readonly [SURVEY_JOB]: JobHandler; readonly [MEND_JOB]: JobHandler }
}

export function createSurveys(tools: SurveyTools): Surveys {
  const { book, situations } = tools
  const next = (kind: string, id: string) => tools.jobs.enqueue({ kind, subject: id }, Date.now())

  function known(id: string): Survey {
    const found = book.survey(id)
    if (found === undefined) throw new ArchiveError('survey.unknown', `no survey ${id}`)
    return found
  }

  const desk: SurveyDesk = {
    async start(by) {
      const open = book.running()
      if (open !== undefined) return open
      let started: Survey | undefined
      tools.transaction(() => {
        const { studies, documents } = situations.count()
        started = book.begin(by, new Date().toISOString(), tools.policyVersion(), studies + documents)
        next(SURVEY_JOB, started.id)
        tools.audit(by, `survey ${started.id} started`)
      })
      tools.wake()
      if (started === undefined) throw new ArchiveError('archive.failed', 'a survey that was not written')
      return started
    },
    async cancel(id, by) {
      known(id)
      tools.transaction(() => {
        book.end(id, 'cancelled', new Date().toISOString())
        tools.audit(by, `survey ${id} cancelled`)
      })
      return known(id)
    },
    async mend(id, { rules, ids }, by, reason) {
      known(id)
      let count = 0
      tools.transaction(() => {
        count = book.ask(id, rules ?? null, ids ?? null, by, reason)
        if (count === 0) return
        next(MEND_JOB, id)
        const what = [...(rules ?? []), ...(ids ?? [])].join(', ') || 'everything that waits'
        tools.audit(by, `mend survey ${id}, ${count} findings (${what}): ${reason}`)
      })
      tools.wake()
      return count
    },
  }

  const surveying: JobHandler = async ({ subject: id }, signal) => {
    const survey = book.survey(id)
    const start = book.placeOf(id)
    if (survey === undefined || start === undefined || survey.state !== 'running') return undefined
    let place: Place | null = start
    const found: NewFinding[] = []
    const counts = { looked: 0, objects: 0 }
    for (const until = Date.now() + RUN_MS; place !== null && Date.now() < until && !signal.aborted; ) {
      const page: readonly { readonly key: number; readonly situation: Situation | undefined }[] =
        place.phase === 'studies'
          ? situations
              .studies(place.after, PAGE)
              .map(({ key, studyInstanceUID }) => ({ key, situation: situations.study(studyInstanceUID) }))
          : situations.loose(place.after, PAGE).map(({ key, objectId }) => ({
              key,
              // Documents of one order are one situation: told once, with the first of them.
              situation: onceFor(objectId, situations.document(objectId)),
            }))
      for (const { key, situation } of page) {
        counts.looked++
        place = { phase: place.phase, after: key }
        if (situation === undefined) continue
        const verdicts = tools.placements.verdicts(situation)
        counts.objects += verdicts.size
        const standing = tools.decisions.standing([...verdicts.keys()])
        found.push(...findingsOf(situation, verdicts, standing, tools.placements.saidNo(situation)))
      }
      if (page.length < PAGE) place = place.phase === 'studies' ? { phase: 'documents', after: 0 } : null
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    const reached = place
    // In the transaction that finishes this run: what was found is kept once, however often the run began.
    return () => {
      book.add(id, found)
      book.advance(id, reached ?? { phase: 'documents', after: Number.MAX_SAFE_INTEGER }, counts)
      if (reached === null) book.end(id, 'done', new Date().toISOString())
      else next(SURVEY_JOB, id)
    }
  }

  const mending: JobHandler = async ({ subject: id }, signal) => {
    const settled: [id: string, state: FindingState, decision: string | null, error: string | null][] = []
    const until = Date.now() + RUN_MS
    for (const finding of book.asked(id, PAGE)) {
      if (signal.aborted || Date.now() >= until) break
      try {
        const { state, decision } = await mended(finding)
        settled.push([finding.id, state, decision, null])
      } catch (error) {
        settled.push([finding.id, 'failed', null, error instanceof Error ? error.message : String(error)])
      }
    }
    return () => {
      for (const one of settled) book.settle(...one)
      if (book.asked(id, 1).length > 0) next(MEND_JOB, id)
    }
  }

  /** Looks again, as facts may have changed, and accepts what is proposed. A second run finds it in force. */
  async function mended(finding: SurveyFinding & { readonly by: string }) {
    const { studyInstanceUID, objectId } = finding
    await tools.placements.evaluate(studyInstanceUID === null ? { objectId } : { studyInstanceUID })
    const stands = tools.decisions.standing([objectId]).get(objectId)
    if (stands === undefined || stands.placement.rule !== finding.rule || stands.effect.do !== finding.effect) {
      return { state: 'gone' as const, decision: null }
    }
    if (stands.state === 'proposed') await tools.placements.accept(stands.id, finding.by)
    const isIn = stands.state === 'proposed' || stands.state === 'acting'
    return { state: isIn ? ('mended' as const) : ('declined' as const), decision: stands.id }
  }

  return { desk, handlers: { [SURVEY_JOB]: surveying, [MEND_JOB]: mending } }
}

function onceFor(objectId: string, situation: Situation | undefined): Situation | undefined {
  return situation?.documents[0]?.objectId === objectId ? situation : undefined
}

/** What is kept otherwise than the policy says: everything that would move, and what is to be asked for. */
function findingsOf(
  { studyInstanceUID }: Situation,
  verdicts: ReadonlyMap<string, PlacementVerdict>,
  standing: ReadonlyMap<string, PlacementDecision>,
  saidNo: (verdict: PlacementVerdict) => boolean,
): NewFinding[] {
  return [...verdicts].flatMap(([objectId, verdict]): NewFinding[] => {
    const { effect, placement, score, why, state } = verdict
    if (effect.do === 'stay') return []
    const stands = standing.get(objectId)
    const same = stands !== undefined && stands.placement.rule === placement.rule && sameEffect(stands, verdict)
    const acts = same && stands.state === 'acting'
    const now: FindingState = acts ? 'done' : saidNo(verdict) ? 'declined' : 'waiting'
    return [
      {
        ...{ objectId, studyInstanceUID, rule: placement.rule, effect: effect.do, says: state, score, why },
        ...{ state: now, decision: same ? stands.id : null },
      },
    ]
  })
}
