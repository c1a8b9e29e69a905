/** C-FIND, C-MOVE and C-GET in both directions: dcmtk's clients and servers, and Orthanc. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { programPath } from '../../tools/install-counterparts.ts'
import { freePort } from '../bench/orthanc.ts'
import {
  type DicomPeer,
  type OrthancPeer,
  startDcmqrscp,
  startOrthancPeer,
  startStorescp,
} from '../live/dicom-peers.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'

const run = promisify(execFile)
const MAX = { maxBuffer: 2 ** 27 }
const data = temporaryDirectory('dimse-query')
const second = temporaryDirectory('dimse-second')
const out = temporaryDirectory('dimse-got')
let server: LiveServer
let storescp: DicomPeer
let qrscp: DicomPeer
let orthanc: OrthancPeer | null = null
let port = 0
let studies: { uid: string; instances: number }[] = []

const peer = (...args: string[]) => runCommand(['peer', ...args, '--data', data.path, '--json'])

async function added(aeTitle: string, at: number, ...more: string[]): Promise<void> {
  const allow = 'echo,store,find,move,get,commit'
  const done = await peer('add', aeTitle, '--host', '127.0.0.1', '--port', String(at), '--allow', allow, ...more)
  assert.equal(done.status, 0, done.stderr)
}

/** dcmtk says what it does on stderr or stdout; both count. */
async function dcmtk(program: string, args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run(program, args, MAX).catch((error: { stdout: string; stderr: string }) => error)
  return stdout + stderr
}

const find = (model: '-S' | '-P', level: string, ...keys: string[]) =>
  dcmtk('findscu', [
    ...['-v', model, '-aec', 'DIPTYCH', '127.0.0.1', String(port)],
    ...['-k', `QueryRetrieveLevel=${level}`, ...keys.flatMap((key) => ['-k', key])],
  ])

