import type { Placement } from '#model/archive-object.ts'
import { asItCame } from './rules/as-it-came.ts'

/** What is known of an arrival when it is stored, before anybody looked at what else is there. */
export interface ArrivalFacts {
  readonly mediaType: string
  readonly sopClassUID: string | null
  readonly family: string | null
}

/**
 * Where an arrival stands when it is stored: as it came. Rules that look at a whole study speak afterwards, whenever
 * what they look at has changed; see placement/decide.ts.
 */
export function place(facts: ArrivalFacts): Placement {
  const image = facts.mediaType === 'application/dicom'
  return {
    rule: asItCame.id,
    ruleVersion: asItCame.version,
    panel: image ? 'image' : 'document',
    form: image ? 'as-received' : 'native',
    facts: { ...facts },
    alternatives: [],
  }
}
