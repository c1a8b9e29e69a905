/** Storage commitment both ways: reports on the same association, on a new one, after a restart; and ours of a peer. */
import assert from 'node:assert/strict'
import { closeSync, openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  COMMITMENT_CLASS,
  COMMITMENT_INSTANCE,
  type CommitmentReport,
  encodeCommitmentReport,
  encodeCommitmentRequest,
  type Reference,
  readCommitmentReport,
  readCommitmentRequest,
} from '#access/dimse/commitment-message.ts'
import { readMessage } from '#access/dimse/identifier.ts'
import { acceptAssociation } from '#standards/dimse/accept.ts'
import type { Association } from '#standards/dimse/association.ts'
import { COMMAND } from '#standards/dimse/command-set.ts'
import { requestAssociation } from '#standards/dimse/request.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'

const EXPLICIT = '1.2.840.10008.1.2.1'
const data = temporaryDirectory('commitment')
let server: LiveServer
let references: Reference[] = []

/** A peer of ours, scripted: it takes reports, and commitment requests it answers as it is told. */
interface Scripted {
  readonly port: number
  readonly reports: CommitmentReport[]
  /** Roles the caller proposed for itself. */
  readonly roles: { scu: boolean; scp: boolean }[]
  /** How a request to it is reported: on its association, or on a new one to this port. */
  reportTo: 'same' | number
  failing: ReadonlySet<string>
  close(): Promise<void>
}

