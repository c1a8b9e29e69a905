import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { listening } from '../../test/support/http-fixture.ts'
import { ECHO, OPEN, raw, route, STORE, THINGS } from '../../test/support/http-routes.ts'
import { securityFixture } from '../../test/support/security-fixture.ts'

// Two readers of one request (a proxy and us) must not be able to disagree about where it ends or what it says.
const heads: { name: string; head: string; status: number }[] = [
  {
    name: 'a good one',
    head: 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}',
    status: 200,
  },
  {
    name: 'two different lengths',
    head: 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ',
    status: 400,
  },
  {
    name: 'the same length twice',
    head: 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}',
    status: 400,
  },
  {
    name: 'length and chunks',
    head: 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    status: 400,
  },
  {
    name: 'unknown transfer coding',
    head: 'POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
    status: 400,
  },
  {
    name: 'coding before chunks',
    head: 'POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n0\r\n\r\n',
    status: 400,
  },
  { name: 'no host', head: 'GET /open HTTP/1.1\r\n\r\n', status: 400 },
  { name: 'two hosts', head: 'GET /open HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n', status: 400 },
  { name: 'host that is none', head: 'GET /open HTTP/1.1\r\nHost: a/b@c\r\nConnection: close\r\n\r\n', status: 400 },
  {
    name: 'two authorizations',
    head: 'GET /open HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\nConnection: close\r\n\r\n',
    status: 400,
  },
  {
    name: 'header of 17 KiB',
    head: `GET /open HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(17 * 1024)}\r\n\r\n`,
    status: 431,
  },
  {
    name: '100 headers',
    head: `GET /open HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(98)}Connection: close\r\n\r\n`,
    status: 200,
  },
  {
    name: '101 headers',
    head: `GET /open HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(99)}Connection: close\r\n\r\n`,
    status: 400,
  },
  {
    name: 'line folding',
    head: 'GET /open HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\nConnection: close\r\n\r\n',
    status: 400,
  },
  { name: 'bare line feeds', head: 'GET /open HTTP/1.1\nHost: a\n\n', status: 400 },
  { name: 'not HTTP', head: '\u0016\u0003\u0001\u0002\r\n\r\n', status: 400 },
  {
    name: 'percent-encoding broken',
    head: 'GET /things/%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    status: 400,
  },
]
for (const { name, head, status } of heads) {
  test(`request head: ${name}: ${status}`, async () => {
    const server = await listening([OPEN, ECHO, THINGS])
    try {
      const answer = await raw(server.port, head)
      assert.equal(Number(answer.split(' ')[1]), status, answer)
      assert.equal(answer.split('HTTP/1.1 ').length, 2, 'one answer, then the end')
    } finally {
      await server.close(100)
    }
  })
}

test('a head that never ends is answered 408, a body that drips too', async () => {
  const given = { limits: { httpHeaderSeconds: 0.3, httpBodyWindowSeconds: 0.4, httpBodyBytesPerSecond: 1000 } }
  const server = await listening([ECHO], securityFixture(), given)
  try {
    assert.match(await raw(server.port, 'POST /echo HTTP/1.1\r\nHost: a\r\n'), /^HTTP\/1.1 408 /)
    let drip: NodeJS.Timeout | undefined
    const head = 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n'
    const answer = await raw(server.port, head, (socket) => {
      drip = setInterval(() => socket.write('x'), 50)
      socket.on('close', () => clearInterval(drip))
    })
    clearInterval(drip)
    assert.match(answer, /^HTTP\/1.1 408 /)
  } finally {
    await server.close(100)
  }
})

test('a caller who does not take the answer is cut off, one who waits quietly is not', async () => {
  let cut = false
  const endless = route({
    url: '/endless',
    async handle({ signal }, reply) {
      signal.addEventListener('abort', () => {
        cut = true
      })
      return reply.send(
        new Readable({
          read() {
            this.push(Buffer.alloc(65_536))
          },
        }),
      )
    },
  })
  const quiet = route({
    url: '/quiet',
    handle: () => new Promise((resolve) => setTimeout(() => resolve({ ok: 1 }), 900)),
  })
  const server = await listening([endless, quiet], securityFixture(), { limits: { httpStalledSeconds: 0.3 } })
  const stalled = connect(server.port, '127.0.0.1', () => stalled.write('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n'))
  stalled.on('error', () => {})
  stalled.pause()
  try {
    assert.equal((await fetch(`${server.url}/quiet`)).status, 200)
    for (let at = 0; at < 50 && !cut; at += 1) await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal(cut, true)
  } finally {
    stalled.destroy()
    await server.close(100)
  }
})

test('a refused body: the answer arrives, the rest is not read', async () => {
  const server = await listening([STORE])
  try {
    const answer = await raw(
      server.port,
      `POST /things HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000000\r\n\r\n${'x'.repeat(1000)}`,
    )
    assert.match(answer, /^HTTP\/1.1 401 /)
    assert.match(answer, /connection: close/i)
    const expecting = await raw(
      server.port,
      'POST /things HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
    )
    assert.match(expecting, /^HTTP\/1.1 401 /, 'no 100 before the credentials were looked at')
  } finally {
    await server.close(100)
  }
})

test('Expect: 100-continue is answered once the request is let in', async () => {
  const security = securityFixture()
  const { token } = await security.tokens.create({ role: 'sender' }, 'test', null)
  const server = await listening([STORE], security)
  try {
    const head = `POST /things HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n`
    const answer = await raw(server.port, head, (socket) => socket.once('data', () => socket.write('hello')))
    assert.match(answer, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/)
    assert.ok(answer.endsWith('{"bytes":5}'))
  } finally {
    await server.close(100)
  }
})
