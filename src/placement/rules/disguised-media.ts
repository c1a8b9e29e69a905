import { hasVideoSyntax, type InstanceFacts, isCapture } from '#model/placement-facts.ts'
import { instanceFacts, type PlacementRule, type Sign, score, sign } from '../rule.ts'

const MULTI_FRAME_COLOUR = /\.7\.[24]$/
const CAMERA = /\b(canon|nikon|apple|samsung|sony|olympus|fujifilm|gopro|huawei|xiaomi|google|panasonic|leica)\b/i
const JPEG_BASELINE = '1.2.840.10008.1.2.4.50'
/** Modalities whose single colour captures are pictures of a person, not of a screen. */
const PICTURES = new Set(['XC', 'OT', 'DMS', 'GM', 'ES', 'OP'])

/** How much a capture looks like a film. */
export function videoScore(one: InstanceFacts): { readonly score: number; readonly signs: readonly Sign[] } {
  if (!isCapture(one) || one.frames < 2) return { score: 0, signs: [] }
  const text = one.texts.join(' ')
  return score([
    sign(hasVideoSyntax(one), 'encoded as MPEG', 0.7),
    sign(MULTI_FRAME_COLOUR.test(one.sopClassUID), 'multi-frame colour or byte capture', 0.2),
    sign(one.frames > 30, 'more than 30 frames', 0.25),
    sign(one.cineRate !== null && one.cineRate > 0, 'has a cine rate', 0.25),
    sign(['ES', 'XC', 'RF', 'GM'].includes(one.modality ?? ''), 'modality of films', 0.1),
    sign(/\b(video|film|clip|movie|gait|swallow|mbs)\b/i.test(text), 'described as a film', 0.2),
    // Pages are turned, not played.
    sign(one.frameIncrementPointer === '00182001', 'pages, not time', -0.8),
  ])
}

/** How much a capture looks like a photograph. */
export function photographScore(one: InstanceFacts): { readonly score: number; readonly signs: readonly Sign[] } {
  if (!isCapture(one) || one.frames > 1) return { score: 0, signs: [] }
  const maker = [one.manufacturer, one.scManufacturer, one.model, one.scModel].join(' ')
  return score([
    sign(CAMERA.test(maker), 'made by a camera or telephone', 0.5),
    sign(one.samplesPerPixel === 3, 'colour', 0.1),
    sign(one.modality === 'XC', 'modality external camera', 0.4),
    sign(PICTURES.has(one.modality ?? ''), 'modality of pictures', 0.1),
    sign(one.transferSyntaxUID === JPEG_BASELINE, 'a JPEG as cameras make it', 0.15),
    sign(one.conversionType === 'DI' || one.conversionType === 'DV', 'digital interface or digitised video', 0.1),
    sign(/\b(photo|foto|wound|picture|clinical image)/i.test(one.texts.join(' ')), 'described as a photograph', 0.25),
    sign(one.conversionType === 'WSD' || one.conversionType === 'SYN', 'made by a workstation', -0.4),
    sign(one.conversionType === 'SD', 'scanned', -0.5),
  ])
}

/** Pictures and films are documents with specialty and department; disguised ones are recognised. */
export const disguisedMedia: PlacementRule = {
  id: 'disguised-media',
  version: 1,
  policy:
    'JPEG, MPEG, TIFF and the like are documents with specialty and department; films and photographs disguised as Secondary Capture are recognised.',
  source: 'issue 4 rule 3; PS3.3 sections A.8, A.32',
  why: 'A wound photograph among CT series is neither found by the ward nor read by a radiologist.',
  rests: 'signs',
  parameters: {},
  threshold: 0.6,
  evaluate({ instances }, { threshold }) {
    return instances.flatMap((instance) => {
      const video = videoScore(instance)
      const photograph = photographScore(instance)
      const best = video.score >= photograph.score ? video : photograph
      if (best.score < threshold) return []
      const as = best === video ? ('video' as const) : ('photograph' as const)
      return [
        {
          objectId: instance.objectId,
          panel: 'document' as const,
          form: 'native' as const,
          effect: { do: 'to-document', instance: instance.objectId, as } as const,
          ...best,
          facts: { ...instanceFacts(instance), frames: instance.frames },
          why: `It is a ${as} in the form of a capture: a document with specialty and department.`,
        },
      ]
    })
  },
}
