import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { ImportItem } from '#model/identity.ts'
import { sequence, string } from '#standards/dicom/data-set.ts'
import {
  archive,
  bodyOf,
  cFind,
  cFindAt,
  dataSetOf,
  disc,
  filesBelow,
  found,
  get,
  hl7,
  importDisc,
  instances,
  item,
  metadata,
  order,
  pid,
  place,
  post,
  type Row,
  settled,
  sha,
  start,
  stop,
} from '../support/reconcile-site.ts'

// A disc was assigned to a patient of ours; then the hospital finds that this patient was registered twice. What was
// coerced has to follow the merge at every door, and the unmerge, and at last the undoing of its own assignment.

before(start)
after(async () => {
  await stop()
  place.remove()
})

async function rendered(): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    const { items } = archive.jobs.list({ kind: 'render-metadata', limit: 100 })
    if (items.every(({ state }) => state === 'done')) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  assert.fail('metadata are not rendered')
}

interface Listed {
  readonly id: string
  readonly identifier: string
  readonly issuer: string
}

const patients = async (query: string) =>
  ((await get(`/api/v1/patients?${query}`)).json as { items: readonly Listed[] }).items

/** The study shows this patient at every door, before and after its metadata are rendered anew; bytes are those that arrived. */
async function shows(study: string, id: string, accession: string, bodies: ReadonlySet<string> | null): Promise<void> {
  for (const when of ['stale', 'rendered']) {
    if (when === 'rendered') await rendered()
    for (const row of await metadata(study)) {
      assert.deepEqual([row['00100020']?.Value, row['00080050']?.Value], [[id], [accession]], `${when} metadata`)
    }
    const [row] = (await get(`/dicom-web/studies?StudyInstanceUID=${study}`)).json as Row[]
    assert.deepEqual([row?.['00100020']?.Value, row?.['00080050']?.Value], [[id], [accession]], `${when} QIDO-RS`)
    const [hit] = await cFind(`StudyInstanceUID=${study}`, 'PatientID=', 'AccessionNumber=')
    assert.deepEqual([hit?.['00100020']?.Value, hit?.['00080050']?.Value], [[id], [accession]], `${when} C-FIND`)
    const files = await instances(study)
    for (const bytes of files.values()) {
      assert.equal(string(dataSetOf(bytes), 0x00100020), id, `${when} instance`)
      if (bodies !== null) assert.ok(bodies.has(bodyOf(bytes)), `${when} instance as it arrived`)
    }
  }
}

