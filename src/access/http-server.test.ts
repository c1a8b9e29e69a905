import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import { bearer, httpOptions, injectable, listening } from '../../test/support/http-fixture.ts'
import { ECHO, OPEN, route, STORE, THINGS } from '../../test/support/http-routes.ts'
import { PASSWORD, securityFixture } from '../../test/support/security-fixture.ts'
import { startHttp } from './http-server.ts'
import { headerValue } from './http-server-headers.ts'

test('every answer carries the security headers, also refusals and missing paths', async () => {
  const app = injectable([OPEN, THINGS])
  for (const url of ['/open', '/things/1', '/nothing', '/%zz']) {
    const { headers } = await app.inject({ url })
    assert.match(String(headers['content-security-policy']), /default-src 'self'.*frame-ancestors 'none'/)
    assert.ok(!String(headers['content-security-policy']).includes('unsafe'))
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['referrer-policy'], 'no-referrer')
    assert.equal(headers['cache-control'], url === '/open' ? 'no-cache' : 'no-store')
    assert.equal(headers['access-control-allow-origin'], undefined)
    assert.equal(headers['x-powered-by'], undefined)
  }
})

test('what is told of a failure: code, detail, hint; of a fault only its incident', async () => {
  const failing = (url: string, error: unknown) => route({ url, handle: () => Promise.reject(error) })
  const logged: object[] = []
  const app = injectable(
    [
      failing('/known', new ArchiveError('request.conflict', 'two of them', { hint: 'remove one' })),
      failing('/bug', new Error('password=hunter2 at /data/x')),
      failing('/busy', new ArchiveError('archive.busy', 'later')),
    ],
    securityFixture(),
    {},
    { log: { error: (about) => void logged.push(about) } },
  )
  const known = await app.inject({ url: '/known' })
  assert.equal(known.headers['content-type'], 'application/problem+json')
  assert.deepEqual(known.json(), {
    type: 'urn:diptych:error:request.conflict',
    title: 'The request contradicts what is there',
    status: 409,
    code: 'request.conflict',
    detail: 'two of them',
    hint: 'remove one',
  })
  const bug = await app.inject({ url: '/bug' })
  assert.equal(bug.statusCode, 500)
  assert.ok(!bug.body.includes('hunter2'))
  assert.equal(logged.length, 1)
  const busy = await app.inject({ url: '/busy' })
  assert.equal(busy.statusCode, 503)
  assert.equal(busy.headers['retry-after'], '2')
})

test('methods: HEAD for every GET, 405 with Allow, OPTIONS without signing in', async () => {
  const security = securityFixture()
  const { token } = await security.tokens.create({ role: 'reader' }, 'test', null)
  let destroyed = false
  const stream = route({
    url: '/stream',
    async handle(_asked, reply) {
      const body = Readable.from(['abc'])
      body.on('close', () => {
        destroyed = true
      })
      return reply.header('etag', '"1"').send(body)
    },
  })
  const app = injectable([OPEN, THINGS, STORE, stream], security)
  const head = await app.inject({ method: 'HEAD', url: '/open' })
  assert.deepEqual([head.statusCode, head.body, head.headers['content-length']], [200, '', '11'])
  const unread = await app.inject({ method: 'HEAD', url: '/stream' })
  assert.deepEqual([unread.statusCode, unread.body, unread.headers.etag, destroyed], [200, '', '"1"', true])
  const wrong = await app.inject({ method: 'DELETE', url: '/things/1', headers: bearer(token) })
  assert.deepEqual(
    [wrong.statusCode, wrong.headers.allow, wrong.json().code],
    [405, 'GET, HEAD, OPTIONS', 'request.method'],
  )
  assert.equal((await app.inject({ method: 'DELETE', url: '/things/1' })).statusCode, 401)
  assert.equal((await app.inject({ method: 'PUT', url: '/open' })).statusCode, 405)
  const options = await app.inject({ method: 'OPTIONS', url: '/things' })
  assert.deepEqual([options.statusCode, options.headers.allow], [204, 'POST, OPTIONS'])
})

test('denied and missing are the same bytes', async () => {
  const security = securityFixture()
  const owner = (await security.tokens.create({ role: 'reader', patients: [{ id: 'p1', issuer: null }] }, 'test', null))
    .token
  const kept = new Map([
    ['1', 'opaque-p1'],
    ['2', 'opaque-p2'],
  ])
  const app = injectable(
    [
      route({
        url: '/things/:id',
        needs: 'object.read',
        async handle({ params, visibility }) {
          const patient = kept.get((params as { id: string }).id)
          const seen =
            patient !== undefined && visibility.sees === 'patients' && visibility.patientIds.includes(patient)
          if (!seen) throw new ArchiveError('request.not-found', patient === undefined ? 'gone' : `of ${patient}`)
          return { patient }
        },
      }),
    ],
    security,
  )
  const ask = async (id: string) => {
    const { statusCode, headers, rawPayload } = await app.inject({ url: `/things/${id}`, headers: bearer(owner) })
    return { statusCode, headers: { ...headers, date: null }, body: rawPayload.toString('hex') }
  }
  assert.equal((await ask('1')).statusCode, 200)
  const denied = await ask('2')
  assert.equal(denied.statusCode, 404)
  assert.deepEqual(denied, await ask('3'))
})

