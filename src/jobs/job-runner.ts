import type { Job, JobQueue, Lease } from '#model/job-queue.ts'

/** What a job does. It may run more than once; what it returns is applied once, in the transaction that finishes it. */
export type JobHandler = (job: Job, signal: AbortSignal) => Promise<(() => void) | undefined>

export interface JobRunnerOptions {
  readonly worker: string
  readonly handlers: Readonly<Record<string, JobHandler>>
  /** Kinds that are run by somebody else, through SharedJobs. */
  readonly elsewhere?: readonly string[]
  /** Jobs at once; default 1. */
  readonly parallel?: number
  /** A job that takes longer extends its lease; default one minute. */
  readonly leaseMs?: number
  /** Told of tries that failed, for the log. */
  readonly onFailure?: (job: Job, error: unknown) => void
  readonly now?: () => number
}

export interface JobRunner {
  /** Something may be due: look now. */
  wake(): void
  /** Resolves when nothing is due and nothing runs. */
  idle(): Promise<void>
  /** Takes no more jobs, tells running ones to stop, resolves when they have. */
  stop(): Promise<void>
}

/** Looks again after this long at the latest, in milliseconds: clocks jump. */
const LOOK_MAX_MS = 30_000

/**
 * Runs jobs one after the other.
 * @throws RangeError when a job is open that no handler takes: it would wait for ever
 */
export function startJobRunner(queue: JobQueue, options: JobRunnerOptions): JobRunner {
  const { worker, handlers, elsewhere = [], parallel = 1, leaseMs = 60_000, onFailure, now = Date.now } = options
  const kinds = Object.keys(handlers)
  const orphan = queue.openKinds().find((kind) => handlers[kind] === undefined && !elsewhere.includes(kind))
  if (orphan !== undefined) throw new RangeError(`jobs of kind ${orphan} are open and nothing here takes them`)

  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  let timer: NodeJS.Timeout | undefined
  let waiters: (() => void)[] = []

  function look(): void {
    clearTimeout(timer)
    if (stopping.signal.aborted) return
    while (running.size < parallel) {
      const lease = queue.lease(kinds, worker, now(), leaseMs)
      if (lease === undefined) break
      begin(lease)
    }
    if (running.size >= parallel) return
    const due = queue.nextDue()
    const pause = due === undefined ? LOOK_MAX_MS : Math.max(1, Math.min(due - now(), LOOK_MAX_MS))
    timer = setTimeout(look, pause)
    timer.unref()
    if (running.size === 0 && (due === undefined || due > now())) {
      for (const resolve of waiters) resolve()
      waiters = []
    }
  }

  function begin(lease: Lease): void {
    const run = runOne(lease).then((next) => {
      running.delete(run)
      if (next === undefined) look()
      else begin(next)
    })
    running.add(run)
  }

  /** @returns the next job, when there is one: taken in the commit that finishes this one, for each is a flush */
  async function runOne(lease: Lease): Promise<Lease | undefined> {
    const { job } = lease
    const next = () => (stopping.signal.aborted ? undefined : queue.lease(kinds, worker, now(), leaseMs))
    const lost = new AbortController()
    const beat = setInterval(() => {
      if (!queue.extend(lease, now(), leaseMs)) lost.abort()
    }, leaseMs / 3)
    beat.unref()
    try {
      const handler = handlers[job.kind]
      if (handler === undefined) throw new RangeError(`nothing takes jobs of kind ${job.kind}`)
      const apply = await handler(job, AbortSignal.any([stopping.signal, lost.signal]))
      const effect = apply === undefined ? undefined : { key: `job ${job.id}`, apply }
      return queue.together(() => {
        queue.complete(lease, now(), effect)
        return next()
      })
    } catch (error) {
      queue.fail(lease, error instanceof Error ? error.message : String(error), now())
      // Told to stop it stopped: it runs again at the next start.
      if (!stopping.signal.aborted) onFailure?.(job, error)
      return undefined
    } finally {
      clearInterval(beat)
    }
  }

  timer = setTimeout(look, 0)
  return {
    wake: look,
    idle: () =>
      new Promise((resolve) => {
        waiters.push(resolve)
        look()
      }),
    async stop() {
      stopping.abort()
      clearTimeout(timer)
      await Promise.all(running)
      for (const resolve of waiters) resolve()
      waiters = []
    },
  }
}
