/** C-CANCEL in both directions, and several associations of ours at a peer at once. PS3.7 section 9.3.2.3. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createConnector } from '#access/dimse/scu/connect.ts'
import { numbered, UNCOMPRESSED } from '#access/dimse/scu/connector.ts'
import { encodeIdentifier, parseKey } from '#access/dimse/scu/identifiers.ts'
import { getFrom, moveFrom, type Wanted } from '#access/dimse/scu/retrieve.ts'
import { loadConfig } from '#config.ts'
import type { Peer } from '#model/peer.ts'
import type { Association } from '#standards/dimse/association.ts'
import { COMMAND, type CommandSet } from '#standards/dimse/command-set.ts'
import { requestAssociation } from '#standards/dimse/request.ts'
import { type DcmjsArchive, dimse, startDcmjsArchive } from '../live/dcmjs-dimse.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { StoreClient } from '../live/store-client.ts'
import { tinyObject } from '../live/tiny-object.ts'

const SR = '1.2.840.10008.5.1.4.1.1.88.11'
const EXPLICIT = '1.2.840.10008.1.2.1'
const FIND = '1.2.840.10008.5.1.4.1.2.2.1'
const MOVE = '1.2.840.10008.5.1.4.1.2.2.2'
const GET = '1.2.840.10008.5.1.4.1.2.2.3'
const CANCELLED = 0xfe00
const STUDIES = 1500
const INSTANCES = 60
const LARGE = '2.25.8000'

const folder = temporaryDirectory('dimse-cancel')
const data = join(folder.path, 'data')
let server: LiveServer
let scp: DcmjsArchive
const port = () => server.dimse?.port ?? 0
const cli = (...args: string[]) => runCommand([...args, '--data', data, '--json'])

/** Part 10 files: many studies of one report, and one study of many. */
function* objects(): Generator<{ readonly uid: string; readonly file: Buffer }> {
  for (let i = 0; i < STUDIES + INSTANCES; i++) {
    const study = i < STUDIES ? `2.25.81${i}` : LARGE
    const uid = `2.25.82${i}`
    const file = tinyObject({
      sopInstanceUID: uid,
      studyInstanceUID: study,
      seriesInstanceUID: `${study}.1`,
      number: i,
    })
    yield { uid, file }
  }
}

/** Behind the File Meta, whose length stands in (0002,0000). */
const dataSetOf = (file: Buffer) => file.subarray(144 + file.readUInt32LE(140))

before(async () => {
  server = await startServer({ dataDirectory: data, args: ['--dimse-port', '0'] })
  const client = await StoreClient.open({
    port: port(),
    contexts: [{ sopClass: SR, transferSyntaxes: [EXPLICIT] }],
    invoked: 32,
  })
  let batch: Promise<{ status: number }>[] = []
  for (const { uid, file } of objects()) {
    batch.push(client.store(SR, EXPLICIT, uid, dataSetOf(file)))
    if (batch.length < 32) continue
    for (const { status } of await Promise.all(batch)) assert.equal(status, 0)
    batch = []
  }
  await Promise.all(batch)
  await client.release()
  scp = await startDcmjsArchive()
  scp.destinations.set('DIPTYCH', port())
  const at = ['--host', '127.0.0.1', '--port', String(scp.port), '--allow', 'echo,store,find,move,get']
  assert.equal((await cli('peer', 'add', 'DCMJSSCP', ...at)).status, 0)
})
after(async () => {
  await scp?.close()
  await server?.stop()
  folder.remove()
})

function open(...classes: string[]): Promise<Association> {
  const store = classes.includes(GET) ? [{ abstractSyntax: SR, transferSyntaxes: [EXPLICIT] }] : []
  const asked = classes.map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: UNCOMPRESSED }))
  return requestAssociation(connect({ host: '127.0.0.1', port: port() }), {
    callingAeTitle: 'CANCELLER',
    calledAeTitle: 'DIPTYCH',
    contexts: numbered([...asked, ...store]),
    implementationClassUID: '2.25.1',
    roles: store.map(() => ({ sopClass: SR, scu: false, scp: true })),
  })
}

