import type { Placement } from '#model/archive-object.ts'
import type { PlacementEffect, RuleSetting } from '#model/placement.ts'
import type { DocumentFacts, InstanceFacts, Situation } from '#model/placement-facts.ts'

/** What a rule says about one object. */
export interface Opinion {
  readonly objectId: string
  readonly panel: 'image' | 'document'
  readonly form: Placement['form']
  readonly effect: PlacementEffect
  /** 0 to 1. */
  readonly score: number
  readonly signs: readonly Sign[]
  /** The facts it looked at, for the explanation. */
  readonly facts: { readonly [name: string]: string | number | boolean | null }
  readonly why: string
}

/** One sign that was seen. */
export interface Sign {
  readonly sign: string
  readonly weight: number
}

/**
 * One sentence of policy with its source, so that a site can disagree with it and switch it off by id. A rule is a pure
 * function of a situation: whatever the order in which its parts arrived, it says the same.
 */
export interface PlacementRule {
  readonly id: string
  readonly version: number
  /** The sentence. */
  readonly policy: string
  readonly source: string
  readonly why: string
  /** `structure`: acts at once. `signs`: scores, and proposes until a site has labelled enough samples of its own. */
  readonly rests: 'structure' | 'signs'
  /** Parameters with their defaults. */
  readonly parameters: RuleSetting['parameters']
  /** Below it a rule that scores says nothing. */
  readonly threshold: number
  evaluate(situation: Situation, setting: Pick<RuleSetting, 'threshold' | 'parameters'>): readonly Opinion[]
}

/** Adds up the signs that hold; 1 at most. */
export function score(signs: readonly (Sign | false)[]): { readonly score: number; readonly signs: readonly Sign[] } {
  const seen = signs.filter((sign) => sign !== false)
  const sum = seen.reduce((total, { weight }) => total + weight, 0)
  return { score: Math.max(0, Math.min(1, Number(sum.toFixed(3)))), signs: seen }
}

/** A sign with its weight when it holds. */
export function sign(holds: boolean, name: string, weight: number): Sign | false {
  return holds && { sign: name, weight }
}

/** Facts of an instance that every explanation shows. */
export function instanceFacts(instance: InstanceFacts): Opinion['facts'] {
  const { sopClassUID, modality, seriesDescription, imageType, conversionType, manufacturer } = instance
  return {
    sopClassUID,
    modality,
    seriesDescription,
    imageType: imageType.join('\\') || null,
    conversionType,
    manufacturer,
  }
}

/** Facts of a document that every explanation shows. */
export function documentFacts(document: DocumentFacts): Opinion['facts'] {
  const { kind, title, typeCode, department, studyInstanceUID } = document
  return { kind, title, typeCode, department, studyInstanceUID }
}
