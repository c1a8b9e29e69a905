import { documentFacts, type PlacementRule } from '../rule.ts'

const PICTURES: readonly string[] = ['jpeg', 'png', 'gif', 'tiff', 'heic', 'mp4', 'quicktime', 'mpeg']

/** A picture from the ward belongs to the encounter, not to a study that nobody ordered. */
export const pictureWithoutOrder: PlacementRule = {
  id: 'picture-without-order',
  version: 1,
  policy: 'A picture without an order becomes an encounter-based document with department, body part and author.',
  source: 'issue 4 rule 8; IHE RAD Encounter-Based Imaging Workflow',
  why: 'Most photographs have no order; their department and encounter are how they are found again.',
  rests: 'structure',
  parameters: {},
  threshold: 0,
  evaluate({ documents }) {
    return documents
      .filter(({ kind, hasOrder, faceOf }) => PICTURES.includes(kind) && !hasOrder && faceOf === null)
      .map((document) => ({
        objectId: document.objectId,
        panel: 'document' as const,
        form: 'native' as const,
        effect: { do: 'stay' } as const,
        score: 1,
        signs: [],
        facts: { ...documentFacts(document), hasOrder: false },
        why: 'A picture without an order is a document of its encounter.',
      }))
  },
}
