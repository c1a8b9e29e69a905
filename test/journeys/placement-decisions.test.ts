/** What people decide about places: it is remembered, limited, earned by labels, found by surveys, and rebuilt. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import type { PlacementPolicy } from '#model/placement.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { undoPolicy } from '#operations/placement-policy.ts'
import { completed, DEFAULT_POLICY } from '#placement/policy.ts'
import { rebuildArchive } from '../../src/app-maintenance.ts'
import { aecg } from '../fixtures/aecg.ts'
import { cdaObject, ctDose, ctImage, doseScreen, pdfObject, secondaryCapture } from '../fixtures/objects.ts'
import { plainPdf } from '../fixtures/pdf.ts'
import { type DocumentArchive, documentArchive } from '../support/document-fixture.ts'
import {
  documentsOf,
  newest,
  settled,
  stands,
  storeDocument,
  storeInstance,
  studyOf,
  uidOf,
} from '../support/placement-site.ts'

let site: DocumentArchive
before(async () => {
  site = await documentArchive()
})
after(() => site.close())

const PAPER = { ConversionType: 'SD', SeriesDescription: 'Consent form', Modality: 'OT' }
const paper = (name: string, more = {}) =>
  secondaryCapture({ columns: 827, rows: 1169, more: { ...PAPER, ...more } }, studyOf(name))

async function setPolicy(policy: PlacementPolicy): Promise<void> {
  await site.archive.settings.change({ 'placement.policy': policy }, 'ann', null)
}

/** The default policy with other settings for one rule. */
function withRule(rule: string, more: Partial<PlacementPolicy['rules'][number]>): PlacementPolicy {
  return {
    ...DEFAULT_POLICY,
    rules: DEFAULT_POLICY.rules.map((setting) => (setting.rule === rule ? { ...setting, ...more } : setting)),
  }
}

test('what a person undid is not proposed again for the same facts, also when the scans came back', async () => {
  const { archive } = site
  const scan = await storeInstance(archive, paper('again-paper'))
  const wrapped = await storeInstance(archive, cdaObject(undefined, studyOf('again-cda')))
  await settled(archive)
  await archive.placement.accept(newest(archive, scan)?.id ?? '', 'ann')
  await settled(archive)
  for (const id of [scan, wrapped]) await archive.placement.undo(newest(archive, id)?.id ?? '', 'ann', 'not wanted')
  await settled(archive)
  const uid = uidOf('again-paper')
  const back: string[] = []
  for await (const one of archive.reader.instances({ studyInstanceUID: uid }, EVERYTHING)) back.push(one.objectId)
  assert.equal(back.length, 1)
  assert.notEqual(back[0], scan, 'it is stored once more')
  // Other things come, and it is looked at again: the same page, the same answer.
  await storeInstance(archive, ctImage(studyOf('again-paper')))
  await archive.placement.evaluate({ studyInstanceUID: uid })
  await archive.placement.evaluate({ studyInstanceUID: uidOf('again-cda') })
  await settled(archive)
  assert.equal(stands(archive, back[0] ?? ''), 'paper undone', 'its history goes on')
  assert.equal(archive.placementDecisions.ofObject(back[0] ?? '').length, 1)
  assert.equal(stands(archive, wrapped), 'unwrap undone')
  assert.deepEqual(await documentsOf(archive, uidOf('again-cda')), [])

  // Another page is another fact: it is asked again, and once it is gone, no more.
  const second = await storeInstance(archive, {
    ...paper('again-paper'),
    SOPInstanceUID: '2.25.4711',
    InstanceNumber: '2',
  })
  await settled(archive)
  const pages = newest(archive, second) ?? newest(archive, back[0] ?? '')
  const asked = [...archive.placementDecisions.ofObject(second), ...archive.placementDecisions.ofObject(back[0] ?? '')]
  assert.equal(asked.filter(({ state }) => state === 'proposed').length, 1, JSON.stringify(pages))
  await archive.deletions.delete({
    scope: {
      studyInstanceUID: uid,
      seriesInstanceUID: (await archive.reader.find(second, EVERYTHING))?.seriesInstanceUID ?? '',
      sopInstanceUID: '2.25.4711',
    },
    ...{ by: 'ann', reason: 'test', time: new Date().toISOString(), purgeAfter: '2027-01-01T00:00:00.000Z' },
  })
  await archive.placement.evaluate({ studyInstanceUID: uid })
  await settled(archive)
  assert.equal(archive.placementDecisions.ofObject(back[0] ?? '').filter(({ state }) => state === 'proposed').length, 0)
})

