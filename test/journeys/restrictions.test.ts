/** Records that are withheld: nobody sees them who may not, on any door; the glass is broken loudly. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { AuditEntry } from '#security/ports.ts'
import { type Archive, openArchive } from '../../src/app.ts'
import { rebuildArchive } from '../../src/app-maintenance.ts'
import { type Served, serve } from '../../src/app-server.ts'
import { loadConfig } from '../../src/config.ts'
import { ctImage, STUDY } from '../fixtures/objects.ts'
import { plainPdf } from '../fixtures/pdf.ts'
import { temporaryDirectory } from '../live/server.ts'
import { bearer } from '../support/http-fixture.ts'
import { settled, storeDocument, storeInstance, uidOf } from '../support/placement-site.ts'

const place = temporaryDirectory('restrictions')
const dataDirectory = join(place.path, 'data')
const config = loadConfig({ environment: {}, given: { http: { port: 0 } } })
let archive: Archive
let served: Served
const tokens: { [role: string]: string } = {}

const SECRET = { ...STUDY, name: 'secret', patientId: 'SECRET-1', patientName: 'Secret^Sarah', accessionNumber: 'SEC' }
const OPEN = { ...STUDY, name: 'plain', patientId: 'OPEN-1', patientName: 'Open^Otto', accessionNumber: 'OPN' }
const PATIENT = { issuer: STUDY.issuer, id: SECRET.patientId }

before(async () => {
  archive = await openArchive({ dataDirectory, config })
  served = await serve(archive, { open: false, log: { error: () => undefined } })
  await storeInstance(archive, ctImage(SECRET))
  await storeInstance(archive, ctImage(OPEN))
  const owner = { by: 'identifier', ...PATIENT, issuerAssumed: false } as const
  await storeDocument(archive, plainPdf(['Confidential words']), { title: 'Secret letter', owner })
  await settled(archive)
  for (const role of ['administrator', 'archivist', 'clinician', 'reader', 'auditor'] as const) {
    tokens[role] = (await archive.tokens.create({ role, name: role }, 'test', null)).token
  }
})
after(async () => {
  await served.close(100)
  await archive.close()
  place.remove()
})

async function ask(role: string, url: string, body?: object) {
  const headers = bearer(tokens[role] ?? '')
  const answer =
    body === undefined
      ? await served.http.app.inject({ method: 'GET', url, headers })
      : await served.http.app.inject({ method: 'POST', url, headers, payload: body })
  return { status: answer.statusCode, text: answer.body }
}

const study = uidOf('secret')
/** Everything that could tell of the record, and what tells. */
const DOORS: readonly string[] = [
  '/dicom-web/studies?includefield=all',
  `/dicom-web/studies/${study}/series`,
  `/dicom-web/instances?StudyInstanceUID=${study}`,
  '/api/v1/patients?name=Secret',
  '/api/v1/documents',
  '/api/v1/documents?text=Confidential',
  '/fhir/Patient?family=Secret',
  '/fhir/ImagingStudy',
  '/fhir/DocumentReference',
]

/** Doors on which this role sees the record. */
async function seenBy(role: string): Promise<readonly string[]> {
  const seen: string[] = []
  for (const url of DOORS) {
    const { status, text } = await ask(role, url)
    assert.ok(status < 300 || status === 404, `${role} ${url}: ${status} ${text}`)
    // An answer repeats what was asked for: that tells nothing.
    if (/Sarah|SECRET-1|Secret letter/.test(text) || text.replaceAll(url, '').includes(study)) seen.push(url)
  }
  const direct = await ask(role, `/dicom-web/studies/${study}/metadata`)
  const missing = await ask(role, `/dicom-web/studies/${uidOf('nobody')}/metadata`)
  if (direct.status !== 404) seen.push('metadata')
  else
    assert.equal(
      direct.text.replaceAll(study, ''),
      missing.text.replaceAll(uidOf('nobody'), ''),
      'as if it were not there',
    )
  return seen
}

async function totalOf(role: string): Promise<number> {
  const { text, status } = await ask(role, '/dicom-web/studies')
  return status === 204 ? 0 : (JSON.parse(text) as unknown[]).length
}

const restrict = async (kind: string) => {
  const { status, text } = await ask('archivist', '/api/v1/restrictions', {
    patient: PATIENT,
    kind,
    reason: 'asked for it',
  })
  assert.equal(status, 201, text)
  return JSON.parse(text) as { id: string; patientId: string }
}
const end = async (id: string) => {
  assert.equal((await ask('archivist', `/api/v1/restrictions/${id}/end`, { reason: 'no longer' })).status, 200)
}
const audit = (kind: string): readonly AuditEntry[] => archive.security.entries({ kind, limit: 200 }).items

