/** Senders that misbehave: no crash, no unbounded memory, and whoever comes next is served. threats.md R20, R22, R23. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, message, mllpClient } from '../live/mllp-client.ts'
import { type LiveServer, startServer, temporaryDirectory } from '../live/server.ts'
import { selfSigned } from '../support/self-signed.ts'

const folder = temporaryDirectory('hl7v2-hostile')
const pair = selfSigned(1)
let server: LiveServer

before(async () => {
  const [certificate, key] = [join(folder.path, 'cert.pem'), join(folder.path, 'key.pem')]
  writeFileSync(certificate, pair.certificate)
  writeFileSync(key, pair.key)
  server = await startServer({
    dataDirectory: join(folder.path, 'data'),
    args: ['--hl7-port', '0'],
    env: {
      DIPTYCH_LIMITS_HL7_MESSAGE_BYTES: '2 MiB',
      DIPTYCH_LIMITS_HL7_SEGMENTS: '5000',
      DIPTYCH_LIMITS_HL7_MESSAGE_SECONDS: '1',
      DIPTYCH_LIMITS_HL7_CONNECTIONS: '8',
      DIPTYCH_LIMITS_HL7_CONNECTIONS_PER_ADDRESS: '7',
    },
  })
})
after(async () => {
  await server.stop()
  assert.equal(server.faults(), '')
  folder.remove()
})

const port = () => server.hl7?.port ?? 0
const pid = 'PID|1||1^^^HOSP||DOE^JANE'
const ordinary = async () => {
  for (const client of await served(1)) client.close()
}
/** So many connections that are served: those of the test before may still be counted for a moment. */
const served = async (count: number) => {
  const clients: Awaited<ReturnType<typeof mllpClient>>[] = []
  for (let tries = 0; clients.length < count; tries++) {
    const client = await mllpClient(port()).catch(() => null)
    const answer = await client?.ask(message('ADT^A08', [pid])).catch(() => null)
    if (client !== null && answer) {
      assert.equal(codeOf(answer), 'AA')
      clients.push(client)
    } else if (tries > 500) assert.fail(`${clients.length} of ${count} connections are served`)
    else await sleep(50)
  }
  return clients
}
const rss = () => {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]
  return Number(kib) / 1024
}

