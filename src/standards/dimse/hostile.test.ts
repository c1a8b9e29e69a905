import assert from 'node:assert/strict'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { encodeAssociateRequest } from './associate-pdu.ts'
import {
  CT,
  commandPdu,
  dataPdu,
  ECHO,
  IMPLICIT,
  limitsOf,
  pdusIn,
  RELEASE,
  REQUEST_BYTES,
  requestOf,
  STORE,
  serve,
} from './fixture.ts'

const LIMITS = limitsOf({ artimMs: 400, idleMs: 600, stalledMs: 400 })
const changed = (bytes: Buffer, change: (copy: Buffer) => void): Buffer => {
  const copy = Buffer.from(bytes)
  change(copy)
  return copy
}
const join = (...parts: Uint8Array[]) => Buffer.concat(parts)
const contexts = (count: number, id: (index: number) => number) =>
  encodeAssociateRequest(
    requestOf({
      contexts: Array.from({ length: count }, (_, index) => ({
        id: id(index),
        abstractSyntax: CT,
        transferSyntaxes: [IMPLICIT],
      })),
    }),
  )
const element = (number: number, value: Uint8Array, group = 0) => {
  const header = Buffer.alloc(8)
  header.writeUInt16LE(group, 0)
  header.writeUInt16LE(number, 2)
  header.writeUInt32LE(value.length, 4)
  return join(header, value)
}
const US = (value: number) => Buffer.from([value & 255, value >> 8])
const onCommand = (bytes: Uint8Array) => join(REQUEST_BYTES, dataPdu([{ id: 1, control: 3, bytes }]))
/** Where the user information begins. */
const USER = REQUEST_BYTES.indexOf(Buffer.from([0x50, 0]))

