/** Whatever the order in which the parts of a study arrive, they end in the same places. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Elements } from '../fixtures/dicom-builder.ts'
import {
  cdaObject,
  ctDose,
  ctImage,
  doseScreen,
  pdfObject,
  secondaryCapture,
  twelveLeadEcg,
} from '../fixtures/objects.ts'
import { plainPdf } from '../fixtures/pdf.ts'
import { type DocumentArchive, documentArchive } from '../support/document-fixture.ts'
import { picture, settled, storeDocument, storeInstance, studyOf, uidOf } from '../support/placement-site.ts'

let site: DocumentArchive
before(async () => {
  site = await documentArchive()
})
after(() => site.close())

type Study = ReturnType<typeof studyOf>
interface Part {
  readonly name: string
  readonly instance?: (study: Study) => Elements
  readonly document?: { readonly bytes: () => Uint8Array; readonly title: string }
}

const PAPER = { ConversionType: 'SD', SeriesDescription: 'Consent form', Modality: 'OT' }
const SETS: { readonly [name: string]: readonly Part[] } = {
  'images, a PDF of their study, a wrapped CDA': [
    { name: 'image', instance: ctImage },
    { name: 'pdf', document: { bytes: () => plainPdf(['Eye report']), title: 'Eye report' } },
    { name: 'cda', instance: (study) => cdaObject(undefined, study) },
  ],
  'images and a wrapped PDF': [
    { name: 'image', instance: ctImage },
    { name: 'wrapped', instance: (study) => pdfObject(plainPdf(['Report']), study) },
  ],
  'a dose report, a dose page, images': [
    { name: 'report', instance: (study) => ctDose(undefined, study) },
    { name: 'page', instance: (study) => doseScreen('ge', study) },
    { name: 'image', instance: ctImage },
  ],
  'an ECG, its picture in DICOM, its PDF': [
    { name: 'curve', instance: (study) => twelveLeadEcg({}, study) },
    { name: 'wrapped', instance: (study) => ({ ...pdfObject(plainPdf(['ECG']), study), Modality: 'ECG' }) },
    { name: 'pdf', document: { bytes: () => plainPdf(['ECG of today']), title: 'ECG' } },
  ],
  'scanned paper beside images': [
    { name: 'image', instance: ctImage },
    { name: 'paper', instance: (study) => secondaryCapture({ columns: 827, rows: 1169, more: PAPER }, study) },
  ],
}

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length < 2) return [items]
  return items.flatMap((one, i) => permutations(items.toSpliced(i, 1)).map((rest) => [one, ...rest]))
}

test('every order of arrival ends in the same places', { timeout: 180_000 }, async () => {
  const { archive } = site
  // Every permutation is a study of its own; all take their first part, settle, take their second, and so on.
  const runs = Object.entries(SETS).flatMap(([set, parts], s) =>
    permutations(parts).map((order, p) => {
      const name = `order-${s}-${p}`
      return { set, order, study: studyOf(name), uid: uidOf(name), names: new Map<string, string>() }
    }),
  )
  assert.equal(runs.length, 6 + 2 + 6 + 6 + 2)
  for (let step = 0; step < 3; step++) {
    for (const { order, study, uid, names } of runs) {
      const part = order[step]
      if (part === undefined) continue
      const { instance, document, name } = part
      if (instance !== undefined) names.set(await storeInstance(archive, instance(study)), name)
      if (document !== undefined) {
        // No two documents of the runs are the same bytes: the same document twice would be one.
        const bytes = Buffer.concat([document.bytes(), Buffer.from(`%${uid}\n`)])
        names.set(await storeDocument(archive, bytes, { title: document.title, studyInstanceUID: uid }), name)
      }
    }
    await settled(archive)
  }
  for (const set of Object.keys(SETS)) {
    const pictures = await Promise.all(
      runs
        .filter((run) => run.set === set)
        .map(async ({ order, uid, names }) => ({
          order: order.map(({ name }) => name).join(', '),
          // The place among the runs is no difference.
          picture: (await picture(archive, uid, names)).map((line) => line.replaceAll(uid, 'study')),
        })),
    )
    const [first, ...others] = pictures
    assert.ok(first !== undefined && first.picture.length > 0)
    for (const other of others) assert.deepEqual(other.picture, first.picture, `${set}: ${other.order}`)
    if (set.startsWith('images, a PDF')) {
      assert.ok(first.picture.some((line) => line.startsWith('pdf: acting pdf-with-images image encapsulated')))
      assert.ok(first.picture.some((line) => line.startsWith('cda: acting wrapped-cda document unwrapped')))
    }
    if (set.startsWith('a dose'))
      assert.ok(first.picture.some((line) => /^page: proposed .*rendition, of report/.test(line)))
    if (set.startsWith('an ECG')) {
      const under = first.picture.filter((line) => /: acting ecg-picture .* of curve/.test(line))
      assert.equal(under.length, 2, first.picture.join('\n'))
    }
  }
})
