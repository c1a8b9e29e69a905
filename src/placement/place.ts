import type { Placement } from '#model/archive-object.ts'
import type { PlacementFacts, PlacementRule } from './rule.ts'
import { dicomStaysAsReceived } from './rules/dicom-stays-as-received.ts'

/** In the order they are asked; the first with an opinion decides. */
const RULES: readonly PlacementRule[] = [dicomStaysAsReceived]

/**
 * Which panel and which form, with the rule that decided and the facts it looked at.
 * @returns undefined when no rule has an opinion: the thing is not (yet) something the archive keeps
 */
export function place(facts: PlacementFacts): Placement | undefined {
  for (const rule of RULES) {
    const decided = rule.place(facts)
    if (decided === undefined) continue
    return {
      rule: rule.id,
      ruleVersion: rule.version,
      ...decided,
      facts: { ...facts },
      alternatives: [],
    }
  }
  return undefined
}
