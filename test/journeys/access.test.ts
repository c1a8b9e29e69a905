import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Route } from '#model/route.ts'
import { type Archive, openArchive } from '../../src/app.ts'
import { type Served, serve } from '../../src/app-server.ts'
import { loadConfig } from '../../src/config.ts'
import { requestEveryRoute } from '../support/access-requests.ts'
import { bearer } from '../support/http-fixture.ts'

// The whole server as it is put together, with every door: a route that was added without a right shows up here.
const folder = mkdtempSync(join(tmpdir(), 'diptych-access-'))
let archive: Archive
let served: Served

before(async () => {
  const config = loadConfig({ given: { http: { port: 0 } } })
  archive = await openArchive({ dataDirectory: folder, config })
  served = await serve(archive, { open: false, log: { error: () => undefined } })
})

after(async () => {
  await served.close(100)
  await archive.close()
  rmSync(folder, { recursive: true, force: true })
})

async function routesServed(): Promise<Pick<Route, 'method' | 'url' | 'needs'>[]> {
  const { paths } = (await served.http.app.inject({ url: '/api/v1/openapi.json' })).json() as {
    paths: { [path: string]: { [method: string]: { 'x-diptych-needs': Route['needs'] } } }
  }
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      method: method.toUpperCase() as Route['method'],
      url: path.replace('{path}', '*').replace(/\{([A-Za-z0-9_]+)\}/g, ':$1'),
      needs: operation['x-diptych-needs'],
    })),
  )
}

test('every route of every door answers each kind of caller as the matrix says', { timeout: 120_000 }, async () => {
  const { token } = await archive.tokens.create({ role: 'administrator', expires: '1s' }, 'test', null)
  await sleep(1100)
  const routes = (await routesServed()).filter(({ method }) => method !== 'OPTIONS')
  assert.ok(
    routes.some(({ url }) => url.startsWith('/dicom-web/')),
    'DICOMweb is among them',
  )
  await requestEveryRoute(served.http.app, routes, archive.tokens, token)
})

test('what needs nothing is pages, their assets, sign-in, set-up, health and the OpenAPI document', async () => {
  const open = (await routesServed()).filter(({ needs }) => needs === 'public').map(({ url }) => url)
  const expected =
    /^\/($|[a-z-]+$|[a-z-]+\.[a-z]+$|page\/[a-z-]+\.[a-z]+$|capture\/:secret$|health\/|fhir\/\.well-known\/smart-configuration$|api\/v1\/(session|setup|openapi\.json)$)/
  assert.deepEqual(
    open.filter((url) => !expected.test(url)),
    [],
  )
})

// UID knowledge is never a right. The demonstration patient is there; the token is for somebody else.
test('what may not be seen answers exactly like what is not there, whatever the door', {
  timeout: 120_000,
}, async () => {
  const { app } = served.http
  const admin = bearer((await archive.tokens.create({ role: 'administrator' }, 'test', null)).token)
  const reader = bearer(
    (await archive.tokens.create({ role: 'reader', patients: [{ id: 'nobody', issuer: null }] }, 'test', null)).token,
  )
  const loaded = await app.inject({ method: 'POST', url: '/api/v1/demo', headers: admin })
  assert.ok(loaded.statusCode < 300, loaded.body)
  const sender = bearer((await archive.tokens.create({ role: 'sender' }, 'test', null)).token)
  assert.equal((await app.inject({ method: 'POST', url: '/api/v1/demo', headers: sender })).statusCode, 403)
  const instances = await app.inject({
    url: '/dicom-web/instances?limit=1',
    headers: { ...admin, accept: 'application/dicom+json' },
  })
  const [instance] = instances.json() as { [tag: string]: { Value: [string] } }[]
  const uid = (tag: string) => instance?.[tag]?.Value[0] ?? assert.fail(`no ${tag}`)
  const [study, series, sop] = [uid('0020000D'), uid('0020000E'), uid('00080018')]
  const [patient] = (await app.inject({ url: '/api/v1/patients', headers: admin })).json().items as { id: string }[]
  assert.ok(patient)

  const there = [
    `/dicom-web/studies/${study}`,
    `/dicom-web/studies/${study}/metadata`,
    `/dicom-web/studies/${study}/series/${series}`,
    `/dicom-web/studies/${study}/series/${series}/metadata`,
    `/dicom-web/studies/${study}/series/${series}/instances/${sop}`,
    `/dicom-web/studies/${study}/series/${series}/instances/${sop}/metadata`,
    `/dicom-web/studies/${study}/series/${series}/instances/${sop}/frames/1`,
    `/api/v1/objects/${sop}/provenance`,
    `/api/v1/objects/${sop}/placement`,
    `/api/v1/patients/${patient.id}/timeline`,
  ]
  for (const url of there) {
    const ask = async (path: string) => {
      const { statusCode, headers, body } = await app.inject({ url: path, headers: reader })
      return { statusCode, headers: { ...headers, date: null }, body }
    }
    // Same length, last digit or letter changed: an identifier that nobody has.
    const missing: string = url
      .replace(study, `${study.slice(0, -1)}${study.endsWith('9') ? 8 : 9}`)
      .replace(sop, '1.2.3')
      .replace(patient.id, 'x')
    assert.equal((await app.inject({ url, headers: admin })).statusCode < 300, true, url)
    const denied = await ask(url)
    assert.equal(denied.statusCode, 404, url)
    assert.deepEqual(denied, await ask(missing), url)
  }
  for (const list of ['studies', 'series', 'instances', `studies/${study}/series`, `studies/${study}/instances`]) {
    const { statusCode, body } = await app.inject({ url: `/dicom-web/${list}`, headers: reader })
    assert.deepEqual([statusCode, body], [204, ''], list)
  }
  assert.deepEqual((await app.inject({ url: '/api/v1/patients', headers: reader })).json(), {
    items: [],
    total: null,
    next: null,
  })
})
