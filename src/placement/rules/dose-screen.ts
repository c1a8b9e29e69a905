import { CT_IMAGE, type InstanceFacts, isCapture, isDoseReport } from '#model/placement-facts.ts'
import { instanceFacts, type PlacementRule, type Sign, score, sign } from '../rule.ts'

const DOSE_TEXT =
  /dose (report|info|summary|record|page|sheet)|patient protocol|exposure (summary|report)|\bDLP\b|\bCTDI/i
const starts = (type: readonly string[], ...words: string[]) => words.every((word, i) => type[i] === word)

/**
 * How much an object looks like a dose page. Vendor rules: GE, Siemens and Toshiba/Canon as PixelMed's
 * com.pixelmed.doseocr knows them; weak signs are from experience.
 */
export function doseScreenScore(one: InstanceFacts): { readonly score: number; readonly signs: readonly Sign[] } {
  if (!isCapture(one) && one.sopClassUID !== CT_IMAGE) return { score: 0, signs: [] }
  const { imageType, seriesNumber } = one
  const alone = one.seriesInstances <= 3
  const text = one.texts.join(' ')
  return score([
    sign(
      starts(imageType, 'DERIVED', 'SECONDARY', 'SCREEN SAVE') && (seriesNumber === 999 || seriesNumber === 10999),
      'GE: screen save in series 999 or 10999',
      0.9,
    ),
    sign(
      starts(imageType, 'DERIVED', 'SECONDARY', 'OTHER', 'CT_SOM5 PROT') &&
        (seriesNumber === 501 || seriesNumber === 503),
      'Siemens: CT_SOM5 PROT in series 501 or 503',
      0.9,
    ),
    sign(
      starts(imageType, 'DERIVED', 'SECONDARY') && one.windowWidth === 1 && one.windowCenter === 0,
      'Toshiba/Canon: window width 1, centre 0',
      0.8,
    ),
    sign(
      imageType.some((value) => /DOSE_INFO|DOSE REPORT/.test(value)),
      'Image Type says dose',
      0.6,
    ),
    sign(DOSE_TEXT.test(text), 'described as dose', 0.45),
    sign(
      alone && one.rows === 512 && one.columns === 512 && one.frames === 1,
      'one 512 x 512 image in a series of its own',
      0.2,
    ),
    sign(isCapture(one) && one.modality === 'CT', 'a capture in a CT study', 0.1),
    // Dose maps and plans are many images, and they measure.
    sign(!alone, 'many images in its series', -0.5),
    sign(/\b(dose map|isodose|dose distribution)\b/i.test(text), 'a distribution of dose', -0.6),
  ])
}

/** A capture gives way to original data: the dose page to the dose report. */
export const doseScreen: PlacementRule = {
  id: 'dose-screen',
  version: 1,
  policy:
    'Secondary Capture gives way to original data: a dose page with a dose report in the study becomes its rendition; without one the report is asked for.',
  source: 'issue 4 rule 5; PS3.16 TID 10001, 10011',
  why: 'Numbers in a picture cannot be added up; the dose report carries them.',
  rests: 'signs',
  parameters: {},
  threshold: 0.6,
  evaluate({ instances }, { threshold }) {
    const [report] = instances
      .filter(isDoseReport)
      .map(({ objectId }) => objectId)
      .sort()
    return instances.flatMap((instance) => {
      const seen = doseScreenScore(instance)
      if (seen.score < threshold) return []
      const { objectId } = instance
      const effect =
        report === undefined
          ? ({ do: 'ask-for', object: objectId, what: 'dose-report' } as const)
          : ({ do: 'rendition', of: report, object: objectId, what: 'dose-screen' } as const)
      const why =
        report === undefined
          ? 'A dose page without a dose report: ask the modality for the RDSR.'
          : 'The dose report of this study holds these numbers: the page is a rendition of it.'
      return [
        {
          objectId,
          panel: 'image' as const,
          form: 'as-received' as const,
          effect,
          ...seen,
          facts: { ...instanceFacts(instance), doseReport: report ?? null },
          why,
        },
      ]
    })
  },
}