test('restricted: those who treat and those who keep order see it, others do not on any door, nor in counts', async () => {
  const everywhere = await seenBy('reader')
  assert.equal(everywhere.length, DOORS.length + 1, `the doors tell of it: ${everywhere.join()}`)
  assert.equal(await totalOf('reader'), 2)
  const { id } = await restrict('restricted')
  assert.deepEqual(await seenBy('reader'), [])
  assert.equal(await totalOf('reader'), 1)
  assert.equal((await seenBy('clinician')).length, everywhere.length)
  assert.equal((await seenBy('archivist')).length, everywhere.length)
  await end(id)
  assert.equal((await seenBy('reader')).length, everywhere.length)
})

test('no consent: nobody sees it but who breaks the glass, for a time, with a reason, told as an alert', async () => {
  const { id, patientId } = await restrict('consent-denied')
  for (const role of ['reader', 'clinician', 'archivist', 'administrator'])
    assert.deepEqual(await seenBy(role), [], role)
  const reason = 'unconscious in the emergency room'
  const body = { patient: PATIENT, reason }
  assert.equal((await ask('reader', '/api/v1/break-glass', body)).status, 403)
  assert.equal((await ask('clinician', '/api/v1/break-glass', { patient: PATIENT })).status, 400, 'a reason is needed')
  assert.equal((await ask('clinician', '/api/v1/break-glass', { ...body, minutes: 100_000 })).status, 400)
  const broken = await ask('clinician', '/api/v1/break-glass', { ...body, minutes: 10 })
  assert.equal(broken.status, 201, broken.text)
  const glass = JSON.parse(broken.text) as { id: string; until: string; time: string }
  assert.equal(Date.parse(glass.until) - Date.parse(glass.time), 600_000)
  assert.equal((await seenBy('clinician')).length, DOORS.length + 1)
  assert.deepEqual(await seenBy('archivist'), [], 'for nobody else')

  const alert = audit('alert').find(({ detail }) => detail?.includes(reason))
  assert.deepEqual(
    { purpose: alert?.purpose, patientId: alert?.patientId, outcome: alert?.outcome },
    { purpose: 'break-glass', patientId, outcome: 'success' },
  )
  assert.ok(
    audit('read').some(({ purpose, studyInstanceUID }) => purpose === 'break-glass' && studyInstanceUID === study),
  )
  const listed = JSON.parse((await ask('auditor', '/api/v1/break-glass?open=true')).text) as {
    items: { reason: string }[]
  }
  assert.deepEqual(
    listed.items.map((item) => item.reason),
    [reason],
  )
  assert.equal((await ask('clinician', '/api/v1/break-glass')).status, 403)

  assert.equal((await ask('reader', `/api/v1/break-glass/${glass.id}/end`, {})).status, 404)
  assert.equal((await ask('clinician', `/api/v1/break-glass/${glass.id}/end`, {})).status, 200)
  assert.deepEqual(await seenBy('clinician'), [])
  await end(id)
})

test('a restriction ends by itself; a merge takes it along', async () => {
  const past = new Date(Date.now() - 1000).toISOString()
  const body = { patient: PATIENT, kind: 'very-restricted', reason: 'over', until: past }
  assert.equal((await ask('archivist', '/api/v1/restrictions', body)).status, 201)
  assert.equal((await seenBy('reader')).length, DOORS.length + 1)
  const { id } = await restrict('very-restricted')
  await archive.identity.decide(
    [{ do: 'merge', from: PATIENT, into: { issuer: STUDY.issuer, id: OPEN.patientId }, how: 'merge' }],
    { by: 'ann', rule: 'desk', reference: null, reason: 'the same' },
    null,
  )
  await settled(archive)
  assert.deepEqual(await seenBy('reader'), [])
  assert.equal(await totalOf('reader'), 0, 'it is one patient now')
  await end(id)
  assert.equal(await totalOf('reader'), 2)
})

test('a watched record is withheld from nobody, and a look at it raises an alert', async () => {
  const { id } = await restrict('vip')
  const alerts = () => audit('alert').filter(({ detail }) => detail === 'a watched record was read').length
  const before = alerts()
  assert.equal((await ask('reader', `/dicom-web/studies/${study}/metadata`)).status, 200)
  assert.equal(alerts(), before + 1)
  assert.equal((await ask('reader', `/dicom-web/studies/${study}/metadata`)).status, 200)
  assert.equal(alerts(), before + 1, 'counted within the window, as reads are')
  await end(id)
})

// Last: closes the archive.
test('an index that is rebuilt withholds the same', async () => {
  await restrict('very-restricted')
  const before = archive.restrictions.restrictions({ all: true, limit: 100 })
  await served.close(100)
  await archive.close()
  const report = await rebuildArchive(dataDirectory, { acceptLoss: false })
  assert.equal(report.damaged, 0)
  archive = await openArchive({ dataDirectory, config })
  served = await serve(archive, { open: false, log: { error: () => undefined } })
  assert.deepEqual(archive.restrictions.restrictions({ all: true, limit: 100 }), before)
  assert.deepEqual(await seenBy('reader'), [])
})