test('a session writes only with its CSRF token, a token needs none', async () => {
  const security = securityFixture()
  const setup = (await security.accounts.beginSetup()) ?? ''
  const { cookie, csrf } = await security.accounts.completeSetup(
    { token: setup, name: 'ada', password: PASSWORD },
    null,
  )
  const app = injectable([STORE, THINGS], security)
  const jar = { cookie: `other=1; diptych_session=${cookie}` }
  const store = async (headers: Record<string, string>) =>
    (
      await app.inject({
        method: 'POST',
        url: '/things',
        headers: { 'content-type': 'text/plain', ...headers },
        payload: 'x',
      })
    ).statusCode
  assert.equal((await app.inject({ url: '/things/1', headers: jar })).statusCode, 200)
  assert.equal(await store(jar), 403)
  assert.equal(await store({ ...jar, 'x-csrf-token': 'wrong' }), 403)
  assert.equal(await store({ ...jar, 'x-csrf-token': csrf }), 200)
  // A bad token is refused even when a good cookie comes with it.
  assert.equal(await store({ ...jar, 'x-csrf-token': csrf, authorization: 'Bearer nothing' }), 401)
})

test('guessed tokens leave one entry in the trail for all, and one for each token that exists', async () => {
  const security = securityFixture()
  const { token, view } = await security.tokens.create({ role: 'reader' }, 'test', null)
  const app = injectable([THINGS], security)
  const guess = async (text: string) => (await app.inject({ url: '/things/1', headers: bearer(text) })).statusCode
  for (let at = 0; at < 5; at += 1) {
    assert.equal(await guess(`dpt_${String(at).padStart(16, '0')}_${'A'.repeat(43)}`), 401)
    assert.equal(await guess(`${token.slice(0, -5)}AAAAA`), 401)
  }
  const failed = security.store.entries({ limit: 100, kind: 'sign-in' }).items.map(({ who }) => who)
  assert.deepEqual(failed.sort(), [view.id, 'unknown token'].sort())
})

test('CORS: a listed origin only, and its preflight', async () => {
  const app = injectable([THINGS], securityFixture(), { http: { corsOrigins: ['https://viewer.example'] } })
  const preflight = async (origin: string) =>
    (
      await app.inject({
        method: 'OPTIONS',
        url: '/things/1',
        headers: { origin, 'access-control-request-method': 'GET' },
      })
    ).headers
  const listed = await preflight('https://viewer.example')
  assert.equal(listed['access-control-allow-origin'], 'https://viewer.example')
  assert.equal(listed['access-control-allow-methods'], 'GET, HEAD, OPTIONS')
  assert.equal(listed['vary'], 'Origin')
  for (const origin of ['https://evil.example', 'https://viewer.example.evil', 'null', 'http://viewer.example']) {
    assert.equal((await preflight(origin))['access-control-allow-origin'], undefined)
  }
})

test('JSON bodies: type, size, coding, duplicates', async () => {
  const app = injectable([ECHO], securityFixture(), { limits: { httpJsonBytes: 100 } })
  const post = async (
    payload: string | Buffer,
    headers: Record<string, string> = { 'content-type': 'application/json' },
  ) => app.inject({ method: 'POST', url: '/echo', headers, payload })
  assert.deepEqual((await post('{"a":1}')).json(), { body: { a: 1 } })
  assert.deepEqual((await app.inject({ method: 'POST', url: '/echo' })).json(), {})
  assert.equal((await post('{"a":1,"a":2}')).statusCode, 400)
  assert.equal((await post(`"${'x'.repeat(98)}"`)).statusCode, 200)
  assert.equal((await post(`"${'x'.repeat(99)}"`)).statusCode, 413)
  assert.equal((await post('{}', { 'content-type': 'text/plain' })).statusCode, 415)
  assert.equal((await post('{}', { 'content-type': 'application/json', 'content-encoding': 'gzip' })).statusCode, 415)
  assert.equal((await post(Buffer.from([0x22, 0xff, 0x22]))).statusCode, 400)
})

