import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { EVERYTHING } from '#model/visibility.ts'
import { exportFolder } from '#operations/export.ts'
import { memorySource } from '#standards/byte-source.ts'
import { readDataSet, sequence, string } from '#standards/dicom/data-set.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { type Archive, openArchive } from '../../src/app.ts'
import { type Served, serve } from '../../src/app-server.ts'
import { loadConfig } from '../../src/config.ts'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctSeries, STUDY } from '../fixtures/objects.ts'
import { bearer } from '../support/http-fixture.ts'
import { judge } from '../support/screening-fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'diptych-overlay-'))
let archive: Archive
let served: Served
let admin: Record<string, string>
const FELIX = STUDY
const LENA = {
  ...STUDY,
  name: 'lena',
  patientName: 'Local^Lena',
  patientId: 'LOCAL-7',
  issuer: 'HOSPITAL',
  birthDate: '19800202',
  sex: 'F',
  accessionNumber: 'A-2',
} as const

before(async () => {
  const config = loadConfig({ given: { http: { port: 0 } } })
  archive = await openArchive({ dataDirectory: join(folder, 'data'), config })
  served = await serve(archive, { open: false, log: { error: () => undefined } })
  admin = bearer((await archive.tokens.create({ role: 'administrator' }, 'test', null)).token)
  for (const study of [FELIX, LENA]) {
    await store(ctSeries(3, 16, study).map((elements) => part10({ elements })))
  }
})

after(async () => {
  await served.close(100)
  await archive.close()
  rmSync(folder, { recursive: true, force: true })
})

async function store(files: readonly Uint8Array[]): Promise<void> {
  const parts = files.flatMap((file) => [Buffer.from('\r\n--part\r\nContent-Type: application/dicom\r\n\r\n'), file])
  const { statusCode, body } = await served.http.app.inject({
    method: 'POST',
    url: '/dicom-web/studies',
    headers: { ...admin, 'content-type': 'multipart/related; type="application/dicom"; boundary=part' },
    payload: Buffer.concat([...parts, Buffer.from('\r\n--part--\r\n')]),
  })
  assert.equal(statusCode, 200, body)
}

async function get(url: string, headers: Record<string, string> = {}) {
  const answer = await served.http.app.inject({ url, headers: { ...admin, ...headers } })
  assert.ok(answer.statusCode < 300, `${url}: ${answer.statusCode} ${answer.body.slice(0, 300)}`)
  return answer
}

async function post(url: string, payload: object, expected = 200) {
  const answer = await served.http.app.inject({ method: 'POST', url: `/api/v1${url}`, headers: admin, payload })
  assert.equal(answer.statusCode, expected, `${url}: ${answer.body}`)
  return answer.json()
}

const JSON_TYPE = { accept: 'application/dicom+json' }

async function find(query: string): Promise<{ [tag: string]: { Value?: unknown[] } }[]> {
  const { statusCode, body } = await get(`/dicom-web/studies?${query}`, JSON_TYPE)
  return statusCode === 204 ? [] : JSON.parse(body)
}

/** Waits until job render-metadata has nothing to do. */
async function rendered(): Promise<void> {
  const deadline = Date.now() + 20_000
  const jobs = async () => archive.jobs.list({ kind: 'render-metadata', limit: 100 }).items
  while ((await jobs()).some(({ state }) => state !== 'done')) {
    assert.ok(Date.now() < deadline, 'metadata are rendered')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  assert.ok((await jobs()).length > 0, 'there was something to render')
}

interface Where {
  readonly study: string
  readonly series: string
  readonly instance: string
}

async function whereIs(query: string): Promise<Where> {
  const { body } = await get(`/dicom-web/instances?${query}&limit=1`, JSON_TYPE)
  const [row] = JSON.parse(body) as { [tag: string]: { Value: string[] } }[]
  const uid = (tag: string) => row?.[tag]?.Value[0] ?? assert.fail(`no ${tag}`)
  return { study: uid('0020000D'), series: uid('0020000E'), instance: uid('00080018') }
}

const path = ({ study, series, instance }: Where) =>
  `/dicom-web/studies/${study}/series/${series}/instances/${instance}`

/** Everything a client can see of the study, by door. */
async function seen(at: Where) {
  const study = `/dicom-web/studies/${at.study}`
  const [identity, gzip, xml, single, multipart, qido] = [
    await get(`${study}/metadata`, JSON_TYPE),
    await get(`${study}/metadata`, { ...JSON_TYPE, 'accept-encoding': 'gzip' }),
    await get(`${study}/metadata`, { accept: 'multipart/related; type="application/dicom+xml"' }),
    await get(path(at), { accept: 'application/dicom; transfer-syntax=*' }),
    await get(study, { accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' }),
    await get(`/dicom-web/studies?StudyInstanceUID=${at.study}&includefield=all`, JSON_TYPE),
  ]
  assert.equal(gunzipSync(gzip.rawPayload).toString(), identity.body, 'gzip and identity are the same text')
  const boundary = /boundary="?([^";]+)/.exec(String(multipart.headers['content-type']))?.[1] ?? ''
  const xmlBoundary = /boundary="?([^";]+)/.exec(String(xml.headers['content-type']))?.[1] ?? ''
  return {
    metadata: identity.body,
    xml: xml.body.replaceAll(xmlBoundary, ''),
    bytes: single.rawPayload,
    etag: single.headers['etag'],
    metadataEtag: identity.headers['etag'],
    ranges: single.headers['accept-ranges'],
    length: Number(single.headers['content-length']),
    multipart: multipart.rawPayload.toString('latin1').replaceAll(boundary, ''),
    qido: qido.body,
  }
}

