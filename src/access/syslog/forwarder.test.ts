import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { AuditEntry } from '#security/ports.ts'
import { startForwarder } from './forwarder.ts'
import { openSink, parseTarget } from './sink.ts'

function entry(sequence: number): AuditEntry {
  return {
    ...{ node: 'n1', sequence, hash: '', time: '2026-11-24T10:00:00.000Z', kind: 'read', outcome: 'success' },
    ...{ who: 'ann', address: '10.0.0.1', purpose: null, studyInstanceUID: `1.2.${sequence}`, patientId: null },
    ...{ detail: null, count: 1, since: null },
  }
}

/** A syslog server that takes octet-counted messages; it can be closed and opened again on its port. */
async function receiver(port = 0) {
  const messages: string[] = []
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    let buffer = Buffer.alloc(0)
    socket.on('error', () => undefined)
    socket.on('data', (data) => {
      buffer = Buffer.concat([buffer, data])
      for (;;) {
        const space = buffer.indexOf(0x20)
        const length = space < 0 ? Number.NaN : Number(buffer.toString('ascii', 0, space))
        if (!(buffer.length >= space + 1 + length)) return
        messages.push(buffer.toString('utf8', space + 1, space + 1 + length))
        buffer = buffer.subarray(space + 1 + length)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const at = server.address()
  assert.ok(typeof at === 'object' && at !== null)
  return {
    messages,
    port: at.port,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const studies = (messages: readonly string[]) =>
  messages.map((message) => /ParticipantObjectID="1\.2\.(\d+)"/.exec(message)?.[1] ?? 'none').map(Number)

// The trail is the queue: what a server that was away did not get goes to it when it is back, in order, nothing twice.
test('what could not be sent is sent later, also by the next process', async (context) => {
  const trail: AuditEntry[] = [entry(1), entry(2)]
  let sent = 0
  const problems: (string | null)[] = []
  const first = await receiver()
  const { port } = first
  const open = () =>
    startForwarder({
      trail: { chain: (_, after, limit) => trail.filter(({ sequence }) => sequence > after).slice(0, limit) },
      ...{ node: 'n1', facility: 10, lookMs: 20, pauseMaxMs: 50 },
      sink: openSink({ transport: 'tcp', host: '127.0.0.1', port }),
      sent: () => sent,
      advance: async (sequence) => {
        sent = sequence
      },
      onState: (problem) => problems.push(problem?.message ?? null),
    })
  let forwarder = open()
  context.after(() => forwarder.close(0))
  await forwarder.pump()
  assert.deepEqual(studies(first.messages), [1, 2])
  assert.match(
    first.messages[0] ?? '',
    /^<85>1 2026-11-24T10:00:00.000Z n1 diptych \d+ DICOM\+RFC3881 - \ufeff<AuditMessage>/,
  )

  await first.close()
  for (let i = 3; i <= 250; i++) trail.push(entry(i))
  await forwarder.pump()
  await forwarder.pump()
  assert.equal(sent, 2, 'nothing counts as sent while nobody takes it')
  assert.deepEqual(forwarder.status(), { sent: 2, waiting: true, problem: forwarder.status().problem })
  assert.notEqual(forwarder.status().problem, null)
  await forwarder.close(50)

  const second = await receiver(port)
  context.after(() => second.close())
  forwarder = open()
  for (let i = 0; i < 100 && sent < 250; i++) await pause(50)
  assert.deepEqual(
    studies(second.messages),
    Array.from({ length: 248 }, (_, i) => i + 3),
  )
  assert.equal(problems.filter((problem) => problem !== null).length, 1, 'told once, not with every try')
})

const TARGETS: readonly (readonly [text: string, is: object | undefined])[] = [
  ['tls://audit.example:6514', { transport: 'tls', host: 'audit.example', port: 6514 }],
  ['udp://[::1]:514', { transport: 'udp', host: '::1', port: 514 }],
  ['http://audit.example:80', undefined],
  ['tcp://audit.example', undefined],
  ['tcp://audit.example:70000', undefined],
]
for (const [text, is] of TARGETS) test(`target: ${text}`, () => assert.deepEqual(parseTarget(text), is))
