import { ArchiveError } from '#errors.ts'
import type { DimseSession } from '#model/dimse-service.ts'
import type { Peer } from '#model/peer.ts'
import { EVERYTHING } from '#model/visibility.ts'
import type { Association } from '#standards/dimse/association.ts'
import type { Archive } from '../../app.ts'
import { type Emit, type ExitStatus, text } from '../command.ts'
import type { PeerAction } from './peer-action.ts'
import { peerOf, SCOPE_FLAGS, wantedOf } from './peer-operands.ts'

/** `peer get`, `peer move`: fetching from another archive. */
export const fetchActions: readonly PeerAction[] = [
  {
    name: 'get',
    operands: 'TITLE',
    summary: 'C-GET: fetches studies; what comes is screened and stored as by C-STORE',
    flags: SCOPE_FLAGS,
    operandCount: [1, 1],
    async run(archive, given, emit, signal) {
      const { getFrom } = await import('#access/dimse/scu/retrieve.ts')
      const { storageOf } = await import('../../app-dimse.ts')
      const peer = peerOf(archive, given)
      const wanted = wantedOf(given)
      const faults: unknown[] = []
      const storage = storageOf(archive, (error) => faults.push(error))
      const tally = new Map<number, number>()
      let done = 0
      const begun = performance.now()
      const end = await getFrom(
        archive.exchange.connector,
        peer,
        wanted,
        async (message, association) => {
          let status = 0
          const told = watched(association, (sent) => {
            status = sent
          })
          await storage.handle(message, sessionOf(archive, peer, told, signal))
          tally.set(status, (tally.get(status) ?? 0) + 1)
          done++
          const uid = message.command.affectedSOPInstanceUID ?? ''
          const progress = { done, bytes: 0, seconds: (performance.now() - begun) / 1000, counts: { received: done } }
          await emit({ json: { sopInstanceUid: uid, status: hex(status) }, progress })
          if (status !== 0) await emit({ text: `${uid}: ${hex(status)}` })
        },
        () => undefined,
        signal,
      )
      const [fault] = faults
      if (fault !== undefined) throw fault
      const stored = [...tally].reduce((sum, [status, n]) => sum + (isKept(status) ? n : 0), 0)
      const refused = done - stored
      const counts = { received: done, stored, refused, failed: end.failed }
      await emit({ json: { peer: peer.aeTitle, operation: 'get', status: hex(end.status), ...counts } })
      await emit({ text: `${done} received, ${stored} stored, ${refused} held or refused, ${end.failed} not sent` })
      return refused > 0 || end.failed > 0 ? 2 : 0
    },
  },
  {
    name: 'move',
    operands: 'TITLE',
    summary: 'C-MOVE: has it send studies to us (or another of its peers)',
    flags: { ...SCOPE_FLAGS, to: { type: 'string', value: 'TITLE', about: 'AE title to send to (ours)' } },
    operandCount: [1, 1],
    async run(archive, given, emit, signal) {
      const { moveFrom } = await import('#access/dimse/scu/retrieve.ts')
      const peer = peerOf(archive, given)
      const to = text(given, 'to') ?? archive.exchange.connector.callingAeTitle(peer)
      return told(
        peer,
        to,
        emit,
        await moveFrom(
          archive.exchange.connector,
          peer,
          wantedOf(given),
          to,
          ({ completed, failed, warning, remaining }) => {
            void emit({
              progress: { done: completed + failed + warning, bytes: 0, seconds: 0, counts: { remaining, failed } },
            })
          },
          signal,
        ),
      )
    },
  },
]

async function told(
  peer: Peer,
  to: string,
  emit: Emit,
  end: { readonly completed: number; readonly failed: number; readonly warning: number; readonly status: number },
): Promise<ExitStatus> {
  const { completed, failed, warning, status } = end
  await emit({
    json: { peer: peer.aeTitle, operation: 'move', to, status: hex(status), completed, warning, failed },
    text: `${completed} sent to ${to}, ${warning} with a warning, ${failed} failed (${hex(status)})`,
  })
  if (completed + warning + failed === 0 && status === 0) {
    throw new ArchiveError('request.not-found', 'the peer has no such study')
  }
  return failed > 0 || status !== 0 ? 2 : 0
}

function hex(status: number): string {
  return status.toString(16).padStart(4, '0').toUpperCase()
}

/** Success and warnings: the object is in the archive. */
function isKept(status: number): boolean {
  return status === 0 || status >>> 12 === 0xb
}

/** The same association, telling the status of each response. */
function watched(association: Association, told: (status: number) => void): Association {
  return new Proxy(association, {
    get(target, name) {
      if (name === 'send') {
        const send: Association['send'] = (contextId, command, dataSet) => {
          told(command.status ?? 0)
          return target.send(contextId, command, dataSet)
        }
        return send
      }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** What the door of C-STORE is told of who sends: the peer we called. */
function sessionOf({ auditor }: Archive, peer: Peer, association: Association, signal: AbortSignal): DimseSession {
  const subject = { kind: 'peer', name: peer.aeTitle, role: 'sender', scopes: [], patientIds: null } as const
  return {
    association,
    caller: {
      aeTitle: peer.aeTitle,
      peer,
      address: peer.host,
      certificate: null,
      provedBy: 'address',
      subject,
      visibility: EVERYTHING,
    },
    signal,
    cancelled: () => signal,
    audit: (kind, what) => auditor.record(subject, { ...what, kind, address: peer.host }),
  }
}
