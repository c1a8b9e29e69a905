/** Modality worklist asked by dcmtk's findscu, and performed procedure steps told by a modality of ours. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { loadConfig } from '#config.ts'
import type { Peer } from '#model/peer.ts'
import { EXPLICIT_LE } from '#standards/dicom/encoding.ts'
import { joinPieces } from '#standards/dicom/pieces.ts'
import { encodeDataSet, type WriteDataSet } from '#standards/dicom/write.ts'
import type { Association } from '#standards/dimse/association.ts'
import { COMMAND, type CommandSet } from '#standards/dimse/command-set.ts'
import { SOP_CLASS } from '#standards/dimse/sop-classes.ts'
import { readMessage } from '../../src/access/dimse/identifier.ts'
import { createConnector } from '../../src/access/dimse/scu/connect.ts'
import { EXPLICIT, numbered } from '../../src/access/dimse/scu/connector.ts'
import { freePort } from '../bench/orthanc.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { runProgram } from './dimse-programs.ts'

const data = temporaryDirectory('worklist')
let server: LiveServer
let port = 0

function order(n: number, name: string, modality: string, station: string, day: string): string {
  return [
    `MSH|^~\\&|RIS|HOSP|DIPTYCH|HOSP|20260301080000||OMI^O23^OMI_O23|CTRL-${n}|P|2.5.1|||||||UNICODE UTF-8`,
    `PID|1||P-${n}^^^HOSP^MR||${name}||19700102|F`,
    `PV1|1|O`,
    `ORC|NW|PL-${n}|FL-${n}||SC`,
    `TQ1|1||||||${day}093000||R`,
    `OBR|1|PL-${n}|FL-${n}|CTTHX^CT thorax^99LOCAL|||||||||||||||||||||${modality}`,
    `IPC|ACC-${n}|RP-${n}|1.2.826.0.1.3680043.10.999.${n}|SPS-${n}|${modality}|CTTHX^CT thorax^99LOCAL|ROOM|RADIOLOGY|${station}`,
    '',
  ].join('\r')
}

before(async () => {
  port = await freePort()
  const messages = join(data.path, 'orders')
  writeFileSync(`${messages}1.hl7`, order(1, 'MÜLLER^ÄNNE', 'CT', 'CT_ROOM1', '20260310'))
  writeFileSync(`${messages}2.hl7`, order(2, 'SMITH^JANE', 'MR', 'MR_ROOM1', '20260311'))
  writeFileSync(`${messages}3.hl7`, order(3, 'SMITH^JOHN', 'CT', 'CT_ROOM2', '20260312'))
  const archive = join(data.path, 'archive')
  const files = [1, 2, 3].map((n) => `${messages}${n}.hl7`)
  const imported = await runCommand(['import', ...files, '--data', archive, '--json'])
  const listed = await runCommand(['worklist', 'list', '--data', archive, '--json'])
  assert.equal(listed.lines.length, 3, imported.stdout + imported.stderr + listed.stderr)
  server = await startServer({ dataDirectory: archive, args: ['--dimse-port', String(port)] })
  const allow = ['--host', '127.0.0.1', '--port', '1', '--allow', 'worklist,mpps']
  const added = await runCommand(['peer', 'add', 'CT_ROOM1', ...allow, '--data', archive, '--json'])
  assert.equal(added.status, 0, added.stderr)
})

after(async () => {
  await server?.stop()
  data.remove()
})

async function find(...keys: string[]): Promise<{ said: string; names: string[] }> {
  const asked = ['PatientName', 'SpecificCharacterSet=ISO_IR 192', ...keys].flatMap((key) => ['-k', key])
  const { said } = await runProgram('findscu', [
    ...['-v', '-W', '-aet', 'CT_ROOM1', '-aec', 'DIPTYCH', '127.0.0.1', String(port)],
    ...asked,
  ])
  const answers = said.split('Request Identifiers').at(-1) ?? ''
  const responses = answers.slice(answers.indexOf('Find Response'))
  return {
    said,
    names: [...responses.matchAll(/\(0010,0010\) PN \[([^\]]*)\]/g)].map(([, name = '']) => name.trim()).sort(),
  }
}

const STEP = 'ScheduledProcedureStepSequence[0]'
const questions: { name: string; keys: string[]; is: string[] }[] = [
  { name: 'all of it', keys: [], is: ['MÜLLER^ÄNNE', 'SMITH^JANE', 'SMITH^JOHN'] },
  { name: 'a station', keys: [`${STEP}.ScheduledStationAETitle=CT_ROOM1`], is: ['MÜLLER^ÄNNE'] },
  { name: 'a modality', keys: [`${STEP}.Modality=CT`], is: ['MÜLLER^ÄNNE', 'SMITH^JOHN'] },
  {
    name: 'a range of days',
    keys: [`${STEP}.ScheduledProcedureStepStartDate=20260311-20260312`],
    is: ['SMITH^JANE', 'SMITH^JOHN'],
  },
  { name: 'a name', keys: ['PatientName=smith*'], is: ['SMITH^JANE', 'SMITH^JOHN'] },
  { name: 'an accession number', keys: ['AccessionNumber=ACC-2'], is: ['SMITH^JANE'] },
  { name: 'nothing like it', keys: ['PatientID=NOBODY'], is: [] },
]
for (const { name, keys, is } of questions) {
  test(`findscu -W finds ${name}`, async () => {
    const { said, names } = await find(...keys)
    assert.match(said, /Received Final Find Response \(Success\)/)
    assert.deepEqual(names, is, said)
  })
}

type Sketch = { readonly [key: string]: readonly [vr: string, value: string | readonly Sketch[]] }

function written(sketch: Sketch): WriteDataSet {
  const set: WriteDataSet = new Map()
  for (const [key, [vr, value]] of Object.entries(sketch)) {
    const tag = Number.parseInt(key, 16)
    if (typeof value === 'string') set.set(tag, { tag, vr, value: { is: 'bytes', bytes: Buffer.from(value, 'utf8') } })
    else set.set(tag, { tag, vr, value: { is: 'items', items: value.map(written) } })
  }
  return set
}

const bytes = (sketch: Sketch): Uint8Array => joinPieces(encodeDataSet(written(sketch), EXPLICIT_LE))
const PERFORMED = SOP_CLASS.modalityPerformedProcedureStep
const UID = '1.2.826.0.1.3680043.10.999.77'

async function associate(): Promise<Association> {
  const config = loadConfig({ environment: {} })
  const peer = { aeTitle: 'DIPTYCH', host: '127.0.0.1', port, tls: false, callingAeTitle: 'CT_ROOM1' } as Peer
  const contexts = numbered([{ abstractSyntax: PERFORMED, transferSyntaxes: [EXPLICIT] }])
  return await createConnector(config).connect(peer, { contexts })
}

async function ask(association: Association, command: CommandSet, sketch?: Sketch): Promise<CommandSet> {
  const sent = sketch === undefined ? undefined : [bytes(sketch)]
  for await (const message of association.call(1, command, sent)) {
    if (message.command.hasDataSet === true) {
      const dataSet = await readMessage(message, 2 ** 20)
      assert.ok(dataSet.elements.size > 0)
    }
    return message.command
  }
  throw new Error('no answer')
}

const create = { commandField: COMMAND.N_CREATE_RQ, affectedSOPClassUID: PERFORMED, affectedSOPInstanceUID: UID }
const set = { commandField: COMMAND.N_SET_RQ, requestedSOPClassUID: PERFORMED, requestedSOPInstanceUID: UID }
const get = { commandField: COMMAND.N_GET_RQ, requestedSOPClassUID: PERFORMED, requestedSOPInstanceUID: UID }

const BEGUN: Sketch = {
  '00080060': ['CS', 'CT'],
  '00100020': ['LO', 'P-1'],
  '00400241': ['AE', 'CT_ROOM1'],
  '00400244': ['DA', '20260310'],
  '00400245': ['TM', '0931'],
  '00400252': ['CS', 'IN PROGRESS'],
  '00400253': ['SH', 'PPS1'],
  '00400270': ['SQ', [{ '0020000D': ['UI', '1.2.826.0.1.3680043.10.999.1'], '00400009': ['SH', 'SPS-1'] }]],
}
const DONE: Sketch = {
  '00400250': ['DA', '20260310'],
  '00400251': ['TM', '0950'],
  '00400252': ['CS', 'COMPLETED'],
  '00400340': [
    'SQ',
    [
      {
        '0020000E': ['UI', '1.2.826.0.1.3680043.10.999.1.1'],
        '00081140': ['SQ', [{ '00081155': ['UI', '1.2.826.0.1.3680043.10.999.1.1.1'] }]],
      },
    ],
  ],
}

async function listed(): Promise<{ status: string; performed: { status: string; missing: string[] }[] }> {
  const answer = await fetch(`${server.url}/api/v1/worklist?accessionNumber=ACC-1`)
  const { items } = (await answer.json()) as { items: [{ status: string; performed: [] }] }
  return items[0]
}

test('a step is begun, completed, and may no longer be updated; the order follows', async () => {
  const association = await associate()
  try {
    assert.equal((await ask(association, set, DONE)).status, 0x0112, 'nothing to set yet')
    assert.equal((await ask(association, create, { ...BEGUN, '00400252': ['CS', 'COMPLETED'] })).status, 0x0106)
    assert.equal((await ask(association, create, BEGUN)).status, 0)
    assert.equal((await ask(association, create, BEGUN)).status, 0x0111)
    assert.equal((await listed()).status, 'in-progress')
    assert.equal((await ask(association, get)).status, 0)
    assert.equal((await ask(association, set, DONE)).status, 0)
    const late = await ask(association, set, DONE)
    assert.equal(late.status, 0x0110)
    assert.match(late.errorComment ?? '', /may no longer be updated/)
    const now = await listed()
    assert.equal(now.status, 'completed')
    assert.deepEqual(
      now.performed.map(({ status, missing }) => [status, missing]),
      [['COMPLETED', ['1.2.826.0.1.3680043.10.999.1.1.1']]],
    )
  } finally {
    await association.release()
  }
  assert.deepEqual(
    (await find(`${STEP}.ScheduledStationAETitle=CT_ROOM1`)).names,
    [],
    'what is done is not on the list',
  )
  const jobs = await runCommand(['jobs', 'list', '--kind', 'performed-step', '--data', server.dataDirectory, '--json'])
  assert.equal(jobs.lines.length, 1, 'what was listed is looked for')
})