async function scripted(): Promise<Scripted> {
  const sockets = new Set<Socket>()
  const self = {
    port: 0,
    reports: [] as CommitmentReport[],
    roles: [] as { scu: boolean; scp: boolean }[],
    reportTo: 'same' as 'same' | number,
    failing: new Set<string>() as ReadonlySet<string>,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
  const listener: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    acceptAssociation(
      socket,
      async (request) => {
        self.roles.push(...request.roles)
        return {
          accept: true,
          contexts: request.contexts.map(({ id }) => ({ id, result: 0 as const, transferSyntax: EXPLICIT })),
          operations: null,
          roles: request.roles,
          extended: new Map(),
        }
      },
      { implementationClassUID: '2.25.1' },
    )
      .then((association) => association && serve(association, self))
      .catch(() => undefined)
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const address = listener.address()
  self.port = typeof address === 'object' && address !== null ? address.port : 0
  return self
}

async function serve(association: Association, self: Scripted): Promise<void> {
  for await (const message of association.messages()) {
    const { command, context } = message
    const dataSet = await readMessage(message, 1_000_000)
    const answer = {
      messageIdBeingRespondedTo: command.messageId ?? 0,
      affectedSOPClassUID: COMMITMENT_CLASS,
      affectedSOPInstanceUID: COMMITMENT_INSTANCE,
      status: 0,
    }
    if (command.commandField === COMMAND.N_EVENT_REPORT_RQ) {
      self.reports.push(readCommitmentReport(dataSet))
      const eventTypeId = command.eventTypeId ?? 0
      await association.send(context.id, { commandField: COMMAND.N_EVENT_REPORT_RSP, eventTypeId, ...answer })
    } else if (command.commandField === COMMAND.N_ACTION_RQ) {
      const request = readCommitmentRequest(dataSet)
      await association.send(context.id, { commandField: COMMAND.N_ACTION_RSP, actionTypeId: 1, ...answer })
      const report: CommitmentReport = {
        transactionUID: request.transactionUID,
        committed: request.references.filter(({ sopInstanceUID }) => !self.failing.has(sopInstanceUID)),
        failed: request.references
          .filter(({ sopInstanceUID }) => self.failing.has(sopInstanceUID))
          .map((reference) => ({ ...reference, reason: 0x0112 })),
      }
      const to = self.reportTo
      if (to === 'same') void tell(association, context.id, report)
      else {
        void open(to, 'COMMITTER', [{ sopClass: COMMITMENT_CLASS, scu: false, scp: true }]).then(async (own) => {
          await tell(own, 1, report)
          await own.release()
        })
      }
    }
  }
}

async function tell(association: Association, contextId: number, report: CommitmentReport): Promise<void> {
  const command = {
    commandField: COMMAND.N_EVENT_REPORT_RQ,
    affectedSOPClassUID: COMMITMENT_CLASS,
    affectedSOPInstanceUID: COMMITMENT_INSTANCE,
    eventTypeId: report.failed.length === 0 ? 1 : 2,
  }
  const bytes = encodeCommitmentReport(report, 'COMMITTER', EXPLICIT)
  for await (const response of association.call(contextId, command, [bytes])) await response.drain()
}

function open(
  port: number,
  callingAeTitle: string,
  roles: { sopClass: string; scu: boolean; scp: boolean }[] = [],
): Promise<Association> {
  return requestAssociation(connect({ host: '127.0.0.1', port }), {
    callingAeTitle,
    calledAeTitle: 'DIPTYCH',
    contexts: [{ id: 1, abstractSyntax: COMMITMENT_CLASS, transferSyntaxes: [EXPLICIT] }],
    implementationClassUID: '2.25.1',
    roles,
  })
}

/** Asks us to commit. @returns status of the N-ACTION response */
async function ask(association: Association, transactionUID: string, what: readonly Reference[]): Promise<number> {
  const command = {
    commandField: COMMAND.N_ACTION_RQ,
    requestedSOPClassUID: COMMITMENT_CLASS,
    requestedSOPInstanceUID: COMMITMENT_INSTANCE,
    actionTypeId: 1,
  }
  let status = -1
  const bytes = encodeCommitmentRequest({ transactionUID, references: what }, EXPLICIT)
  for await (const response of association.call(1, command, [bytes])) {
    status = response.command.status ?? -1
    await response.drain()
  }
  return status
}

async function until<T>(what: string, look: () => T | undefined, ms = 20_000): Promise<T> {
  const end = Date.now() + ms
  for (;;) {
    const found = look()
    if (found !== undefined) return found
    if (Date.now() > end) throw new Error(`${what} did not happen within ${ms} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const cli = (...args: string[]) => runCommand([...args, '--data', data.path, '--json'])
const start = () => startServer({ dataDirectory: data.path, args: ['--dimse-port', '0'] })

before(async () => {
  const demo = await cli('demo')
  assert.equal(demo.status, 0, demo.stderr)
  server = await start()
  const rows = (await (await fetch(`${server.url}/dicom-web/instances?limit=5`)).json()) as {
    [tag: string]: { Value: [string] }
  }[]
  references = rows.map((row) => ({
    sopClassUID: row['00080016']?.Value[0] ?? '',
    sopInstanceUID: row['00080018']?.Value[0] ?? '',
  }))
  assert.equal(references.length, 5)
})

after(async () => {
  await server?.stop()
  data.remove()
})

const port = () => server.dimse?.port ?? 0

test('the report comes on the same association while that is open', async () => {
  const association = await open(port(), 'MODALITY')
  const reports: CommitmentReport[] = []
  const listening = (async () => {
    for await (const message of association.messages()) {
      reports.push(readCommitmentReport(await readMessage(message, 1_000_000)))
      await association.send(1, {
        commandField: COMMAND.N_EVENT_REPORT_RSP,
        messageIdBeingRespondedTo: message.command.messageId ?? 0,
        eventTypeId: message.command.eventTypeId ?? 0,
        status: 0,
      })
    }
  })()
  const [first, second] = references
  assert.ok(first && second)
  const missing = { sopClassUID: first.sopClassUID, sopInstanceUID: '1.2.3.4' }
  const otherClass = { sopClassUID: '1.2.840.10008.5.1.4.1.1.4', sopInstanceUID: second.sopInstanceUID }
  assert.equal(await ask(association, '2.25.100', [first, missing, otherClass]), 0)
  const report = await until('a report', () => reports[0])
  await association.release()
  await listening
  assert.equal(report.transactionUID, '2.25.100')
  assert.deepEqual(report.committed, [first])
  assert.deepEqual(
    report.failed.map(({ reason }) => reason),
    [0x0112, 0x0119],
  )
})

test('a request without references is refused, and another instance than the well-known one', async () => {
  const association = await open(port(), 'MODALITY')
  assert.equal(await ask(association, '2.25.101', []), 0x0115)
  await association.release()
})

test('the report comes on a new association when the other was released, with us as SCP', async () => {
  const peer = await scripted()
  try {
    const add = ['peer', 'add', 'MODALITY', '--host', '127.0.0.1', '--port', String(peer.port), '--allow', 'commit']
    assert.equal((await cli(...add)).status, 0)
    const association = await open(port(), 'MODALITY')
    assert.equal(await ask(association, '2.25.102', references), 0)
    await association.release()
    const report = await until('a report', () => peer.reports.find((each) => each.transactionUID === '2.25.102'))
    assert.equal(report.committed.length, references.length)
    assert.ok(peer.roles.some(({ scu, scp }) => scp && !scu))
  } finally {
    await peer.close()
  }
})

test('a request survives a kill, and its report comes once the requester is reachable', async () => {
  const peer = await scripted()
  const { port: gone } = peer
  await peer.close()
  const add = ['peer', 'add', 'MODALITY', '--host', '127.0.0.1', '--port', String(gone), '--allow', 'commit']
  assert.equal((await cli(...add)).status, 0)
  const association = await open(port(), 'MODALITY')
  assert.equal(await ask(association, '2.25.103', references), 0)
  association.abort('the modality is switched off')
  await new Promise((resolve) => setTimeout(resolve, 200))
  await server.kill()
  server = await start()
  const back = await scripted()
  try {
    const again = ['peer', 'add', 'MODALITY', '--host', '127.0.0.1', '--port', String(back.port), '--allow', 'commit']
    assert.equal((await cli(...again)).status, 0)
    // The lease of the killed process has to run out first.
    const report = await until(
      'a report',
      () => back.reports.find((each) => each.transactionUID === '2.25.103'),
      90_000,
    )
    assert.equal(report.failed.length, 0)
    assert.equal(report.committed.length, references.length)
  } finally {
    await back.close()
  }
})

for (const way of ['same', 'new'] as const) {
  test(`diptych peer commit: the report comes on ${way === 'same' ? 'the same' : 'a new'} association`, async () => {
    const peer = await scripted()
    try {
      const allow = ['--port', String(peer.port), '--allow', 'echo,commit']
      assert.equal((await cli('peer', 'add', 'COMMITTER', '--host', '127.0.0.1', ...allow)).status, 0)
      peer.reportTo = way === 'same' ? 'same' : port()
      const [row] = (await (await fetch(`${server.url}/dicom-web/studies?limit=1`)).json()) as {
        [tag: string]: { Value: [string] }
      }[]
      const study = row?.['0020000D']?.Value[0] ?? ''
      const asked = [
        'peer',
        'commit',
        'COMMITTER',
        '--study',
        study,
        '--wait',
        '20',
        '--hold',
        way === 'same' ? '10' : '1',
      ]
      const good = await cli(...asked)
      assert.equal(good.status, 0, good.stdout + good.stderr)
      const end = good.lines.at(-1) as { committed: number; failed: number }
      assert.ok(end.committed > 0 && end.failed === 0)
      const instances = (await (await fetch(`${server.url}/dicom-web/studies/${study}/instances`)).json()) as {
        [tag: string]: { Value: [string] }
      }[]
      peer.failing = new Set([instances[0]?.['00080018']?.Value[0] ?? ''])
      const bad = await cli(...asked)
      assert.equal(bad.status, 2, bad.stdout)
    } finally {
      await peer.close()
    }
  })
}

test('what changed on disk is not committed', async () => {
  const [first] = references
  assert.ok(first)
  await server.stop()
  const folder = join(data.path, 'segments')
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.tar'))) {
    const file = join(folder, name)
    const handle = openSync(file, 'r+')
    // Every kibibyte gets another byte somewhere in its middle: headers of the tar stay as they are.
    for (let at = 2048 + 700; at < statSync(file).size; at += 1024) writeSync(handle, Uint8Array.of(0xa5), 0, 1, at)
    closeSync(handle)
  }
  server = await start()
  const association = await open(port(), 'STRANGER')
  const reports: CommitmentReport[] = []
  const listening = (async () => {
    for await (const message of association.messages()) {
      reports.push(readCommitmentReport(await readMessage(message, 1_000_000)))
      await association.send(1, {
        commandField: COMMAND.N_EVENT_REPORT_RSP,
        messageIdBeingRespondedTo: message.command.messageId ?? 0,
        eventTypeId: 2,
        status: 0,
      })
    }
  })()
  assert.equal(await ask(association, '2.25.105', references), 0)
  const report = await until('a report', () => reports[0])
  await association.release()
  await listening
  assert.ok(report.failed.length > 0)
  assert.ok(report.failed.every(({ reason }) => reason === 0x0110))
})
