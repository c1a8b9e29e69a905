import type { Placement } from '#model/archive-object.ts'
import type { PlacementEffect, PlacementPolicy, PlacementState, RuleSetting } from '#model/placement.ts'
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
  for (const setting of policy.rules) {
    const rule = ruleOf(setting.rule)
    if (rule === undefined || !setting.on) continue
    const parameters = { ...rule.parameters, ...setting.parameters }
    if (rule.id === 'scanned-paper' && policy.documentSystem !== null)
      parameters['documentSystem'] = policy.documentSystem
    const part = scoped(situation, setting)
    for (const opinion of rule.evaluate(part, { threshold: setting.threshold, parameters })) {
      if (faces.has(opinion.objectId)) continue
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

/** What a rule sees when it is meant for some departments or originators only. Siblings stay visible to it. */
function scoped(situation: Situation, { departments, originators }: RuleSetting): Situation {
  if (departments.length === 0 && originators.length === 0) return situation
  const meant = (one: { readonly department: string | null; readonly originator: string | null }) =>
    (departments.length === 0 || (one.department !== null && departments.includes(one.department))) &&
    (originators.length === 0 || (one.originator !== null && originators.includes(one.originator)))
  return { ...situation, instances: situation.instances.filter(meant), documents: situation.documents.filter(meant) }
}
