/** What commands tell a person, and the exit status that tells a script. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctSeries } from '../fixtures/objects.ts'
import { message } from '../live/mllp-client.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'

const place = temporaryDirectory('told')
const data = join(place.path, 'data')
let server: LiveServer

before(async () => {
  server = await startServer({ dataDirectory: data })
})
after(async () => {
  await server.stop()
  place.remove()
})

const diptych = (...args: string[]) => runCommand([...args, '--data', data])

function disc(name: string, slices: number): string {
  const folder = join(place.path, name)
  mkdirSync(folder)
  ctSeries(slices).forEach((elements, at) => {
    writeFileSync(join(folder, `I${at}`), part10({ elements }))
  })
  return folder
}

test('import: a path that is not there is status 1, and the others are taken in', async () => {
  const told = await diptych('import', join(place.path, 'nothing'), disc('one', 1))
  assert.equal(told.status, 1)
  assert.match(told.stderr, /nothing: there is no such file or folder/)
  assert.match(told.stdout, /1 stored/)
  assert.equal((await diptych('screen', join(place.path, 'nothing'))).status, 1)
})

test('a disc that lacks a file of its DICOMDIR says so, and is status 2', async () => {
  const out = join(place.path, 'media')
  assert.equal((await diptych('export', '--out', out, '--media')).status, 0)
  const whole = await diptych('screen', out)
  assert.equal(whole.status, 0, whole.stdout)
  rmSync(join(out, 'DICOM'), { recursive: true, force: true })
  const lacking = await diptych('screen', out)
  assert.equal(lacking.status, 2, lacking.stdout)
  assert.match(lacking.stdout, /1 of the files it lists missing/)
  assert.match(lacking.stdout, /E4: listed but missing: DICOM\\/)
  assert.match(lacking.stdout, /1 file listed by DICOMDIR and missing/)
})

test('delete: gone at once, audited; nothing there is status 1', async () => {
  const answer = await fetch(`${server.url}/dicom-web/studies`)
  const [row] = (await answer.json()) as { '0020000D': { Value: [string] } }[]
  const study = row?.['0020000D'].Value[0] ?? assert.fail('no study')
  assert.equal((await diptych('delete', '--study', '9.9.9', '--reason', 'x')).status, 1)
  assert.equal((await diptych('delete', '--study', study)).status, 1, 'a reason is needed')
  const told = await diptych('delete', '--study', study, '--reason', 'wrong patient')
  assert.equal(told.status, 0, told.stderr)
  assert.match(told.stdout, /^1 object deleted; the bytes may go after \d{4}-/)
  assert.equal((await fetch(`${server.url}/dicom-web/studies/${study}/metadata`)).status, 404)
  assert.match((await diptych('audit', 'list')).stdout, /delete.*/)
})

test('quarantine original: the held file in its container, never over another file', async () => {
  assert.equal((await diptych('demo')).status, 0, 'a file is held on purpose')
  const [held] = (await diptych('quarantine', 'list', '--json')).lines as { id: string }[]
  const out = join(place.path, 'held.zip')
  const told = await diptych('quarantine', 'original', held?.id ?? '', '--out', out)
  assert.equal(told.status, 0, told.stderr)
  assert.ok(existsSync(out))
  assert.equal(readFileSync(out).toString('latin1', 0, 2), 'PK')
  assert.equal((await diptych('quarantine', 'original', held?.id ?? '', '--out', out)).status, 1)
})

test('messages and history say what was decided in words', async () => {
  const file = join(place.path, 'a.hl7')
  const pid = 'PID|1||P7^^^HOSP^MR||Muster^Max||19700102|M'
  writeFileSync(file, message('ADT^A01', [pid]))
  assert.equal((await diptych('import', file)).status, 0)
  const [listed] = (await diptych('messages', 'list', '--json')).lines as { id: string }[]
  assert.match((await diptych('messages', 'show', listed?.id ?? '')).stdout, /decisions.*P7 \(HOSP\) registered by/)
  assert.equal((await diptych('patient', 'fix-name', 'P7', 'Muster^Maria', '--reason', 'typed wrong')).status, 0)
  assert.match((await diptych('patient', 'history', 'P7')).stdout, /PatientName of P7 \(HOSP\) corrected by local/)
  const unnamed = await diptych('patient', 'show', 'P7')
  assert.match(unnamed.stdout, /^says so +the hospital \(ADT\)$/m)
})

test('a token without a name, or for a number of several issuers, says what that means', async () => {
  assert.match((await diptych('token', 'create', '--role', 'reader')).stderr, /--name says what it is for/)
  const file = join(place.path, 'b.hl7')
  writeFileSync(file, message('ADT^A01', ['PID|1||P7^^^OTHER^MR||Anders^Anna||19800102|F']))
  assert.equal((await diptych('import', file)).status, 0)
  const told = await diptych('token', 'create', '--role', 'reader', '--name', 'x', '--patient', 'P7')
  assert.match(told.stderr, /P7 was given by 2 issuers: the token reaches all of them/)
  assert.equal(told.stdout.trim().split('\n').length, 1)
})

test('export of a study that is not there leaves no folder behind', async () => {
  const out = join(place.path, 'empty')
  assert.equal((await diptych('export', '--study', '9.9.9', '--out', out)).status, 2)
  assert.ok(!existsSync(out))
})

test('a study that a person decided about says what was decided, not what was asked', async () => {
  const folder = disc('decided', 2)
  const [before] = (await diptych('import', folder, '--json')).lines.slice(-1) as {
    summary: { reconciliation: { studyInstanceUID: string }[] }
  }[]
  const study = before?.summary.reconciliation[0]?.studyInstanceUID ?? assert.fail('no study')
  const assigning = ['--patient', 'P7', '--issuer', 'HOSP', '--reason', 'name on the disc']
  assert.equal((await diptych('import-worklist', 'assign', study, ...assigning)).status, 0)
  const again = await diptych('import', folder)
  assert.match(again.stdout, /assigned: assigned to P7 of HOSP by local: name on the disc/)
})
