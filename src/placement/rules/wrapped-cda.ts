import { ENCAPSULATED_CDA, isEncapsulated } from '#model/placement-facts.ts'
import { documentFacts, instanceFacts, type PlacementRule } from '../rule.ts'

/** CDA and FHIR documents stand for themselves. */
export const wrappedCda: PlacementRule = {
  id: 'wrapped-cda',
  version: 1,
  policy: 'CDA and FHIR documents are never wrapped, in DICOM or in each other; wrapped ones are unwrapped byte-exact.',
  source: 'issue 4 rule 2; PS3.3 section A.45.2, C.24.2: Encapsulated Document Length',
  why: 'Who looks for a discharge report looks among documents, and a signature covers the bytes of the CDA alone.',
  rests: 'structure',
  parameters: {},
  threshold: 0,
  evaluate({ instances, documents }) {
    const wrapped = instances.filter(
      (one) =>
        one.sopClassUID === ENCAPSULATED_CDA ||
        (isEncapsulated(one) &&
          /^(text\/xml|application\/(xml|hl7-sda\+xml|fhir\+(json|xml)))$/.test(one.documentMediaType ?? '')),
    )
    return [
      ...wrapped.map((instance) => ({
        objectId: instance.objectId,
        panel: 'document' as const,
        form: 'unwrapped' as const,
        effect: { do: 'unwrap', instance: instance.objectId } as const,
        score: 1,
        signs: [],
        facts: instanceFacts(instance),
        why: 'A structured document is inside; it stands in the document panel with its own bytes.',
      })),
      ...documents
        .filter(({ kind, faceOf }) => (kind === 'cda' || kind === 'fhir-document') && faceOf === null)
        .map((document) => ({
          objectId: document.objectId,
          panel: 'document' as const,
          form: 'native' as const,
          effect: { do: 'stay' } as const,
          score: 1,
          signs: [],
          facts: documentFacts(document),
          why: 'A structured document stays as it is, also beside images.',
        })),
    ]
  },
}