test('places: when all are taken others are told to come later, and health still answers', async () => {
  const security = securityFixture()
  const { token } = await security.tokens.create({ role: 'reader' }, 'test', null)
  const other = (await security.tokens.create({ role: 'reader' }, 'test', null)).token
  const gate = Promise.withResolvers<void>()
  const slow = route({ url: '/slow', needs: 'object.read', handle: async () => gate.promise.then(() => ({})) })
  const health = route({ url: '/health/live' })
  const server = await listening([slow, OPEN, health], security, {
    limits: { httpRequests: 3, httpRequestsPerSubject: 2 },
  })
  try {
    const get = async (path: string, as = token) => fetch(server.url + path, { headers: bearer(as) })
    const running = [get('/slow'), get('/slow')]
    await new Promise((resolve) => setTimeout(resolve, 100))
    const mine = await get('/slow')
    assert.deepEqual([mine.status, mine.headers.get('retry-after')], [429, '2'])
    running.push(get('/slow', other))
    await new Promise((resolve) => setTimeout(resolve, 100))
    const busy = await get('/open')
    assert.deepEqual([busy.status, busy.headers.get('retry-after')], [503, '2'])
    assert.equal((await get('/health/live')).status, 200)
    gate.resolve()
    for (const answer of await Promise.all(running)) assert.equal(answer.status, 200)
    assert.equal((await get('/open')).status, 200)
  } finally {
    gate.resolve()
    await server.close(500)
  }
})

test('--open: a name made to point at us, or a page elsewhere, gets nothing', async () => {
  const app = injectable([THINGS, STORE], securityFixture(), {}, { open: true })
  const get = async (host: string) => (await app.inject({ url: '/things/1', headers: { host } })).statusCode
  assert.equal(await get('127.0.0.1:8080'), 200)
  assert.equal(await get('localhost'), 200)
  assert.equal(await get('evil.example:8080'), 403)
  const post = async (headers: Record<string, string>) =>
    (
      await app.inject({
        method: 'POST',
        url: '/things',
        headers: { host: 'localhost:8080', 'content-type': 'text/plain', ...headers },
        payload: 'x',
      })
    ).statusCode
  assert.equal(await post({}), 200)
  assert.equal(await post({ origin: 'http://localhost:8080' }), 200)
  assert.equal(await post({ origin: 'https://evil.example' }), 403)
  assert.equal(await post({ 'sec-fetch-site': 'cross-site' }), 403)
})

test('a proxy is believed when it is listed, and only then', async () => {
  const where = route({ url: '/where', handle: async ({ address, baseUrl }) => ({ address, baseUrl }) })
  const headers = {
    host: 'inside:1',
    'x-forwarded-for': '6.6.6.6, 192.0.2.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'pacs.example',
  }
  const ask = async (http: Record<string, unknown>) =>
    (await injectable([where], securityFixture(), { http }).inject({ url: '/where', headers })).json()
  assert.deepEqual(await ask({}), { address: '127.0.0.1', baseUrl: 'http://inside:1' })
  assert.deepEqual(await ask({ trustedProxies: ['127.0.0.0/8'] }), {
    address: '192.0.2.7',
    baseUrl: 'https://pacs.example',
  })
  assert.deepEqual(await ask({ trustedProxies: ['127.0.0.1'], publicBaseUrl: 'https://a.example/x/' }), {
    address: '192.0.2.7',
    baseUrl: 'https://a.example/x',
  })
})

const starts: { name: string; http: Record<string, unknown>; ready?: boolean; open?: boolean; starts: boolean }[] = [
  { name: 'elsewhere before set-up', http: { host: '0.0.0.0' }, ready: false, starts: false },
  { name: 'elsewhere without TLS', http: { host: '0.0.0.0' }, starts: false },
  { name: 'elsewhere behind a proxy', http: { host: '0.0.0.0', trustedProxies: ['10.0.0.1'] }, starts: true },
  { name: 'elsewhere, insecure on purpose', http: { host: '0.0.0.0', insecure: true }, ready: false, starts: true },
  { name: 'elsewhere, open', http: { host: '0.0.0.0', insecure: true }, open: true, starts: false },
  { name: 'loopback before set-up', http: { host: '127.0.0.1' }, ready: false, starts: true },
  { name: 'certificate missing', http: { tlsCertificate: '/nowhere/c.pem', tlsKey: '/nowhere/k.pem' }, starts: false },
]
for (const { name, http, ready = true, open = false, starts: good } of starts) {
  test(`start: ${name}: ${good ? 'starts' : 'refused'}`, async () => {
    const starting = startHttp(httpOptions([OPEN], securityFixture(), { http }, { open, authenticationReady: ready }))
    if (good) await (await starting).close(100)
    else
      await assert.rejects(starting, (error) => error instanceof ArchiveError && error.code === 'configuration.invalid')
  })
}

test('a port that is taken is told by name', async () => {
  const server = await listening([OPEN])
  try {
    await assert.rejects(listening([OPEN], securityFixture(), { http: { port: server.port } }), /http\.port/)
  } finally {
    await server.close(100)
  }
})

for (const value of ['a\r\nSet-Cookie: x=1', 'a\nb', 'a\u0000b', 'a\u2028b', 'ĳ']) {
  test(`header value refused: ${JSON.stringify(value)}`, () => assert.throws(() => headerValue(value), ArchiveError))
}

test('a route outside the list cannot be served', async () => {
  const app = injectable([OPEN])
  assert.throws(() => app.get('/hidden', async () => ({})), /outside the access matrix/)
})
