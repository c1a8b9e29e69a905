/** wlmscpfs of DCMTK beside us: it serves our answers as its own worklist, and finds with every question what we find. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../bench/orthanc.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { runProgram } from './dimse-programs.ts'

const folder = temporaryDirectory('wlmscpfs')
const data = join(folder.path, 'archive')
let server: LiveServer
let theirs: ChildProcess
let [ours, other] = [0, 0]

const order = (n: number, name: string, modality: string, station: string, day: string, time: string) =>
  [
    `MSH|^~\\&|RIS|HOSP|DIPTYCH|HOSP|20260301080000||OMI^O23^OMI_O23|CTRL-${n}|P|2.5.1|||||||UNICODE UTF-8`,
    `PID|1||P-${n}^^^HOSP^MR||${name}||19700102|F`,
    'PV1|1|O',
    `ORC|NW|PL-${n}|FL-${n}||SC`,
    `TQ1|1||||||${day}${time}||R`,
    `OBR|1|PL-${n}|FL-${n}|CTTHX^CT thorax^99LOCAL|||||||||||||||||||||${modality}`,
    `IPC|ACC-${n}|RP-${n}|1.2.826.0.1.3680043.10.999.${n}|SPS-${n}|${modality}|CTTHX^CT thorax^99LOCAL|ROOM|RADIOLOGY|${station}`,
    '',
  ].join('\r')

const STEP = 'ScheduledProcedureStepSequence[0]'
/** What DCMTK wants of an item before it serves it, and what is asked about. */
const RETURNED = [
  ...['SpecificCharacterSet', 'AccessionNumber', 'PatientName', 'PatientID', 'PatientBirthDate', 'PatientSex'],
  ...['ReferringPhysicianName', 'StudyInstanceUID', 'RequestedProcedureDescription', 'RequestedProcedureID'],
  ...['Modality', 'ScheduledStationAETitle', 'ScheduledProcedureStepStartDate', 'ScheduledProcedureStepStartTime'].map(
    (key) => `${STEP}.${key}`,
  ),
  ...['ScheduledPerformingPhysicianName', 'ScheduledProcedureStepDescription', 'ScheduledProcedureStepID'].map(
    (key) => `${STEP}.${key}`,
  ),
]

const asked = (port: number, title: string, keys: readonly string[], more: readonly string[] = []) =>
  runProgram('findscu', [
    ...['-v', '-W', '-aet', 'CT_ROOM1', '-aec', title, ...more, '127.0.0.1', String(port)],
    ...keys.flatMap((key) => ['-k', key]),
  ])

before(async () => {
  const rows = [
    order(1, 'DOE^ANNE', 'CT', 'CT_ROOM1', '20260310', '0930'),
    order(2, 'SMITH^JANE', 'MR', 'MR_ROOM1', '20260311', '1015'),
    order(3, 'SMITH^JOHN', 'CT', 'CT_ROOM2', '20260312', '1530'),
    order(4, 'SMYTHE^JOAN', 'US', 'US_ROOM1', '20260312', '0800'),
  ]
  const files = rows.map((row, i) => {
    const path = join(folder.path, `${i}.hl7`)
    writeFileSync(path, row)
    return path
  })
  assert.equal((await runCommand(['import', ...files, '--data', data, '--json'])).status, 0)
  ;[ours, other] = [await freePort(), await freePort()]
  server = await startServer({ dataDirectory: data, args: ['--dimse-port', String(ours)] })
  const answers = join(folder.path, 'answers')
  mkdirSync(answers)
  const { said } = await asked(ours, 'DIPTYCH', RETURNED, ['-X', '-od', answers])
  const extracted = readdirSync(answers)
  assert.equal(extracted.length, rows.length, said)
  const worklist = join(folder.path, 'db', 'THEIRS')
  mkdirSync(worklist, { recursive: true })
  writeFileSync(join(worklist, 'lockfile'), '')
  for (const [i, name] of extracted.entries()) cpSync(join(answers, name), join(worklist, `${i}.wl`))
  theirs = spawn('wlmscpfs', ['-dfp', join(folder.path, 'db'), String(other)], { stdio: 'ignore' })
  for (let tries = 0; tries < 100; tries++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: other }, () => resolve(socket.destroy() !== undefined))
      socket.once('error', () => resolve(false))
    })
    if (open) return
    await sleep(50)
  }
  assert.fail('wlmscpfs does not listen')
})

after(async () => {
  theirs?.kill('SIGTERM')
  await server?.stop()
  folder.remove()
})

/** Accession numbers of the answers. */
function found(said: string): string[] {
  assert.match(said, /Received Final Find Response \(Success\)/)
  const responses = said.slice(said.indexOf('Find Response'))
  return [...responses.matchAll(/\(0008,0050\) SH \[(ACC-\d)/g)].map(([, number = '']) => number).sort()
}

const questions: { name: string; keys: string[]; is: string[] }[] = [
  { name: 'all of it', keys: [], is: ['ACC-1', 'ACC-2', 'ACC-3', 'ACC-4'] },
  { name: 'a modality', keys: [`${STEP}.Modality=CT`], is: ['ACC-1', 'ACC-3'] },
  { name: 'a station', keys: [`${STEP}.ScheduledStationAETitle=MR_ROOM1`], is: ['ACC-2'] },
  { name: 'a day', keys: [`${STEP}.ScheduledProcedureStepStartDate=20260312`], is: ['ACC-3', 'ACC-4'] },
  {
    name: 'from a day on',
    keys: [`${STEP}.ScheduledProcedureStepStartDate=20260311-`],
    is: ['ACC-2', 'ACC-3', 'ACC-4'],
  },
  { name: 'until a day', keys: [`${STEP}.ScheduledProcedureStepStartDate=-20260311`], is: ['ACC-1', 'ACC-2'] },
  { name: 'hours', keys: [`${STEP}.ScheduledProcedureStepStartTime=0900-1100`], is: ['ACC-1', 'ACC-2'] },
  { name: 'a name by wild card', keys: ['PatientName=SM?TH*'], is: ['ACC-2', 'ACC-3', 'ACC-4'] },
  { name: 'a number', keys: ['PatientID=P-3'], is: ['ACC-3'] },
  { name: 'two keys', keys: ['PatientName=SMITH*', `${STEP}.Modality=MR`], is: ['ACC-2'] },
  { name: 'nobody', keys: ['PatientID=P-9'], is: [] },
]
for (const { name, keys, is } of questions) {
  test(`wlmscpfs and we find the same: ${name}`, async () => {
    const named = new Set(keys.map((key) => key.split('=')[0]))
    const all = [...RETURNED.filter((key) => !named.has(key)), ...keys]
    const [mine, their] = await Promise.all([asked(ours, 'DIPTYCH', all), asked(other, 'THEIRS', all)])
    assert.deepEqual(found(their.said), is, their.said.slice(-2000))
    assert.deepEqual(found(mine.said), is, mine.said.slice(-2000))
  })
}
