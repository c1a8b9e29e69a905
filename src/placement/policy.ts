import type { PlacementPolicy, RuleSetting } from '#model/placement.ts'
import type { PlacementRule } from './rule.ts'
import { asItCame } from './rules/as-it-came.ts'
import { disguisedMedia } from './rules/disguised-media.ts'
import { doseScreen } from './rules/dose-screen.ts'
import { ecgPicture } from './rules/ecg-picture.ts'
import { pdfWithImages } from './rules/pdf-with-images.ts'
import { pictureWithoutOrder } from './rules/picture-without-order.ts'
import { reportRenditions } from './rules/report-renditions.ts'
import { scannedPaper } from './rules/scanned-paper.ts'
import { wrappedCda } from './rules/wrapped-cda.ts'

/** Every rule there is, in the order of the default policy: what rests on original data comes before forms. */
export const RULES: readonly PlacementRule[] = [
  wrappedCda,
  ecgPicture,
  doseScreen,
  scannedPaper,
  disguisedMedia,
  reportRenditions,
  pdfWithImages,
  pictureWithoutOrder,
  asItCame,
]

const BY_ID: ReadonlyMap<string, PlacementRule> = new Map(RULES.map((rule) => [rule.id, rule]))

export function ruleOf(id: string): PlacementRule | undefined {
  return BY_ID.get(id)
}

/** What a rule is set to while the site says nothing. */
export function defaultSetting(rule: PlacementRule): RuleSetting {
  const { id, threshold, parameters } = rule
  return { rule: id, on: true, mode: 'act', threshold, parameters, departments: [], originators: [] }
}

export const DEFAULT_POLICY: PlacementPolicy = { rules: RULES.map(defaultSetting), documentSystem: null }

/** One thing that is wrong with a policy. */
export interface PolicyFault {
  /** `rules[2].threshold`. */
  readonly path: string
  readonly detail: string
}

/** What is wrong with a policy: unknown rules, rules named again behind the setting for everybody, parameters nobody reads, thresholds out of range. */
export function policyFaults(policy: PlacementPolicy): readonly PolicyFault[] {
  const faults: PolicyFault[] = []
  const seen = new Set<string>()
  for (const [i, setting] of policy.rules.entries()) {
    const fault = (key: string, detail: string) => faults.push({ path: `rules[${i}].${key}`, detail })
    const rule = ruleOf(setting.rule)
    if (rule === undefined) {
      fault('rule', `no rule is called ${setting.rule}; there are ${RULES.map(({ id }) => id).join(', ')}`)
      continue
    }
    // A setting for departments or originators stands before the one for everybody; behind it nobody reads it.
    if (seen.has(rule.id)) fault('rule', `${rule.id} is named twice for the same`)
    if (setting.departments.length + setting.originators.length === 0 || rule.id === asItCame.id) seen.add(rule.id)
    if (!(setting.threshold >= 0 && setting.threshold <= 1)) fault('threshold', 'a threshold is between 0 and 1')
    for (const [name, value] of Object.entries(setting.parameters)) {
      const known = rule.parameters[name]
      if (known === undefined) fault(`parameters.${name}`, `${rule.id} has no parameter ${name}`)
      else if (typeof known !== typeof value) fault(`parameters.${name}`, `is a ${typeof known}`)
    }
    if (rule.id === asItCame.id && !setting.on) fault('on', 'the last resort cannot be switched off')
  }
  return faults
}

/** A site's policy with what it does not speak of: rules it leaves out stand at the end, as they are by default. */
export function completed(policy: PlacementPolicy): PlacementPolicy {
  const named = new Set(policy.rules.map(({ rule }) => rule))
  const last = policy.rules.filter(({ rule }) => rule === asItCame.id)
  const rules = [
    ...policy.rules.filter(({ rule }) => rule !== asItCame.id),
    ...RULES.filter(({ id }) => !named.has(id) && id !== asItCame.id).map(defaultSetting),
    ...(last.length > 0 ? last : [defaultSetting(asItCame)]),
  ]
  return { ...policy, rules }
}
