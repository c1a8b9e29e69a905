/**
 * Queries by DIMSE: C-FIND with 25 hits, C-GET and C-MOVE of a study, beside dcmqrscp and Orthanc in one run. The client
 * is the same for all, and each peer holds the same objects. What is asked of a larger archive must cost the same.
 */
import { connect, createServer, type Socket } from 'node:net'
import { encodeIdentifier, identifierJson, parseKey } from '#access/dimse/scu/identifiers.ts'
import { dataSetOf } from '#access/dimse/scu/query.ts'
import { acceptAssociation } from '#standards/dimse/accept.ts'
import type { Association } from '#standards/dimse/association.ts'
import { COMMAND } from '#standards/dimse/command-set.ts'
import { acceptAll } from '#standards/dimse/fixture.ts'
import { requestAssociation } from '#standards/dimse/request.ts'
import { programPath } from '../../tools/install-counterparts.ts'
import { type DicomPeer, type Known, startDcmqrscp, startOrthancPeer } from '../live/dicom-peers.ts'
import { runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { cStoreRow } from './dimse-rows.ts'
import type { Peer } from './orthanc.ts'
import { cpuSeconds, watchMemory } from './process-figures.ts'
import { beginStudy, corpus, type Figures } from './rows.ts'

const EXPLICIT = '1.2.840.10008.1.2.1'
const FIND = '1.2.840.10008.5.1.4.1.2.2.1'
const MOVE = '1.2.840.10008.5.1.4.1.2.2.2'
const GET = '1.2.840.10008.5.1.4.1.2.2.3'
const STORAGE = ['1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.5.1.4.1.1.88.67', '1.2.840.10008.5.1.4.1.1.88.22']
/** Objects of the study that is fetched. */
const STUDY_OBJECTS = 99

function open(peer: Peer, classes: readonly string[]): Promise<Association> {
  const { port, aeTitle } = peer.dimse ?? { port: 0, aeTitle: '' }
  const socket = connect({ host: '127.0.0.1', port })
  socket.setNoDelay(true)
  return requestAssociation(socket, {
    callingAeTitle: 'BENCH',
    calledAeTitle: aeTitle,
    contexts: classes.map((abstractSyntax, i) => ({ id: 2 * i + 1, abstractSyntax, transferSyntaxes: [EXPLICIT] })),
    implementationClassUID: '2.25.1',
    roles: classes.slice(1).map((sopClass) => ({ sopClass, scu: false, scp: true })),
  })
}

/** Answers every C-STORE that comes, keeps nothing, and counts. */
async function takeAll(association: Association, got: () => void): Promise<void> {
  for await (const message of association.messages()) {
    await message.drain()
    got()
    const { affectedSOPClassUID = '', affectedSOPInstanceUID = '', messageId = 0 } = message.command
    await association.send(message.context.id, {
      commandField: COMMAND.C_STORE_RSP,
      affectedSOPClassUID,
      affectedSOPInstanceUID,
      messageIdBeingRespondedTo: messageId,
      status: 0,
    })
  }
}

/** Where C-MOVE sends to. */
async function startDestination(): Promise<Known & { taken(): number; stop(): Promise<void> }> {
  let taken = 0
  const sockets = new Set<Socket>()
  const listener = createServer((socket) => {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    acceptAssociation(socket, acceptAll).then(
      (association) => association && takeAll(association, () => taken++),
      () => socket.destroy(),
    )
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const address = listener.address()
  return {
    aeTitle: 'BENCHDST',
    port: typeof address === 'object' && address !== null ? address.port : 0,
    taken: () => taken,
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
}

/** Runs `once` so many times; an item is what `items` counts up, or the call itself. */
async function timed(
  row: string,
  peer: Peer,
  times: number,
  once: () => Promise<unknown>,
  items?: () => number,
): Promise<Figures> {
  const each: number[] = []
  const before = items?.() ?? 0
  const memory = watchMemory(peer.pid)
  const cpu = cpuSeconds(peer.pid)
  const began = performance.now()
  for (let i = 0; i < times; i++) {
    const start = performance.now()
    await once()
    each.push(performance.now() - start)
  }
  const seconds = (performance.now() - began) / 1000
  const spent = cpuSeconds(peer.pid) - cpu
  const grown = memory.stop()
  const count = items === undefined ? times : Math.max(1, items() - before)
  const expected = items === undefined ? times : times * STUDY_OBJECTS
  each.sort((a, b) => a - b)
  return {
    row,
    peer: peer.name,
    items: count,
    seconds,
    perSecond: count / seconds,
    cpuMsPerItem: (spent * 1000) / count,
    p50Ms: each[Math.floor(each.length * 0.5)] ?? null,
    p95Ms: each[Math.floor(each.length * 0.95)] ?? null,
    memoryGrowthMB: (grown.peak - grown.before) / 2 ** 20,
    failed: Math.max(0, expected - count),
  }
}

async function findRow(row: string, peer: Peer, key: string, times: number): Promise<Figures> {
  const association = await open(peer, [FIND])
  const keys = [key, 'PatientName', 'PatientID', 'StudyDate', 'StudyTime', 'AccessionNumber', 'StudyDescription']
  const identifier = encodeIdentifier('STUDY', keys.map(parseKey), EXPLICIT, false)
  const once = async () => {
    let hits = 0
    const command = { commandField: COMMAND.C_FIND_RQ, affectedSOPClassUID: FIND, priority: 0 }
    for await (const message of association.call(1, command, [identifier])) {
      if (message.command.status !== 0) hits++
      await message.drain()
    }
    if (hits !== 25) throw new Error(`${peer.name} found ${hits} studies, not 25`)
  }
  for (let i = 0; i < 200; i++) await once()
  const figures = await timed(row, peer, times, once)
  await association.release()
  return figures
}

async function getRow(peer: Peer, study: string, times: number): Promise<Figures> {
  const association = await open(peer, [GET, ...STORAGE])
  let stored = 0
  const serving = takeAll(association, () => stored++)
  const identifier = encodeIdentifier('STUDY', [parseKey(`StudyInstanceUID=${study}`)], EXPLICIT, false)
  const once = async () => {
    const command = { commandField: COMMAND.C_GET_RQ, affectedSOPClassUID: GET, priority: 0 }
    for await (const message of association.call(1, command, [identifier])) await message.drain()
  }
  for (let i = 0; i < 3; i++) await once()
  const figures = await timed(`C-GET of ${STUDY_OBJECTS} objects, each`, peer, times, once, () => stored)
  await association.release()
  await serving
  return figures
}

async function moveRow(
  peer: Peer,
  study: string,
  times: number,
  destination: Known & { taken(): number },
): Promise<Figures> {
  const association = await open(peer, [MOVE])
  const identifier = encodeIdentifier('STUDY', [parseKey(`StudyInstanceUID=${study}`)], EXPLICIT, false)
  const once = async () => {
    const { aeTitle: moveDestination } = destination
    const command = { commandField: COMMAND.C_MOVE_RQ, affectedSOPClassUID: MOVE, priority: 0, moveDestination }
    let status = 0
    for await (const message of association.call(1, command, [identifier])) {
      status = message.command.status ?? 0
      await message.drain()
    }
    if (status !== 0) throw new Error(`${peer.name} ended C-MOVE with ${status.toString(16)}`)
  }
  for (let i = 0; i < 3; i++) await once()
  const figures = await timed(`C-MOVE of ${STUDY_OBJECTS} objects, each`, peer, times, once, destination.taken)
  await association.release()
  return figures
}

async function studiesOf(peer: Peer): Promise<string[]> {
  const association = await open(peer, [FIND])
  const identifier = encodeIdentifier('STUDY', ['StudyInstanceUID', 'StudyDate'].map(parseKey), EXPLICIT, false)
  const studies: string[] = []
  const command = { commandField: COMMAND.C_FIND_RQ, affectedSOPClassUID: FIND, priority: 0 }
  for await (const message of association.call(1, command, [identifier])) {
    const bytes = await dataSetOf(message)
    if (bytes === null) continue
    const row = identifierJson(bytes, EXPLICIT)['0020000D'] as { Value?: [string] } | undefined
    if (row?.Value?.[0] !== undefined) studies.push(row.Value[0])
  }
  await association.release()
  return studies
}

async function diptych(destination: Known): Promise<Peer> {
  const folder = temporaryDirectory('bench')
  const server = await startServer({ dataDirectory: folder.path, args: ['--dimse-port', '0'] })
  const { aeTitle, port } = destination
  const at = ['--host', '127.0.0.1', '--port', String(port), '--allow', 'store']
  const added = await runCommand(['peer', 'add', aeTitle, ...at, '--data', folder.path, '--json'])
  if (added.status !== 0) throw new Error(`the destination could not be registered: ${added.stderr}`)
  return {
    name: 'Diptych',
    pid: server.pid,
    root: server.url,
    dimse: server.dimse,
    guarantees: '',
    async stop() {
      await server.stop()
      folder.remove()
    },
  }
}

const asPeer = (name: string, peer: DicomPeer): Peer => ({ ...peer, name, root: '', dimse: peer, guarantees: '' })

/**
 * All rows of all peers that are installed.
 * @param more so many studies are added to ours, and the question is asked again
 */
export async function queryFigures(scale: number, more: number, note: (figures: Figures) => void): Promise<void> {
  // DCMTK's way to switch Nagle's algorithm off: else each of its messages waits 40 ms for a delayed acknowledgement.
  process.env['TCP_NODELAY'] = '1'
  const destination = await startDestination()
  const makers = [
    ...(programPath('dcmqrscp') === undefined
      ? []
      : [async () => asPeer('dcmqrscp', await startDcmqrscp([destination]))]),
    ...(programPath('Orthanc') === undefined
      ? []
      : [async () => asPeer('Orthanc', await startOrthancPeer([destination]))]),
    () => diptych(destination),
  ]
  beginStudy()
  const [mixed, tiny] = [
    corpus('mixed', 100).slice(0, STUDY_OBJECTS),
    corpus('tiny', Math.max(80, Math.round(400 * scale))),
  ]
  // Fewer would measure how code is compiled: what a running server costs is asked.
  const [finds, fetches] = [Math.max(300, Math.round(600 * scale)), Math.max(20, Math.round(40 * scale))]
  try {
    for (const make of makers) {
      const peer = await make()
      try {
        await cStoreRow('mixed', peer, mixed, 1)
        const [study = ''] = await studiesOf(peer)
        await cStoreRow('tiny', peer, tiny, 1)
        const asked = `StudyInstanceUID=${(await studiesOf(peer)).slice(0, 25).join('\\')}`
        note(await findRow('C-FIND, 25 hits', peer, asked, finds))
        note(await getRow(peer, study, fetches))
        note(await moveRow(peer, study, fetches, destination))
        if (peer.name !== 'Diptych' || more === 0) continue
        await cStoreRow('tiny', peer, corpus('tiny', more), 4)
        note(await findRow(`C-FIND, 25 hits, ${more} studies more`, peer, asked, finds))
      } finally {
        await peer.stop()
      }
    }
  } finally {
    await destination.stop()
  }
}
