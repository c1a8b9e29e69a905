import type { Placement } from '#model/archive-object.ts'

/** What placement looks at. Facts only: rules decide. */
export interface PlacementFacts {
  readonly mediaType: string
  readonly sopClassUID: string | null
  readonly family: string | null
}

/** One sentence of policy with its source, so that a site can disagree with it and switch it off by id. */
export interface PlacementRule {
  readonly id: string
  readonly version: number
  readonly source: string
  readonly why: string
  /** @returns undefined when the rule has no opinion */
  place(facts: PlacementFacts): Pick<Placement, 'panel' | 'form'> | undefined
}
