import type { SettingFault } from '#model/setting-fault.ts'
import type { Originator, PolicyAction, RulePolicy } from '#model/settings.ts'
import { ruleOf, rules } from './rules.ts'

const STRICTER: Readonly<Record<PolicyAction | 'skip', number>> = {
  ...{ skip: 0, keep: 0, sanitise: 1, quarantine: 2, reject: 3 },
}

/** What of a policy could never take effect: rules there are not, and what a rule may not be set to. */
export function rulePolicyFaults(policy: RulePolicy, path: string): readonly SettingFault[] {
  return Object.entries(policy).flatMap(([id, action]): SettingFault[] => {
    const rule = ruleOf(id)
    const at = `${path}.${id}`
    if (rule === undefined) {
      const hint = `There are ${rules.map((known) => known.id).join(', ')}.`
      return [{ path: at, detail: 'there is no such rule', hint }]
    }
    if (rule.allowed.includes(action)) return []
    const choice = rule.allowed.length === 0 ? 'this rule cannot be changed' : `it may be ${rule.allowed.join(', ')}`
    return [{ path: at, detail: `cannot be ${action}: ${choice}` }]
  })
}

/** The same of an originator; one that is not trusted is never allowed more than everybody. */
export function originatorFaults({ rules: policy, trust }: Originator): readonly SettingFault[] {
  const faults = rulePolicyFaults(policy, 'originator.rules')
  if (trust !== 'untrusted') return faults
  const milder = Object.entries(policy).filter(
    ([id, action]) => STRICTER[action] < STRICTER[ruleOf(id)?.default ?? 'keep'],
  )
  return [
    ...faults,
    ...milder.map(([id, action]) => ({
      path: `originator.rules.${id}`,
      detail: `cannot be ${action}: an originator that is untrusted is not allowed more than the rule itself`,
    })),
  ]
}