/** Pending answers and the final status, as findscu tells them. */
function answersOf(text: string): { pending: number; final: string } {
  return {
    pending: text.match(/Find Response: \d+ \(/g)?.length ?? 0,
    final: /Received Final Find Response \((.*)\)/.exec(text)?.[1] ?? text.slice(-400),
  }
}

before(async () => {
  port = await freePort()
  const demo = await runCommand(['demo', '--data', data.path, '--json'])
  assert.equal(demo.status, 0, demo.stderr)
  server = await startServer({ dataDirectory: data.path, args: ['--dimse-port', String(port)] })
  const answer = await fetch(`${server.url}/dicom-web/studies`)
  const rows = (await answer.json()) as { [tag: string]: { Value: [string | number] } }[]
  studies = rows.map((row) => ({
    uid: String(row['0020000D']?.Value[0]),
    instances: Number(row['00201208']?.Value[0]),
  }))
  const us = { aeTitle: 'DIPTYCH', port }
  storescp = await startStorescp()
  qrscp = await startDcmqrscp([us])
  await added('STORESCP', storescp.port)
  await added('QRSCP', qrscp.port)
  if (programPath('Orthanc') === undefined) return
  orthanc = await startOrthancPeer([us])
  await added('ORTHANC', orthanc.port, '--move-destination', 'ORTHANC', '--move-destination', 'STORESCP')
})

after(async () => {
  await storescp?.stop()
  await qrscp?.stop()
  await orthanc?.stop()
  await server?.stop()
  for (const folder of [data, second, out]) folder.remove()
})

const largest = () => studies.toSorted((a, b) => b.instances - a.instances)[0] ?? { uid: '', instances: 0 }

test('findscu: every level of both models', async () => {
  const { uid, instances } = largest()
  const all = await find('-S', 'STUDY', 'StudyInstanceUID', 'PatientName', 'ModalitiesInStudy')
  assert.deepEqual(answersOf(all), { pending: studies.length, final: 'Success' })
  const series = await find('-S', 'SERIES', `StudyInstanceUID=${uid}`, 'SeriesInstanceUID', 'Modality')
  assert.equal(answersOf(series).final, 'Success')
  let images = 0
  for (const [, one] of series.matchAll(/\(0020,000e\) UI \[([\d.]+)/g)) {
    const found = await find('-S', 'IMAGE', `StudyInstanceUID=${uid}`, `SeriesInstanceUID=${one}`, 'SOPInstanceUID')
    images += answersOf(found).pending
  }
  assert.equal(images, instances)
  const patients = await find('-P', 'PATIENT', 'PatientName=D*', 'PatientID', 'NumberOfPatientRelatedStudies')
  assert.ok(answersOf(patients).pending >= 1, patients)
  const [, id = ''] = /\(0010,0020\) LO \[(DEMO\S*) *\]/.exec(patients) ?? []
  const of = await find('-P', 'STUDY', `PatientID=${id}`, 'StudyInstanceUID')
  assert.ok(answersOf(of).pending >= 1, of)
})

// A question the model does not allow is refused with the element at fault; one that matches nothing is a success.
const odd: { name: string; level: string; keys: string[]; pending: number; final: string }[] = [
  { name: 'SERIES without study', level: 'SERIES', keys: [], pending: 0, final: 'Error: DataSetDoesNotMatchSOPClass' },
  { name: 'no such level', level: 'FRAME', keys: [], pending: 0, final: 'Error: DataSetDoesNotMatchSOPClass' },
  { name: 'no such study', level: 'STUDY', keys: ['StudyInstanceUID=1.2.3'], pending: 0, final: 'Success' },
  { name: 'a name nobody has', level: 'STUDY', keys: ['PatientName=QX*'], pending: 0, final: 'Success' },
]

for (const { name, level, keys, pending, final } of odd) {
  test(`findscu: ${name}`, async () => {
    assert.deepEqual(answersOf(await find('-S', level, ...keys)), { pending, final })
  })
}

test('findscu: a key that is not supported is told with FF01', async () => {
  const text = await find('-S', 'STUDY', 'StudyInstanceUID', 'Modality=CT')
  assert.match(text, /Pending: WarningUnsupportedOptionalKeys|Pending.*[Ww]arning/)
})

test('getscu fetches a whole study on one association', async () => {
  const { uid, instances } = largest()
  const folder = join(out.path, 'get')
  mkdirSync(folder)
  await dcmtk('getscu', [
    ...['-S', '-aec', 'DIPTYCH', '127.0.0.1', String(port), '-od', folder],
    ...['-k', 'QueryRetrieveLevel=STUDY', '-k', `StudyInstanceUID=${uid}`],
  ])
  const files = readdirSync(folder)
  assert.equal(files.length, instances)
  for (const file of files) {
    const { stderr } = await run('dcmdump', ['-q', join(folder, file)], MAX)
    assert.equal(stderr, '', file)
  }
})

test('movescu has a study sent to storescp; an unknown destination is A801', async () => {
  const { uid, instances } = largest()
  const move = (to: string) =>
    dcmtk('movescu', [
      ...['-v', '-S', '-aec', 'DIPTYCH', '-aem', to, '127.0.0.1', String(port)],
      ...['-k', 'QueryRetrieveLevel=STUDY', '-k', `StudyInstanceUID=${uid}`],
    ])
  assert.match(await move('STORESCP'), /Received Final Move Response \(Success\)/)
  assert.equal(readdirSync(storescp.folder).length, instances)
  assert.match(await move('NOBODY'), /Refused: MoveDestinationUnknown/)
})

test('dcmqrscp: we echo, send, find, and have it move back to us', async () => {
  const { uid, instances } = largest()
  assert.equal((await peer('echo', 'QRSCP')).status, 0)
  const sent = await peer('send', 'QRSCP', '--study', uid)
  assert.deepEqual(sent.lines.at(-1), { peer: 'QRSCP', operation: 'send', completed: instances, warning: 0, failed: 0 })
  const found = await peer('find', 'QRSCP', `StudyInstanceUID=${uid}`, '--level', 'study')
  assert.equal(found.lines.length, 1, found.stderr)
  const series = await peer('find', 'QRSCP', `StudyInstanceUID=${uid}`, 'Modality=CT', '--level', 'series')
  const [ct] = series.lines as { [tag: string]: { Value: [string] } }[]
  // Of the other series it does not know the classes as a sender.
  const moved = await peer('move', 'QRSCP', '--study', uid, '--series', ct?.['0020000E']?.Value[0] ?? '')
  assert.equal(moved.status, 0, moved.stderr + moved.stdout)
  const again = await runCommand(['jobs', '--data', data.path, '--json'])
  assert.equal(again.status, 0)
})

test('dcmqrscp: what we fetch with C-GET goes through the door of C-STORE', async () => {
  const { uid, instances } = largest()
  const add = ['peer', 'add', 'QRSCP', '--host', '127.0.0.1', '--port', String(qrscp.port), '--allow', 'store']
  assert.equal((await runCommand([...add, '--data', second.path])).status, 0)
  const got = await runCommand(['peer', 'get', 'QRSCP', '--study', uid, '--data', second.path, '--json'])
  const end = got.lines.at(-1) as { received: number; stored: number }
  assert.equal(end.received, instances, got.stderr + got.stdout)
  assert.equal(end.stored, instances)
  const none = await runCommand(['peer', 'get', 'QRSCP', '--study', '1.2.3', '--data', second.path, '--json'])
  assert.equal(none.status, 1)
})

test('Orthanc: we send, find, get and move; it finds and retrieves from us', async (t) => {
  if (orthanc === null) return t.skip('Orthanc is not installed')
  const { uid, instances } = largest()
  const sent = await peer('send', 'ORTHANC', '--study', uid)
  assert.equal(sent.status, 0, sent.stdout)
  const found = await peer('find', 'ORTHANC', `StudyInstanceUID=${uid}`)
  assert.equal(found.lines.length, 1, found.stderr)
  const add = ['peer', 'add', 'ORTHANC', '--host', '127.0.0.1', '--port', String(orthanc.port), '--allow', 'store']
  const third = temporaryDirectory('dimse-third')
  try {
    assert.equal((await runCommand([...add, '--data', third.path])).status, 0)
    const got = await runCommand(['peer', 'get', 'ORTHANC', '--study', uid, '--data', third.path, '--json'])
    assert.equal((got.lines.at(-1) as { stored: number }).stored, instances, got.stderr + got.stdout)
  } finally {
    third.remove()
  }
  const series = await peer('find', 'ORTHANC', `StudyInstanceUID=${uid}`, 'Modality=CT', '--level', 'series')
  const [ct] = series.lines as { [tag: string]: { Value: [string] } }[]
  // What it writes anew (sequences of defined length) is other content under the same UID, and is held.
  const moved = await peer('move', 'ORTHANC', '--study', uid, '--series', ct?.['0020000E']?.Value[0] ?? '')
  assert.equal(moved.status, 0, moved.stderr + moved.stdout)
  const other = studies.find((study) => study.uid !== uid)
  assert.ok(other)
  const query = await rest(`${orthanc.url}/modalities/diptych/query`, {
    Level: 'Study',
    Query: { StudyInstanceUID: other.uid, PatientName: '' },
  })
  const answers = (await (await fetch(`${orthanc.url}/queries/${query['ID']}/answers`)).json()) as string[]
  assert.equal(answers.length, 1)
  await rest(`${orthanc.url}/queries/${query['ID']}/answers/0/retrieve`, { TargetAet: 'ORTHANC', Synchronous: true })
  const held = await rest(`${orthanc.url}/tools/find`, { Level: 'Instance', Query: { StudyInstanceUID: other.uid } })
  assert.equal((held as unknown as string[]).length, other.instances)
})

test('several associations of ours at dcmqrscp and at Orthanc at once, and of theirs at us', async () => {
  const some = studies.toSorted((a, b) => b.instances - a.instances).slice(0, 4)
  const titles = ['QRSCP', ...(orthanc === null ? [] : ['ORTHANC'])]
  const sends = titles.flatMap((title) =>
    some.map(async ({ uid, instances }) => {
      const sent = await peer('send', title, '--study', uid)
      const told = sent.lines.at(-1)
      assert.deepEqual(
        told,
        { peer: title, operation: 'send', completed: instances, warning: 0, failed: 0 },
        sent.stdout,
      )
    }),
  )
  const gets = some.map(async ({ uid, instances }, i) => {
    const folder = join(out.path, `at-once-${i}`)
    mkdirSync(folder)
    await dcmtk('getscu', [
      ...['-S', '-aec', 'DIPTYCH', '127.0.0.1', String(port), '-od', folder],
      ...['-k', 'QueryRetrieveLevel=STUDY', '-k', `StudyInstanceUID=${uid}`],
    ])
    assert.equal(readdirSync(folder).length, instances)
  })
  const finds = Array.from({ length: 4 }, async () => {
    const { pending, final } = answersOf(await find('-S', 'STUDY', 'StudyInstanceUID'))
    assert.deepEqual([pending, final], [studies.length, 'Success'])
  })
  await Promise.all([...sends, ...gets, ...finds])
  for (const title of titles) {
    for (const { uid } of some) {
      assert.equal((await peer('find', title, `StudyInstanceUID=${uid}`)).lines.length, 1, `${title} ${uid}`)
    }
  }
})

test('nothing of all this was a fault of ours', () => {
  assert.equal(server.faults(), '')
})

async function rest(url: string, body: unknown): Promise<{ [name: string]: string }> {
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) })
  assert.equal(answer.status, 200, await answer.clone().text())
  return (await answer.json()) as { [name: string]: string }
}
