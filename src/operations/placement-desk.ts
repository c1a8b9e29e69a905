/**
 * The placement engine at work: looks at a study or document, compares what the policy says with what stands, and carries
 * out the difference. What was decided is journalled and committed with a job; the job moves things, however often it
 * runs, so that a crash in the middle leaves one truth.
 */
import { ArchiveError } from '#errors.ts'
import type { JobQueue } from '#model/job-queue.ts'
import type {
  PlacementDecision,
  PlacementDesk,
  PlacementEffect,
  PlacementPolicy,
  PlacementState,
} from '#model/placement.ts'
import type { Situation } from '#model/placement-facts.ts'
import { decideSituation, moves, type PlacementVerdict, recognised, sameEffect, says } from '#placement/decide.ts'
import { completed, policyFaults, ruleOf } from '#placement/policy.ts'
import { asItCame } from '#placement/rules/as-it-came.ts'
import type { Journal, PlacedEntry } from '#storage/journal.ts'
import { dryRun } from './placement-dry-run.ts'

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
  /** Of the recogniser, 0 to 1; absent in entries of early versions. */
  readonly score?: number
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
  refused(studyInstanceUID: string | null, objectIds: readonly string[]): readonly PlacementDecision[]
  decidedSince(time: string): readonly { readonly study: string | null; readonly object: string }[]
  labels(rule: string): { readonly mayAct: boolean }
}

/** Moves things: each may run again after a crash and then finds its work done. */
export interface PlacementMoves {
  /** @returns what it made: object ids and SOP Instance UIDs */
  carryOut(decision: PlacementDecision): Promise<readonly string[]>
  takeBack(decision: PlacementDecision): Promise<void>
  /** What it made already and was cut off before it said so. */
  leftovers(decision: PlacementDecision): readonly string[]
  /** Why an effect is not for a rule to carry out by itself: what the bytes say of whose they are. Null: nothing. */
  objection(effect: PlacementEffect): string | null
}

/** Gathers what rules look at; index/sqlite/placement-facts.ts. */
export interface Situations {
  study(studyInstanceUID: string): Situation
  document(objectId: string): Situation | undefined
  studies(after: number, limit: number): readonly { readonly key: number; readonly studyInstanceUID: string }[]
  loose(after: number, limit: number): readonly { readonly key: number; readonly objectId: string }[]
  tokenOf(objectId: string): string
}

export interface PlacementDeskTools {
  readonly book: PlacementBook
  readonly situations: Situations
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
  /**
   * Carries out or takes back what a decision says now.
   * @param again true when an earlier try was cut off or failed
   * @returns false when it says something else meanwhile: to be moved again
   */
  move(id: string, again?: boolean): Promise<boolean>
  /** What the policy in force says of a situation, with what speaks against letting it act. */
  verdicts(situation: Situation): ReadonlyMap<string, PlacementVerdict>
  /** Whether a person said no to a verdict about this situation, before or after it acted. */
  saidNo(situation: Situation): (verdict: PlacementVerdict) => boolean
}

const BY_POLICY = 'policy'
/** Members of an effect that name an object. */
const OBJECT_KEYS: ReadonlySet<string> = new Set(['document', 'instance', 'of', 'object'])

