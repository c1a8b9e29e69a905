/**
 * The placement engine at work: looks at a study or document, compares what the policy says with what stands, and carries
 * out the difference. What was decided is journalled and committed with a job; the job moves things, however often it
 * runs, so that a crash in the middle leaves one truth.
 */
import { ArchiveError } from '#errors.ts'
import type { JobQueue } from '#model/job-queue.ts'
import type { DryRun, PlacementDecision, PlacementDesk, PlacementPolicy, PlacementState } from '#model/placement.ts'
import type { Situation } from '#model/placement-facts.ts'
import { decideSituation, moves, type PlacementVerdict } from '#placement/decide.ts'
import { completed, policyFaults, ruleOf } from '#placement/policy.ts'
import { asItCame } from '#placement/rules/as-it-came.ts'
import type { Journal, PlacedEntry } from '#storage/journal.ts'

export const PLACEMENT_KIND = 'placement'
/** Looks at a study (`study <uid>`) or document (`document <object id>`) again. */
export const PLACE_JOB = 'place'
/** Carries a decision out, or takes it back. Subject: its id. */
export const MOVE_JOB = 'placement-move'

/** What stands in the journal. */
export interface PlacementPayload {
  readonly decisions: readonly PlacementDecision[]
  readonly states: readonly {
    readonly id: string
    readonly state: PlacementState
    readonly by: string
    readonly reason: string
  }[]
  readonly made: readonly { readonly id: string; readonly made: readonly string[] }[]
  readonly labels: readonly PlacementLabel[]
}

export interface PlacementLabel {
  readonly rule: string
  readonly objectId: string
  readonly is: boolean
  readonly recognised: boolean
  readonly by: string
  readonly time: string
}

/** Where decisions are kept; index/sqlite/placement-store.ts. */
export interface PlacementBook {
  get(id: string): PlacementDecision | undefined
  standing(objectIds: readonly string[]): ReadonlyMap<string, PlacementDecision>
  put(decision: PlacementDecision): void
  setState(id: string, state: PlacementState): void
  setMade(id: string, made: readonly string[]): void
  label(label: PlacementLabel): void
  labels(rule: string): { readonly mayAct: boolean }
}

/** Moves things: each may run again after a crash and then finds its work done. */
export interface PlacementMoves {
  /** @returns what it made: object ids and SOP Instance UIDs */
  carryOut(decision: PlacementDecision): Promise<readonly string[]>
  takeBack(decision: PlacementDecision): Promise<void>
}

export interface PlacementDeskTools {
  readonly book: PlacementBook
  readonly situations: {
    study(studyInstanceUID: string): Situation
    document(objectId: string): Situation | undefined
    studies(after: number, limit: number): readonly { readonly key: number; readonly studyInstanceUID: string }[]
  }
  readonly policy: () => { readonly policy: PlacementPolicy; readonly version: number }
  readonly moves: PlacementMoves
  readonly journal: Pick<Journal, 'append'>
  readonly jobs: Pick<JobQueue, 'enqueue'>
  commit(fn: () => void): void
  exclusively<T>(fn: () => Promise<T>): Promise<T>
  audit(by: string, detail: string, studyInstanceUID: string | null): void
  /** Study of an object, or null for a document of none; undefined when there is no such object. */
  studyOf(objectId: string): string | null | undefined
  wake(): void
}

/** The desk with what its jobs call. */
export interface Placements extends PlacementDesk {
  /** Carries out or takes back what a decision says now. */
  move(id: string): Promise<void>
}

const BY_POLICY = 'policy'

