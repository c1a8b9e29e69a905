/** A file of another patient in a study: released, it is served with the study's patient at every door, and undone. */
import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctSeries, STUDY } from '../fixtures/objects.ts'
import { runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { request, stow } from '../live/stow-client.ts'

type Element = { readonly Value?: readonly unknown[] }
type Attributes = { readonly [tag: string]: Element | undefined }

const value = (attributes: Attributes, tag: string) => attributes[tag]?.Value?.[0]

test('a released file of another patient says what its study says, with the record of what it said', {
  timeout: 60_000,
}, async (context) => {
  const directory = temporaryDirectory('join')
  const agent = new http.Agent({ keepAlive: true })
  const server = await startServer({ dataDirectory: directory.path })
  context.after(async () => {
    agent.destroy()
    await server.stop()
    directory.remove()
  })
  const get = async <T>(path: string): Promise<T> => {
    const { status, body } = await request(agent, `${server.url}${path}`, {
      headers: { accept: 'application/dicom+json, application/json' },
    })
    return (status === 204 ? [] : JSON.parse(body.toString())) as T
  }
  const post = async (path: string, body: object) => {
    const answer = await request(agent, `${server.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: [Buffer.from(JSON.stringify(body))],
    })
    return { status: answer.status, json: JSON.parse(answer.body.toString()) as { [key: string]: unknown } }
  }
  const options = { ...STUDY, name: 'RIGHT^ONE', patientId: 'P200' }
  const [first, other] = ctSeries(2, 16, options).map((elements) => part10({ elements }))
  const wrong = Buffer.from(other ?? [])
    .toString('latin1')
    .replaceAll('P200', 'P201')
    .replaceAll('RIGHT^', 'WRONG^')
  const second = Buffer.from(wrong, 'latin1')
  assert.ok(first !== undefined)
  assert.equal((await stow(agent, `${server.url}/dicom-web`, [first])).status, 200)
  assert.equal((await stow(agent, `${server.url}/dicom-web`, [second])).status, 409)

  const held = await get<{ items: { id: string; joins?: { studyInstanceUid: string; patient: { id: string } } }[] }>(
    '/api/v1/quarantine?state=held',
  )
  const [item] = held.items
  assert.equal(item?.joins?.patient.id, 'P200', 'the item says what a release does')
  const shown = await runCommand(['quarantine', 'show', item?.id ?? '', '--data', directory.path])
  assert.match(shown.stdout ?? '', /when released +part of study .* P200/)

  const released = await post(`/api/v1/quarantine/${item?.id}/release`, { reason: 'mistyped at the console' })
  assert.equal(released.status, 200, JSON.stringify(released.json))
  const study = item?.joins?.studyInstanceUid ?? ''
  const metadata = () => get<Attributes[]>(`/dicom-web/studies/${study}/metadata`)
  const after = await metadata()
  assert.deepEqual(
    after.map((one) => value(one, '00100020')),
    ['P200', 'P200'],
  )
  assert.equal(new Set(after.map((one) => JSON.stringify(one['00100010']))).size, 1)
  const joined = after.find((one) => one['04000561'] !== undefined)
  const original = value(joined ?? {}, '04000561') as Attributes
  assert.equal(value(original, '04000565'), 'COERCE')
  assert.equal(value(value(original, '04000550') as Attributes, '00100020'), 'P201')
  assert.equal(
    (await get<Attributes[]>('/dicom-web/studies?PatientID=P201')).length,
    1,
    'its own number finds the study',
  )
  const provenance = await get<{ changes: { tag: string; before: unknown; rule: string }[] }>(
    `/api/v1/objects/${String(value(joined ?? {}, '00080018'))}/provenance`,
  )
  assert.ok(
    provenance.changes.some(({ rule }) => rule === 'quarantine.release'),
    JSON.stringify(provenance.changes),
  )

  // What holds for the study holds for all of it.
  const patients = await get<{ items: { id: string }[] }>('/api/v1/patients?identifier=P200')
  const patient = patients.items[0]?.id
  assert.equal((await post(`/api/v1/patients/${patient}/name`, { name: 'FIXED^NAME', reason: 'spelling' })).status, 200)
  assert.deepEqual(
    (await metadata()).map((one) => JSON.stringify(value(one, '00100010'))),
    Array(2).fill(JSON.stringify({ Alphabetic: 'FIXED^NAME' })),
  )

  const ledger = await get<{ items: { id: string; cause: { rule: string } }[] }>(`/api/v1/ledger?study=${study}`)
  const entry = ledger.items.find(({ cause }) => cause.rule === 'quarantine.release')
  assert.equal((await post(`/api/v1/ledger/${entry?.id}/undo`, { reason: 'it was another person' })).status, 200)
  assert.deepEqual(new Set((await metadata()).map((one) => value(one, '00100020'))), new Set(['P200', 'P201']))
})
