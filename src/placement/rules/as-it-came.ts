import { documentFacts, instanceFacts, type PlacementRule } from '../rule.ts'

/** Nothing moves without a reason: what no other rule speaks of stays as it came. */
export const asItCame: PlacementRule = {
  id: 'as-it-came',
  version: 1,
  policy: 'A DICOM object stays in its study as it was received, a document stays native.',
  source: 'design.md section 3: what is stored does not change',
  why: 'Its sender made it what it is; taking it elsewhere needs a reason that another rule gives.',
  rests: 'structure',
  parameters: {},
  threshold: 0,
  evaluate({ instances, documents }) {
    const common = { effect: { do: 'stay' } as const, score: 1, signs: [], why: 'No other rule speaks of it.' }
    return [
      ...instances.map((one) => ({
        ...common,
        objectId: one.objectId,
        panel: 'image' as const,
        form: 'as-received' as const,
        facts: instanceFacts(one),
      })),
      ...documents
        .filter(({ faceOf }) => faceOf === null)
        .map((one) => ({
          ...common,
          objectId: one.objectId,
          panel: 'document' as const,
          form: 'native' as const,
          facts: documentFacts(one),
        })),
    ]
  },
}
