/** Answers that need a peer in trouble: a transaction UID in use, a request that is too large; and an original that is not kept whole. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../bench/orthanc.ts'
import { part10 } from '../fixtures/dicom-builder.ts'
import { HOSTILE } from '../fixtures/hostile.ts'
import { ctImage, STUDY } from '../fixtures/objects.ts'
import { ask, dimse, type Elements, requests, SopClass } from '../live/dcmjs-dimse.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { StoreClient } from '../live/store-client.ts'
import { tinyObject } from '../live/tiny-object.ts'

const folder = temporaryDirectory('dimse-statuses')
const data = join(folder.path, 'data')
const INSTANCE = '1.2.840.10008.1.20.1.1'
let server: LiveServer
const port = () => server.dimse?.port ?? 0

before(async () => {
  server = await startServer({
    dataDirectory: data,
    args: ['--dimse-port', '0'],
    env: { DIPTYCH_LIMITS_DIMSE_IDENTIFIER_BYTES: '64 KiB' },
  })
})
after(async () => {
  await server.stop()
  folder.remove()
})

const references = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    ReferencedSOPClassUID: '1.2.840.10008.5.1.4.1.1.2',
    ReferencedSOPInstanceUID: `2.25.9000${from + i}`,
  }))

async function commit(transaction: string, of: readonly Elements[], calling: string, lingerMs: number, takes = true) {
  const action = new requests.NActionRequest(SopClass.StorageCommitmentPushModel, INSTANCE, 1)
  action.setDataset(new dimse.Dataset({ TransactionUID: transaction, ReferencedSOPSequence: of }))
  const reports: Elements[] = []
  const onReport = (elements: Elements) => reports.push(elements) > 0 && takes
  const [answers] = await ask(port(), [action], { calling, lingerMs, onReport })
  return { status: answers?.[0]?.status, comment: answers?.[0]?.comment, reports }
}

test('a transaction UID that is in use for something else fails each reference with 0131', async () => {
  // Nobody listens there: the first request stays open, with its report to deliver.
  const at = ['--host', '127.0.0.1', '--port', String(await freePort()), '--allow', 'commit']
  const added = await runCommand(['peer', 'add', 'TWICE', ...at, '--data', data, '--json'])
  assert.equal(added.status, 0, added.stderr)
  const first = await commit('2.25.9100', references(0, 2), 'TWICE', 0, false)
  assert.equal(first.status, 0)
  await sleep(300)
  const same = await commit('2.25.9100', references(0, 2), 'TWICE', 0, false)
  assert.equal(same.status, 0, 'the same again is the same request')
  const other = await commit('2.25.9100', references(5, 3), 'TWICE', 4000)
  assert.equal(other.status, 0)
  const report = other.reports.find((each) => each['TransactionUID'] === '2.25.9100' && failed(each).length === 3)
  assert.ok(report, JSON.stringify(other.reports))
  assert.deepEqual(
    failed(report).map((item) => item['FailureReason']),
    [0x0131, 0x0131, 0x0131],
  )
})

const failed = (report: Elements) => [report['FailedSOPSequence'] ?? []].flat() as Elements[]

test('a commitment request above limits.dimseIdentifierBytes is refused with 0213, the next is taken', async () => {
  const large = await commit('2.25.9101', references(0, 2000), 'TWICE', 0)
  assert.equal(large.status, 0x0213)
  const small = await commit('2.25.9102', references(0, 2), 'TWICE', 0)
  assert.equal(small.status, 0)
})

test('a query above limits.dimseIdentifierBytes is refused, the next is answered', async () => {
  const uids = Array.from({ length: 6000 }, (_, i) => `2.25.9200${i}`)
  const [large] = await ask(port(), [requests.CFindRequest.createStudyFindRequest({ StudyInstanceUID: uids })])
  assert.ok((large?.at(-1)?.status ?? 0) >= 0x0100 && large?.length === 1, `${large?.at(-1)?.status}`)
  const [small] = await ask(port(), [requests.CFindRequest.createStudyFindRequest({ StudyInstanceUID: '1.2.3' })])
  assert.deepEqual(
    small?.map(({ status }) => status),
    [0],
  )
})

test('a C-STORE command whose SOP Instance UID is none is answered 0117, and the association goes on', async () => {
  const [sopClass, syntax] = ['1.2.840.10008.5.1.4.1.1.88.11', '1.2.840.10008.1.2.1']
  const client = await StoreClient.open({ port: port(), contexts: [{ sopClass, transferSyntaxes: [syntax] }] })
  const uid = '2.25.9300'
  const file = tinyObject({ sopInstanceUID: uid, studyInstanceUID: '2.25.9301', seriesInstanceUID: '2.25.9302' })
  const dataSet = file.subarray(144 + file.readUInt32LE(140))
  for (const none of ['../../etc/passwd', '1.2.a', '']) {
    assert.equal((await client.store(sopClass, syntax, none, dataSet)).status, 0x0117, none)
  }
  assert.equal((await client.store(sopClass, syntax, uid, dataSet)).status, 0)
  await client.release()
})

test('the original of an object is given bit for bit; one that lost a large part at the door is 409, and says why', async () => {
  const store = async (file: Uint8Array) => {
    const body = Buffer.concat([
      Buffer.from('--part\r\nContent-Type: application/dicom\r\n\r\n'),
      file,
      Buffer.from('\r\n--part--\r\n'),
    ])
    const answer = await fetch(`${server.url}/dicom-web/studies`, {
      method: 'POST',
      headers: { 'content-type': 'multipart/related; type="application/dicom"; boundary=part' },
      body,
    })
    return { status: answer.status, text: await answer.text() }
  }
  const whole = part10({ elements: ctImage({ ...STUDY, name: 'whole' }) })
  assert.equal((await store(whole)).status, 200)
  // Held for what stands behind it; sanitising cuts that off, and of 100 KiB only the digest is kept.
  const appended = Buffer.concat([
    part10({ elements: ctImage({ ...STUDY, name: 'appended' }) }),
    HOSTILE['zip-behind']?.() ?? Buffer.alloc(0),
    Buffer.alloc(100_000, 7),
  ])
  const held = await store(appended)
  assert.equal(held.status, 409, held.text)
  const list = (await (await fetch(`${server.url}/api/v1/quarantine?state=held`)).json()) as { items: { id: string }[] }
  const decided = await fetch(`${server.url}/api/v1/quarantine/${list.items[0]?.id}/sanitise`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ reason: 'the image is good' }),
  })
  assert.equal(decided.status, 200, await decided.clone().text())
  const rows = (await (await fetch(`${server.url}/dicom-web/instances?ModalitiesInStudy=CT`)).json()) as {
    [tag: string]: { Value: [string] }
  }[]
  const answers = new Map<number, Buffer>()
  for (const row of rows) {
    const answer = await fetch(`${server.url}/api/v1/objects/${row['00080018']?.Value[0]}/original`)
    answers.set(answer.status, Buffer.from(await answer.arrayBuffer()))
  }
  assert.deepEqual([...answers.keys()].sort(), [200, 409])
  assert.ok(answers.get(200)?.equals(whole))
  const { code, detail, hint } = JSON.parse(answers.get(409)?.toString() ?? '{}') as Record<string, string>
  assert.equal(code, 'request.conflict')
  assert.match(`${detail} ${hint}`, /not kept.*provenance/i)
})