function open(bytes: Uint8Array) {
  const opened = openPart10(memorySource(bytes))
  return readDataSet(opened.dataSet, opened.encoding)
}

test('a merge, a name fix and a correction are seen at every door with their record, and can be taken back', async () => {
  const at = await whereIs(`PatientID=${FELIX.patientId}`)
  const [felix] = (await get(`/api/v1/patients?identifier=${FELIX.patientId}`)).json().items
  const [lena] = (await get(`/api/v1/patients?identifier=${LENA.patientId}`)).json().items
  const arrived = await seen(at)
  assert.equal(arrived.ranges, 'bytes')

  // No reason, no decision.
  await post(`/patients/${felix.id}/merge`, { into: { patientId: lena.id } }, 400)
  await post(`/patients/${felix.id}/merge`, { into: { patientId: felix.id }, reason: 'x' }, 409)
  const merged = await post(`/patients/${felix.id}/merge`, {
    into: { issuer: lena.issuer, id: lena.identifier },
    reason: 'the same person',
  })
  assert.equal(merged.survivor.id, LENA.patientId)

  const afterMerge = await seen(at)
  assert.notEqual(afterMerge.etag, arrived.etag)
  assert.notEqual(afterMerge.metadataEtag, arrived.metadataEtag)
  assert.equal(afterMerge.ranges, 'none')
  assert.equal(afterMerge.length, afterMerge.bytes.byteLength)
  const dataSet = open(afterMerge.bytes)
  assert.equal(string(dataSet, 0x00100020), LENA.patientId)
  assert.equal(string(dataSet, 0x00100010), LENA.patientName)
  const [record] = sequence(dataSet, 0x04000561)
  const [previous] = sequence(record!, 0x04000550)
  assert.equal(string(previous!, 0x00100020), FELIX.patientId)
  assert.equal(string(previous!, 0x00100010), FELIX.patientName)
  assert.equal(string(record!, 0x04000565), 'COERCE')
  assert.equal(judge(afterMerge.bytes).verdict, 'accept')
  for (const one of JSON.parse(afterMerge.metadata)) assert.equal(one['00100020'].Value[0], LENA.patientId)
  assert.ok(afterMerge.xml.includes(LENA.patientId))
  assert.equal((await find(`PatientID=${LENA.patientId}`)).length, 2)
  const [old] = await find(`PatientID=${FELIX.patientId}`)
  assert.equal(old?.['00100020']?.Value?.[0], LENA.patientId, 'an old number finds the study, which shows the new one')
  const bulk = await get(`${path(at)}/bulkdata/00100020`, { accept: 'application/octet-stream' })
  assert.equal(bulk.body.trim(), LENA.patientId)

  // The job that keeps rendered metadata changes what answers cost, not what they say.
  await rendered()
  assert.deepEqual(await seen(at), afterMerge)

  const named = await post(`/patients/${lena.id}/name`, { name: 'Local^Léna', reason: 'as she writes it' })
  assert.ok(named.entries.length >= 2)
  const corrected = await post(`/objects/${at.instance}/correct`, {
    changes: [{ path: '00081030', values: ['Corrected description'] }],
    reason: 'wrong protocol',
  })
  const afterAll = await seen(at)
  const fixed = open(afterAll.bytes)
  assert.equal(string(fixed, 0x00100010), 'Local^Léna')
  assert.equal(string(fixed, 0x00081030), 'Corrected description')
  const [own, ...rest] = JSON.parse(afterAll.metadata).map(
    (one: { [tag: string]: { Value: unknown[] } }) => one['00081030']?.Value[0],
  )
  assert.deepEqual(
    [own, ...rest].sort(),
    ['Corrected description', FELIX.description, FELIX.description].sort(),
    'the correction is of one object',
  )
  await post(
    `/objects/${at.instance}/correct`,
    { changes: [{ path: '0020000D', values: ['1.2.3'] }], reason: 'never' },
    400,
  )

  const provenance = (await get(`/api/v1/objects/${at.instance}/provenance`)).json()
  const change = (tag: string) => provenance.changes.find((one: { tag: string }) => one.tag === tag)
  assert.equal(change('00100020').before, FELIX.patientId)
  assert.equal(change('00100020').after, LENA.patientId)
  assert.equal(change('00081030').before, FELIX.description)

  const out = join(folder, 'out')
  await exportFolder({ reader: archive.reader, segments: archive.segments, visibility: EVERYTHING }, out, {
    studies: [at.study],
  })
  const files = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  assert.equal(files.length, 3)
  for (const file of files) {
    const exported = readFileSync(join(file.parentPath, file.name))
    assert.equal(string(open(exported), 0x00100020), LENA.patientId)
    assert.equal(judge(exported).verdict, 'accept')
  }

  // Bit for bit as it arrived, whatever was decided since.
  const original = await get(`/api/v1/objects/${at.instance}/original`)
  assert.equal(string(open(original.rawPayload), 0x00100010), FELIX.patientName)

  // Taken back in another order than it was done.
  await post(`/patients/${felix.id}/unmerge`, { reason: 'another person after all' })
  await post(`/patients/${felix.id}/unmerge`, { reason: 'again' }, 409)
  const [nameEntry] = named.entries.filter((entry: { decision: { do: string } }) => entry.decision.do === 'overlay')
  await post(`/ledger/${nameEntry.id}/undo`, { reason: 'a mistake' })
  await post(`/ledger/${corrected.items[0].id}/undo`, { reason: 'a mistake' })
  await post(`/ledger/${corrected.items[0].id}/undo`, { reason: 'a mistake' }, 409)
  assert.deepEqual(await seen(at), arrived, 'as if nothing had been decided')
  const history = (await get(`/api/v1/objects/${at.instance}/provenance`)).json().changes
  assert.ok(history.some((one: { tag: string; undone: boolean }) => one.tag === '00081030' && one.undone))
})