export function createPlacementDesk(tools: PlacementDeskTools): Placements {
  const { book } = tools
  const mayAct = (rule: string) => book.labels(rule).mayAct

  async function evaluate(situation: Situation): Promise<void> {
    const { policy, version } = tools.policy()
    const verdicts = decideSituation(situation, completed(policy), mayAct)
    const ids = [...situation.instances, ...situation.documents].map(({ objectId }) => objectId)
    const standing = book.standing(ids)
    const fresh: (PlacementVerdict & { readonly made?: readonly string[] })[] = []
    const given: PlacementPayload['made'][number][] = []
    const states: PlacementPayload['states'][number][] = []
    for (const objectId of ids) {
      const verdict = verdicts.get(objectId)
      const stands = standing.get(objectId)
      if (verdict === undefined || (stands !== undefined && says(stands, verdict))) continue
      if (stands !== undefined && stands.state !== 'declined' && stands.state !== 'undone') {
        states.push({ id: stands.id, state: 'outdated', by: BY_POLICY, reason: 'what it looked at has changed' })
      }
      if (stands === undefined && verdict.placement.rule === asItCame.id) continue
      // The same effect for another reason: what was made stays where it is.
      const keeps = stands?.state === 'acting' && verdict.state === 'acting' && sameEffect(stands, verdict)
      fresh.push(keeps ? { ...verdict, made: stands.made } : verdict)
      if (keeps) given.push({ id: stands.id, made: [] })
    }
    if (fresh.length > 0 || states.length > 0) await write(situation.studyInstanceUID, version, fresh, states, given)
  }

  async function write(
    studyInstanceUID: string | null,
    policyVersion: number,
    verdicts: readonly (PlacementVerdict & { readonly made?: readonly string[] })[],
    states: PlacementPayload['states'],
    made: PlacementPayload['made'],
  ): Promise<void> {
    const time = new Date().toISOString()
    // Their ids follow from the number of the journal entry: they are filled in when it is read.
    const decisions = verdicts.map(
      (verdict): PlacementDecision => ({
        ...{ made: [], ...verdict },
        ...{ id: '', studyInstanceUID, by: BY_POLICY, time, policyVersion },
      }),
    )
    await decided({ decisions, states, made, labels: [] }, BY_POLICY, studyInstanceUID)
  }

  async function decided(
    payload: PlacementPayload,
    by: string,
    study: string | null,
  ): Promise<readonly PlacementDecision[]> {
    const [entry] = await tools.journal.append([{ kind: PLACEMENT_KIND, payload }])
    if (entry === undefined) throw new ArchiveError('archive.failed', 'the journal gave no entry')
    const decisions = numbered(payload, entry.sequence)
    tools.commit(() => {
      applyPlacement(book, payload, entry.sequence)
      const now = Date.now()
      const touched = [
        ...decisions.filter(({ state, effect }) => state === 'acting' && moves(effect)).map(({ id }) => id),
      ]
      for (const { id } of payload.states) {
        const decision = book.get(id)
        if (decision !== undefined && moves(decision.effect)) touched.push(id)
      }
      // What is taken back goes first: a new place may be the old one.
      for (const id of touched.reverse()) tools.jobs.enqueue({ kind: MOVE_JOB, subject: id }, now)
      const told = [
        ...decisions.map(({ id, placement, effect, state }) => `${id} ${placement.rule} ${effect.do} ${state}`),
        ...payload.states.map(({ id, state, reason }) => `${id} ${state}: ${reason}`),
        ...payload.labels.map(({ objectId, rule, is }) => `${objectId} is ${is ? '' : 'not '}${rule}`),
      ]
      if (told.length > 0) tools.audit(by, `placement: ${told.join(', ')}`, study)
    })
    tools.wake()
    return decisions
  }

  async function settle(
    id: string,
    from: readonly PlacementState[],
    state: PlacementState,
    by: string,
    reason: string,
  ) {
    return tools.exclusively(async () => {
      const decision = book.get(id)
      if (decision === undefined) throw new ArchiveError('placement.unknown', `no placement decision ${id}`)
      if (!from.includes(decision.state)) {
        throw new ArchiveError('placement.state', `decision ${id} is ${decision.state}, not ${from.join(' or ')}`)
      }
      await decided(
        { decisions: [], states: [{ id, state, by, reason }], made: [], labels: [] },
        by,
        decision.studyInstanceUID,
      )
      return { ...decision, state }
    })
  }

  return {
    accept: (id, by) => settle(id, ['proposed'], 'acting', by, 'accepted'),
    decline: (id, by, reason) => settle(id, ['proposed'], 'declined', by, reason),
    undo: (id, by, reason) => settle(id, ['acting'], 'undone', by, reason),

    async label(objectId, rule, is, by) {
      if (ruleOf(rule) === undefined) throw new ArchiveError('placement.unknown', `no rule is called ${rule}`)
      const study = tools.studyOf(objectId)
      if (study === undefined) throw new ArchiveError('request.not-found', 'there is no such object')
      await tools.exclusively(async () => {
        const recognised = [...book.standing([objectId]).values()].some(({ placement }) => placement.rule === rule)
        const label = { rule, objectId, is, recognised, by, time: new Date().toISOString() }
        await decided({ decisions: [], states: [], made: [], labels: [label] }, by, study)
      })
    },

    async evaluate(subject) {
      await tools.exclusively(async () => {
        const situation =
          'objectId' in subject
            ? tools.situations.document(subject.objectId)
            : tools.situations.study(subject.studyInstanceUID)
        if (situation !== undefined) await evaluate(situation)
      })
    },

    async dryRun(policy, limit) {
      const [fault] = policyFaults(policy)
      if (fault !== undefined) throw new ArchiveError('request.malformed', `${fault.path}: ${fault.detail}`)
      return dryRun(tools, completed(policy), mayAct, limit)
    },

    async move(id) {
      const decision = book.get(id)
      if (decision === undefined || !moves(decision.effect)) return
      if (decision.state === 'acting') {
        if (decision.made.length > 0) return
        const made = await tools.moves.carryOut(decision)
        await tools.exclusively(() => noteMade(id, made))
      } else if (decision.made.length > 0) {
        await tools.moves.takeBack(decision)
        await tools.exclusively(() => noteMade(id, []))
      }
    },
  }

  async function noteMade(id: string, made: readonly string[]): Promise<void> {
    await decided({ decisions: [], states: [], made: [{ id, made }], labels: [] }, BY_POLICY, null)
  }
}

