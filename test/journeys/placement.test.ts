/** Image or document, end to end: whatever the order in which parts of a study arrive, they end in the same places. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { loadConfig } from '#config.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { type Archive, openArchive } from '../../src/app.ts'
import { type Elements, namedUid, part10 } from '../fixtures/dicom-builder.ts'
import {
  cdaObject,
  cdaXml,
  ctDose,
  ctImage,
  doseScreen,
  pdfObject,
  STUDY,
  secondaryCapture,
  twelveLeadEcg,
} from '../fixtures/objects.ts'
import { plainPdf } from '../fixtures/pdf.ts'
import { temporaryDirectory } from '../live/server.ts'

const directory = temporaryDirectory('placement')
let archive: Archive

before(async () => {
  archive = await openArchive({ dataDirectory: directory.path, config: loadConfig({}) })
})
after(async () => {
  await archive.close()
  directory.remove()
})

const study = (name: string) => ({ ...STUDY, name, accessionNumber: name, studyId: name.slice(0, 16) })

async function store(elements: Elements): Promise<string> {
  const bytes = part10({ elements })
  const receipt = await archive.intake.receive({
    provenance: {
      ...{ door: 'stow', peer: null, originator: null, user: 'test', address: null, medium: null, path: null },
      time: new Date().toISOString(),
    },
    claims: {},
    bytes: { in: 'memory', bytes: new Uint8Array(bytes) },
  })
  assert.ok(receipt.stored, receipt.reason)
  return receipt.objectId ?? ''
}

/** Until every job is done, at most 20 s. */
async function settled(): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (archive.jobs.openJobs() === 0) return
    await pause(100)
  }
  const { items } = archive.jobs.list({ state: 'open', limit: 20 })
  assert.fail(
    `jobs are open still: ${items.map(({ kind, subject, error }) => `${kind} ${subject} ${error}`).join('; ')}`,
  )
}

const documentsOf = async (studyInstanceUID: string) =>
  (
    await archive.documents.documents({ studyInstanceUIDs: [studyInstanceUID], order: 'oldest', limit: 50 }, EVERYTHING)
  ).items.map(({ document }) => document)

test('a wrapped PDF becomes a document with its own bytes, and belongs to the images when they come', async () => {
  const one = study('placement-pdf')
  const uid = namedUid(`${one.name} study`)
  const pdf = plainPdf(['Bone density: T-score -1.2'])
  const wrapped = await store(pdfObject(pdf, one))
  await settled()
  const [decision] = archive.placementDecisions.ofObject(wrapped)
  assert.equal(decision?.effect.do, 'unwrap')
  const [document] = await documentsOf(decision?.studyInstanceUID ?? uid)
  assert.ok(document)
  const read = await archive.segments.read(document.location)
  const { content } = document
  assert.ok(content.in === 'object' && read !== undefined)
  assert.deepEqual(Buffer.from(read.subarray(content.start, content.start + content.length)), Buffer.from(pdf))
  assert.equal(document.kind, 'pdf')

  await store(ctImage(one))
  await settled()
  const [same] = await documentsOf(document.studyInstanceUID ?? '')
  assert.equal(same?.objectId, document.objectId, 'nothing was made twice')
  const history = archive.placementDecisions.ofObject(wrapped)
  assert.deepEqual(
    history.map(({ effect, state, placement }) => `${effect.do} ${state} ${placement.panel}`),
    ['unwrap acting image', 'unwrap outdated document'],
  )
})

test('a wrapped CDA is unwrapped also beside images; undo takes it back and the rule does not ask again', async () => {
  const one = study('placement-cda')
  const xml = cdaXml()
  await store(ctImage(one))
  const wrapped = await store(cdaObject(xml, one))
  await settled()
  const [decision] = archive.placementDecisions.ofObject(wrapped)
  assert.equal(`${decision?.effect.do} ${decision?.state}`, 'unwrap acting')
  const uid = decision?.studyInstanceUID ?? ''
  const [document] = await documentsOf(uid)
  assert.equal(document?.size, xml.length)
  assert.equal(document?.kind, 'cda')
  await archive.placement.undo(decision?.id ?? '', 'ann', 'not wanted')
  await settled()
  assert.deepEqual(await documentsOf(uid), [])
  await archive.placement.evaluate({ studyInstanceUID: uid })
  await settled()
  assert.deepEqual(await documentsOf(uid), [])
  assert.equal(archive.placementDecisions.ofObject(wrapped)[0]?.state, 'undone')
})