/** Asks, calls `look` after each response, and gives all responses. */
async function asking(
  association: Association,
  sopClass: string,
  commandField: number,
  keys: string[],
  extra: Partial<CommandSet>,
  look: (command: CommandSet, cancel: () => Promise<void>) => void,
): Promise<CommandSet[]> {
  const context = [...association.contexts.values()].find(({ abstractSyntax }) => abstractSyntax === sopClass)
  assert.ok(context)
  const identifier = encodeIdentifier('STUDY', keys.map(parseKey), context.transferSyntax, false)
  const told: CommandSet[] = []
  const request = { commandField, affectedSOPClassUID: sopClass, priority: 0, ...extra }
  for await (const { command, drain } of withDrain(association.call(context.id, request, [identifier]))) {
    await drain()
    told.push(command)
    look(command, () => {
      const { messageIdBeingRespondedTo = 0 } = command
      return association.send(context.id, { commandField: COMMAND.C_CANCEL_RQ, messageIdBeingRespondedTo })
    })
  }
  return told
}

async function* withDrain(messages: ReturnType<Association['call']>) {
  for await (const message of messages) yield { command: message.command, drain: () => message.drain() }
}

test('C-FIND is cancelled: FE00 before the last match, and the association serves on', async () => {
  const association = await open(FIND)
  let sent = false
  const told = await asking(association, FIND, COMMAND.C_FIND_RQ, ['StudyInstanceUID'], {}, (_command, cancel) => {
    if (sent) return
    sent = true
    void cancel()
  })
  assert.equal(told.at(-1)?.status, CANCELLED)
  assert.ok(told.length < STUDIES, `${told.length} answers`)
  const again = await asking(association, FIND, COMMAND.C_FIND_RQ, [`StudyInstanceUID=${LARGE}`], {}, () => undefined)
  assert.deepEqual(
    again.map(({ status }) => status),
    [0xff00, 0],
  )
  await association.release()
})
test('a C-CANCEL for what is not under way is passed over', async () => {
  const association = await open(FIND)
  await association.send(1, { commandField: COMMAND.C_CANCEL_RQ, messageIdBeingRespondedTo: 77 })
  const told = await asking(association, FIND, COMMAND.C_FIND_RQ, [`StudyInstanceUID=${LARGE}`], {}, () => undefined)
  assert.equal(told.at(-1)?.status, 0)
  await association.release()
})

test('C-GET is cancelled: FE00 with what remains, and the association serves on', async () => {
  const association = await open(GET, FIND)
  let stored = 0
  const serving = (async () => {
    for await (const message of association.messages()) {
      await message.drain()
      stored++
      if (stored === 5) {
        await association.send(1, { commandField: COMMAND.C_CANCEL_RQ, messageIdBeingRespondedTo: 1 })
      }
      await sleep(10)
      await association.send(message.context.id, {
        commandField: COMMAND.C_STORE_RSP,
        messageIdBeingRespondedTo: message.command.messageId ?? 0,
        affectedSOPInstanceUID: message.command.affectedSOPInstanceUID ?? '',
        status: 0,
      })
    }
  })()
  const told = await asking(association, GET, COMMAND.C_GET_RQ, [`StudyInstanceUID=${LARGE}`], {}, () => undefined)
  const end = told.at(-1)
  assert.equal(end?.status, CANCELLED)
  assert.ok((end.remainingSubOperations ?? 0) > 0, JSON.stringify(end))
  assert.equal(end.completedSubOperations, stored)
  assert.ok(stored >= 5 && stored < INSTANCES, `${stored} stored`)
  const again = await asking(association, FIND, COMMAND.C_FIND_RQ, [`StudyInstanceUID=${LARGE}`], {}, () => undefined)
  assert.equal(again.at(-1)?.status, 0)
  await association.release()
  await serving
})

