/** What the reference of the HTTP API says against what a server does: bodies that are shown are taken, answers have these members. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { type Archive, openArchive } from '../../src/app.ts'
import { type Served, serve } from '../../src/app-server.ts'
import { loadConfig } from '../../src/config.ts'
import type { OpenApi } from '../../tools/http-api-page.ts'
import { plainPdf } from '../fixtures/pdf.ts'
import { message } from '../live/mllp-client.ts'

const folder = mkdtempSync(join(tmpdir(), 'diptych-http-api-'))
let archive: Archive
let served: Served
let document: OpenApi

before(async () => {
  archive = await openArchive({ dataDirectory: folder, config: loadConfig({ given: { http: { port: 0 } } }) })
  served = await serve(archive, { open: true, log: { error: (...told) => assert.fail(JSON.stringify(told)) } })
  document = (await ask('GET', '/openapi.json')).body as unknown as OpenApi
})
after(async () => {
  await served.close(100)
  await archive.close()
  rmSync(folder, { recursive: true, force: true })
})

type Body = { readonly [member: string]: unknown } & { readonly items?: readonly Body[] }

async function ask(
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  payload?: object | Buffer,
  headers: { [name: string]: string } = {},
): Promise<{ status: number; body: Body }> {
  const url = `/api/v1${path}`
  const { statusCode, body } = await served.http.app.inject({ method, url, headers, ...(payload && { payload }) })
  return { status: statusCode, body: body.startsWith('{') ? (JSON.parse(body) as Body) : {} }
}

const operations = () =>
  Object.entries(document.paths)
    .filter(([path]) => path === '/api/v1' || path.startsWith('/api/v1/'))
    .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })))

/** Patterns of JSON Schema know character classes of Unicode; the reader of schemas used here does not. */
function withoutClasses(schema: unknown): Parameters<typeof z.fromJSONSchema>[0] {
  const text = JSON.stringify(schema, (key, value) => {
    return key === 'pattern' && String(value).includes('\\p{') ? undefined : (value as unknown)
  })
  return JSON.parse(text) as Parameters<typeof z.fromJSONSchema>[0]
}

// An example that the server would refuse costs whoever copies it an hour.
test('every body of JSON is described, and what is shown as an example has its form', () => {
  const wrong = operations().flatMap(({ path, method, operation }) => {
    const json = operation.requestBody?.content['application/json']
    if (json === undefined) return []
    if (json.example === undefined) return [`${method} ${path}: no example`]
    const result = z.fromJSONSchema(withoutClasses(json.schema)).safeParse(json.example)
    return result.success ? [] : [`${method} ${path}: ${result.error.message}`]
  })
  assert.deepEqual(wrong, [])
})

test('every operation says in a sentence what it does', () => {
  const silent = operations().filter(({ operation: { summary } }) => !summary.endsWith('.'))
  assert.deepEqual(
    silent.map(({ path, method }) => `${method} ${path}`),
    [],
  )
})

test('the index lists what the caller may do', async () => {
  const everything = await ask('GET', '')
  assert.equal(everything.status, 200)
  assert.equal(everything.body['openapi'], '/api/v1/openapi.json')
  assert.equal(everything.body.items?.length, operations().length)
  const { token } = await archive.tokens.create({ role: 'sender' }, 'test', null)
  const { body } = await ask('GET', '', undefined, { authorization: `Bearer ${token}` })
  const paths = body.items?.map(({ method, path }) => `${method} ${path}`) ?? []
  assert.ok(paths.includes('POST /api/v1/uploads'))
  assert.ok(!paths.includes('GET /api/v1/patients'))
})

/** Brings a file in by the resumable upload. @returns its id */
async function uploaded(name: string, bytes: Buffer): Promise<string> {
  const { id } = (await ask('POST', '/uploads', { name, size: bytes.length })).body
  const headers = { 'upload-offset': '0', 'content-type': 'application/octet-stream' }
  assert.equal((await ask('PATCH', `/uploads/${id}`, bytes, headers)).status, 204)
  assert.equal((await ask('POST', `/uploads/${id}/finish`)).status, 202)
  while ((await ask('GET', `/uploads/${id}/result`)).status !== 200) await new Promise((r) => setTimeout(r, 20))
  return String(id)
}

// A page that asks for the time line of somebody who was only registered is no error.
test('somebody of whom nothing is kept has an empty time line; nobody has none', async () => {
  const pid = 'PID|1||P200^^^HOSP^MR||Leer^Lena||19700102|F'
  await uploaded('adt.hl7', Buffer.from(message('ADT^A01', [pid])))
  const [patient] = (await ask('GET', '/patients?identifier=P200')).body.items ?? []
  const line = await ask('GET', `/patients/${patient?.['id']}/timeline`)
  assert.deepEqual(line, { status: 200, body: { items: [], total: 0, next: null } })
  assert.equal((await ask('GET', '/patients/nobody/timeline')).status, 404)
})

