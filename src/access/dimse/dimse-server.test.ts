import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '#config.ts'
import { ArchiveError } from '#errors.ts'
import type { DimseService } from '#model/dimse-service.ts'
import { checkPeer } from '#security/peers.ts'
import type { Association } from '#standards/dimse/association.ts'
import { COMMAND, type CommandSet } from '#standards/dimse/command-set.ts'
import { requestAssociation } from '#standards/dimse/request.ts'
import { type DimseServer, startDimse } from './dimse-server.ts'
import { echoService } from './echo.ts'

const SLOW = '1.2.3.1'
const VERIFICATION = '1.2.840.10008.1.1'
const EXPLICIT = '1.2.840.10008.1.2.1'

/** What the slow service was told to do, by message: its Affected SOP Instance UID. */
interface Seen {
  running: number
  most: number
}

function slowService(seen: Seen): DimseService {
  return {
    standard: 'a service of this test',
    needs: 'find',
    serves: (uid) => uid === SLOW,
    transferSyntax: (_, proposed) => proposed[0],
    async handle(message, session) {
      const { messageId = 0, affectedSOPInstanceUID: what } = message.command
      seen.running++
      seen.most = Math.max(seen.most, seen.running)
      try {
        if (what === '1.1') throw new ArchiveError('storage.full', 'x')
        if (what === '1.2') throw new TypeError('secret')
        const cancelled = session.cancelled(messageId)
        for (let i = 0; i < (what === '1.3' ? 200 : 4) && !cancelled.aborted && !session.signal.aborted; i++)
          await sleep(5)
        if (session.signal.aborted) return
        await session.association.send(message.context.id, {
          commandField: message.command.commandField | 0x8000,
          messageIdBeingRespondedTo: messageId,
          status: cancelled.aborted ? 0xfe00 : 0,
        })
      } finally {
        seen.running--
      }
    },
  }
}

async function door(seen: Seen = { running: 0, most: 0 }, reported: unknown[] = []): Promise<DimseServer> {
  const config = loadConfig({ given: { dimse: { port: 0 } } })
  const peers = [checkPeer({ aeTitle: 'SENDER', host: '127.0.0.1', port: 104, allow: ['echo', 'store'] })]
  const opened = await startDimse({
    config,
    services: [echoService, slowService(seen)],
    peers: { get: (aeTitle) => peers.find((peer) => peer.aeTitle === aeTitle) },
    strangers: () => 'loopback',
    auditor: { record: async () => undefined, note: async () => undefined },
    report: (error) => reported.push(error),
  })
  assert.ok(opened !== null)
  return opened
}

function associate({ port }: DimseServer, more: { invoked?: number; calling?: string } = {}): Promise<Association> {
  return requestAssociation(connect({ port: port ?? 0, host: '127.0.0.1', noDelay: true }), {
    callingAeTitle: more.calling ?? 'TEST',
    calledAeTitle: 'DIPTYCH',
    implementationClassUID: '1.2.3',
    contexts: [
      { id: 1, abstractSyntax: SLOW, transferSyntaxes: [EXPLICIT] },
      { id: 3, abstractSyntax: VERIFICATION, transferSyntaxes: [EXPLICIT] },
    ],
    operations: more.invoked === undefined ? null : { invoked: more.invoked, performed: 1 },
  })
}

const find = (what: string): CommandSet => ({ commandField: COMMAND.C_FIND_RQ, affectedSOPInstanceUID: what })

async function statusOf(association: Association, what: string): Promise<number | undefined> {
  let status: number | undefined
  for await (const response of association.call(1, find(what))) status = response.command.status
  return status
}

// Without a window a peer waits for each answer; with one, what it was promised is under way at once, and no more.
for (const { invoked, most } of [
  { invoked: undefined, most: 1 },
  { invoked: 4, most: 4 },
]) {
  test(`operations under way at once: ${invoked ?? 'not negotiated'}`, async () => {
    const seen = { running: 0, most: 0 }
    const opened = await door(seen)
    const association = await associate(opened, invoked === undefined ? {} : { invoked })
    const statuses = await Promise.all(Array.from({ length: 12 }, () => statusOf(association, '1.0')))
    assert.deepEqual(statuses, Array<number>(12).fill(0))
    assert.equal(seen.most, most)
    await association.release()
    await opened.close()
  })
}

test('a C-CANCEL reaches the operation it names while that is under way', async () => {
  const opened = await door()
  const association = await associate(opened)
  const answered = statusOf(association, '1.3')
  await sleep(20)
  await association.send(1, { commandField: COMMAND.C_CANCEL_RQ, messageIdBeingRespondedTo: 1 })
  assert.equal(await answered, 0xfe00)
  await association.release()
  await opened.close()
})

test('a failure is told by its code, a fault as a processing failure without its text; both leave the association', async () => {
  const reported: unknown[] = []
  const opened = await door(undefined, reported)
  const association = await associate(opened)
  assert.equal(await statusOf(association, '1.1'), 0xa700)
  assert.equal(reported.length, 0)
  for await (const { command } of association.call(1, find('1.2'))) {
    assert.equal(command.status, 0x0110)
    assert.ok(!command.errorComment?.includes('secret'))
  }
  assert.equal(reported.length, 1)
  assert.equal(await statusOf(association, '1.0'), 0)
  await association.release()
  await opened.close()
})

test('a right that is missing refuses the context; what is asked of it is not done', async () => {
  const opened = await door()
  const association = await associate(opened, { calling: 'SENDER' })
  assert.deepEqual([...association.contexts.keys()], [3])
  const statuses: (number | undefined)[] = []
  for await (const { command } of association.call(3, {
    commandField: COMMAND.C_ECHO_RQ,
    affectedSOPClassUID: VERIFICATION,
  }))
    statuses.push(command.status)
  for await (const { command } of association.call(3, {
    commandField: COMMAND.C_FIND_RQ,
    affectedSOPClassUID: VERIFICATION,
  }))
    statuses.push(command.status)
  assert.deepEqual(statuses, [0, 0x0211])
  await association.release()
  await opened.close()
})

test('closing lets what is under way end, ends who is idle, and lets nobody in', async () => {
  const opened = await door()
  const [busy, idle] = [await associate(opened), await associate(opened)]
  const answered = statusOf(busy, '1.0')
  await sleep(5)
  const closed = opened.close(2000)
  assert.equal(await answered, 0)
  await closed
  assert.equal((await idle.ended).how, 'aborted')
  await assert.rejects(associate(opened))
  assert.equal(opened.associations(), 0)
})

test('an association that is lost ends what is under way for it', async () => {
  const seen = { running: 0, most: 0 }
  const opened = await door(seen)
  const association = await associate(opened)
  statusOf(association, '1.3').catch((error: Error) => assert.equal(error.name, 'DimseError'))
  await sleep(20)
  assert.equal(seen.running, 1)
  association.abort('gone')
  for (let i = 0; i < 100 && seen.running > 0; i++) await sleep(10)
  assert.equal(seen.running, 0)
  await opened.close()
})
