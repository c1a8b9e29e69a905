/** dcmjs-dimse in both directions: everything it can ask us as a client, and everything we ask its archive. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctSeries, pdfObject, STUDY } from '../fixtures/objects.ts'
import {
  type Answered,
  ask,
  type DcmjsArchive,
  dimse,
  type Elements,
  requests,
  SopClass,
  StorageClass,
  startDcmjsArchive,
} from '../live/dcmjs-dimse.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { selfSigned } from '../support/self-signed.ts'

const folder = temporaryDirectory('dcmjs-dimse')
const data = join(folder.path, 'data')
let server: LiveServer
let scp: DcmjsArchive
let studies: { uid: string; instances: number; patientId: string }[] = []
const port = () => server.dimse?.port ?? 0
const cli = (...args: string[]) => runCommand([...args, '--data', data, '--json'])
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const statuses = (answers: readonly Answered[] | undefined) => answers?.map(({ status }) => status)

const ORDER = [
  'MSH|^~\\&|RIS|HOSP|DIPTYCH|HOSP|20260301080000||OMI^O23^OMI_O23|CTRL-1|P|2.5.1|||||||UNICODE UTF-8',
  'PID|1||P-1^^^HOSP^MR||MÜLLER^ÄNNE||19700102|F',
  'PV1|1|O',
  'ORC|NW|PL-1|FL-1||SC',
  'TQ1|1||||||20260310093000||R',
  'OBR|1|PL-1|FL-1|CTTHX^CT thorax^99LOCAL|||||||||||||||||||||CT',
  'IPC|ACC-1|RP-1|2.25.7001|SPS-1|CT|CTTHX^CT thorax^99LOCAL|ROOM|RADIOLOGY|DCMJS',
  '',
].join('\r')

before(async () => {
  const demo = await cli('demo')
  assert.equal(demo.status, 0, demo.stderr)
  writeFileSync(join(folder.path, 'order.hl7'), ORDER)
  assert.equal((await cli('import', join(folder.path, 'order.hl7'))).status, 0)
  server = await startServer({ dataDirectory: data, args: ['--dimse-port', '0'] })
  const answer = await fetch(`${server.url}/dicom-web/studies`)
  const rows = (await answer.json()) as { [tag: string]: { Value?: [string | number] } }[]
  studies = rows.map((row) => ({
    uid: String(row['0020000D']?.Value?.[0]),
    instances: Number(row['00201208']?.Value?.[0]),
    patientId: String(row['00100020']?.Value?.[0]),
  }))
  scp = await startDcmjsArchive()
  scp.destinations.set('DIPTYCH', port())
  const allow = 'echo,store,find,move,get,commit,worklist,mpps'
  const added = await cli(
    ...['peer', 'add', 'DCMJSSCP', '--host', '127.0.0.1', '--port', String(scp.port), '--allow', allow],
  )
  assert.equal(added.status, 0, added.stderr)
})

after(async () => {
  await scp?.close()
  await server?.stop()
  // What a peer refuses is logged; everything else would be a fault of ours.
  const faults = server
    .faults()
    .split('\n')
    .filter((line) => !line.includes('an instance could not be sent'))
  assert.equal(faults.join('\n'), '')
  folder.remove()
})

const largest = () =>
  studies.toSorted((a, b) => b.instances - a.instances)[0] ?? { uid: '', instances: 0, patientId: '' }

/** A CT series of its own as data sets of dcmjs. */
function series(
  name: string,
  slices: number,
): { readonly study: string; readonly datasets: InstanceType<typeof dimse.Dataset>[] } {
  const study = { ...STUDY, name, patientId: `DJ-${name}`, patientName: 'Dcmjs^Ümit' }
  const datasets = ctSeries(slices, 32, study).map((elements, i) => {
    const path = join(folder.path, `${name}-${i}.dcm`)
    writeFileSync(path, part10({ elements }))
    const dataset = dimse.Dataset.fromFile(path)
    assert.ok(dataset)
    return dataset
  })
  return { study: datasets[0]?.getElement('StudyInstanceUID') ?? '', datasets }
}

async function count(query: string): Promise<number> {
  const answer = await fetch(`${server.url}/dicom-web/instances?${query}`)
  return answer.status === 204 ? 0 : ((await answer.json()) as unknown[]).length
}

test('its client: echo, and a refusal is understood', async () => {
  const [echoed] = await ask(port(), [new requests.CEchoRequest()])
  assert.deepEqual(statuses(echoed), [0])
  await assert.rejects(ask(port(), [new requests.CEchoRequest()], { called: 'OTHER' }), /rejected: 1, 1, 7/)
})

