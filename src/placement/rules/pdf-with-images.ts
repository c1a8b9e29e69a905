import type { DocumentFacts, InstanceFacts, Situation } from '#model/placement-facts.ts'
import { ENCAPSULATED_CDA, isCapture, isEncapsulated } from '#model/placement-facts.ts'
import { documentFacts, instanceFacts, type Opinion, type PlacementRule } from '../rule.ts'
import { doseScreenScore } from './dose-screen.ts'
import { paperScore } from './scanned-paper.ts'

/** Above it a capture counts as paper or dose page here, not as an image of the study. */
const NO_IMAGE = 0.5

/** Images of the study; captures count unless they look like pages. */
function imagesOf({ imageCount, instances }: Situation): number {
  const captures = instances.filter(
    (one) => isCapture(one) && paperScore(one).score < NO_IMAGE && doseScreenScore(one).score < NO_IMAGE,
  )
  return imageCount + captures.length
}

/** A PDF is a document of its own, unless it belongs to images: then it is part of their study. */
export const pdfWithImages: PlacementRule = {
  id: 'pdf-with-images',
  version: 1,
  policy:
    'A PDF stays native, unless it belongs to the same imaging study as images: then it is encapsulated into that study.',
  source: 'issue 4 rule 1; PS3.3 section A.45.1',
  why: 'An eye study without its report is read wrongly; a PDF alone is no image and is looked for among documents.',
  rests: 'structure',
  parameters: {},
  threshold: 0,
  evaluate(situation) {
    const images = imagesOf(situation)
    return [
      ...situation.documents.flatMap((document) => nativePdf(document, situation.studyInstanceUID, images)),
      ...situation.instances.flatMap((instance) => wrappedPdf(instance, images)),
    ]
  },
}

function nativePdf(document: DocumentFacts, studyInstanceUID: string | null, images: number): Opinion[] {
  if (document.kind !== 'pdf' || document.faceOf !== null || document.status !== 'current') return []
  const common = { objectId: document.objectId, score: 1, signs: [], facts: { ...documentFacts(document), images } }
  if (studyInstanceUID === null || document.studyInstanceUID !== studyInstanceUID || images === 0) {
    const why = 'A PDF that belongs to no images stays a native document.'
    return [{ ...common, panel: 'document', form: 'native', effect: { do: 'stay' }, why }]
  }
  const effect = { do: 'encapsulate', document: document.objectId, studyInstanceUID } as const
  const why = `The study has ${images} image${images === 1 ? '' : 's'}: its PDF is shown with them; the original stays a document.`
  return [{ ...common, panel: 'image', form: 'encapsulated', effect, why }]
}

function wrappedPdf(instance: InstanceFacts, images: number): Opinion[] {
  if (!isEncapsulated(instance) || instance.sopClassUID === ENCAPSULATED_CDA) return []
  if (instance.documentMediaType !== 'application/pdf') return []
  const common = { objectId: instance.objectId, score: 1, signs: [], facts: { ...instanceFacts(instance), images } }
  const effect = { do: 'unwrap', instance: instance.objectId } as const
  if (images > 0) {
    const why = 'It belongs to the images of its study and stays with them; documents list its native bytes too.'
    return [{ ...common, panel: 'image', form: 'as-received', effect, why }]
  }
  const why = 'No image is in its study: it is found as a native document.'
  return [{ ...common, panel: 'document', form: 'unwrapped', effect, why }]
}
