import type { Subject } from '#model/permission.ts'
import type { AuditEvent, AuditKind, SecurityWriter } from './ports.ts'

/** Says of a look what is to be told beside it: the purpose, and whether somebody is to be alerted. */
export type Watch = (subject: Subject, told: Told) => { readonly purpose: string | null; readonly watched: boolean }

/** What is told of an event; the rest is null. */
export interface Told {
  readonly kind: AuditKind
  readonly outcome?: AuditEvent['outcome']
  readonly address?: string | null
  readonly purpose?: string | null
  readonly studyInstanceUID?: string | null
  readonly patientId?: string | null
  readonly detail?: string | null
  readonly count?: number
  readonly since?: string | null
}

/** Longest query text kept in an entry. */
const DETAIL_MAX = 4096

export function auditEvent(who: string, told: Told, now: number = Date.now()): AuditEvent {
  const detail = told.detail ?? null
  return {
    time: new Date(now).toISOString(),
    kind: told.kind,
    outcome: told.outcome ?? 'success',
    who,
    address: told.address ?? null,
    purpose: told.purpose ?? null,
    studyInstanceUID: told.studyInstanceUID ?? null,
    patientId: told.patientId ?? null,
    detail: detail === null ? null : detail.slice(0, DETAIL_MAX),
    count: told.count ?? 1,
    since: told.since ?? null,
  }
}

interface Window {
  readonly event: AuditEvent
  /** Reads after the first, not yet written. */
  more: number
  readonly endsAt: number
  /** Settles when the first entry is durable. */
  readonly first: Promise<void>
}

/**
 * What is counted over a window instead of written one by one: reads, and refusals that a program may cause by the
 * thousand. A wrong password of an account is always written: it is slowed anyway.
 */
function isCounted({ kind, outcome, who, detail }: AuditEvent): boolean {
  if (outcome === 'success') return kind === 'query' || kind === 'read' || (kind === 'alert' && detail === WATCHED)
  return kind === 'alert' || (kind === 'sign-in' && (detail === BAD_TOKEN || who === UNKNOWN_ACCOUNT))
}

/** Who signs in under a name that nobody has: the name itself may be a password typed into the wrong field. */
export const UNKNOWN_ACCOUNT = 'unknown account'

/** Detail of the alert that each look at a watched record raises. */
export const WATCHED = 'a watched record was read'

/** Detail of a refused token. */
export const BAD_TOKEN = 'token refused'

/** Windows open at once; more are written at once and not counted together. */
const WINDOWS_MAX = 50_000

/**
 * Writes audit entries. A read of the same (user, purpose, study, kind) is durable before its first byte; those that
 * follow within the window are counted and written as one entry when it ends. After a crash the count of open windows
 * is lost, never the fact that somebody read.
 */
export class Auditor {
  readonly #writer: Pick<SecurityWriter, 'appendAudit'>
  readonly #windowMs: number
  readonly #now: () => number
  readonly #watch: Watch | undefined
  readonly #windows = new Map<string, Window>()
  #batch: { readonly events: AuditEvent[]; readonly written: Promise<void> } | undefined

  constructor(
    writer: Pick<SecurityWriter, 'appendAudit'>,
    options: { readonly windowSeconds: number; readonly now?: () => number; readonly watch?: Watch },
  ) {
    this.#writer = writer
    this.#windowMs = options.windowSeconds * 1000
    this.#now = options.now ?? Date.now
    this.#watch = options.watch
  }

  /** Resolves when it is durable that this subject did this. */
  async record(subject: Subject, told: Told): Promise<void> {
    const { purpose = null, watched = false } = this.#watch?.(subject, told) ?? {}
    const { studyInstanceUID = null, patientId = null, address = null } = told
    const alert = { kind: 'alert', detail: WATCHED, purpose, studyInstanceUID, patientId, address } as const
    await Promise.all([
      this.note(subject.name, purpose === null ? told : { ...told, purpose }),
      watched ? this.note(subject.name, alert) : undefined,
    ])
  }

  /** The same for events of nobody in particular: failed sign-ins, start, alerts. */
  async note(who: string, told: Told): Promise<void> {
    const event = auditEvent(who, told, this.#now())
    if (!isCounted(event)) return this.#append(event)
    const key = JSON.stringify([
      event.who,
      event.purpose,
      event.kind,
      event.outcome,
      event.studyInstanceUID,
      event.studyInstanceUID === null ? event.patientId : null,
      event.kind === 'read' ? null : event.detail,
    ])
    const open = this.#windows.get(key)
    if (open !== undefined && this.#now() < open.endsAt) {
      open.more += event.count
      return open.first // a failed first entry fails these too: nobody reads unaudited
    }
    if (open !== undefined) {
      this.#windows.delete(key)
      await this.#closing(open)
    }
    const first = this.#append(event)
    if (this.#windows.size < WINDOWS_MAX) {
      this.#windows.set(key, { event, more: 0, endsAt: this.#now() + this.#windowMs, first })
    }
    try {
      await first
    } catch (error) {
      this.#windows.delete(key)
      throw error
    }
  }

  /**
   * Writes the counts of windows that have ended; called by a timer, and with `all` before stopping. Counts that cannot
   * be written now are kept for the next time.
   * @throws when something could not be written
   */
  async flush(all = false): Promise<void> {
    const ended = [...this.#windows].filter(([, window]) => all || this.#now() >= window.endsAt)
    for (const [key] of ended) this.#windows.delete(key)
    const written = await Promise.allSettled(ended.map(([, window]) => this.#closing(window)))
    for (const [at, outcome] of written.entries()) {
      if (outcome.status === 'fulfilled') continue
      const [key, window] = ended[at] ?? []
      const newer = key === undefined ? undefined : this.#windows.get(key)
      if (newer !== undefined && window !== undefined) newer.more += window.more
      else if (key !== undefined && window !== undefined) this.#windows.set(key, window)
    }
    const failed = written.find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  async #closing({ event, more }: Window): Promise<void> {
    if (more === 0) return
    const time = new Date(this.#now()).toISOString()
    await this.#append({ ...event, time, since: event.time, count: more })
  }

  /** Events of one turn of the event loop travel to the writer together. */
  #append(event: AuditEvent): Promise<void> {
    if (this.#batch === undefined) {
      const events: AuditEvent[] = []
      const written = new Promise<void>((resolve, reject) => {
        setImmediate(() => {
          this.#batch = undefined
          this.#writer.appendAudit(events).then(() => resolve(), reject)
        })
      })
      this.#batch = { events, written }
    }
    this.#batch.events.push(event)
    return this.#batch.written
  }
}