for (const invoked of [1, 8]) {
  test(`its client stores a series, ${invoked} operations at once; the second time too`, async () => {
    const { study, datasets } = series(`store-${invoked}`, 12)
    for (let times = 0; times < 2; times++) {
      const answers = await ask(
        port(),
        datasets.map((dataset) => new requests.CStoreRequest(dataset)),
        invoked === 1 ? {} : { invoked },
      )
      assert.deepEqual(
        answers.map((each) => statuses(each)),
        datasets.map(() => [0]),
      )
    }
    assert.equal(await count(`StudyInstanceUID=${study}`), 12)
  })
}

test('its client sends something hostile: C000 with the number of the quarantine', async () => {
  const path = join(folder.path, 'held.dcm')
  const pdf = Buffer.from('%PDF-1.7\n1 0 obj<</OpenAction<</S/Launch>>>>endobj\n%%EOF')
  writeFileSync(path, part10({ elements: pdfObject(pdf, { ...STUDY, name: 'dcmjs-held' }) }))
  const [answers] = await ask(port(), [new requests.CStoreRequest(path)])
  assert.equal(answers?.[0]?.status, 0xc000)
  assert.match(answers[0].comment, /^quarantine [0-9a-f-]{36}: /)
})

test('its client queries every level', async () => {
  const { uid, instances } = largest()
  const all = { StudyInstanceUID: '', PatientName: '', PatientID: '', ModalitiesInStudy: '' }
  const [ofStudies] = await ask(port(), [requests.CFindRequest.createStudyFindRequest(all)])
  assert.ok(ofStudies)
  const pending = ofStudies.slice(0, -1)
  assert.ok(pending.every(({ status }) => status === 0xff00))
  assert.equal(ofStudies.at(-1)?.status, 0)
  const told = new Set(pending.map(({ elements }) => elements?.['StudyInstanceUID']))
  for (const study of studies) assert.ok(told.has(study.uid), study.uid)

  const wanted = { StudyInstanceUID: uid, SeriesInstanceUID: '', Modality: '', NumberOfSeriesRelatedInstances: '' }
  const [ofSeries = []] = await ask(port(), [requests.CFindRequest.createSeriesFindRequest(wanted)])
  let sum = 0
  for (const { elements } of ofSeries.slice(0, -1)) {
    const keys = { StudyInstanceUID: uid, SeriesInstanceUID: elements?.['SeriesInstanceUID'], SOPInstanceUID: '' }
    const [images = []] = await ask(port(), [requests.CFindRequest.createImageFindRequest(keys)])
    assert.equal(images.length - 1, Number(elements?.['NumberOfSeriesRelatedInstances']))
    sum += images.length - 1
  }
  assert.equal(sum, instances)
})

test('its client gets a series on the same association', async () => {
  const { study, datasets } = series('get', 5)
  await ask(
    port(),
    datasets.map((dataset) => new requests.CStoreRequest(dataset)),
  )
  const got: Elements[] = []
  const [answers] = await ask(port(), [requests.CGetRequest.createStudyGetRequest(study)], {
    onStore: (dataset) => {
      got.push(dataset.getElements())
      return 0
    },
  })
  const last = answers?.at(-1)?.response as InstanceType<typeof dimse.responses.CGetResponse> | undefined
  assert.deepEqual([last?.getStatus(), last?.getCompleted(), last?.getFailures()], [0, 5, 0])
  const uids = (list: readonly (Elements | undefined)[]) => list.map((each) => String(each?.['SOPInstanceUID'])).sort()
  assert.deepEqual(uids(got), uids(datasets.map((dataset) => dataset.getElements())))
  const pixels = (list: readonly Elements[]) =>
    list
      .map((each) => sha256(new Uint8Array(([each['PixelData']].flat() as ArrayBuffer[])[0] ?? new ArrayBuffer(0))))
      .sort()
  assert.deepEqual(pixels(got), pixels(datasets.map((dataset) => dataset.getElements())))
})

test('its client gets, and refuses one: B000 with what failed', async () => {
  const study = series('get', 5).study
  let n = 0
  const [answers] = await ask(port(), [requests.CGetRequest.createStudyGetRequest(study)], {
    onStore: () => (n++ === 2 ? 0xa700 : 0),
  })
  const last = answers?.at(-1)?.response as InstanceType<typeof dimse.responses.CGetResponse> | undefined
  assert.deepEqual([last?.getStatus(), last?.getCompleted(), last?.getFailures()], [0xb000, 4, 1])
  const failed = last?.getDataset()?.getElements()['FailedSOPInstanceUIDList']
  assert.equal([failed].flat().length, 1)
})