// One row too lenient, and a peer decides how much we allocate or what state we are in.
// What is answered: PDU types one behind the other; of an A-ABORT /source/reason. `.`: nothing but the end.
const rows: { name: string; bytes: Buffer; answered: string }[] = [
  { name: 'garbage as first bytes', bytes: Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), answered: '7/0/0' },
  { name: 'a TLS hello', bytes: Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), answered: '7/0/0' },
  { name: 'PDU type 0', bytes: Buffer.alloc(64), answered: '7/0/0' },
  { name: 'a request of length 0', bytes: Buffer.from([1, 0, 0, 0, 0, 0]), answered: '7/0/0' },
  { name: 'a request of length 1', bytes: Buffer.from([1, 0, 0, 0, 0, 1, 0]), answered: '7/0/0' },
  { name: 'a request of length FFFFFFFF', bytes: Buffer.from([1, 0, 255, 255, 255, 255, 0]), answered: '7/0/0' },
  {
    name: 'a request without items',
    bytes: join(Buffer.from([1, 0, 0, 0, 0, 68, 0, 1]), Buffer.alloc(66)),
    answered: '7/0/0',
  },
  {
    name: 'an item beyond the PDU',
    bytes: changed(REQUEST_BYTES, (b) => b.writeUInt16BE(0xffff, 76)),
    answered: '7/0/0',
  },
  {
    name: 'a context item one byte too long',
    bytes: changed(REQUEST_BYTES, (b) => b.writeUInt16BE(b.readUInt16BE(USER + 2) + 1, USER + 2)),
    answered: '7/0/0',
  },
  {
    name: 'a truncated sub-item',
    bytes: changed(REQUEST_BYTES, (b) => b.writeUInt16BE(3, USER + 6)),
    answered: '7/0/0',
  },
  {
    name: 'a maximum PDU length of 5',
    bytes: changed(REQUEST_BYTES, (b) => b.writeUInt32BE(5, USER + 8)),
    answered: '7/0/0',
  },
  { name: '200 contexts', bytes: contexts(200, (index) => (2 * index + 1) & 255), answered: '7/0/0' },
  { name: 'the same context id twice', bytes: contexts(2, () => 5), answered: '7/0/0' },
  { name: 'an even context id', bytes: contexts(1, () => 2), answered: '7/0/0' },
  { name: 'context id 0', bytes: contexts(1, () => 0), answered: '7/0/0' },
  { name: 'no context', bytes: contexts(0, () => 1), answered: '7/0/0' },
  { name: 'protocol version 2', bytes: changed(REQUEST_BYTES, (b) => b.writeUInt16BE(2, 6)), answered: '3' },
  { name: 'another application context', bytes: changed(REQUEST_BYTES, (b) => b.write('9', 78)), answered: '3' },
  { name: 'P-DATA before an association', bytes: commandPdu(1, ECHO), answered: '7/0/0' },
  { name: 'a release before an association', bytes: RELEASE, answered: '7/0/0' },
  { name: 'an accept nobody waits for', bytes: changed(REQUEST_BYTES, (b) => (b[0] = 2)), answered: '7/0/0' },
  { name: 'an abort at once', bytes: Buffer.from([7, 0, 0, 0, 0, 4, 0, 0, 0, 0]), answered: '.' },
  { name: 'a second request', bytes: join(REQUEST_BYTES, REQUEST_BYTES), answered: '2 7/2/2' },
  { name: 'P-DATA of length 0', bytes: join(REQUEST_BYTES, dataPdu([])), answered: '2 7/2/6' },
  { name: 'P-DATA of length FFFFFFFF', bytes: join(REQUEST_BYTES, dataPdu([], 0xffffffff)), answered: '2 7/2/6' },
  {
    name: 'a value of length 0',
    bytes: join(REQUEST_BYTES, dataPdu([{ id: 1, control: 3, bytes: Buffer.alloc(0), length: 0 }])),
    answered: '2 7/2/6',
  },
  {
    name: 'a value of length 1',
    bytes: join(REQUEST_BYTES, dataPdu([{ id: 1, control: 3, bytes: Buffer.alloc(0), length: 1 }])),
    answered: '2 7/2/6',
  },
  {
    name: 'a value beyond its PDU',
    bytes: join(REQUEST_BYTES, dataPdu([{ id: 1, control: 3, bytes: Buffer.alloc(9), length: 12 }])),
    answered: '2 7/2/6',
  },
  {
    name: 'bytes left behind a value',
    bytes: join(REQUEST_BYTES, dataPdu([{ id: 1, control: 1, bytes: Buffer.alloc(9), length: 8 }])),
    answered: '2 7/2/6',
  },
  { name: 'a context that was not accepted', bytes: join(REQUEST_BYTES, commandPdu(99, ECHO)), answered: '2 7/2/6' },
  {
    name: 'a data set before its command',
    bytes: join(REQUEST_BYTES, dataPdu([{ id: 3, control: 2, bytes: Buffer.alloc(8) }])),
    answered: '2 7/2/5',
  },
  {
    name: 'a data set where the command has not ended',
    bytes: join(
      REQUEST_BYTES,
      dataPdu([
        { id: 3, control: 1, bytes: Buffer.alloc(8) },
        { id: 3, control: 2, bytes: Buffer.alloc(8) },
      ]),
    ),
    answered: '2 7/2/5',
  },
  {
    name: 'a command where a data set was announced',
    bytes: join(REQUEST_BYTES, commandPdu(3, STORE, true), commandPdu(3, ECHO)),
    answered: '2 7/2/5',
  },
  {
    name: 'another context within a message',
    bytes: join(REQUEST_BYTES, commandPdu(3, STORE, true), dataPdu([{ id: 1, control: 2, bytes: Buffer.alloc(8) }])),
    answered: '2 7/2/5',
  },
  {
    name: 'a command without end',
    bytes: join(
      REQUEST_BYTES,
      ...Array.from({ length: 20 }, () => dataPdu([{ id: 1, control: 1, bytes: Buffer.alloc(8000) }])),
    ),
    answered: '2 7/2/6',
  },
  { name: 'a command of garbage', bytes: onCommand(Buffer.from('this is no command set')), answered: '2 7/2/6' },
  { name: 'an empty command', bytes: onCommand(Buffer.alloc(0)), answered: '2 7/2/6' },
  {
    name: 'a command with an element beyond its end',
    bytes: onCommand(changed(element(0x100, US(0x30)), (b) => b.writeUInt32LE(0xfffffffe, 4))),
    answered: '2 7/2/6',
  },
  {
    name: 'a command with an element of group 0008',
    bytes: onCommand(element(0x18, Buffer.from('1.2 '), 8)),
    answered: '2 7/2/6',
  },
  {
    name: 'a command without message id',
    bytes: onCommand(join(element(0x100, US(0x30)), element(0x800, US(0x101)))),
    answered: '2 7/2/6',
  },
  {
    name: 'a release response nobody waits for',
    bytes: join(
      REQUEST_BYTES,
      changed(RELEASE, (b) => (b[0] = 6)),
    ),
    answered: '2 7/2/2',
  },
  { name: 'a release of length 0', bytes: join(REQUEST_BYTES, Buffer.from([5, 0, 0, 0, 0, 0])), answered: '2 7/2/6' },
  // And what is right although it looks odd.
  {
    name: 'unknown elements and odd lengths in a command',
    bytes: join(
      onCommand(
        join(
          element(0, US(1)),
          element(0x100, US(0x30)),
          element(0x110, US(1)),
          element(0x7777, Buffer.from('odd')),
          element(0x800, US(0x101)),
        ),
      ),
      RELEASE,
    ),
    answered: '2 4 6',
  },
  {
    name: 'two messages in one PDU, control bits that nobody checks',
    bytes: join(
      REQUEST_BYTES,
      dataPdu([1, 2].map(() => ({ id: 1, control: 0xff, bytes: commandPdu(1, ECHO).subarray(12) }))),
      RELEASE,
    ),
    answered: '2 4 4 6',
  },
  {
    name: 'a data set in empty and one-byte values',
    bytes: join(
      REQUEST_BYTES,
      commandPdu(3, STORE, true),
      dataPdu([0, 1, 0, 1].map((n) => ({ id: 3, control: 0, bytes: Buffer.alloc(n) }))),
      dataPdu([{ id: 3, control: 2, bytes: Buffer.alloc(0) }]),
      RELEASE,
    ),
    answered: '2 4 6',
  },
  {
    name: 'an unknown item in the request',
    bytes: changed(REQUEST_BYTES, (b) => (b[USER + 12] = 0x5f)),
    answered: '2 7/0/0',
  },
]