function sameEffect(a: Pick<PlacementVerdict, 'effect'>, b: Pick<PlacementVerdict, 'effect'>): boolean {
  return JSON.stringify(a.effect) === JSON.stringify(b.effect)
}

/** True when a standing decision says what the policy says now, or a person said no to just that. */
function says(stands: PlacementDecision, verdict: PlacementVerdict): boolean {
  return (
    stands.placement.rule === verdict.placement.rule &&
    stands.placement.panel === verdict.placement.panel &&
    sameEffect(stands, verdict) &&
    // A recogniser that earned the right to act since acts on what it proposed.
    !(stands.state === 'proposed' && verdict.state === 'acting')
  )
}

function numbered({ decisions }: PlacementPayload, sequence: number): PlacementDecision[] {
  return decisions.map((decision, position) => ({ ...decision, id: `${sequence}.${position}` }))
}

/** Writes what a journal entry says; also when the journal is read again. */
export function applyPlacement(book: PlacementBook, payload: PlacementPayload, sequence: number): void {
  for (const decision of numbered(payload, sequence)) book.put(decision)
  for (const { id, state } of payload.states) book.setState(id, state)
  for (const { id, made } of payload.made) book.setMade(id, made)
  for (const label of payload.labels) book.label(label)
}

/** @returns undefined for other kinds of entries */
export function placementPayload(entry: Pick<PlacedEntry, 'kind' | 'payload'>): PlacementPayload | undefined {
  if (entry.kind !== PLACEMENT_KIND || typeof entry.payload !== 'object' || entry.payload === null) return undefined
  const { decisions, states, made, labels }: { [part: string]: unknown } = { ...entry.payload }
  if (![decisions, states, made, labels].every(Array.isArray)) return undefined
  return entry.payload as PlacementPayload
}

/** Studies looked at between two breaths of a dry run. */
const DRY_RUN_PAGE = 100

/** What a policy would change of what stands, without changing it. */
async function dryRun(
  { situations, book }: PlacementDeskTools,
  policy: PlacementPolicy,
  mayAct: (rule: string) => boolean,
  limit: number,
): Promise<DryRun> {
  const changes: DryRun['changes'][number][] = []
  let looked = 0
  for (let after = 0; ; ) {
    const page = situations.studies(after, DRY_RUN_PAGE)
    for (const { studyInstanceUID } of page) {
      const situation = situations.study(studyInstanceUID)
      const verdicts = decideSituation(situation, policy, mayAct)
      const standing = book.standing([...verdicts.keys()])
      for (const [objectId, verdict] of verdicts) {
        looked++
        const stands = standing.get(objectId)
        if (stands === undefined ? verdict.placement.rule === asItCame.id : says(stands, verdict)) continue
        if (changes.length >= limit) return { looked, changes, more: true }
        changes.push({
          objectId,
          before: stands === undefined ? null : { rule: stands.placement.rule, effect: stands.effect.do },
          after: { rule: verdict.placement.rule, effect: verdict.effect.do, state: verdict.state },
          why: verdict.why,
        })
      }
    }
    const last = page.at(-1)
    if (last === undefined) return { looked, changes, more: false }
    after = last.key
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
}