test('an annotated ECG of somebody else waits for a person; of the patient itself it becomes a curve', async () => {
  const { archive } = site
  const own = { by: 'identifier', issuer: 'HOSP', id: 'S-7', issuerAssumed: false } as const
  // The fixture says S-7, female, born 1953-05-08; FELIX is male and born in 1970.
  const foreign = await storeDocument(archive, aecg(), { mediaType: 'application/xml' })
  const rightly = await storeDocument(archive, aecg({ annotations: '' }), { mediaType: 'application/xml', owner: own })
  await storeInstance(archive, ctImage(studyOf('aecg-somebody')))
  await settled(archive)
  await archive.placement.evaluate({ objectId: foreign })
  await settled(archive)
  assert.equal(stands(archive, foreign), 'waveform-face proposed')
  assert.match(newest(archive, foreign)?.why ?? '', /another than its patient \(date of birth, sex\)/)
  assert.doesNotMatch(newest(archive, foreign)?.why ?? '', /1953|1970/, 'it names no values')
  assert.equal(stands(archive, rightly), 'waveform-face acting')
  const face = await archive.reader.find(newest(archive, rightly)?.made[0] ?? '', EVERYTHING)
  assert.equal(face?.sopClassUID, '1.2.840.10008.5.1.4.1.1.9.1.1')
  await archive.placement.accept(newest(archive, foreign)?.id ?? '', 'ann')
  await settled(archive)
  assert.equal(newest(archive, foreign)?.made.length, 1, 'a person may say that it is the same one')
})

test('where another system owns documents scans stay as pointers to it', async () => {
  const { archive } = site
  await setPolicy({ ...DEFAULT_POLICY, documentSystem: 'Paper archive' })
  const scan = await storeInstance(archive, paper('pointer'))
  await settled(archive)
  assert.equal(stands(archive, scan), 'pointer proposed')
  await archive.placement.accept(newest(archive, scan)?.id ?? '', 'ann')
  await settled(archive)
  const decision = newest(archive, scan)
  assert.equal(decision?.placement.form, 'pointer')
  assert.deepEqual(decision?.made, [`pointer ${scan} Paper archive`])
  assert.deepEqual(await documentsOf(archive, uidOf('pointer')), [], 'no document is made here')
  const listed = archive.placementDecisions.list({ state: 'acting', effect: 'pointer', limit: 10 })
  assert.deepEqual(
    listed.items.map(({ objectId }) => objectId),
    [scan],
  )
  await archive.placement.undo(decision?.id ?? '', 'ann', 'ours after all')
  await settled(archive)
  assert.deepEqual(newest(archive, scan)?.made, [])
})

test('a policy that is taken back takes along what it did, and nothing else', async () => {
  const { archive } = site
  await setPolicy(withRule('pdf-with-images', { on: false }))
  const before = await storeInstance(archive, pdfObject(plainPdf(['kept']), studyOf('policy-before')))
  await settled(archive)
  assert.equal(stands(archive, before), 'nothing')
  await setPolicy(DEFAULT_POLICY)
  const during = await storeInstance(archive, pdfObject(plainPdf(['taken along']), studyOf('policy-during')))
  await settled(archive)
  assert.equal(stands(archive, during), 'unwrap acting')
  assert.equal((await documentsOf(archive, uidOf('policy-during'))).length, 1)
  const { policy, looked } = await undoPolicy(archive.settings, archive.placement, 'ann', null)
  assert.equal(completed(policy).rules.find(({ rule }) => rule === 'pdf-with-images')?.on, false)
  assert.ok(looked >= 1)
  await settled(archive)
  assert.deepEqual(await documentsOf(archive, uidOf('policy-during')), [])
  assert.equal(stands(archive, during), 'stay acting')
  await setPolicy(DEFAULT_POLICY)
})

test('a rule is set otherwise for one department, and looks at everything all the same', async () => {
  const { archive } = site
  const eye = {
    ...DEFAULT_POLICY.rules.find(({ rule }) => rule === 'dose-screen')!,
    departments: ['Eye clinic'],
    on: false,
  }
  await setPolicy({ ...DEFAULT_POLICY, rules: [eye, ...DEFAULT_POLICY.rules] })
  const from = (name: string, department: string) => ({
    ...doseScreen('ge', studyOf(name)),
    InstitutionalDepartmentName: department,
  })
  const here = await storeInstance(archive, from('scope-eye', 'Eye clinic'))
  const there = await storeInstance(archive, from('scope-ct', 'Radiology'))
  await storeInstance(archive, ctDose(undefined, studyOf('scope-ct')))
  await settled(archive)
  assert.equal(stands(archive, here), 'nothing')
  assert.equal(stands(archive, there), 'rendition proposed', 'the report names no department and is seen')
  await setPolicy(DEFAULT_POLICY)
})