test('every byte by itself', async () => {
  const client = await mllpClient(port())
  for (const byte of Buffer.from(`\x0b${message('ADT^A08', [pid])}\x1c\r`)) {
    client.write(Uint8Array.of(byte))
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(codeOf(await client.next()), 'AA')
  client.close()
})

const cases: { name: string; send: string; is: string }[] = [
  { name: '100,000 segments', send: message('ADT^A08', [pid, 'NTE|1\r'.repeat(100_000)]), is: 'AR 100' },
  { name: 'a field of a megabyte', send: message('ADT^A08', [`PID|1||1||${'A'.repeat(1_000_000)}`]), is: 'AE 102' },
  {
    name: 'more than a message may have',
    send: message('ADT^A08', [`PID|1||1||${'A'.repeat(3_000_000)}`]),
    is: 'AR 207',
  },
  { name: '100,000 repetitions', send: message('ADT^A08', [`PID|1||${'1~'.repeat(100_000)}`]), is: 'AE 102' },
  { name: '100,000 fields', send: message('ADT^A08', [`PID${'|'.repeat(100_000)}`]), is: 'AR 102' },
  { name: '100,000 components', send: message('ADT^A08', [`PID|1||${'1^'.repeat(100_000)}`]), is: 'AE 102' },
  { name: '200,000 escapes', send: message('ADT^A08', [`PID|1||1||${'\\F\\'.repeat(200_000)}`]), is: 'AE 102' },
  { name: 'nested escapes', send: message('ADT^A08', [`PID|1||1||${'\\E\\X0D\\E\\'.repeat(1000)}`]), is: 'AE 102' },
  {
    name: '200 Z-segments',
    send: message('ADT^A08', [pid, ...Array.from({ length: 200 }, () => 'ZAA|1')]),
    is: 'AR 100',
  },
  { name: 'a large Z-segment', send: message('ADT^A08', [pid, `ZAA|${'1'.repeat(70_000)}`]), is: 'AR 100' },
]
for (const { name, send, is } of cases) {
  test(name, async () => {
    const client = await mllpClient(port())
    assert.equal(codeOf(await client.ask(send)), is)
    assert.equal(codeOf(await client.ask(message('ADT^A08', [pid]))), 'AA') // the connection goes on
    client.close()
  })
}

test('a message without end block is answered when its time is over, and the connection ends', async () => {
  const client = await mllpClient(port())
  client.write(`\x0b${message('ADT^A08', [pid], { id: 'OPEN' })}`)
  assert.match(await client.next(5000), /MSA\|AR\|OPEN/)
  await assert.rejects(client.next(5000), /ended/)
  await ordinary()
})

test('a start block before the end block: the first is refused, the second taken', async () => {
  const client = await mllpClient(port())
  client.write(`\x0b${message('ADT^A08', [pid], { id: 'CUT' })}\x0b${message('ADT^A08', [pid], { id: 'WHOLE' })}\x1c\r`)
  assert.match(await client.next(), /MSA\|AR\|CUT/)
  assert.match(await client.next(), /MSA\|AA\|WHOLE/)
  client.close()
})

test('another protocol, and nothing at all, get no answer and hold up nobody', async () => {
  const clients = await Promise.all(Array.from({ length: 6 }, () => mllpClient(port())))
  for (const client of clients) client.write(`GET / HTTP/1.1\r\n\r\n${'x'.repeat(100_000)}`)
  await ordinary()
  for (const client of clients) client.close()
})

test('more connections than are served are closed; room comes back', async () => {
  const clients = await Promise.all(Array.from({ length: 12 }, () => mllpClient(port()).catch(() => null)))
  for (const client of clients) client?.close()
  await sleep(200)
  await ordinary()
})

test('a peer that reads nothing does not make memory grow', async () => {
  await ordinary()
  const before = rss()
  const client = await mllpClient(port())
  client.socket.pause()
  const burst = `\x0b${message('ADT^A45', [pid, `NTE|1||${'n'.repeat(10_000)}`])}\x1c\r`.repeat(20)
  for (let i = 0; i < 100 && client.socket.write(burst); i++);
  await sleep(1500)
  assert.ok(rss() - before < 150, `${Math.round(rss() - before)} MiB more`)
  client.close()
  await ordinary()
})

// Whole messages that wait count like unfinished ones: else anybody fills memory before anybody asked who it is.
test('large messages sent ahead wait in the socket, or are answered 207; memory stays', {
  timeout: 120_000,
}, async (t) => {
  await ordinary()
  const before = rss()
  let most = 0
  const watch = setInterval(() => {
    most = Math.max(most, rss() - before)
  }, 20)
  t.after(() => clearInterval(watch))
  const large = `\x0b${message('ADT^A08', [pid, `NTE|1||${'n'.repeat(1_900_000)}`])}\x1c\r`
  const clients = await served(7)
  t.after(() => {
    for (const client of clients) client.close()
  })
  for (const client of clients) for (let i = 0; i < 16; i++) client.write(large)
  const answers = await Promise.all(
    clients.map(async (client) => {
      const got: string[] = []
      for (let i = 0; i < 16; i++) got.push(codeOf(await client.next(40_000)))
      return got
    }),
  )
  const codes = new Map([...Map.groupBy(answers.flat(), (code) => code)].map(([code, { length }]) => [code, length]))
  assert.ok((codes.get('AA') ?? 0) + (codes.get('AE 207') ?? 0) === 112, JSON.stringify([...codes]))
  assert.ok((codes.get('AA') ?? 0) > 0)
  assert.ok(most < 180, `${Math.round(most)} MiB more`)
  for (const client of clients) client.close()
  await ordinary()
})

test('one address cannot take every connection', async () => {
  const clients = await served(7)
  const eighth = await mllpClient(port())
  await assert.rejects(eighth.ask(message('ADT^A08', [pid])), /ended|ECONNRESET/)
  for (const client of clients) client.close()
  await sleep(200)
  await ordinary()
})

test('thousands of broken connections leave memory where it was', { timeout: 120_000 }, async () => {
  const one = async (i: number) => {
    const client = await mllpClient(port()).catch(() => null)
    if (client === null) return
    client.write(['\x0bMSH|', '\x0bPID|1\x1c\r', 'MSH', '\x0b\x1c\r', '\x0b'][i % 5] ?? '')
    client.close()
  }
  const round = async (n: number) => {
    for (let i = 0; i < n; i += 4) await Promise.all([0, 1, 2, 3].map((k) => one(i + k)))
  }
  await round(800)
  const before = rss()
  await round(3200)
  await sleep(1000)
  assert.ok(rss() - before < 60, `${Math.round(rss() - before)} MiB more`)
  await ordinary()
})

test('over TLS with a certificate of its own, a sender is known by it', async () => {
  await server.stop()
  const sender = selfSigned(2)
  const authorities = join(folder.path, 'authorities.pem')
  writeFileSync(authorities, sender.certificate)
  const given = { DIPTYCH_HL7_TLS_PORT: '0', DIPTYCH_HL7_TLS_CERTIFICATE: join(folder.path, 'cert.pem') }
  const env = { ...given, DIPTYCH_HL7_TLS_KEY: join(folder.path, 'key.pem'), DIPTYCH_HL7_TLS_AUTHORITIES: authorities }
  server = await startServer({ dataDirectory: join(folder.path, 'data'), args: ['--hl7-port', 'off'], env })
  const tlsPort = Number(/HL7 v2: +127\.0\.0\.1:(\d+) \(TLS\)/.exec(server.errors())?.[1])
  const put = await fetch(`${server.url}/api/v1/settings`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ 'hl7.senders': 'refuse' }),
  })
  const done = put.ok
    ? put
    : await fetch(`${server.url}/api/v1/settings`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ 'hl7.senders': 'refuse' }),
      })
  assert.ok(done.ok, `settings: ${done.status} ${await done.text()}`)
  const withCertificate = { cert: sender.certificate, key: sender.key, rejectUnauthorized: false }
  const stranger = await mllpClient(tlsPort, withCertificate)
  assert.equal(codeOf(await stranger.ask(message('ADT^A08', [pid]))), 'AR 103')
  const originator = { name: 'engine', certificates: [sender.fingerprint], hl7Senders: ['TEST|LAB'] }
  const made = await fetch(`${server.url}/api/v1/originators`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(originator),
  })
  assert.ok(made.ok, `originators: ${made.status} ${await made.text()}`)
  assert.equal(codeOf(await stranger.ask(message('ADT^A08', [pid]))), 'AA')
  stranger.close()
  await assert.rejects(async () => {
    const nobody = await mllpClient(tlsPort, { rejectUnauthorized: false })
    await nobody.ask(message('ADT^A08', [pid]))
  })
})
