import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { ImportItem } from '#model/identity.ts'
import type { StudyReconciliation } from '#model/reconciliation.ts'
import { string } from '#standards/dicom/data-set.ts'
import {
  archive,
  bodyOf,
  cFind,
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

// A disc from elsewhere finds its patient and its order, leaves under local identifiers with the change recorded, and
// can be put back to the last byte. Whatever breaks on this way breaks trust in every number the archive shows.

before(start)
after(async () => {
  await stop()
  place.remove()
})

test('without patients and orders nothing waits and nothing changes', async () => {
  const foreign = disc('quiet', { patientName: 'Nobody^Nora', birthDate: '19330303' })
  const [state] = await importDisc(foreign.folder)
  assert.deepEqual([state?.state, state?.candidates, state?.item], ['foreign', 0, null])
  const local = disc('quiet-local', { patientName: 'Local^Lou', issuer: 'HOSP', patientId: '1' })
  assert.equal((await importDisc(local.folder))[0]?.state, 'local')
  assert.deepEqual(((await get('/api/v1/import-worklist')).json as { items: unknown[] }).items, [])
  assert.deepEqual(archive.jobs.list({ kind: 'reconcile', limit: 10 }).items, [])
})

test('unsure: a disc waits, a person assigns it, it leaves under local identifiers, and comes back to the last byte', async () => {
  await hl7('ADT^A04^ADT_A01', ['EVN|A04|20261124080000', pid('4711', 'Mueller^Anna', '19710412', 'F'), 'PV1|1|O'])
  await hl7('ORM^O01^ORM_O01', [pid('4711', 'Mueller^Anna', '19710412', 'F'), 'PV1|1|O', ...order('ACC-1')])
  const { folder, files, study } = disc('unsure')
  const [state] = await importDisc(folder)
  assert.equal(state?.state, 'waiting', state?.why)
  await settled()

  const open = await item(study, 'open')
  assert.equal(open.id, state?.item)
  const [candidate] = open.candidates
  assert.deepEqual([candidate?.patient.issuer, candidate?.patient.id, candidate?.certain], ['HOSP', '4711', false])
  assert.equal(candidate?.order?.accessionNumber, 'ACC-1')
  const result = (name: string) => candidate?.criteria.find((criterion) => criterion.name === name)?.result
  assert.deepEqual(['name', 'birth-date', 'sex', 'modality'].map(result), ['similar', 'equal', 'equal', 'equal'])
  const before = { metadata: await metadata(study), instances: await instances(study) }

  assert.equal(
    (await post(`/api/v1/import-worklist/${open.id}/decide`, { action: 'assign', candidate: 0 })).status,
    400,
  )
  assert.equal((await post('/api/v1/import-worklist/i0/decide', { action: 'keep', reason: 'x' })).status, 404)
  const decided = await post<ImportItem>(`/api/v1/import-worklist/${open.id}/decide`, {
    action: 'assign',
    candidate: 0,
    reason: 'Her disc; seen at the desk.',
  })
  assert.equal(decided.status, 200, JSON.stringify(decided.json))
  assert.deepEqual([decided.json.state, decided.json.reconciliation], ['decided', 'coerced'])
  assert.equal(
    (await post(`/api/v1/import-worklist/${open.id}/decide`, { action: 'keep', reason: 'again' })).status,
    409,
  )

  // Found under local and under old identifiers; answers show the local ones.
  for (const query of [
    'PatientID=4711',
    'AccessionNumber=ACC-1',
    'PatientID=000123',
    'AccessionNumber=FOREIGN-7',
    'PatientName=Mueller*',
  ]) {
    assert.ok((await found(query)).includes(study), query)
  }
  const { json } = await get(`/dicom-web/studies?StudyInstanceUID=${study}&includefield=all`)
  const [row] = json as Row[]
  assert.deepEqual([row?.['00100020']?.Value, row?.['00080050']?.Value], [['4711'], ['ACC-1']])

  for (const key of ['PatientID=4711', 'AccessionNumber=ACC-1', 'PatientID=000123', 'AccessionNumber=FOREIGN-7']) {
    const rows = await cFind(key, 'StudyInstanceUID=', 'PatientID=', 'AccessionNumber=')
    const hit = rows.find((each) => each['0020000D']?.Value?.[0] === study)
    assert.deepEqual([hit?.['00100020']?.Value, hit?.['00080050']?.Value], [['4711'], ['ACC-1']], `C-FIND ${key}`)
  }

  // Metadata and bytes say the same: new values, old ones in the record, UIDs as they were.
  const [shown] = await metadata(study)
  assert.deepEqual(shown?.['00100020']?.Value, ['4711'])
  assert.deepEqual(shown?.['00100021']?.Value, ['HOSP'])
  assert.deepEqual(shown?.['00080050']?.Value, ['ACC-1'])
  const [original] = (shown?.['04000561']?.Value ?? []) as Row[]
  assert.deepEqual(original?.['04000565']?.Value, ['COERCE'])
  const [modified] = (original?.['04000550']?.Value ?? []) as Row[]
  assert.deepEqual(modified?.['00100020']?.Value, ['000123'])
  assert.deepEqual(modified?.['00080050']?.Value, ['FOREIGN-7'])
  const [request] = (shown?.['00400275']?.Value ?? []) as Row[]
  assert.deepEqual(request?.['00401001']?.Value, ['RP-1'])
  for (const bytes of (await instances(study)).values()) {
    const dataSet = dataSetOf(bytes)
    assert.deepEqual(
      [0x00100020, 0x00100021, 0x00080050, 0x0020000d].map((tag) => string(dataSet, tag)),
      ['4711', 'HOSP', 'ACC-1', study],
    )
  }
  const after = await instances(study)
  assert.deepEqual([...after.keys()], [...before.instances.keys()])
  const state2 = await get(`/api/v1/studies/${study}/reconciliation`)
  assert.equal((state2.json as StudyReconciliation).state, 'coerced')

  const told = await get(`/api/v1/objects/${[...after.keys()][0]}/provenance`)
  assert.equal((told.json as { reconciliation: string }).reconciliation, 'coerced')

  // What is exported shows the change.
  const out = join(place.path, 'out')
  await archive.maintenance.exportFolder(
    out,
    { studies: [study] },
    { onItem: () => {}, signal: new AbortController().signal },
  )
  const exported = filesBelow(out)
    .filter((path) => path.endsWith('.dcm'))
    .map((path) => readFileSync(path))
  assert.equal(exported.length, files.length)
  for (const file of exported) assert.equal(string(dataSetOf(file), 0x00100020), '4711')

  // Taken back: as it was, to the last byte, and nothing decides by itself any more.
  const undone = await post<ImportItem>(`/api/v1/import-worklist/${open.id}/undo`, { reason: 'Namesake.' })
  assert.equal(undone.status, 200, JSON.stringify(undone.json))
  assert.deepEqual([undone.json.state, undone.json.earlier?.length], ['open', 1])
  assert.deepEqual(await metadata(study), before.metadata)
  for (const [uid, bytes] of await instances(study))
    assert.equal(sha(bytes), sha(before.instances.get(uid) ?? new Uint8Array()))
  const arrived = new Set(files.map(bodyOf))
  for (const bytes of (await instances(study)).values()) assert.ok(arrived.has(bodyOf(bytes)))
  assert.equal((await found('AccessionNumber=ACC-1')).includes(study), false)
  assert.ok((await found('PatientID=000123')).includes(study))
})

test('certain: the accession number with its issuer and the same person is assigned by itself, and can be taken back', async () => {
  await hl7('ADT^A04^ADT_A01', ['EVN|A04|20261124080000', pid('4712', 'Sure^Sam', '19600606', 'M'), 'PV1|1|O'])
  const { folder, study } = disc('certain', { patientName: 'Sure^Sam', birthDate: '19600606', sex: 'M' })
  await hl7('ORM^O01^ORM_O01', [pid('4712', 'Sure^Sam', '19600606', 'M'), 'PV1|1|O', ...order('ACC-2', study)])
  const [state] = await importDisc(folder)
  assert.equal(state?.state, 'coerced', state?.why)
  const decided = await item(study, 'decided')
  assert.equal(decided.decision?.by, 'diptych')
  assert.match(decided.why, /Study Instance UID/)
  assert.deepEqual((await metadata(study))[0]?.['00100020']?.Value, ['4712'])
  const undone = await post<ImportItem>(`/api/v1/import-worklist/${decided.id}/undo`, { reason: 'Not so sure.' })
  assert.equal(undone.json.state, 'open')
  const again = await post<StudyReconciliation>(`/api/v1/studies/${study}/reconcile`, {})
  assert.equal(again.json.state, 'waiting', 'after a person took it back a person decides')
})

test('late evidence: a foreign study is matched when its patient is announced', async () => {
  const { folder, study } = disc('late', { patientName: 'Later^Lena', birthDate: '19810101' })
  assert.equal((await importDisc(folder))[0]?.state, 'foreign')
  await hl7('ADT^A04^ADT_A01', ['EVN|A04|20261124080000', pid('4713', 'Later^Lena', '19810101', 'F'), 'PV1|1|O'])
  await settled()
  const open = await item(study, 'open')
  assert.equal(open.candidates[0]?.patient.id, '4713')
  const keep = await post<ImportItem>(`/api/v1/import-worklist/${open.id}/decide`, {
    action: 'keep',
    reason: 'Another Lena.',
  })
  assert.deepEqual([keep.json.state, keep.json.reconciliation], ['decided', 'foreign'])
})

test('a study that waits and is deleted leaves the list of what is open, and waits again when it comes again', async () => {
  await hl7('ADT^A04^ADT_A01', ['EVN|A04|20261124080000', pid('4720', 'Gone^Gina', '19820202', 'F'), 'PV1|1|O'])
  const { folder, study } = disc('gone', { patientName: 'Gone^Gina', birthDate: '19820202' })
  assert.equal((await importDisc(folder))[0]?.state, 'waiting')
  const { id } = await item(study, 'open')
  const time = new Date().toISOString()
  const scope = { studyInstanceUID: study }
  assert.ok(
    (await archive.deletions.delete({ scope, by: 'archivist', reason: 'wrong disc', time, purgeAfter: time })) > 0,
  )
  await settled()
  const closed = await item(study, 'decided')
  assert.deepEqual([closed.id, closed.why, closed.decision?.by], [id, 'the study was deleted', 'diptych'])
  assert.equal((await importDisc(folder))[0]?.state, 'waiting')
  assert.equal((await item(study, 'open')).id, id)
})

test('a person who imports says whose it is: believed when nothing contradicts it, else it waits', async () => {
  await hl7('ADT^A04^ADT_A01', ['EVN|A04|20261124080000', pid('4714', 'Meant^Mia', '19900909', 'F'), 'PV1|1|O'])
  const flags = { patient: '4714', issuer: 'HOSP' }
  const right = disc('meant', { patientName: 'Meant^M', birthDate: '19900909' })
  assert.equal((await importDisc(right.folder, flags))[0]?.state, 'coerced')
  const wrong = disc('not-meant', { patientName: 'Other^Otto', birthDate: '19500505', sex: 'M' })
  const [state] = await importDisc(wrong.folder, flags)
  assert.equal(state?.state, 'waiting')
  assert.match(state?.why ?? '', /meant for HOSP 4714/)
  await assert.rejects(importDisc(right.folder, { patient: '999', issuer: 'HOSP' }), { code: 'identity.unknown' })
})

test('a study of ours whose name is somebody else waits: a mistyped number is not served as the right one unseen', async () => {
  const { folder } = disc('mistyped', {
    patientName: 'Wrong^Willi',
    birthDate: '19440404',
    sex: 'M',
    issuer: 'HOSP',
    patientId: '4711',
  })
  const [state] = await importDisc(folder)
  assert.equal(state?.state, 'waiting')
  assert.match(state?.why ?? '', /another's/)
})

test('decided elsewhere: the worklist follows what ADT and the patient desk do to a study', async () => {
  await hl7('ADT^A04^ADT_A01', ['EVN|A04|20261124080000', pid('4715', 'Elsewhere^Eva', '19850505', 'F'), 'PV1|1|O'])
  const { folder, study } = disc('elsewhere', { patientName: 'Elsewhere^Eva', birthDate: '19850505' })
  assert.equal((await importDisc(folder))[0]?.state, 'waiting')
  const cause = { by: 'ada', rule: 'desk', reference: null, reason: 'moved by hand' }
  const patient = { issuer: 'HOSP', id: '4715' }
  const [entry] = await archive.identity.decide(
    [{ do: 'assign', studyInstanceUID: study, patient, orderId: null, changes: [] }],
    cause,
    null,
  )
  await settled()
  const decided = await item(study, 'decided')
  assert.deepEqual([decided.decision?.by, decided.decision?.entries], ['ada', [entry?.id]])
  await archive.identity.decide([{ do: 'undo', entry: entry?.id ?? '' }], { ...cause, reason: 'not hers' }, null)
  await settled()
  const open = await item(study, 'open')
  assert.deepEqual(
    open.earlier?.map(({ undoneBy, undoReason }) => [undoneBy, undoReason]),
    [['ada', 'not hers']],
  )
})

test('everything decided is there after a restart', async () => {
  const [before, study] = [await get('/api/v1/import-worklist?state=decided'), disc('after').study]
  await stop()
  await start()
  assert.deepEqual((await get('/api/v1/import-worklist?state=decided')).json, before.json)
  assert.equal((await get(`/api/v1/studies/${study}/reconciliation`)).status, 404)
})

test('one of our own is linked with the order of its number, and any other with one by hand', async () => {
  const mine = pid('8811', 'Linked^Lena', '19810412', 'F')
  await hl7('ADT^A04^ADT_A01', ['EVN|A04|20261124080000', mine, 'PV1|1|O'])
  await hl7('ORM^O01^ORM_O01', [mine, 'PV1|1|O', ...order('ACC-88')])
  const who = { patientName: 'Linked^Lena', birthDate: '19810412', issuer: 'HOSP', patientId: '8811' }
  const numbered = disc('linked', { ...who, accessionNumber: 'ACC-88' })
  const [state] = await importDisc(numbered.folder)
  assert.equal(state?.state, 'coerced', state?.why)
  await settled()
  const { decision } = await item(numbered.study, 'decided')
  assert.ok(decision?.orderId, 'the order is linked although the number came without issuer')

  const other = disc('by-hand', { ...who, accessionNumber: 'TYPO-88' })
  const [left] = await importDisc(other.folder)
  assert.deepEqual([left?.state], ['local'])
  await settled()
  const said = (await post(`/api/v1/studies/${other.study}/reconcile`, {})).json as StudyReconciliation
  assert.match(said.why, /no open order of this patient has its accession number/)
  const linked = await post(`/api/v1/studies/${other.study}/assign`, { orderId: decision.orderId, reason: 'mistyped' })
  assert.equal(linked.status, 200, JSON.stringify(linked.json))
  const made = linked.json as ImportItem
  assert.deepEqual(
    [made.state, made.decision?.orderId, made.why.includes('mistyped')],
    ['decided', decision.orderId, true],
  )
  const back = await post(`/api/v1/import-worklist/${made.id}/undo`, { reason: 'not this one' })
  assert.equal(back.status, 200)
})
