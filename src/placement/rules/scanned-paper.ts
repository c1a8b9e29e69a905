import { ENCAPSULATED_PDF, type InstanceFacts, isCapture, SINGLE_BIT_CAPTURE } from '#model/placement-facts.ts'
import { instanceFacts, type Opinion, type PlacementRule, type Sign, score, sign } from '../rule.ts'

const PAPER_TEXT =
  /\b(scan(ned)?|consent|requisition|order form|waiver|referral|old report|letter|insurance|questionnaire|anamnes\w*|einwilligung|anforderung|überweisung|aufklärung)\b/i
const SCANNER = /\b(fujitsu|kodak|canon dr|epson|avision|brother|xerox|panasonic kv|plustek)\b/i
const FILM_SCANNER = /\b(vidar|howtek|array corp|umax)\b/i

/** Letter 1.29 and A4 1.41, upright or across, within 0.03. */
function isPage({ rows, columns }: InstanceFacts): boolean {
  if (rows === null || columns === null || Math.min(rows, columns) === 0) return false
  const aspect = Math.max(rows, columns) / Math.min(rows, columns)
  return Math.max(rows, columns) >= 1000 && (Math.abs(aspect - 1.294) <= 0.03 || Math.abs(aspect - Math.SQRT2) <= 0.03)
}

/** How much an object looks like scanned paper. dicom-objects 9.3; PS3.3 section C.8.6.1. */
export function paperScore(one: InstanceFacts): { readonly score: number; readonly signs: readonly Sign[] } {
  const pdf = one.sopClassUID === ENCAPSULATED_PDF
  if (!isCapture(one) && !pdf) return { score: 0, signs: [] }
  const maker = [one.scManufacturer, one.scModel, one.manufacturer, one.model].join(' ')
  return score([
    sign(one.conversionType === 'SD', 'Conversion Type: scanned document', 0.6),
    sign(one.hasDocumentClassCode, 'has a Document Class Code', 0.4),
    sign(
      one.equipmentPurposes.some((code) => code.startsWith('DOCD^')),
      'passed a Document Digitizer',
      0.6,
    ),
    sign(one.sopClassUID === SINGLE_BIT_CAPTURE, 'single bit, as fax', 0.5),
    sign(one.frameIncrementPointer === '00182001', 'has a Page Number Vector', 0.4),
    sign(['DOC', 'OT', 'SC'].includes(one.modality ?? ''), 'modality of documents', 0.15),
    sign(isCapture(one) && isPage(one), 'shaped as a page', 0.2),
    sign(PAPER_TEXT.test(one.texts.join(' ')), 'described as paper', 0.3),
    sign(SCANNER.test(maker), 'made by a scanner for paper', 0.3),
    sign(one.bodyPart !== null, 'shows a body part', -0.4),
    // Film is not paper: it is an image that was digitised.
    sign(one.conversionType === 'DF' || FILM_SCANNER.test(maker), 'a digitised film', -0.8),
    sign(one.conversionType === 'WSD' && !one.hasDocumentClassCode, 'made by a workstation', -0.2),
    sign(pdf && one.conversionType !== 'SD', 'a PDF that no scanner made', -0.3),
  ])
}

/** Scanned pages are one document, not images. */
export const scannedPaper: PlacementRule = {
  id: 'scanned-paper',
  version: 1,
  policy:
    'Scanned paper does not belong in the image archive: it becomes a PDF document, here or as a pointer to the document system that owns it.',
  source: 'issue 4 rule 6; PS3.3 sections C.8.6.1, C.24.2',
  why: 'A consent form is looked for in the record of the patient, and a viewer shows it as a series nobody wants.',
  rests: 'signs',
  parameters: { hideScans: true, documentSystem: '' },
  threshold: 0.6,
  evaluate({ instances }, { threshold, parameters }) {
    const papers = instances
      .map((one) => ({ one, seen: paperScore(one) }))
      .filter(({ seen }) => seen.score >= threshold)
    const series = Map.groupBy(papers, ({ one }) => one.seriesInstanceUID)
    const system = String(parameters['documentSystem'] ?? '')
    return [...series.values()].flatMap((pages): Opinion[] => {
      // One document for the pages of a series; a PDF is a document already.
      const [wrapped, scans] = [
        pages.filter(({ one }) => one.sopClassUID === ENCAPSULATED_PDF),
        pages.filter(({ one }) => one.sopClassUID !== ENCAPSULATED_PDF),
      ]
      const groups = [...wrapped.map((one) => [one]), ...(scans.length === 0 ? [] : [scans])]
      return groups.flatMap((group) => {
        const ids = group.map(({ one }) => one.objectId).sort()
        const [first] = group.toSorted((a, b) => (a.one.objectId < b.one.objectId ? -1 : 1))
        if (first === undefined) return []
        const wrappedPdf = first.one.sopClassUID === ENCAPSULATED_PDF
        const effect =
          system !== ''
            ? ({ do: 'pointer', instances: ids, system } as const)
            : wrappedPdf
              ? ({ do: 'unwrap', instance: first.one.objectId } as const)
              : ({ do: 'paper', instances: ids, hide: parameters['hideScans'] !== false } as const)
        return [
          {
            objectId: first.one.objectId,
            panel: 'document' as const,
            form: system !== '' ? ('pointer' as const) : wrappedPdf ? ('unwrapped' as const) : ('native' as const),
            effect,
            score: Math.min(...group.map(({ seen }) => seen.score)),
            signs: first.seen.signs,
            facts: { ...instanceFacts(first.one), pages: ids.length },
            why: `${ids.length === 1 ? 'A page' : `${ids.length} pages`} of scanned paper: a document, not an image.`,
          },
        ]
      })
    })
  },
}
