/** Audit entries go to a syslog server: each, in order, also those that could not be sent for a while. */
import { auditMessage, auditMessageXml } from '#security/audit-message.ts'
import type { AuditEntry, AuditStore } from '#security/ports.ts'
import { syslogMessage } from '#standards/syslog/message.ts'
import type { SyslogSink } from './sink.ts'

export interface ForwarderOptions {
  readonly trail: Pick<AuditStore, 'chain'>
  /** Whose chain is sent: ours. */
  readonly node: string
  readonly sink: SyslogSink
  /** Number of the last entry that was sent; durable. */
  sent(): number
  /** Durable when it resolves. */
  advance(sequence: number): Promise<void>
  readonly facility: number
  /** How often the trail is looked at, and the longest pause after a failure, in milliseconds. */
  readonly lookMs?: number
  readonly pauseMaxMs?: number
  /** Told when sending begins to fail, and when it works again (null). */
  onState(problem: Error | null): void
}

export interface Forwarder {
  /** Looks now. Resolves when there is nothing left, or sending failed. */
  pump(): Promise<void>
  status(): { readonly sent: number; readonly waiting: boolean; readonly problem: string | null }
  /** Sends what is left if the server takes it within `withinMs`; the rest is sent at the next start. */
  close(withinMs: number): Promise<void>
}

/** Entries in one batch: all that is ever held in memory. The queue is the trail itself. */
const BATCH = 100
/** Notice for what is normal, warning for what was refused or failed, alert for alerts. RFC 5424 section 6.2.1. */
const severityOf = ({ kind, outcome }: AuditEntry): number => (kind === 'alert' ? 1 : outcome === 'success' ? 5 : 4)

export function startForwarder(options: ForwarderOptions): Forwarder {
  const { trail, node, sink, facility, lookMs = 1000, pauseMaxMs = 60_000 } = options
  let running: Promise<void> | undefined
  let problem: Error | null = null
  let pause = lookMs
  let timer: NodeJS.Timeout
  let closed = false

  async function sendAll(): Promise<void> {
    for (let after = options.sent(); !closed; ) {
      const entries = trail.chain(node, after, BATCH)
      const last = entries.at(-1)
      if (last === undefined) return
      await sink.send(entries.map((entry) => messageOf(entry, facility)))
      await options.advance(last.sequence)
      after = last.sequence
      if (problem !== null) {
        problem = null
        options.onState(null)
      }
      pause = lookMs
    }
  }

  function pump(): Promise<void> {
    running ??= sendAll()
      .catch((error: unknown) => {
        const now = error instanceof Error ? error : new Error(String(error))
        if (problem === null) options.onState(now)
        problem = now
        pause = Math.min(pause * 2, pauseMaxMs)
      })
      .finally(() => {
        running = undefined
      })
    return running
  }

  function later(): void {
    timer = setTimeout(() => {
      pump().finally(() => {
        if (!closed) later()
      })
    }, pause)
    timer.unref()
  }
  later()

  return {
    pump,
    status: () => ({
      sent: options.sent(),
      waiting: trail.chain(node, options.sent(), 1).length > 0,
      problem: problem?.message ?? null,
    }),
    async close(withinMs) {
      clearTimeout(timer)
      let timeout: NodeJS.Timeout | undefined
      const over = new Promise<void>((resolve) => {
        timeout = setTimeout(resolve, withinMs)
      })
      await Promise.race([pump(), over])
      clearTimeout(timeout)
      closed = true
      sink.close()
    },
  }
}

/** An entry as a DICOM audit message in syslog. PS3.15 sections A.5 and A.6. */
export function messageOf(entry: AuditEntry, facility: number): Buffer {
  return syslogMessage({
    ...{ facility, severity: severityOf(entry), time: entry.time, host: entry.node },
    ...{ application: 'diptych', process: String(process.pid), messageId: 'DICOM+RFC3881' },
    text: auditMessageXml(auditMessage(entry)),
  })
}
