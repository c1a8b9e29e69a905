import {
  type DocumentFacts,
  type InstanceFacts,
  isCapture,
  isEcgWaveform,
  isEncapsulated,
} from '#model/placement-facts.ts'
import { documentFacts, instanceFacts, type Opinion, type PlacementRule } from '../rule.ts'

const ECG = /(^|[^a-z])(ecg|ekg|electrocardiogra\w*|elektrokardiogra\w*)([^a-z]|$)/i
/** LOINC: EKG study, 12-lead EKG panel, ECG report. */
const ECG_TYPES = new Set(['11524-6', '34534-8', '28010-7', '18844-1'])

function showsEcg(one: InstanceFacts): boolean {
  if (!isCapture(one) && !isEncapsulated(one)) return false
  return one.modality === 'ECG' || ECG.test(one.texts.join(' '))
}

function showsEcgDocument({ kind, title, typeCode, faceOf, status }: DocumentFacts): boolean {
  if (faceOf !== null || status !== 'current') return false
  if (!['pdf', 'jpeg', 'png', 'tiff', 'gif'].includes(kind)) return false
  return ECG.test(title ?? '') || ECG_TYPES.has(typeCode ?? '')
}

/** An ECG is a curve: whatever only shows it goes under it. */
export const ecgPicture: PlacementRule = {
  id: 'ecg-picture',
  version: 1,
  policy:
    'An ECG belongs as DICOM waveform: a PDF or picture of one that has a waveform beside it becomes its rendition; HL7 aECG gets a waveform face.',
  source: 'issue 4 rule 4; PS3.3 section A.34',
  why: 'A picture of a curve cannot be measured; both belong together, and the curve comes first.',
  rests: 'structure',
  parameters: { askForWaveform: true },
  threshold: 0,
  evaluate({ instances, documents }, { parameters }) {
    const waveforms = instances.filter(isEcgWaveform).map(({ objectId }) => objectId)
    // Any order of arrival picks the same one.
    const [waveform] = waveforms.sort()
    const asks = parameters['askForWaveform'] !== false
    return [
      ...instances.filter(showsEcg).flatMap((one) => shown(one.objectId, 'image', instanceFacts(one), waveform, asks)),
      ...documents
        .filter(showsEcgDocument)
        .flatMap((one) =>
          shown(one.objectId, 'document', documentFacts(one), waveform, asks && one.studyInstanceUID !== null),
        ),
      ...documents
        .filter(({ kind, faceOf, status }) => kind === 'aecg' && faceOf === null && status === 'current')
        .map(
          (document): Opinion => ({
            objectId: document.objectId,
            panel: 'image',
            form: 'native',
            effect: { do: 'waveform-face', document: document.objectId },
            score: 1,
            signs: [],
            facts: documentFacts(document),
            why: 'An annotated ECG holds the curve: it gets a DICOM waveform face, and the original stays.',
          }),
        ),
    ]
  },
}

function shown(
  objectId: string,
  panel: 'image' | 'document',
  facts: Opinion['facts'],
  waveform: string | undefined,
  asks: boolean,
): Opinion[] {
  const form = panel === 'image' ? ('as-received' as const) : ('native' as const)
  const common = { objectId, panel, form, score: 1, signs: [], facts: { ...facts, waveform: waveform ?? null } }
  if (waveform !== undefined) {
    const effect = { do: 'rendition', of: waveform, object: objectId, what: 'ecg' } as const
    return [{ ...common, effect, why: 'The waveform of this ECG is in the study: the picture is a rendition of it.' }]
  }
  if (!asks) return []
  const effect = { do: 'ask-for', object: objectId, what: 'waveform' } as const
  return [{ ...common, effect, why: 'Only a picture of the ECG came: ask its source for the waveform.' }]
}