/** Something of everything: images, one of them held, messages with a patient and an order, a document, registers. */
async function fill(): Promise<{ readonly [parameter: string]: string }> {
  const made = async (path: string, payload: object | Buffer, headers = {}) => {
    const answer = await ask('POST', path, payload, headers)
    assert.ok(answer.status < 300, `${path}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  await made('/demo', {})
  const pid = 'PID|1||P100^^^HOSP^MR||Muster^Max||19700102|M'
  const obr = 'OBR|1|P1|F1|CTH^CT Head^L||||||||||||||A1|RP1|S1||||CT|||1^^^20260301101500^^R'
  const messages = [message('ADT^A01', [pid]), message('ORM^O01', [pid, 'ORC|NW|P1|F1||SC|', obr])]
  const hl7 = Buffer.from(messages.join('\r'))
  const upload = await uploaded('messages.hl7', hl7)
  const pdf = Buffer.from(plainPdf(['words of a report']))
  await made('/documents?patient=P100&issuer=HOSP&title=Befund', pdf, { 'content-type': 'application/pdf' })
  await made('/originators', { name: 'CT 1' })
  await made('/peers', { aeTitle: 'CT1', host: '10.0.0.5', port: 104 })
  await made('/tokens', { role: 'reader' })
  await made('/accounts', { name: 'ada', role: 'reader', password: 'correct horse battery staple' })
  await made('/settings', { 'site.name': 'St. Elsewhere' })
  const first = async (path: string) => (await ask('GET', path)).body.items?.[0] ?? assert.fail(`${path} is empty`)
  const [held, patient, timed] = [await first('/quarantine'), await first('/patients'), await first('/messages')]
  const line = await first(`/patients/${patient['id']}/timeline`)
  const dicom = await served.http.app.inject({ url: '/dicom-web/instances?limit=1' })
  const [instance] = dicom.json() as { '00080018': { Value: [string] } }[]
  const study = String(line['studyInstanceUID'])
  const item = await made(`/studies/${study}/assign`, { patient: { issuer: 'HOSP', id: 'P100' }, reason: 'he is it' })
  while ((await archive.jobs.openJobs()) > 0) await new Promise((r) => setTimeout(r, 50))
  return {
    ...{ quarantine: String(held['id']), patients: String(patient['id']), messages: String(timed['id']) },
    ...{ objects: String(instance?.['00080018'].Value[0]), studies: study, 'import-worklist': String(item['id']) },
    ...{ documents: String((await first('/documents'))['id']), uploads: upload },
    ...{ settings: 'site.name', originators: 'CT 1', peers: 'CT1' },
  }
}

/** Members of an answer against those that are told. */
function differences(at: string, told: Told, given: unknown): string[] {
  if (told.properties === undefined || typeof given !== 'object' || given === null) return []
  const names = Object.keys(given)
  const untold = names.filter((name) => !Object.hasOwn(told.properties ?? {}, name)).map((name) => `${at}.${name}`)
  const missing = (told.required ?? []).filter((name) => !names.includes(name)).map((name) => `${at}.${name} missing`)
  const items = told.properties['items']?.items
  const [first] = 'items' in given && Array.isArray(given.items) ? given.items : []
  return [...untold, ...missing, ...(items === undefined ? [] : differences(`${at}.items[0]`, items, first))]
}

interface Told {
  readonly properties?: { readonly [name: string]: Told }
  readonly required?: readonly string[]
  readonly items?: Told
}

test('answers have the members that are told, and no others', { timeout: 60_000 }, async () => {
  const names = await fill()
  const wrong: string[] = []
  let looked = 0
  for (const { path, method, operation } of operations()) {
    const told = operation.responses['200']?.content?.['application/json']?.schema
    if (method !== 'get' || told === undefined) continue
    const [group = ''] = operation.tags
    if (path.includes('{') && names[group] === undefined) continue
    const filled = path.replace('/api/v1', '').replace(/\{[^}]+\}/, () => encodeURIComponent(names[group] ?? ''))
    const { status, body } = await ask('GET', path.endsWith('text-search') ? `${filled}?q=words` : filled)
    if (status !== 200) wrong.push(`${path}: ${status}`)
    else wrong.push(...differences(path, told, body))
    looked += 1
  }
  assert.deepEqual(wrong, [])
  assert.ok(looked > 30, `${looked} answers were looked at`)
})
