import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { loadConfig } from '#config.ts'
import type { ImportItem } from '#model/identity.ts'
import type { StudyReconciliation } from '#model/reconciliation.ts'
import { memorySource } from '#standards/byte-source.ts'
import { readDataSet, string } from '#standards/dicom/data-set.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { type Archive, openArchive } from '../../src/app.ts'
import { type Served, serve } from '../../src/app-server.ts'
import { importCommand } from '../../src/cli/commands/import.ts'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctSeries, STUDY } from '../fixtures/objects.ts'
import { temporaryDirectory } from '../live/server.ts'

// A disc from elsewhere finds its patient and its order, leaves under local identifiers with the change recorded, and
// can be put back to the last byte. Whatever breaks on this way breaks trust in every number the archive shows.

const place = temporaryDirectory('reconcile')
let archive: Archive
let served: Served

before(async () => {
  await start()
})

async function start(): Promise<void> {
  const config = loadConfig({ environment: {}, given: { http: { port: 0 }, dimse: { port: 'off' } } })
  mkdirSync(join(place.path, 'data'), { recursive: true })
  archive = await openArchive({ dataDirectory: join(place.path, 'data'), config })
  served = await serve(archive, {
    open: true,
    log: { error: (about, text) => process.stderr.write(`${text} ${JSON.stringify(about)}\n`) },
  })
}

async function stop(): Promise<void> {
  await served.close(1000)
  await archive.close()
}

after(async () => {
  await stop()
  place.remove()
})

/** The disc: another hospital's number, another spelling of the name, no issuer anywhere. */
function disc(name: string, over: Partial<typeof STUDY> = {}): { folder: string; files: Buffer[]; study: string } {
  const study = {
    ...STUDY,
    patientName: 'Müller^Anna',
    patientId: '000123',
    issuer: '',
    birthDate: '19710412',
    sex: 'F',
    accessionNumber: 'FOREIGN-7',
    description: 'CT Thorax',
    name,
    ...over,
  } as const
  const files = ctSeries(2, 16, study).map((elements) => Buffer.from(part10({ elements })))
  const folder = join(place.path, name)
  mkdirSync(folder)
  files.forEach((file, at) => {
    writeFileSync(join(folder, `I${at}`), file)
  })
  const [first] = files
  assert.ok(first)
  return { folder, files, study: uidOf(first, 0x0020000d) }
}

function dataSetOf(file: Uint8Array) {
  const opened = openPart10(memorySource(file))
  return readDataSet(opened.dataSet, opened.encoding)
}

function uidOf(file: Uint8Array, tag: number): string {
  return string(dataSetOf(file), tag) ?? ''
}

async function importDisc(folder: string, flags: Record<string, string> = {}): Promise<readonly StudyReconciliation[]> {
  const told: unknown[] = []
  const given = { flags: { medium: 'disc', ...flags }, positionals: [folder], workingDirectory: place.path }
  await importCommand.run(
    archive,
    given,
    ({ json }) => void (json === undefined || told.push(json)),
    new AbortController().signal,
  )
  const last = told.at(-1) as { summary: { reconciliation: readonly StudyReconciliation[] } }
  return last.summary.reconciliation
}

let messages = 0
async function hl7(type: string, segments: readonly string[]): Promise<void> {
  messages += 1
  const head = `MSH|^~\\&|RIS|HOSP|DIPTYCH|HOSP|20261124080000||${type}|M${messages}|P|2.5.1|||AL|NE||UNICODE UTF-8`
  const bytes = new Uint8Array(Buffer.from(`${[head, ...segments].join('\r')}\r`))
  const answer = await archive.messageDesk.receive({
    bytes,
    door: 'mllp',
    address: '127.0.0.1',
    certificate: null,
    time: new Date().toISOString(),
  })
  assert.ok(['AA', 'CA'].includes(answer.record?.acknowledgement ?? ''), answer.record?.error ?? 'no record')
}

const pid = (id: string, name: string, birth: string, sex: string) => `PID|1||${id}^^^HOSP^MR||${name}||${birth}|${sex}`
const order = (accession: string, uid = '') => [
  'ORC|NW|P-1^RIS|F-1^RIS||SC',
  `OBR|1|P-1^RIS|F-1^RIS|IMPCT^Import of foreign CT^99HOSP||||||||||||||${accession}|RP-1|S-1||||CT|||1^once^^20261124^^R`,
  ...(uid === '' ? [] : [`ZDS|${uid}^RIS^Application^DICOM`]),
]

async function get(path: string): Promise<{ status: number; json: unknown }> {
  const answer = await fetch(`${served.http.url}${path}`, {
    headers: { accept: 'application/json, application/dicom+json' },
  })
  const text = await answer.text()
  return { status: answer.status, json: text === '' ? null : (JSON.parse(text) as unknown) }
}

async function post<T>(path: string, body: object): Promise<{ status: number; json: T }> {
  const answer = await fetch(`${served.http.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: answer.status, json: (await answer.json()) as T }
}

type Row = { readonly [tag: string]: { readonly Value?: readonly unknown[] } }

/** Study Instance UIDs that QIDO-RS finds. */
async function found(query: string): Promise<string[]> {
  const { json } = await get(`/dicom-web/studies?${query}`)
  return ((json ?? []) as Row[]).map((row) => String(row['0020000D']?.Value?.[0]))
}

async function metadata(study: string): Promise<readonly Row[]> {
  const { status, json } = await get(`/dicom-web/studies/${study}/metadata`)
  assert.equal(status, 200)
  return json as Row[]
}

/** Instances as WADO-RS sends them, by SOP Instance UID. */
async function instances(study: string): Promise<Map<string, Buffer>> {
  const out = new Map<string, Buffer>()
  for (const row of await metadata(study)) {
    const [series, instance] = ['0020000E', '00080018'].map((tag) => String(row[tag]?.Value?.[0]))
    const path = `/dicom-web/studies/${study}/series/${series}/instances/${instance}`
    const answer = await fetch(`${served.http.url}${path}`, {
      headers: { accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' },
    })
    assert.equal(answer.status, 200)
    const body = Buffer.from(await answer.arrayBuffer())
    const start = body.indexOf('\r\n\r\n') + 4
    out.set(String(instance), body.subarray(start, body.lastIndexOf('\r\n--')))
  }
  return out
}

async function settled(): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (archive.jobs.openKinds().every((kind) => !kind.startsWith('reconcile'))) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  assert.fail('reconciliation does not end')
}

async function item(study: string, state: 'open' | 'decided'): Promise<ImportItem> {
  const { json } = await get(`/api/v1/import-worklist?state=${state}&limit=1000`)
  const one = (json as { items: ImportItem[] }).items.find(({ studyInstanceUID }) => studyInstanceUID === study)
  assert.ok(one, `no ${state} item of ${study}`)
  return one
}

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const bodyOf = (file: Uint8Array) => sha(file.subarray(openPart10(memorySource(file)).dataSetStart))

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

test('everything decided is there after a restart', async () => {
  const [before, study] = [await get('/api/v1/import-worklist?state=decided'), disc('after').study]
  await stop()
  await start()
  assert.deepEqual((await get('/api/v1/import-worklist?state=decided')).json, before.json)
  assert.equal((await get(`/api/v1/studies/${study}/reconciliation`)).status, 404)
})

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}
