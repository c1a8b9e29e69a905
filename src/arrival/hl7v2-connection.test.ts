import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MessageDesk } from '#model/message.ts'
import { frame } from '#standards/hl7v2/mllp.ts'
import { Hl7Connection } from './hl7v2-connection.ts'

const LARGE = Buffer.alloc(300_000, 'n')
const limits = { messageBytes: 1_000_000, idleMs: 5000, messageMs: 100, answerMs: 5000 }

/** A desk that takes its time, and a peer that has written all messages at once. */
async function answered(messages: number): Promise<{ readonly broken: number; readonly answers: number }> {
  let broken = 0
  const desk: MessageDesk = {
    async receive(envelope) {
      if (envelope.broken !== undefined) broken++
      await sleep(250)
      return { record: null, acknowledgements: [Buffer.from('MSA|AA')] }
    },
  }
  const faults: unknown[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    new Hl7Connection(
      socket,
      { address: null, certificate: null },
      { desk: desk, limits, room: { hold: () => true }, onFault: (error) => faults.push(error) },
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1')
  let answers = 0
  peer.on('data', (chunk) => {
    answers += chunk.toString('latin1').split('MSA|AA').length - 1
    if (answers === messages) peer.end()
  })
  for (let i = 0; i < messages; i++) peer.write(frame(LARGE))
  await once(peer, 'close')
  server.close()
  assert.deepEqual(faults, [])
  return { broken, answers }
}

test('the clock of a message stands still while its socket is not read', { timeout: 20_000 }, async () => {
  assert.deepEqual(await answered(4), { broken: 0, answers: 4 })
})
