import { randomUUID } from 'node:crypto'
import { wholeNumber } from '../command.ts'
import type { PeerAction } from './peer-action.ts'
import { peerOf, SCOPE_FLAGS, surveyOf } from './peer-operands.ts'

/** `peer send`, `peer commit`: giving to another archive, and asking it to keep. */
export const giveActions: readonly PeerAction[] = [
  {
    name: 'send',
    operands: 'TITLE',
    summary: 'C-STORE: sends studies, with their corrections, as stored where it takes that',
    flags: SCOPE_FLAGS,
    operandCount: [1, 1],
    async run(archive, given, emit, signal) {
      const { sendTo } = await import('#access/dimse/scu/send.ts')
      const peer = peerOf(archive, given)
      const found = await surveyOf(archive, given)
      for (const [studyInstanceUID, count] of found.studies) {
        const detail = `C-STORE to ${peer.aeTitle}`
        await archive.auditor.record(LOCAL, { kind: 'export', studyInstanceUID, count, detail, address: null })
      }
      const begun = performance.now()
      const failures: Promise<void>[] = []
      const outcome = await sendTo(
        archive.exchange.connector,
        peer,
        found,
        archive.exchange.data,
        {
          progress: async ({ completed, warning, failed }) => {
            const done = completed + warning + failed
            const seconds = (performance.now() - begun) / 1000
            await emit({ progress: { done, bytes: 0, seconds, counts: { sent: completed + warning, failed } } })
          },
          failed: ({ sopInstanceUID }, why) => {
            const told = emit({
              json: { sopInstanceUid: sopInstanceUID, failed: why },
              text: `${sopInstanceUID}: ${why}`,
            })
            failures.push(Promise.resolve(told))
          },
        },
        signal,
      )
      await Promise.all(failures)
      const { completed, warning, failed } = outcome
      await emit({
        json: { peer: peer.aeTitle, operation: 'send', completed, warning, failed },
        text: `${completed} sent to ${peer.aeTitle}, ${warning} with a warning, ${failed} failed`,
      })
      return failed > 0 ? 2 : 0
    },
  },
  {
    name: 'commit',
    operands: 'TITLE',
    summary: 'Storage commitment: asks it to say that it keeps studies, and waits for the report',
    flags: {
      ...SCOPE_FLAGS,
      wait: { type: 'string', value: 'SECONDS', about: 'for the report (60)' },
      hold: {
        type: 'string',
        value: 'SECONDS',
        about: 'keep the association open for it (15); then our door takes it',
      },
    },
    operandCount: [1, 1],
    async run(archive, given, emit, signal) {
      const { commitAt } = await import('#access/dimse/scu/commit.ts')
      const peer = peerOf(archive, given)
      const found = await surveyOf(archive, given)
      const references: { sopClassUID: string; sopInstanceUID: string }[] = []
      for await (const { sopClassUID, sopInstanceUID } of found.instances()) {
        references.push({ sopClassUID, sopInstanceUID })
      }
      const transactionUID = `2.25.${BigInt(`0x${randomUUID().replaceAll('-', '')}`)}`
      const note = (detail: string, count: number) =>
        archive.auditor.record(LOCAL, { kind: 'decide', detail, count, address: null })
      await note(`storage commitment ${transactionUID} asked of ${peer.aeTitle}`, references.length)
      const waitMs = wholeNumber(given, 'wait', 60) * 1000
      const holdMs = wholeNumber(given, 'hold', 15) * 1000
      const { connector, asks } = archive.exchange
      const report = await commitAt(connector, peer, { transactionUID, references, waitMs, holdMs }, asks, signal)
      if (report === undefined) {
        await emit({
          json: { peer: peer.aeTitle, transactionUid: transactionUID, report: 'none' },
          text: `no report yet: transaction ${transactionUID}; it is audited when it comes`,
        })
        return 2
      }
      const { committed, failed } = report
      await note(
        `storage commitment ${transactionUID} by ${peer.aeTitle}: ${committed.length} committed, ${failed.length} failed`,
        references.length,
      )
      for (const { sopInstanceUID, reason } of failed) {
        const text = reason.toString(16).padStart(4, '0').toUpperCase()
        await emit({
          json: { sopInstanceUid: sopInstanceUID, failureReason: text },
          text: `${sopInstanceUID}: ${text}`,
        })
      }
      const confirmed = new Set(committed.map(({ sopInstanceUID }) => sopInstanceUID))
      const missing = references.filter(({ sopInstanceUID }) => !confirmed.has(sopInstanceUID)).length
      await emit({
        json: { peer: peer.aeTitle, transactionUid: transactionUID, committed: committed.length, failed: missing },
        text: `${peer.aeTitle} keeps ${committed.length} of ${references.length}`,
      })
      return missing > 0 ? 2 : 0
    },
  },
]

const LOCAL = { kind: 'local', name: 'local', role: 'administrator', scopes: [], patientIds: null } as const
