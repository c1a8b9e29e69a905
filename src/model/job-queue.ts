/** Work that must happen after a commit: it survives a crash and runs at least once. design.md section 6. */
export interface NewJob {
  readonly kind: string
  /** What it is about. While a job of this kind and subject is open, another one is the same job. */
  readonly subject: string
  /** JSON. */
  readonly payload?: unknown
  /** Tries before it is parked; default 5. */
  readonly attemptsMax?: number
  /** Not before this instant, in milliseconds since 1970. */
  readonly runAfter?: number
}

export type JobState = 'waiting' | 'leased' | 'done' | 'parked'

export interface Job {
  readonly id: number
  readonly kind: string
  readonly subject: string
  readonly payload: unknown
  readonly state: JobState
  readonly attempts: number
  readonly attemptsMax: number
  readonly runAfter: number
  readonly worker: string | null
  /** What the last try said. */
  readonly error: string | null
  readonly created: string
  readonly finished: string | null
}

/** A job handed to one worker. The fence rises with every lease, so that a worker that was too slow cannot finish it. */
export interface Lease {
  readonly job: Job
  readonly fence: number
}

/** Times are milliseconds since 1970, given by the caller, so that tests own the clock. */
export interface JobQueue {
  /** Part of the caller's transaction when one is open. @returns id of the job, old or new */
  enqueue(job: NewJob, now: number): number
  /** The job due longest, or one whose lease ran out; undefined when there is none of these kinds. */
  lease(kinds: readonly string[], worker: string, now: number, leaseMs: number): Lease | undefined
  /** Several steps that are durable together, or not at all when `fn` throws. */
  together<T>(fn: () => T): T
  /** @returns false when the job is no longer this worker's: stop */
  extend(lease: Lease, now: number, leaseMs: number): boolean
  /**
   * Finishes a job and runs its effect in the same transaction. The effect happens once per key, however often the
   * job ran.
   * @returns false when the job is no longer this worker's; then nothing happened
   */
  complete(lease: Lease, now: number, effect?: { readonly key: string; readonly apply: () => void }): boolean
  /** Another try later, each twice as late as the one before, or parked after the last. */
  fail(lease: Lease, error: string, now: number): 'waiting' | 'parked' | 'lost'
  /**
   * At the start of the one process that owns the queue: leases of one that died end now, so that what was cut off is
   * gone on with first. @returns how many
   */
  endLeases(now: number): number
  /** A parked job starts afresh. @returns false when it is not parked, or an equal one is open */
  retry(id: number, now: number): boolean
  list(filter: {
    /** `open`: waiting, leased or parked. */
    readonly state?: JobState | 'open'
    readonly kind?: string
    readonly limit: number
    readonly cursor?: string
  }): { readonly items: readonly Job[]; readonly next: string | null }
  /** Jobs waiting or leased. */
  openJobs(): number
  /** Kinds of jobs that are open. */
  openKinds(): readonly string[]
  /** When the next job is due or a lease ends; undefined when nothing is open. */
  nextDue(): number | undefined
  /** Forgets finished jobs older than an instant (ISO 8601). @returns how many */
  prune(before: string): number
}

/** Jobs that are run outside the worker that owns the queue, where their sockets are. Times are the queue's own. */
export interface SharedJobs {
  /** Durable when it resolves. */
  enqueue(job: NewJob): Promise<number>
  /** The open job of a kind and subject. */
  open(kind: string, subject: string): Promise<Job | undefined>
  lease(kinds: readonly string[], worker: string, leaseMs: number): Promise<Lease | undefined>
  extend(lease: Lease, leaseMs: number): Promise<boolean>
  complete(lease: Lease): Promise<boolean>
  fail(lease: Lease, error: string): Promise<'waiting' | 'parked' | 'lost'>
}