test('a native PDF joins the images of its study as DICOM, and leaves by undo', async () => {
  const one = study('placement-native')
  await store(ctImage(one))
  const image = await store(ctImage({ ...one, name: 'placement-native' }))
  const instance = await archive.reader.find(image, EVERYTHING)
  assert.ok(instance)
  const { studyInstanceUID } = instance
  const pdf = plainPdf(['Eye report'])
  const receipt = await archive.documentDesk.submit({
    documents: [
      {
        label: 'd',
        arrival: {
          provenance: {
            ...{
              door: 'web',
              peer: null,
              originator: null,
              user: 'test',
              address: null,
              medium: null,
              path: 'report.pdf',
            },
            time: new Date().toISOString(),
          },
          claims: { mediaType: 'application/pdf' },
          bytes: { in: 'memory', bytes: pdf },
        },
        statement: { studyInstanceUID, owner: { by: 'study', studyInstanceUID }, metadata: { title: 'Eye report' } },
      },
    ],
    ...{ lists: [], relations: [], patientsKnown: false, complete: false },
  })
  assert.equal(receipt.is, 'kept', JSON.stringify(receipt))
  await settled()
  const objectId = receipt.is === 'kept' ? (receipt.documents[0]?.document.objectId ?? '') : ''
  const [decision] = archive.placementDecisions.ofObject(objectId)
  assert.equal(`${decision?.effect.do} ${decision?.state}`, 'encapsulate acting')
  const face = await archive.reader.find(decision?.made[0] ?? '', EVERYTHING)
  assert.equal(face?.sopClassUID, '1.2.840.10008.5.1.4.1.1.104.1')
  assert.equal(face?.studyInstanceUID, studyInstanceUID)
  assert.equal((await documentsOf(studyInstanceUID)).length, 1, 'the face is not unwrapped again')
  await archive.placement.undo(decision?.id ?? '', 'ann', 'not here')
  await settled()
  assert.equal(await archive.reader.find(decision?.made[0] ?? '', EVERYTHING), undefined)
  assert.equal((await documentsOf(studyInstanceUID)).length, 1, 'the original stays')
})

test('pictures of an ECG go under its waveform, whichever comes first', async () => {
  const outcomes: string[] = []
  for (const [i, order] of [
    [0, 1],
    [1, 0],
  ].entries()) {
    const one = study(`placement-ecg-${i}`)
    const parts = [twelveLeadEcg({}, one), { ...pdfObject(plainPdf(['ECG']), one), Modality: 'ECG' }]
    const ids: string[] = []
    for (const at of order) {
      ids[at] = await store(parts[at] ?? {})
      await settled()
    }
    const acting = archive.placementDecisions.ofObject(ids[1] ?? '').filter(({ state }) => state === 'acting')
    outcomes.push(acting.map(({ effect }) => `${effect.do} ${'of' in effect && effect.of === ids[0]}`).join())
  }
  assert.deepEqual(outcomes, ['rendition true', 'rendition true'])
})

test('a dose page is proposed until the site has labelled enough, then acts', async () => {
  const one = study('placement-dose')
  const page = await store(doseScreen('ge', one))
  await settled()
  const [asked] = archive.placementDecisions.ofObject(page)
  assert.equal(`${asked?.effect.do} ${asked?.state}`, 'ask-for acting')
  await store(ctDose(undefined, one))
  await settled()
  const [proposed] = archive.placementDecisions.ofObject(page)
  assert.equal(`${proposed?.effect.do} ${proposed?.state}`, 'rendition proposed')
  const accepted = await archive.placement.accept(proposed?.id ?? '', 'ann')
  assert.equal(accepted.state, 'acting')
  await settled()
  assert.equal(archive.placementDecisions.ofObject(page)[0]?.made.length, 1)
  await assert.rejects(archive.placement.accept(proposed?.id ?? '', 'ann'), /is acting/)
})

test('scanned paper becomes one PDF document once a person says so; undo brings the scans back', async () => {
  const one = study('placement-paper')
  const more = { ConversionType: 'SD', SeriesDescription: 'Consent form', Modality: 'OT' }
  const scan = await store(secondaryCapture({ columns: 827, rows: 1169, more }, one))
  await settled()
  const [proposed] = archive.placementDecisions.ofObject(scan)
  assert.equal(`${proposed?.effect.do} ${proposed?.state}`, 'paper proposed')
  const before = await archive.reader.find(scan, EVERYTHING)
  assert.ok(before)
  await archive.placement.accept(proposed?.id ?? '', 'ann')
  await settled()
  const [document] = await documentsOf(before.studyInstanceUID)
  assert.equal(document?.kind, 'pdf')
  assert.equal(await archive.reader.find(scan, EVERYTHING), undefined, 'the scan left the image panel')
  await archive.placement.undo(proposed?.id ?? '', 'ann', 'it was a drawing')
  await settled()
  assert.deepEqual(await documentsOf(before.studyInstanceUID), [])
  const again = await archive.reader.find(before.sopInstanceUID, EVERYTHING)
  assert.equal(again?.digests.dataSet, before.digests.dataSet)
})
