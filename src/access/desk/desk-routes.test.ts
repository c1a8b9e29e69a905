import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NewToken } from '#security/tokens.ts'
import { deskServices, INSTANCES } from '../../../test/support/desk-fixture.ts'
import { bearer, injectable } from '../../../test/support/http-fixture.ts'
import { PASSWORD, securityFixture } from '../../../test/support/security-fixture.ts'
import { deskRoutes } from './desk-routes.ts'

function desk() {
  const security = securityFixture()
  const app = injectable(deskRoutes(deskServices(security)), security)
  const tokenFor = async (given: NewToken) => (await security.tokens.create(given, 'test', null)).token
  const as = async (given: NewToken) => {
    const headers = bearer(await tokenFor(given))
    return {
      get: async (url: string) => app.inject({ url: `/api/v1${url}`, headers }),
      send: async (method: 'POST' | 'PATCH' | 'DELETE', url: string, body?: object) =>
        app.inject({ method, url: `/api/v1${url}`, headers, ...(body === undefined ? {} : { payload: body }) }),
    }
  }
  return { security, app, as }
}

test('set-up, sign-in, who am I, sign-out, as a browser does it', async () => {
  const { security, app } = desk()
  const token = (await security.accounts.beginSetup()) ?? ''
  const before = await app.inject({ url: '/api/v1/session' })
  assert.deepEqual(before.json(), {
    signedIn: false,
    subject: null,
    account: null,
    csrf: null,
    permissions: [],
    setupNeeded: true,
    site: 'Diptych',
  })

  const post = async (url: string, payload: object, headers: Record<string, string> = {}) =>
    app.inject({ method: 'POST', url: `/api/v1${url}`, payload, headers })
  assert.equal((await post('/setup', { token: 'wrong', name: 'ada', password: PASSWORD })).statusCode, 403)
  assert.equal((await post('/setup', { token, name: 'ada', password: 'short' })).statusCode, 400)
  const made = await post('/setup', { token, name: 'ada', password: PASSWORD })
  assert.equal(made.statusCode, 201)
  assert.equal((await post('/setup', { token, name: 'eve', password: PASSWORD })).statusCode, 403)
  assert.equal((await app.inject({ url: '/api/v1/setup' })).json().needed, false)

  assert.equal((await post('/session', { name: 'ada', password: 'wrong password' })).statusCode, 401)
  const signedIn = await post('/session', { name: 'Ada', password: PASSWORD })
  assert.equal(signedIn.statusCode, 200)
  const setCookie = String(signedIn.headers['set-cookie'])
  assert.match(setCookie, /^diptych_session=[A-Za-z0-9_-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Lax$/)
  const cookie = setCookie.split(';')[0] ?? ''
  const me = (await app.inject({ url: '/api/v1/session', headers: { cookie } })).json()
  assert.equal(me.account.name, 'ada')
  assert.equal(me.csrf, signedIn.json().csrf)
  assert.ok(me.permissions.includes('account.write'))

  const out = async (headers: Record<string, string>) =>
    app.inject({ method: 'DELETE', url: '/api/v1/session', headers: { cookie, ...headers } })
  assert.equal((await out({})).statusCode, 403, 'no CSRF token')
  const left = await out({ 'x-csrf-token': me.csrf })
  assert.equal(left.statusCode, 204)
  assert.match(String(left.headers['set-cookie']), /^diptych_session=; Path=\/; Max-Age=0;/)
  assert.equal((await app.inject({ url: '/api/v1/accounts', headers: { cookie } })).statusCode, 401)
})

test('over HTTPS the cookie is bound to host and scheme', async () => {
  const security = securityFixture()
  const app = injectable(deskRoutes(deskServices(security)), security, {
    http: { publicBaseUrl: 'https://pacs.example' },
  })
  const token = (await security.accounts.beginSetup()) ?? ''
  const made = await app.inject({
    method: 'POST',
    url: '/api/v1/setup',
    payload: { token, name: 'ada', password: PASSWORD },
  })
  assert.match(String(made.headers['set-cookie']), /^__Host-diptych_session=.*; HttpOnly; SameSite=Lax; Secure$/)
  assert.equal(made.headers['strict-transport-security'], 'max-age=31536000')
})

test('the own password changes with the current one, and other sessions end', async () => {
  const { security, app } = desk()
  const token = (await security.accounts.beginSetup()) ?? ''
  const first = await security.accounts.completeSetup({ token, name: 'ada', password: PASSWORD }, null)
  const change = async (current: string) =>
    app.inject({
      method: 'POST',
      url: '/api/v1/session/password',
      headers: { cookie: `diptych_session=${first.cookie}`, 'x-csrf-token': first.csrf },
      payload: { current, password: 'another long password' },
    })
  assert.equal((await change('not this one')).statusCode, 403)
  assert.equal((await change(PASSWORD)).statusCode, 200)
  assert.equal(security.accounts.session(first.cookie), undefined)
})

test('accounts and tokens: made, changed, revoked; secrets shown once', async () => {
  const { as, app } = desk()
  const admin = await as({ role: 'administrator' })
  assert.equal(
    (await admin.send('POST', '/accounts', { name: 'bob', role: 'reader', password: PASSWORD })).statusCode,
    201,
  )
  assert.equal(
    (await admin.send('POST', '/accounts', { name: 'BOB', role: 'reader', password: PASSWORD })).statusCode,
    409,
  )
  const bad = await admin.send('POST', '/accounts', { name: 'eve', role: 'root', password: PASSWORD })
  assert.equal(bad.statusCode, 400)
  assert.match(bad.json().detail, /^role:/)
  assert.equal((await admin.send('PATCH', '/accounts/bob', { role: 'clinician' })).json().role, 'clinician')
  assert.equal((await admin.send('PATCH', '/accounts/nobody', { role: 'clinician' })).statusCode, 404)

  const made = await admin.send('POST', '/tokens', { role: 'reader', expires: '1h', patients: [{ id: 'p1' }] })
  assert.equal(made.statusCode, 201)
  const { id, token } = made.json()
  const patients = async () => app.inject({ url: '/api/v1/patients', headers: bearer(token) })
  assert.deepEqual(
    (await patients()).json().items.map((row: { identifier: string }) => row.identifier),
    ['p1'],
  )
  assert.ok(!(await admin.get('/tokens')).body.includes(token))
  assert.equal((await admin.send('DELETE', `/tokens/${id}`)).json().state, 'revoked')
  assert.equal((await patients()).statusCode, 401)
})

// UID knowledge is never a right: by every identifier the same 404, byte for byte.
test('another patient is not there, by any identifier', async () => {
  const { as } = desk()
  const owner = await as({ role: 'reader', patients: [{ id: 'p1', issuer: null }] })
  const [own, other] = INSTANCES
  assert.ok(own && other)
  for (const kind of ['provenance', 'placement']) {
    assert.equal((await owner.get(`/objects/${own.objectId}/${kind}`)).statusCode, 200)
    const missing = await owner.get(`/objects/no-such/${kind}`)
    assert.equal(missing.statusCode, 404)
    for (const identifier of [other.objectId, other.sopInstanceUID, ...Object.values(other.digests)]) {
      const denied = await owner.get(`/objects/${identifier}/${kind}`)
      assert.deepEqual(
        { ...denied.headers, date: '', body: denied.body },
        { ...missing.headers, date: '', body: missing.body },
      )
    }
  }
  const there = await owner.get('/patients/opaque-p1/timeline')
  assert.equal(there.json().items.length, 1)
  const denied = await owner.get('/patients/opaque-p2/timeline')
  assert.equal(denied.statusCode, 404)
  assert.equal(denied.body, (await owner.get('/patients/opaque-p9/timeline')).body)
  assert.equal((await owner.get('/patients')).json().items.length, 1)
  for (const url of ['/arrivals', '/quarantine', '/quarantine/q1', '/audit', '/accounts', '/jobs', '/status']) {
    assert.equal((await owner.get(url)).statusCode, 403, url)
  }
})

test('provenance has the shape of the contract', async () => {
  const { as } = desk()
  const answer = (await (await as({ role: 'reader' })).get('/objects/1.2.3.1.1.1/provenance')).json()
  assert.deepEqual(Object.keys(answer.digest), ['arrived', 'dataSet', 'kept'])
  assert.deepEqual(Object.keys(answer.scan), ['status', 'engine', 'signatures', 'coverage'])
  for (const key of ['id', 'sopInstanceUid', 'arrivals', 'digest', 'verdict', 'findings', 'changes', 'scan'])
    assert.ok(key in answer, key)
  assert.deepEqual([answer.arrivals[0].door, answer.arrivals[0].sha256], ['stow', '1'.repeat(64)])
})

test('a held object is decided once, with a reason, by those who may', async () => {
  const { as } = desk()
  const archivist = await as({ role: 'archivist' })
  assert.equal((await archivist.get('/quarantine?state=held')).json().items.length, 1)
  for (const body of [undefined, {}, { reason: '' }, { reason: '  ' }, { reason: 1 }, { reason: 'x', force: true }]) {
    assert.equal((await archivist.send('POST', '/quarantine/q1/release', body)).statusCode, 400, JSON.stringify(body))
  }
  assert.equal((await archivist.send('POST', '/quarantine/q2/release', { reason: 'known' })).statusCode, 404)
  const released = await archivist.send('POST', '/quarantine/q1/release', { reason: 'known sender' })
  assert.deepEqual(
    [released.statusCode, released.json().state, released.json().decision.reason],
    [200, 'released', 'known sender'],
  )
  const again = await archivist.send('POST', '/quarantine/q1/discard', { reason: 'no' })
  assert.deepEqual([again.statusCode, again.json().code], [409, 'quarantine.decided'])
  assert.equal((await archivist.get('/quarantine?state=held')).json().items.length, 0)
  assert.equal((await archivist.get('/quarantine/q1/original')).statusCode, 403)
  const original = await (await as({ role: 'administrator' })).get('/quarantine/q1/original')
  assert.equal(original.body, 'encrypted')
  assert.match(String(original.headers['content-disposition']), /^attachment/)
  assert.equal(
    (await (await as({ role: 'technologist' })).send('POST', '/quarantine/q1/release', { reason: 'x' })).statusCode,
    403,
  )
})

// A filter with a typing mistake must not answer with everything.
const queries: { url: string; names: string }[] = [
  { url: '/arrivals?sha265=a', names: 'sha265' },
  { url: '/arrivals?verdict=good', names: 'verdict' },
  { url: '/arrivals?since=yesterday', names: 'since' },
  { url: '/arrivals?limit=0', names: 'limit' },
  { url: '/arrivals?limit=-1', names: 'limit' },
  { url: '/arrivals?limit=1e3', names: 'limit' },
  { url: '/arrivals?limit=1&limit=2', names: 'limit' },
  { url: '/arrivals?offset=10', names: 'cursor' },
  { url: '/quarantine?state=gone', names: 'state' },
  { url: '/audit?cursor=bm90IG91cnM', names: 'cursor' },
  { url: '/audit/messages?format=csv', names: 'format' },
]
for (const { url, names } of queries) {
  test(`refused by name: ${url}`, async () => {
    const answer = await (await desk().as({ role: 'administrator' })).get(url)
    assert.equal(answer.statusCode, 400)
    assert.ok(answer.json().detail.includes(names), answer.json().detail)
  })
}

test('lists have one shape, and known parameters pass', async () => {
  const admin = await desk().as({ role: 'administrator' })
  for (const url of [
    '/arrivals?limit=5&offset=0',
    '/quarantine',
    '/patients?name=DOE',
    '/audit',
    '/jobs?state=open',
    '/originators',
    '/settings',
    '/accounts',
    '/tokens',
    '/arrivals?sha256=' + '1'.repeat(64),
  ]) {
    const answer = await admin.get(url)
    assert.equal(answer.statusCode, 200, url)
    for (const key of ['items', 'total', 'next']) assert.ok(key in answer.json(), `${url}: ${key}`)
  }
})

test('what was done stands in the trail, who asked included, patient names not', async () => {
  const { as, security } = desk()
  const admin = await as({ role: 'administrator' })
  await admin.get('/objects/object-1/provenance')
  await admin.get('/patients?identifier=p1')
  await admin.send('POST', '/settings', { 'site.name': 'Clinic' })
  await (await as({ role: 'reader' })).get('/accounts')
  await security.auditor.flush(true)
  const trail = (await admin.get('/audit?limit=100')).json().items as {
    kind: string
    outcome: string
    studyInstanceUID: string | null
    detail: string
  }[]
  const has = (kind: string, matches: (entry: (typeof trail)[number]) => boolean = () => true) =>
    assert.ok(
      trail.some((entry) => entry.kind === kind && matches(entry)),
      kind,
    )
  has('read', ({ studyInstanceUID }) => studyInstanceUID === '1.2.3.1')
  has('query', ({ detail }) => detail === 'patients identifier=p1')
  has('settings', ({ detail }) => detail === 'set site.name')
  has('alert', ({ outcome, detail }) => outcome === 'denied' && detail.includes('account.write'))
  assert.ok(!JSON.stringify(trail).includes('JANE'))
  assert.equal((await admin.get('/audit/verification')).json().intact, true)
  assert.match((await admin.get('/audit/messages?format=xml')).body, /^<\?xml .*\n<AuditMessages><AuditMessage>/)
})

test('settings and originators through the API: changed, exported, imported', async () => {
  const { as } = desk()
  const admin = await as({ role: 'administrator' })
  const bad = await admin.send('POST', '/settings', { 'site.nam': 'x' })
  assert.deepEqual([bad.statusCode, bad.json().code], [400, 'request.malformed'])
  assert.equal((await admin.send('POST', '/settings', {})).statusCode, 400)
  assert.equal((await admin.send('POST', '/settings', { 'deletion.graceDays': 7 })).statusCode, 200)
  assert.equal((await admin.send('POST', '/originators', { name: 'CT 1', aeTitles: ['CT1'] })).statusCode, 201)
  assert.equal((await admin.send('POST', '/originators', { name: 'CT 1', trust: 'trusted' })).statusCode, 200)
  assert.equal((await admin.get('/originators/CT%201')).json().trust, 'trusted')
  const pacs = { aeTitle: 'PACS', host: '10.0.0.9', port: 104, allow: ['echo', 'store'] }
  assert.equal((await admin.send('POST', '/peers', pacs)).statusCode, 201)
  assert.equal((await admin.send('POST', '/peers', { ...pacs, allow: ['echo'] })).statusCode, 200)
  assert.deepEqual((await admin.get('/peers/PACS')).json().allow, ['echo'])
  assert.equal((await admin.send('POST', '/peers', { aeTitle: 'PACS' })).statusCode, 400)
  assert.equal((await admin.get('/peers')).json().items.length, 1)
  const file = (await admin.get('/settings/export')).json()
  assert.equal((await admin.send('DELETE', '/peers/PACS')).statusCode, 204)
  assert.equal((await admin.get('/peers/PACS')).statusCode, 404)
  assert.equal((await admin.send('DELETE', '/originators/CT%201')).statusCode, 204)
  assert.equal((await admin.get('/originators/CT%201')).statusCode, 404)
  assert.equal((await admin.send('POST', '/settings/import', file)).statusCode, 200)
  assert.deepEqual((await admin.get('/settings/export')).json(), file)
  assert.equal((await admin.get('/settings/deletion.graceDays/history')).json().items.length, 2)
})
