/** What the form of a setting cannot tell, asked of the rooms that know their rules and messages. */
import { cannotAct } from '#arrival/hl7v2/actions.ts'
import type { RulePolicy } from '#model/settings.ts'
import { policyFaults } from '#placement/policy.ts'
import type { SettingChecks } from '#security/site-settings.ts'

/** Loaded when it is asked: this thread screens nothing, and its first answer does not wait for the rules. */
const screening = () => import('#screening/policy-faults.ts')

async function ruleFaults(policies: { readonly [path: string]: RulePolicy | undefined }) {
  const { rulePolicyFaults } = await screening()
  return Object.entries(policies).flatMap(([path, policy]) => rulePolicyFaults(policy ?? {}, path))
}

/** Refuses what could never take effect, so that a slip of the pen is not a policy nobody has. */
export const settingChecks: SettingChecks = {
  settings: {
    'screening.rules': (rules) => ruleFaults({ 'screening.rules': rules }),
    'screening.doors': (doors) =>
      ruleFaults(Object.fromEntries(Object.entries(doors).map(([door, rules]) => [`screening.doors.${door}`, rules]))),
    'hl7.messages': (messages) =>
      Object.entries(messages).flatMap(([name, how]) => {
        const detail = how === 'act' ? cannotAct(name) : undefined
        return detail === undefined ? [] : [{ path: `hl7.messages.${name}`, detail }]
      }),
    'placement.policy': (policy) =>
      policyFaults(policy).map(({ path, detail }) => ({ path: `placement.policy.${path}`, detail })),
  },
  originator: async (given) => (await screening()).originatorFaults(given),
}
