import type { Placement } from '#model/archive-object.ts'
import type {
  PlacementDecision,
  PlacementEffect,
  PlacementPolicy,
  PlacementState,
  RuleSetting,
} from '#model/placement.ts'
import type { Situation } from '#model/placement-facts.ts'
import { ruleOf } from './policy.ts'
import type { Opinion, PlacementRule } from './rule.ts'

/** What the policy says of one object, before anything is done. */
export interface PlacementVerdict {
  readonly objectId: string
  readonly state: Extract<PlacementState, 'acting' | 'proposed'>
  readonly placement: Placement
  readonly effect: PlacementEffect
  readonly score: number
  readonly signs: Opinion['signs']
  readonly why: string
}

/** Signs alone earn the right to act by the samples a site labelled. */
export type MayAct = (rule: string) => boolean

/**
 * Asks the rules of a policy in turn; for each object the first with an opinion decides, the others are kept as
 * alternatives. A pure function of what is there: the order in which it arrived does not count.
 */
export function decideSituation(
  situation: Situation,
  policy: PlacementPolicy,
  mayAct: MayAct,
): ReadonlyMap<string, PlacementVerdict> {
  const found = new Map<
    string,
    { readonly rule: PlacementRule; readonly setting: RuleSetting; readonly opinion: Opinion }[]
  >()
  // A face that was made here is beside its original, not a thing of its own.
  const faces = new Set(situation.instances.filter(({ faceOf }) => faceOf !== null).map(({ objectId }) => objectId))
  const scope = scopes(situation)
  /** `<rule> <object id>` that a setting spoke for: one for a department stands before the one for everybody. */
  const governed = new Set<string>()
  for (const setting of policy.rules) {
    const rule = ruleOf(setting.rule)
    if (rule === undefined) continue
    const mine = new Set(scope(setting).filter((id) => !governed.has(`${rule.id} ${id}`)))
    for (const id of mine) governed.add(`${rule.id} ${id}`)
    if (!setting.on || mine.size === 0) continue
    const parameters = { ...rule.parameters, ...setting.parameters }
    if (rule.id === 'scanned-paper' && policy.documentSystem !== null)
      parameters['documentSystem'] = policy.documentSystem
    // It looks at everything that is there and speaks of what it is meant for.
    for (const opinion of rule.evaluate(situation, { threshold: setting.threshold, parameters })) {
      if (faces.has(opinion.objectId) || !mine.has(opinion.objectId)) continue
      const list = found.get(opinion.objectId) ?? []
      list.push({ rule, setting, opinion })
      found.set(opinion.objectId, list)
    }
  }
  const verdicts = new Map<string, PlacementVerdict>()
  for (const [objectId, opinions] of found) {
    const [first, ...others] = opinions
    if (first === undefined) continue
    const { rule, setting, opinion } = first
    const { panel, form, facts, effect, score, signs, why } = opinion
    const alternatives = [...new Set(others.map((other) => other.rule.id))].filter((id) => id !== rule.id)
    const placement = { rule: rule.id, ruleVersion: rule.version, panel, form, facts, alternatives }
    const acts = !moves(effect) || (setting.mode === 'act' && (rule.rests === 'structure' || mayAct(rule.id)))
    verdicts.set(objectId, { objectId, state: acts ? 'acting' : 'proposed', placement, effect, score, signs, why })
  }
  return verdicts
}

/** True for effects that change what is found where; the others only explain or list. */
export function moves(effect: PlacementEffect): boolean {
  return effect.do !== 'stay' && effect.do !== 'ask-for'
}

/** Objects a setting is meant for, by department and originator. */
function scopes({ instances, documents }: Situation): (setting: RuleSetting) => readonly string[] {
  const all = [...instances, ...documents]
  return ({ departments, originators }) =>
    all
      .filter(
        (one) =>
          (departments.length === 0 || (one.department !== null && departments.includes(one.department))) &&
          (originators.length === 0 || (one.originator !== null && originators.includes(one.originator))),
      )
      .map(({ objectId }) => objectId)
}

/**
 * What one rule alone says of one object, below which a policy may have put it: whether its recogniser took it for its
 * own, with the score.
 */
export function recognised(
  situation: Situation,
  policy: PlacementPolicy,
  ruleId: string,
  objectId: string,
): { readonly is: boolean; readonly score: number } {
  const rule = ruleOf(ruleId)
  const [setting] = policy.rules.filter((one) => one.rule === ruleId && scopes(situation)(one).includes(objectId))
  if (rule === undefined || setting === undefined) return { is: false, score: 0 }
  const parameters = { ...rule.parameters, ...setting.parameters }
  const opinions = rule.evaluate(situation, { threshold: setting.threshold, parameters })
  const found = opinions.find((one) => one.objectId === objectId || partOf(one.effect, objectId))
  return { is: found !== undefined, score: found?.score ?? 0 }
}

/** Pages of one paper are judged together, under the first of them. */
function partOf(effect: PlacementEffect, objectId: string): boolean {
  return 'instances' in effect && effect.instances.includes(objectId)
}

export function sameEffect(a: Pick<PlacementVerdict, 'effect'>, b: Pick<PlacementVerdict, 'effect'>): boolean {
  return JSON.stringify(a.effect) === JSON.stringify(b.effect)
}

/** True when a standing decision says what the policy says now, or a person said no to just that. */
export function says(stands: PlacementDecision, verdict: PlacementVerdict): boolean {
  return (
    stands.placement.rule === verdict.placement.rule &&
    stands.placement.panel === verdict.placement.panel &&
    sameEffect(stands, verdict) &&
    // A recogniser that earned the right to act since acts on what it proposed.
    !(stands.state === 'proposed' && verdict.state === 'acting')
  )
}