/** Sends the bytes, what follows a request when that was answered; waits for the end, and says which PDUs came. */
async function talk(bytes: Buffer, to: number | Duplex, chunk = Number.POSITIVE_INFINITY): Promise<string> {
  const stream = typeof to === 'number' ? connect({ port: to, host: '127.0.0.1', noDelay: true }) : to
  const came: Buffer[] = []
  stream.on('error', () => undefined)
  const answered = new Promise((resolve) => stream.once('data', resolve))
  stream.on('data', (data: Buffer) => came.push(data))
  const closed = new Promise((resolve) => {
    stream.on('end', resolve)
    stream.on('close', resolve)
  })
  const asks = bytes.subarray(0, REQUEST_BYTES.length).equals(REQUEST_BYTES) ? REQUEST_BYTES.length : bytes.length
  for (const part of [bytes.subarray(0, asks), bytes.subarray(asks)]) {
    for (let at = 0; at < part.length && !stream.destroyed; at += chunk) {
      stream.write(part.subarray(at, at + chunk))
      if (Number.isFinite(chunk)) await new Promise((resolve) => setImmediate(resolve))
    }
    if (part.length < bytes.length) await Promise.race([answered, closed])
  }
  // One who was told that it is over closes the connection.
  await Promise.race([closed, overIn(came, stream)])
  stream.end()
  await closed
  return pdusIn(Buffer.concat(came)).join(' ') || '.'
}

function overIn(came: readonly Buffer[], stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (/(^| )(3|6|7\/.*)$/.test(pdusIn(Buffer.concat(came)).join(' '))) resolve()
    }
    look()
    stream.on('data', look)
  })
}

describe('hostile peers', { timeout: 120_000 }, () => {
  const open = new Set<Socket>()
  const server: Server = createServer({ noDelay: true }, (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    const { done } = serve(socket, LIMITS)
    done.catch((error: unknown) => faults.push(error))
  })
  const faults: unknown[] = []
  let port = 0
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    port = typeof address === 'object' && address !== null ? address.port : 0
  })
  after(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })

  for (const { name, bytes, answered } of rows) {
    test(`over a socket: ${name}`, async () => {
      assert.equal(await talk(bytes, port), answered)
      assert.deepEqual(faults, [])
      // The next one is served.
      assert.equal(await talk(join(REQUEST_BYTES, commandPdu(1, ECHO), RELEASE), port), '2 4 6')
    })
    test(`in memory: ${name}`, async () => {
      const [ours, theirs] = duplexPair()
      const { done, ends } = serve(ours, LIMITS)
      assert.equal(await talk(bytes, theirs), answered)
      await done
      assert.equal(ends.length, 1)
      theirs.destroy()
      ours.destroy()
    })
  }

  test('a valid stream byte by byte, and in pieces of 7', async () => {
    const dataSet = dataPdu([{ id: 3, control: 2, bytes: Buffer.alloc(1000) }])
    const stream = join(REQUEST_BYTES, commandPdu(1, ECHO), commandPdu(3, STORE, true), dataSet, RELEASE)
    assert.equal(await talk(stream, port, 1), '2 4 4 6')
    assert.equal(await talk(stream, port, 7), '2 4 4 6')
  })

  test('nothing at all: closed after ARTIM', async () => {
    assert.equal(await talk(Buffer.alloc(0), port), '.')
  })

  test('half a request: closed after ARTIM', async () => {
    assert.equal(await talk(REQUEST_BYTES.subarray(0, 50), port), '.')
  })

  test('an association that falls silent is aborted', async () => {
    assert.equal(await talk(REQUEST_BYTES, port), '2 7/0/0')
  })

  test('half-closed in the middle of a data set: the end is told, nothing hangs', async () => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    const closed = new Promise((resolve) => socket.on('close', resolve))
    socket.on('error', () => undefined)
    socket.resume()
    const part = dataPdu([{ id: 3, control: 0, bytes: Buffer.alloc(500) }])
    socket.end(join(REQUEST_BYTES, commandPdu(3, STORE, true), part.subarray(0, 100)))
    socket.on('end', () => socket.destroy())
    await closed
    assert.deepEqual(faults, [])
  })
})