test('C-MOVE is cancelled: FE00 with what remains, and no more is sent', async () => {
  scp.storeMs = 40
  const association = await open(MOVE)
  const extra = { moveDestination: 'DCMJSSCP' }
  const keys = [`StudyInstanceUID=${LARGE}`]
  let cancels = 0
  const told = await asking(association, MOVE, COMMAND.C_MOVE_RQ, keys, extra, (command, cancel) => {
    if (command.status === 0xff00 && cancels++ === 0) void cancel()
  })
  const end = told.at(-1)
  assert.equal(end?.status, CANCELLED)
  assert.ok((end.remainingSubOperations ?? 0) > 0, JSON.stringify(end))
  assert.equal(scp.kept.size, end.completedSubOperations)
  assert.ok(scp.kept.size < INSTANCES)
  await association.release()
  scp.storeMs = 0
})

/** Its data sets, as many as asked for. */
function fill(count: number): void {
  scp.kept.clear()
  for (let i = 0; i < count; i++) {
    const uid = `2.25.83${i}`
    const names = { SOPInstanceUID: uid, StudyInstanceUID: '2.25.8300', SeriesInstanceUID: '2.25.8301' }
    const more = { SOPClassUID: SR, PatientID: 'P', PatientName: 'Cancel^C', Modality: 'SR', StudyDate: '20260101' }
    scp.kept.set(uid, new dimse.Dataset({ ...names, ...more }))
  }
}

const peer = (): Peer => ({
  aeTitle: 'DCMJSSCP',
  host: '127.0.0.1',
  port: scp.port,
  allow: [],
  originator: null,
  tls: false,
  certificates: [],
  addresses: [],
  callingAeTitle: null,
  sopClasses: null,
  moveDestinations: null,
  associationsMax: 4,
})
const wanted: Wanted = { studies: ['2.25.8300'], series: [], instances: [] }
const connector = createConnector(loadConfig({ environment: {} }))

test('our C-FIND cancels after as many matches as were wanted', async () => {
  fill(30)
  scp.slowMs = 20
  scp.cancelled.length = 0
  const found = await cli('peer', 'find', 'DCMJSSCP', '--level', 'image', 'StudyInstanceUID=2.25.8300', '--limit', '3')
  assert.equal(found.status, 0, found.stderr)
  assert.equal(found.lines.length, 3)
  assert.equal(scp.cancelled.length, 1)
})

for (const way of ['get', 'move'] as const) {
  test(`our C-${way.toUpperCase()} is cancelled at the peer, which ends it with FE00`, async () => {
    fill(30)
    scp.slowMs = 20
    scp.cancelled.length = 0
    const stopping = new AbortController()
    const progress = ({ completed }: { readonly completed: number }) => {
      if (completed === 3) stopping.abort()
    }
    const take = async (message: Parameters<Parameters<typeof getFrom>[3]>[0], association: Association) => {
      await message.drain()
      await association.send(message.context.id, {
        commandField: COMMAND.C_STORE_RSP,
        messageIdBeingRespondedTo: message.command.messageId ?? 0,
        affectedSOPInstanceUID: message.command.affectedSOPInstanceUID ?? '',
        status: 0,
      })
    }
    const end =
      way === 'get'
        ? await getFrom(connector, peer(), wanted, take, progress, stopping.signal)
        : await moveFrom(connector, peer(), wanted, 'DIPTYCH', progress, stopping.signal)
    assert.equal(end.status, CANCELLED)
    assert.equal(scp.cancelled.length, 1)
    assert.ok(end.completed >= 3 && end.completed < 30, `${end.completed}`)
  })
}

test('four associations of ours at one archive at once, each with its own', async () => {
  scp.kept.clear()
  scp.slowMs = 0
  scp.storeMs = 5
  scp.most = 0
  const moves = Array.from({ length: 4 }, async () => {
    const association = await open(MOVE)
    const extra = { moveDestination: 'DCMJSSCP' }
    const keys = [`StudyInstanceUID=${LARGE}`]
    const told = await asking(association, MOVE, COMMAND.C_MOVE_RQ, keys, extra, () => undefined)
    await association.release()
    return told.at(-1)
  })
  for (const end of await Promise.all(moves)) {
    assert.deepEqual([end?.status, end?.completedSubOperations], [0, INSTANCES])
  }
  assert.equal(scp.kept.size, INSTANCES)
  assert.ok(scp.most >= 4, `${scp.most} at once`)
  assert.equal(server.faults(), '')
})
