/**
 * `node test/bench/dimse-query.ts [--quick] [--more N]`: C-FIND with 25 hits and C-GET of a study, beside dcmqrscp and
 * Orthanc in one run. The client is the same for all; each peer holds the same objects. `--more` adds so many studies to
 * ours and asks again: the cost of a query must not grow with the archive.
 */
import { connect } from 'node:net'
import { parseArgs } from 'node:util'
import { encodeIdentifier, parseKey } from '#access/dimse/scu/identifiers.ts'
import type { Association } from '#standards/dimse/association.ts'
import { COMMAND } from '#standards/dimse/command-set.ts'
import { requestAssociation } from '#standards/dimse/request.ts'
import { programPath } from '../../tools/install-counterparts.ts'
import { startDcmqrscp, startOrthancPeer } from '../live/dicom-peers.ts'
import { startServer, temporaryDirectory } from '../live/server.ts'
import { cStoreRow } from './dimse-rows.ts'
import type { Peer } from './orthanc.ts'
import { cpuSeconds } from './process-figures.ts'
import { corpus } from './rows.ts'

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, more: { type: 'string' } } })
const scale = values.quick ? 0.2 : 1
const EXPLICIT = '1.2.840.10008.1.2.1'
const FIND = '1.2.840.10008.5.1.4.1.2.2.1'
const GET = '1.2.840.10008.5.1.4.1.2.2.3'
const STORAGE = ['1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.5.1.4.1.1.88.67', '1.2.840.10008.5.1.4.1.1.88.22']

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

/** Asks so many times. @returns milliseconds and server CPU in milliseconds per question, and hits of one */
async function findRow(peer: Peer, key: string, times: number): Promise<void> {
  const association = await open(peer, [FIND])
  const keys = [key, 'PatientName', 'PatientID', 'StudyDate', 'StudyTime', 'AccessionNumber', 'StudyDescription']
  const identifier = encodeIdentifier('STUDY', keys.map(parseKey), EXPLICIT, false)
  let hits = 0
  const once = async () => {
    hits = 0
    const command = { commandField: COMMAND.C_FIND_RQ, affectedSOPClassUID: FIND, priority: 0 }
    for await (const message of association.call(1, command, [identifier])) {
      if (message.command.status !== 0) hits++
      await message.drain()
    }
  }
  for (let i = 0; i < 50; i++) await once()
  const cpu = cpuSeconds(peer.pid)
  const began = performance.now()
  for (let i = 0; i < times; i++) await once()
  say(`${peer.name}: C-FIND, ${hits} hits`, times, began, cpu, peer)
  await association.release()
}

/** Fetches one study so many times; what comes is answered and forgotten. */
async function getRow(peer: Peer, study: string, times: number): Promise<void> {
  const association = await open(peer, [GET, ...STORAGE])
  let stored = 0
  const serving = (async () => {
    for await (const message of association.messages()) {
      await message.drain()
      stored++
      const { affectedSOPClassUID = '', affectedSOPInstanceUID = '', messageId = 0 } = message.command
      await association.send(message.context.id, {
        commandField: COMMAND.C_STORE_RSP,
        affectedSOPClassUID,
        affectedSOPInstanceUID,
        messageIdBeingRespondedTo: messageId,
        status: 0,
      })
    }
  })()
  const identifier = encodeIdentifier('STUDY', [parseKey(`StudyInstanceUID=${study}`)], EXPLICIT, false)
  const once = async () => {
    const command = { commandField: COMMAND.C_GET_RQ, affectedSOPClassUID: GET, priority: 0 }
    for await (const message of association.call(1, command, [identifier])) await message.drain()
  }
  await once()
  stored = 0
  const cpu = cpuSeconds(peer.pid)
  const began = performance.now()
  for (let i = 0; i < times; i++) await once()
  say(`${peer.name}: C-GET, ${stored / times} instances`, Math.max(1, stored), began, cpu, peer)
  await association.release()
  await serving
}

function say(what: string, items: number, began: number, cpu: number, peer: Peer): void {
  const ms = (performance.now() - began) / items
  const spent = ((cpuSeconds(peer.pid) - cpu) * 1000) / items
  process.stdout.write(`${what.padEnd(58)} ${ms.toFixed(2).padStart(8)} ms  ${spent.toFixed(2).padStart(8)} ms CPU\n`)
}

async function studiesOf(peer: Peer): Promise<string[]> {
  const association = await open(peer, [FIND])
  const identifier = encodeIdentifier('STUDY', ['StudyInstanceUID', 'StudyDate'].map(parseKey), EXPLICIT, false)
  const { identifierJson } = await import('#access/dimse/scu/identifiers.ts')
  const { dataSetOf } = await import('#access/dimse/scu/query.ts')
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

const [mixed, tiny] = [corpus('mixed', 100).slice(0, 99), corpus('tiny', Math.round(400 * scale))]

async function compare(peer: Peer): Promise<string> {
  await cStoreRow('mixed', peer, mixed, 1)
  const [study = ''] = await studiesOf(peer)
  await cStoreRow('tiny', peer, tiny, 1)
  const asked = `StudyInstanceUID=${(await studiesOf(peer)).slice(0, 25).join('\\')}`
  await findRow(peer, asked, Math.round(300 * scale))
  await getRow(peer, study, Math.round(10 * scale))
  return asked
}

async function diptych(): Promise<Peer> {
  const folder = temporaryDirectory('bench')
  const server = await startServer({ dataDirectory: folder.path, args: ['--dimse-port', '0'] })
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

const others = [
  async (): Promise<Peer> => {
    const peer = await startDcmqrscp([])
    return { ...peer, name: 'dcmqrscp', root: '', dimse: peer, guarantees: '' }
  },
  ...(programPath('Orthanc') === undefined
    ? []
    : [
        async (): Promise<Peer> => {
          const peer = await startOrthancPeer([])
          return { ...peer, name: 'Orthanc', root: '', dimse: peer, guarantees: '' }
        },
      ]),
]
for (const make of process.env['DIPTYCH_BENCH_OWN'] === '1' ? [diptych] : [diptych, ...others]) {
  const peer = await make()
  try {
    const asked = await compare(peer)
    const more = Number(values.more ?? 0)
    if (make !== diptych || more === 0) continue
    await cStoreRow('tiny', peer, corpus('tiny', more), 4)
    await findRow(peer, asked, Math.round(300 * scale))
  } finally {
    await peer.stop()
  }
}