test('its client has a study moved to its archive; an unknown destination is A801', async () => {
  const { study } = series('get', 5)
  scp.kept.clear()
  const [answers] = await ask(port(), [requests.CMoveRequest.createStudyMoveRequest('DCMJSSCP', study)])
  const last = answers?.at(-1)?.response as InstanceType<typeof dimse.responses.CMoveResponse> | undefined
  assert.deepEqual([last?.getStatus(), last?.getCompleted(), last?.getFailures()], [0, 5, 0])
  assert.equal(scp.kept.size, 5)
  assert.equal(scp.callers.at(-1), 'DIPTYCH')
  const [refused] = await ask(port(), [requests.CMoveRequest.createStudyMoveRequest('NOBODY', study)])
  assert.equal(refused?.at(-1)?.status, 0xa801)
})

test('its client reads the worklist, performs a step and ends it: the order is completed', async () => {
  const step = {
    ScheduledProcedureStepSequence: [{ ScheduledStationAETitle: 'DCMJS', ScheduledProcedureStepStartDate: '' }],
  }
  const asked = {
    SpecificCharacterSet: 'ISO_IR 192',
    PatientName: '',
    AccessionNumber: '',
    StudyInstanceUID: '',
    ...step,
  }
  const find = () => ask(port(), [requests.CFindRequest.createWorklistFindRequest(asked)])
  const [rows = []] = await find()
  // It fills Pregnancy Status with 0, which nobody matches: told with FF01.
  assert.deepEqual(statuses(rows), [0xff01, 0])
  const item = rows[0]?.elements
  assert.equal(item?.['AccessionNumber'], 'ACC-1')
  assert.match(JSON.stringify(item['PatientName']), /MÜLLER\^ÄNNE/)

  const uid = '2.25.7002'
  const create = new requests.NCreateRequest(SopClass.ModalityPerformedProcedureStep, uid)
  create.setDataset(
    new dimse.Dataset({
      Modality: 'CT',
      PatientID: 'P-1',
      PerformedStationAETitle: 'DCMJS',
      PerformedProcedureStepStartDate: '20260310',
      PerformedProcedureStepStartTime: '0931',
      PerformedProcedureStepStatus: 'IN PROGRESS',
      PerformedProcedureStepID: 'PPS1',
      ScheduledStepAttributesSequence: [
        { StudyInstanceUID: item['StudyInstanceUID'], ScheduledProcedureStepID: 'SPS-1', AccessionNumber: 'ACC-1' },
      ],
    }),
  )
  const [created] = await ask(port(), [create])
  assert.deepEqual(statuses(created), [0], created?.[0]?.comment)
  const end = (status: string) => {
    const set = new requests.NSetRequest(SopClass.ModalityPerformedProcedureStep, uid)
    set.setDataset(
      new dimse.Dataset({
        PerformedProcedureStepStatus: status,
        PerformedProcedureStepEndDate: '20260310',
        PerformedProcedureStepEndTime: '0950',
        PerformedSeriesSequence: [
          { SeriesInstanceUID: '2.25.7003', ReferencedImageSequence: [{ ReferencedSOPInstanceUID: '2.25.7004' }] },
        ],
      }),
    )
    return ask(port(), [set])
  }
  assert.deepEqual(statuses((await end('COMPLETED'))[0]), [0])
  assert.deepEqual(statuses((await end('DISCONTINUED'))[0]), [0x0110])
  const answer = await fetch(`${server.url}/api/v1/worklist?accessionNumber=ACC-1`)
  const { items } = (await answer.json()) as { items: [{ status: string }] }
  assert.equal(items[0].status, 'completed')
  assert.deepEqual(statuses((await find())[0]), [0])
})

test('its client asks for commitment, and is told on the association it holds open', async () => {
  const { datasets } = series('get', 5)
  const references = datasets.map((dataset) => ({
    ReferencedSOPClassUID: StorageClass.CtImageStorage,
    ReferencedSOPInstanceUID: dataset.getElement('SOPInstanceUID'),
  }))
  const missing = { ReferencedSOPClassUID: StorageClass.CtImageStorage, ReferencedSOPInstanceUID: '2.25.7099' }
  const action = new requests.NActionRequest(SopClass.StorageCommitmentPushModel, '1.2.840.10008.1.20.1.1', 1)
  action.setDataset(new dimse.Dataset({ TransactionUID: '2.25.7100', ReferencedSOPSequence: [...references, missing] }))
  const reports: { elements: Elements; event: number }[] = []
  const [answers] = await ask(port(), [action], {
    lingerMs: 4000,
    onReport: (elements, event) => reports.push({ elements, event }) > 0,
  })
  assert.deepEqual(statuses(answers), [0])
  assert.deepEqual([reports.length, reports[0]?.event], [1, 2])
  const listed = (name: string) => [reports[0]?.elements[name]].flat() as Elements[]
  assert.equal(reports[0]?.elements['TransactionUID'], '2.25.7100')
  assert.equal(listed('ReferencedSOPSequence').length, 5)
  assert.deepEqual(
    listed('FailedSOPSequence').map((item) => [item['ReferencedSOPInstanceUID'], item['FailureReason']]),
    [['2.25.7099', 0x0112]],
  )
})

