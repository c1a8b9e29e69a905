import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { CoercionRules } from '#model/settings.ts'
import { string } from '#standards/dicom/data-set.ts'
import {
  archive,
  bodyOf,
  dataSetOf,
  disc,
  get,
  hl7,
  importDisc,
  instances,
  item,
  metadata,
  pid,
  place,
  post,
  settled,
  start,
  stop,
} from '../support/reconcile-site.ts'

before(start)
after(async () => {
  await stop()
  place.remove()
})

const BY = { by: 'ada', address: null }

async function rules(coercion: CoercionRules): Promise<void> {
  await archive.settings.putOriginator({ name: 'Praxis', issuer: 'PRAXIS', coercion }, 'ada', null)
}

// What a site says of one sender must reach everything that leaves, stay out of what is stored, and be said once.
test('rules of an originator: defaults, a map from a private element, and the private elements left out', async () => {
  await rules({
    defaults: [{ path: '00081040', vr: 'LO', values: ['Radiology'] }],
    map: [{ from: '00111001', to: '00104000', vr: 'LT', values: { X1: 'fasted' } }],
    privateElements: 'replace',
  })
  const { folder, study, files } = disc(
    'rules',
    { name: 'rules' },
    { '00110010 LO': 'ACME', '00111001 LO': 'X1', '00111002 LO': 'stays' },
  )
  const [state] = await importDisc(folder, { originator: 'Praxis' })
  assert.equal(state?.state, 'local', 'its issuer is one of ours')
  await settled()
  const [row] = await metadata(study)
  assert.deepEqual(row?.['00081040']?.Value, ['Radiology'])
  assert.deepEqual(row?.['00104000']?.Value, ['fasted'])
  assert.equal(row?.['00111001'], undefined)
  assert.deepEqual(row?.['00111002']?.Value, ['stays'])
  for (const bytes of (await instances(study)).values()) {
    assert.equal(string(dataSetOf(bytes), 0x00104000), 'fasted')
    assert.equal(string(dataSetOf(bytes), 0x00111001), null)
  }
  const entries = archive.ledger.entries({ studyInstanceUID: study, limit: 100 }).items
  assert.deepEqual(
    entries.map(({ cause }) => cause.rule),
    ['coercion.Praxis'],
  )
  assert.equal(await archive.imports.recoerce(study, BY), 0, 'said once')

  // Changed rules reach back only when somebody asks, and take back what no rule says any more.
  await rules({ defaults: [], map: [], privateElements: 'keep' })
  await importDisc(folder, { originator: 'Praxis' })
  await settled()
  assert.deepEqual((await metadata(study))[0]?.['00104000']?.Value, ['fasted'])
  assert.equal(await archive.imports.recoerce(study, BY), 1)
  const arrived = new Set(files.map(bodyOf))
  for (const bytes of (await instances(study)).values()) assert.ok(arrived.has(bodyOf(bytes)), 'as it arrived')
})

test('a later instance of a study is coerced too', async () => {
  await rules({ defaults: [{ path: '00081040', vr: 'LO', values: ['Radiology'] }], map: [], privateElements: 'keep' })
  const one = disc('first', { name: 'two-parts' })
  await importDisc(join(one.folder, 'I0'), { originator: 'Praxis' })
  await settled()
  await importDisc(join(one.folder, 'I1'), { originator: 'Praxis' })
  await settled()
  const rows = await metadata(one.study)
  assert.deepEqual(
    rows.map((row) => row['00081040']?.Value),
    [['Radiology'], ['Radiology']],
  )
})

// A rebuilt index that forgot a decision would serve a study under a name that was taken back, or hide that it waits.
test('a rebuilt index has the worklist, its decisions and what was taken back', async () => {
  await hl7('ADT^A04^ADT_A01', ['EVN|A04|20261124080000', pid('4711', 'Mueller^Anna', '19710412', 'F'), 'PV1|1|O'])
  const studies: string[] = []
  for (const name of ['keep', 'assign', 'undo', 'wait']) {
    const { folder, study } = disc(name)
    assert.equal((await importDisc(folder))[0]?.state, 'waiting')
    studies.push(study)
  }
  const [keep = '', assign = '', undo = ''] = studies
  const decide = async (study: string, body: object) =>
    post(`/api/v1/import-worklist/${(await item(study, 'open')).id}/decide`, body)
  await decide(keep, { action: 'keep', reason: 'Another Anna.' })
  await decide(assign, { action: 'assign', candidate: 0, reason: 'Hers.' })
  await decide(undo, { action: 'assign', candidate: 0, reason: 'Hers.' })
  await post(`/api/v1/import-worklist/${(await item(undo, 'decided')).id}/undo`, { reason: 'Not hers.' })
  await settled()
  const all = async () => ({
    items: (await get('/api/v1/import-worklist?limit=1000')).json,
    states: await Promise.all(
      studies.map(async (study) => (await get(`/api/v1/studies/${study}/reconciliation`)).json),
    ),
    metadata: await Promise.all(studies.map(metadata)),
  })
  const before = await all()
  await stop()
  assert.ok(existsSync(join(place.path, 'data', 'diptych.db')))
  execFileSync(process.execPath, ['bin/diptych.js', 'rebuild-index', '--data', join(place.path, 'data'), '--json'])
  await start()
  assert.deepEqual(await all(), before)
})