// One instance is before or after a decision, never half of each.
test('reads during merges and their undoing never mix', async () => {
  const at = await whereIs(`PatientID=${FELIX.patientId}`)
  const [felix] = (await get(`/api/v1/patients?identifier=${FELIX.patientId}`)).json().items
  const [lena] = (await get(`/api/v1/patients?identifier=${LENA.patientId}`)).json().items
  const before = `${FELIX.patientId} ${FELIX.patientName} ${FELIX.birthDate}`
  const later = `${LENA.patientId} ${LENA.patientName} ${LENA.birthDate}`
  const met = new Set<string>()
  let deciding = true
  const readers = [0, 1].map(async () => {
    while (deciding) {
      const bytes = (await get(path(at), { accept: 'application/dicom; transfer-syntax=*' })).rawPayload
      const dataSet = open(bytes)
      met.add([0x00100020, 0x00100010, 0x00100030].map((tag) => string(dataSet, tag)).join(' '))
      for (const one of JSON.parse((await get(`/dicom-web/studies/${at.study}/metadata`, JSON_TYPE)).body)) {
        const name = one['00100010'].Value[0].Alphabetic
        met.add(`${one['00100020'].Value[0]} ${name} ${one['00100030'].Value[0]}`)
      }
    }
  })
  for (let i = 0; i < 10; i++) {
    await post(`/patients/${felix.id}/merge`, { into: { patientId: lena.id }, reason: 'to and fro' })
    await post(`/patients/${felix.id}/unmerge`, { reason: 'fro' })
  }
  deciding = false
  await Promise.all(readers)
  assert.deepEqual(
    [...met].filter((one) => one !== before && one !== later),
    [],
  )
})

test('who may read may not decide, and who is limited to a patient sees nothing of the ledger', async () => {
  const [felix] = (await get(`/api/v1/patients?identifier=${FELIX.patientId}`)).json().items
  const ask = async (given: Parameters<Archive['tokens']['create']>[0], method: 'GET' | 'POST', url: string) => {
    const { token } = await archive.tokens.create(given, 'test', null)
    return (
      await served.http.app.inject({
        method,
        url: `/api/v1${url}`,
        headers: bearer(token),
        ...(method === 'POST' ? { payload: {} } : {}),
      })
    ).statusCode
  }
  assert.equal(await ask({ role: 'technologist' }, 'GET', `/patients/${felix.id}`), 200)
  assert.equal(await ask({ role: 'technologist' }, 'POST', `/patients/${felix.id}/merge`), 403)
  assert.equal(await ask({ role: 'reader' }, 'GET', `/patients/${felix.id}`), 403)
  const limited = { role: 'administrator', patients: [{ id: FELIX.patientId, issuer: null }] } as const
  assert.equal(await ask(limited, 'GET', `/patients/${felix.id}`), 403)
  assert.equal(await ask(limited, 'GET', '/ledger'), 403)
  assert.equal(await ask(limited, 'POST', `/patients/${felix.id}/name`), 403)
})