test('we echo and send to its archive, and find what is there', async () => {
  const { uid, instances } = largest()
  scp.kept.clear()
  assert.equal((await cli('peer', 'echo', 'DCMJSSCP')).status, 0)
  const sent = await cli('peer', 'send', 'DCMJSSCP', '--study', uid)
  assert.deepEqual(
    sent.lines.at(-1),
    { peer: 'DCMJSSCP', operation: 'send', completed: instances, warning: 0, failed: 0 },
    sent.stdout,
  )
  assert.equal(scp.kept.size, instances)
  const found = await cli('peer', 'find', 'DCMJSSCP', `StudyInstanceUID=${uid}`)
  assert.equal(found.lines.length, 1, found.stderr)
  const images = await cli('peer', 'find', 'DCMJSSCP', `StudyInstanceUID=${uid}`, '--level', 'image')
  assert.equal(images.lines.length, instances, images.stderr)
  const some = await cli('peer', 'find', 'DCMJSSCP', `StudyInstanceUID=${uid}`, '--level', 'image', '--limit', '1')
  assert.equal(some.lines.length, 1)
})

for (const way of ['get', 'move'] as const) {
  test(`we fetch from its archive by C-${way.toUpperCase()}`, async () => {
    const { study, datasets } = series(`fetch-${way}`, 3)
    for (const dataset of datasets) scp.kept.set(String(dataset.getElement('SOPInstanceUID')), dataset)
    const done = await cli('peer', way, 'DCMJSSCP', '--study', study)
    assert.equal(done.status, 0, done.stdout + done.stderr)
    assert.equal(await count(`StudyInstanceUID=${study}`), 3)
    const none = await cli('peer', way, 'DCMJSSCP', '--study', '2.25.404')
    assert.equal(none.status, 1, none.stdout)
  })
}

test('its archive is asked to commit: all of it, and then all but one', async () => {
  const { study, datasets } = series('fetch-get', 3)
  const commit = () => cli('peer', 'commit', 'DCMJSSCP', '--study', study, '--wait', '15')
  const good = await commit()
  assert.equal(good.status, 0, good.stdout + good.stderr)
  const [one] = datasets
  assert.ok(one)
  scp.lost.add(String(one.getElement('SOPInstanceUID')))
  const bad = await commit()
  assert.equal(bad.status, 2, bad.stdout)
  assert.match(bad.stdout, /"failureReason":"0112"/)
})

test('TLS both ways: the certificate that is registered, another, and none of it', async () => {
  const [theirs, other] = [selfSigned(11), selfSigned(12)]
  const secured = await startDcmjsArchive({ aeTitle: 'TLSPEER', tls: { cert: theirs.certificate, key: theirs.key } })
  try {
    const add = async (...more: string[]) => {
      await cli('peer', 'remove', 'TLSPEER')
      const at = ['--host', '127.0.0.1', '--port', String(secured.port), '--allow', 'echo']
      return cli('peer', 'add', 'TLSPEER', ...at, ...more)
    }
    const echo = () => cli('peer', 'echo', 'TLSPEER')
    assert.equal((await add('--tls', '--certificate', theirs.fingerprint)).status, 0)
    const good = await echo()
    assert.equal(good.status, 0, good.stderr)
    assert.equal((await add('--tls', '--certificate', other.fingerprint)).status, 0)
    const wrong = await echo()
    assert.equal(wrong.status, 1)
    assert.match(wrong.stderr, /certificate that is not registered/)
    assert.equal((await add('--tls')).status, 0)
    const unknown = await echo()
    assert.equal(unknown.status, 1)
    assert.match(unknown.stderr, /TLS: .*self.signed/i)
    const authorities = join(folder.path, 'authorities.pem')
    writeFileSync(authorities, theirs.certificate)
    // A node of its own: the command beside a running server uses the server's configuration.
    const elsewhere = (...args: string[]) =>
      runCommand(['peer', ...args, '--data', join(folder.path, 'elsewhere'), '--json'], {
        DIPTYCH_DIMSE_TLS_AUTHORITIES: authorities,
      })
    const at = ['--host', '127.0.0.1', '--port', String(secured.port), '--allow', 'echo', '--tls']
    assert.equal((await elsewhere('add', 'TLSPEER', ...at)).status, 0)
    const byAuthority = await elsewhere('echo', 'TLSPEER')
    assert.equal(byAuthority.status, 0, byAuthority.stderr)
    assert.equal((await add()).status, 0)
    assert.equal((await echo()).status, 1, 'a peer behind TLS is not asked in the clear')
    assert.equal(secured.callers.length, 2)
  } finally {
    await secured.close()
  }
})
