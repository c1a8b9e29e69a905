import type { DocumentFacts } from '#model/placement-facts.ts'
import { documentFacts, type PlacementRule } from '../rule.ts'

/** The form that carries most comes first; the others show the same. */
const RANK: readonly DocumentFacts['kind'][] = [
  'cda',
  'fhir-document',
  'pdf',
  'rtf',
  'html',
  'text',
  'xml',
  'jpeg',
  'png',
  'tiff',
]

/** One report, however many forms it has. */
export const reportRenditions: PlacementRule = {
  id: 'report-renditions',
  version: 1,
  policy: 'A diagnostic report is one report in many renditions, its versions in step.',
  source: 'issue 4 rule 7',
  why: 'Two entries for one report make two truths, and one of them is forgotten when it is corrected.',
  rests: 'structure',
  parameters: {},
  threshold: 0,
  evaluate({ documents }) {
    const reports = documents.filter(
      ({ reportKey, status, faceOf }) => reportKey !== null && status === 'current' && faceOf === null,
    )
    return [...Map.groupBy(reports, ({ reportKey }) => reportKey).values()].flatMap((group) => {
      const ordered = group.toSorted((a, b) => rank(a) - rank(b) || (a.objectId < b.objectId ? -1 : 1))
      const [first, ...others] = ordered
      if (first === undefined) return []
      return others
        .filter(({ kind }) => kind !== first.kind)
        .map((document) => ({
          objectId: document.objectId,
          panel: 'document' as const,
          form: 'native' as const,
          effect: { do: 'rendition', of: first.objectId, object: document.objectId, what: 'report' } as const,
          score: 1,
          signs: [],
          facts: { ...documentFacts(document), report: first.objectId, form: first.kind },
          why: `The same report is here as ${first.kind}: this is another form of it.`,
        }))
    })
  },
}

function rank({ kind }: DocumentFacts): number {
  const at = RANK.indexOf(kind)
  return at < 0 ? RANK.length : at
}