test('a recogniser earns the right to act by samples of this site, and loses it by being wrong', async () => {
  const { archive } = site
  const pages: string[] = []
  for (let i = 0; i < 19; i++) pages.push(await storeInstance(archive, doseScreen('siemens', studyOf(`label-${i}`))))
  const other = await storeInstance(archive, secondaryCapture({}, studyOf('label-other')))
  await settled(archive)
  for (const page of pages) await archive.placement.label(page, 'dose-screen', true, 'ann')
  assert.equal(archive.placementDecisions.labels('dose-screen').mayAct, false, 'nineteen are not enough')
  await archive.placement.label(other, 'dose-screen', false, 'ann')
  const earned = archive.placementDecisions.labels('dose-screen')
  const { labelled, right, wrong, missed, left, precision, recall, mayAct } = earned
  assert.deepEqual({ labelled, right, wrong, missed, left }, { labelled: 20, right: 19, wrong: 0, missed: 0, left: 1 })
  assert.deepEqual({ precision, recall, mayAct }, { precision: 1, recall: 1, mayAct: true })
  await storeInstance(archive, ctDose(undefined, studyOf('label-0')))
  await settled(archive)
  assert.equal(stands(archive, pages[0] ?? ''), 'rendition acting')
  // A second thought of the person counts.
  for (const page of pages.slice(0, 2)) await archive.placement.label(page, 'dose-screen', false, 'ann')
  const lost = archive.placementDecisions.labels('dose-screen')
  assert.equal(lost.wrong, 2)
  assert.equal(lost.mayAct, false, `precision ${lost.precision}`)
})

test('a survey finds what an existing collection keeps wrongly; mending accepts it by rule, each undone again', async () => {
  const { archive } = site
  const off = withRule('pdf-with-images', { on: false })
  await setPolicy({
    ...off,
    rules: off.rules.map((setting) => (setting.rule === 'wrapped-cda' ? { ...setting, on: false } : setting)),
  })
  const pdf = await storeInstance(archive, pdfObject(plainPdf(['old']), studyOf('survey-pdf')))
  const cda = await storeInstance(archive, cdaObject(undefined, studyOf('survey-cda')))
  const scan = await storeInstance(archive, paper('survey-paper'))
  await settled(archive)
  assert.equal(stands(archive, cda), 'nothing')
  await setPolicy(DEFAULT_POLICY)
  const started = await archive.surveys.start('ann')
  assert.equal((await archive.surveys.start('bob')).id, started.id, 'one at a time')
  await settled(archive)
  const survey = archive.surveyReports.survey(started.id)
  assert.equal(survey?.state, 'done')
  assert.equal(survey?.looked, survey?.total)
  const groups = archive.surveyReports.report(started.id)
  const cdas = groups.find(({ rule, effect }) => rule === 'wrapped-cda' && effect === 'unwrap')
  assert.ok(cdas !== undefined && (cdas.states.waiting ?? 0) >= 1 && cdas.examples.length >= 1)
  assert.equal(stands(archive, cda), 'nothing', 'a survey changes nothing')
  const all = archive.surveyReports.findings({ survey: started.id, limit: 500 }).items
  assert.equal(all.find(({ objectId }) => objectId === scan)?.state, 'waiting')
  assert.equal(all.length, survey?.findings)

  assert.ok((await archive.surveys.mend(started.id, { rules: ['wrapped-cda'] }, 'ann', 'taken over')) >= 1)
  const one = all.find(({ objectId }) => objectId === scan)
  assert.equal(await archive.surveys.mend(started.id, { ids: [one?.id ?? ''] }, 'ann', 'it is paper'), 1)
  await settled(archive)
  assert.equal(stands(archive, cda), 'unwrap acting')
  assert.equal((await documentsOf(archive, uidOf('survey-cda'))).length, 1)
  assert.equal(stands(archive, scan), 'paper acting')
  assert.equal(stands(archive, pdf), 'nothing', 'nobody asked for that')
  const after = archive.surveyReports.findings({ survey: started.id, rule: 'wrapped-cda', limit: 500 }).items
  assert.ok(after.every(({ state }) => state === 'mended' || state === 'done' || state === 'declined'))
  await archive.placement.undo(newest(archive, cda)?.id ?? '', 'ann', 'no')
  await settled(archive)
  assert.deepEqual(await documentsOf(archive, uidOf('survey-cda')), [])
})

const TABLES: readonly string[] = [
  'select * from placement_decision',
  'select * from placement_label',
  'select * from relation',
  `select d.id, unique_id, entry_uuid, kind, size, status, hidden, study, host_start, host_length, d.version, title
   from document d where hidden = 0`,
  'select o.id, o.uid, o.version, o.state from object o where state = 0',
]

function dump(dataDirectory: string): readonly (readonly string[])[] {
  const db = new DatabaseSync(join(dataDirectory, 'diptych.db'), { readOnly: true })
  try {
    return TABLES.map((sql) =>
      db
        .prepare(sql)
        .all()
        .map((row) => JSON.stringify(row))
        .toSorted(),
    )
  } finally {
    db.close()
  }
}

// Last: everything above, acting, undone, outdated and labelled, stands in the journal.
test('an index that is rebuilt holds the same decisions, and what they made', async () => {
  let before: ReturnType<typeof dump> = []
  const { dataDirectory } = site
  await site.reopen(async () => {
    before = dump(dataDirectory)
    const report = await rebuildArchive(dataDirectory, { acceptLoss: false })
    assert.equal(report.damaged, 0)
  })
  await settled(site.archive)
  const after = dump(dataDirectory)
  assert.ok((before[0]?.length ?? 0) > 20)
  for (const [i, sql] of TABLES.entries()) assert.deepEqual(after[i], before[i], sql)
})