export function createPlacementDesk(tools: PlacementDeskTools): Placements {
  const { book } = tools
  const mayAct = (rule: string) => book.labels(rule).mayAct

  function verdictsOf(situation: Situation): ReadonlyMap<string, PlacementVerdict> {
    const said = decideSituation(situation, completed(tools.policy().policy), mayAct)
    const standing = book.standing([...said.keys()])
    return new Map([...said].map(([id, verdict]) => [id, questioned(verdict, standing.get(id))]))
  }

  /** What the bytes speak against is proposed to a person, whatever the rule rests on. */
  function questioned(verdict: PlacementVerdict, stands: PlacementDecision | undefined): PlacementVerdict {
    if (stands?.state === 'acting' && sameEffect(stands, verdict)) return verdict
    const why = verdict.state === 'acting' ? tools.moves.objection(verdict.effect) : null
    return why === null ? verdict : { ...verdict, state: 'proposed', why }
  }

  /** Rule, panel and effect with everything named by what it is, so that what came back is still the same. */
  function signature({ placement, effect }: Pick<PlacementVerdict, 'placement' | 'effect'>): string {
    const named = Object.entries(effect).map(([key, value]) => {
      if (key === 'instances') return [key, (value as readonly string[]).map(tools.situations.tokenOf).sort()]
      return OBJECT_KEYS.has(key) ? [key, tools.situations.tokenOf(String(value))] : [key, value]
    })
    return JSON.stringify([placement.rule, placement.panel, Object.fromEntries(named)])
  }

  function saidNo({ studyInstanceUID, instances, documents }: Situation): (verdict: PlacementVerdict) => boolean {
    const ids = [...instances, ...documents].map(({ objectId }) => objectId)
    const refused = new Set(book.refused(studyInstanceUID, ids).map(signature))
    return (verdict) => refused.size > 0 && refused.has(signature(verdict))
  }

  async function evaluate(situation: Situation): Promise<void> {
    const { version } = tools.policy()
    const verdicts = verdictsOf(situation)
    const no = saidNo(situation)
    const ids = [...situation.instances, ...situation.documents].map(({ objectId }) => objectId)
    const standing = book.standing(ids)
    const fresh: (PlacementVerdict & { readonly made?: readonly string[] })[] = []
    const given: PlacementPayload['made'][number][] = []
    const states: PlacementPayload['states'][number][] = []
    for (const objectId of ids) {
      const verdict = verdicts.get(objectId)
      const stands = standing.get(objectId)
      if (verdict === undefined || (stands !== undefined && says(stands, verdict))) continue
      const refused = no(verdict)
      if (refused && (stands === undefined || stands.state === 'declined' || stands.state === 'undone')) continue
      if (stands !== undefined && stands.state !== 'declined' && stands.state !== 'undone') {
        states.push({ id: stands.id, state: 'outdated', by: BY_POLICY, reason: 'what it looked at has changed' })
      }
      if (refused || (stands === undefined && verdict.placement.rule === asItCame.id)) continue
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
        const situation = study === null ? tools.situations.document(objectId) : tools.situations.study(study)
        if (situation === undefined) throw new ArchiveError('request.not-found', 'there is no such object')
        const seen = recognised(situation, completed(tools.policy().policy), rule, objectId)
        const label = { rule, objectId, is, recognised: seen.is, score: seen.score, by, time: new Date().toISOString() }
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

    async lookAgain(since) {
      const subjects = book.decidedSince(since)
      tools.commit(() => {
        for (const { study, object } of subjects) {
          const subject = study === null ? `document ${object}` : `study ${study}`
          tools.jobs.enqueue({ kind: PLACE_JOB, subject }, Date.now())
        }
      })
      tools.wake()
      return subjects.length
    },

    async dryRun(policy, limit) {
      const [fault] = policyFaults(policy)
      if (fault !== undefined) throw new ArchiveError('request.malformed', `${fault.path}: ${fault.detail}`)
      return dryRun({ ...tools, saidNo }, completed(policy), mayAct, limit)
    },

    verdicts: verdictsOf,
    saidNo,

    async move(id, again = false) {
      const decision = book.get(id)
      if (decision === undefined || !moves(decision.effect)) return true
      if (decision.state === 'acting') {
        if (decision.made.length > 0) return true
        const made = await tools.moves.carryOut(decision)
        await tools.exclusively(() => noteMade(id, made))
        return book.get(id)?.state === 'acting'
      }
      const handedOn = () => {
        const now = book.standing([decision.objectId]).get(decision.objectId)
        return now !== undefined && now.id !== id && now.state === 'acting' && sameEffect(now, decision)
      }
      const made = decision.made.length > 0 || !again || handedOn() ? decision.made : tools.moves.leftovers(decision)
      if (made.length === 0) return true
      await tools.moves.takeBack({ ...decision, made })
      if (decision.made.length > 0) await tools.exclusively(() => noteMade(id, []))
      return true
    },
  }

  async function noteMade(id: string, made: readonly string[]): Promise<void> {
    await decided({ decisions: [], states: [], made: [{ id, made }], labels: [] }, BY_POLICY, null)
  }
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