test('a coerced study follows a merge by ADT^A40, the unmerge, and the undoing of its assignment', async () => {
  await hl7('ADT^A04^ADT_A01', ['EVN|A04|20261124080000', pid('4711', 'Mueller^Anna', '19710412', 'F'), 'PV1|1|O'])
  await hl7('ADT^A04^ADT_A01', ['EVN|A04|20261124080000', pid('4799', 'Müller^Anna M', '19710412', 'F'), 'PV1|1|O'])
  await hl7('ORM^O01^ORM_O01', [pid('4711', 'Mueller^Anna', '19710412', 'F'), 'PV1|1|O', ...order('ACC-1')])
  const { folder, files, study } = disc('merged')
  const bodies = new Set(files.map(bodyOf))
  await importDisc(folder)
  await settled()
  const open = await item(study, 'open')
  await shows(study, '000123', 'FOREIGN-7', bodies)
  const arrived = { metadata: await metadata(study), instances: await instances(study) }

  const candidate = open.candidates.findIndex(({ patient }) => patient.id === '4711')
  const assigned = await post<ImportItem>(`/api/v1/import-worklist/${open.id}/decide`, {
    action: 'assign',
    candidate,
    reason: 'Her disc.',
  })
  assert.equal(assigned.status, 200, JSON.stringify(assigned.json))
  await shows(study, '4711', 'ACC-1', null)
  const coerced = await instances(study)

  // The registration office finds that 4711 is 4799.
  await hl7('ADT^A40^ADT_A39', [
    'EVN|A40|20261124090000',
    pid('4799', 'Müller^Anna M', '19710412', 'F'),
    'MRG|4711^^^HOSP^MR',
  ])
  await settled()
  await shows(study, '4799', 'ACC-1', null)
  const [shown] = await metadata(study)
  assert.deepEqual(shown?.['00100010']?.Value, [{ Alphabetic: 'Müller^Anna M' }])
  const originals = JSON.stringify(shown?.['04000561'])
  for (const value of ['000123', 'FOREIGN-7']) assert.ok(originals.includes(value), `${value} is in the record`)

  // One patient now, found by every number it ever had; nobody is found twice.
  for (const number of ['4711', '4799']) {
    const listed = await patients(`identifier=${number}`)
    assert.deepEqual(
      listed.map(({ identifier }) => identifier),
      ['4799'],
      `patients?identifier=${number}`,
    )
    const rows = await cFindAt('PATIENT', `PatientID=${number}`, 'PatientName=', 'NumberOfPatientRelatedStudies=')
    assert.deepEqual(
      rows.map((row) => row['00100020']?.Value),
      [['4799']],
      `C-FIND PATIENT ${number}`,
    )
  }
  for (const query of ['PatientID=4711', 'PatientID=4799', 'PatientID=000123', 'AccessionNumber=FOREIGN-7']) {
    assert.deepEqual(await found(query), [study], query)
    const rows = await cFind(query, 'StudyInstanceUID=')
    assert.deepEqual(
      rows.map((row) => row['0020000D']?.Value),
      [[study]],
      `C-FIND ${query}`,
    )
  }

  // On the way out the change is recorded.
  const out = join(place.path, 'merged-out')
  const told = { onItem: () => {}, signal: new AbortController().signal }
  await archive.maintenance.exportFolder(out, { studies: [study] }, told)
  for (const path of filesBelow(out).filter((each) => each.endsWith('.dcm'))) {
    const dataSet = dataSetOf(readFileSync(path))
    assert.equal(string(dataSet, 0x00100020), '4799')
    const before = sequence(dataSet, 0x04000561).flatMap((record) => sequence(record, 0x04000550))
    assert.ok(before.some((values) => string(values, 0x00100020) === '000123'))
  }

  // Two persons after all: the study is 4711's again, to the last byte; then the disc is not hers either.
  const [merged] = await patients('identifier=4711')
  const ledger = (await get('/api/v1/ledger?limit=100')).json as {
    items: readonly { id: string; decision: { do: string } }[]
  }
  const merge = ledger.items.find(({ decision }) => decision.do === 'merge')
  assert.ok(merge && merged)
  const unmerged = await post(`/api/v1/ledger/${merge.id}/undo`, { reason: 'Twins.' })
  assert.equal(unmerged.status, 200, JSON.stringify(unmerged.json))
  await settled()
  await shows(study, '4711', 'ACC-1', null)
  for (const [uid, bytes] of await instances(study)) assert.equal(sha(bytes), sha(coerced.get(uid) ?? Buffer.of()))
  for (const number of ['4711', '4799']) {
    assert.deepEqual(
      (await patients(`identifier=${number}`)).map(({ identifier }) => identifier),
      [number],
    )
    const rows = await cFindAt('PATIENT', `PatientID=${number}`, 'PatientName=')
    // Query/retrieve knows who has something to retrieve.
    const is = number === '4711' ? [['4711']] : []
    assert.deepEqual(
      rows.map((row) => row['00100020']?.Value),
      is,
    )
  }
  assert.deepEqual(await found('PatientID=4799'), [])

  const undone = await post(`/api/v1/import-worklist/${open.id}/undo`, { reason: 'A namesake.' })
  assert.equal(undone.status, 200, JSON.stringify(undone.json))
  await settled()
  await shows(study, '000123', 'FOREIGN-7', bodies)
  assert.deepEqual(await metadata(study), arrived.metadata)
  for (const [uid, bytes] of await instances(study)) {
    assert.equal(sha(bytes), sha(arrived.instances.get(uid) ?? Buffer.of()))
  }
})
