import { hash } from 'node:crypto'
import { hostname } from 'node:os'
import { ArchiveError } from '#errors.ts'
import type { Lease, SharedJobs } from '#model/job-queue.ts'
import type { Peer } from '#model/peer.ts'
import type { Association } from '#standards/dimse/association.ts'
import { COMMAND } from '#standards/dimse/command-set.ts'
import { DimseError } from '#standards/dimse/dimse-error.ts'
import { type CheckOptions, checkCommitment } from './commitment-check.ts'
import {
  COMMITMENT_CLASS,
  COMMITMENT_INSTANCE,
  type CommitmentReport,
  type CommitmentRequest,
  EVENT,
  encodeCommitmentReport,
} from './commitment-message.ts'
import { STATUS } from './refusal.ts'
import { type Connector, numbered, UNCOMPRESSED } from './scu/connector.ts'

/** Kind of the jobs that check and report; they run here, where the associations are. */
export const COMMITMENT_JOB = 'commitment'

/** What a job knows: plain JSON. */
interface Payload {
  readonly peer: string
  readonly request: CommitmentRequest
  /** The transaction UID was in use for another request. */
  readonly duplicate: boolean
}

export interface CommitmentOptions extends CheckOptions {
  readonly jobs: SharedJobs
  readonly connector: Connector
  readonly peer: (aeTitle: string) => Peer | undefined
  /** Ours: where the instances can be retrieved. */
  readonly aeTitle: string
  /** Told of tries that failed. */
  readonly report: (error: unknown, subject: string) => void
}

const LEASE_MS = 20_000
const LOOK_MS = 5_000
/** Doubling pauses: the last try comes about a day after the first. */
const ATTEMPTS_MAX = 32
const REPORTS_MAX = 64
/** Requests checked and reported at once: a peer that is slow to be told holds nobody else up. */
const PARALLEL = 4

interface Live {
  readonly association: Association
  readonly contextId: number
  readonly transferSyntax: string
}

/** Checks what was asked to be committed, and tells the peer: jobs that survive a restart, with retries. PS3.4 J.3.3. */
export class CommitmentRunner {
  readonly #options: CommitmentOptions
  readonly #worker = `${hostname()}:${process.pid}:commitment`
  readonly #live = new Map<string, Live>()
  /** Checked, and not told yet. */
  readonly #reports = new Map<string, CommitmentReport>()
  readonly #stopping = new AbortController()
  /** One report at a time to each peer: its last one, settled or not. */
  readonly #telling = new Map<string, Promise<void>>()
  #running: Promise<void> | null = null
  #again = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: CommitmentOptions) {
    this.#options = options
  }

  /** Takes up what an earlier process left. */
  start(): void {
    this.wake()
  }

  /**
   * Puts a request down for good. A transaction UID that is being worked on for something else fails every reference
   * with 0131H; the same request again is the same request.
   * @returns its subject
   */
  async accept(peer: string, request: CommitmentRequest): Promise<string> {
    const digest = hash('sha256', JSON.stringify(request.references), 'hex').slice(0, 16)
    const subject = `${peer} ${request.transactionUID}`
    const payload: Payload = { peer, request, duplicate: false }
    const { jobs } = this.#options
    const inUse = await jobs.open(COMMITMENT_JOB, subject)
    if (inUse === undefined || digestOf(inUse.payload) === digest) {
      await jobs.enqueue({ kind: COMMITMENT_JOB, subject, payload, attemptsMax: ATTEMPTS_MAX })
      return subject
    }
    const other = `${subject} ${digest}`
    await jobs.enqueue({
      kind: COMMITMENT_JOB,
      subject: other,
      payload: { ...payload, duplicate: true },
      attemptsMax: ATTEMPTS_MAX,
    })
    return other
  }

  /** The association a request came by: its report goes back there while it is open. */
  remember(subject: string, live: Live): void {
    this.#live.set(subject, live)
    live.association.ended.then(
      () => {
        if (this.#live.get(subject) === live) this.#live.delete(subject)
      },
      () => this.#live.delete(subject),
    )
  }

  /** Something may be due. */
  wake(): void {
    if (this.#stopping.signal.aborted) return
    if (this.#running !== null) {
      this.#again = true
      return
    }
    clearTimeout(this.#timer)
    this.#running = Promise.all(Array.from({ length: PARALLEL }, () => this.#look()))
      .then(() => undefined)
      .catch((error: unknown) => this.#options.report(error, 'commitment'))
      .finally(() => {
        this.#running = null
        if (this.#stopping.signal.aborted) return
        if (this.#again) {
          this.#again = false
          this.wake()
          return
        }
        this.#timer = setTimeout(() => this.wake(), LOOK_MS)
        this.#timer.unref()
      })
  }

  /** Takes no more; what runs is left for the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    clearTimeout(this.#timer)
    await this.#running
  }

  async #look(): Promise<void> {
    const { jobs, report } = this.#options
    while (!this.#stopping.signal.aborted) {
      const lease = await jobs.lease([COMMITMENT_JOB], this.#worker, LEASE_MS)
      if (lease === undefined) return
      const beat = setInterval(() => {
        jobs.extend(lease, LEASE_MS).catch((error: unknown) => report(error, lease.job.subject))
      }, LEASE_MS / 3)
      try {
        await this.#run(lease)
        this.#reports.delete(lease.job.subject)
        await jobs.complete(lease)
      } catch (error) {
        await jobs.fail(lease, error instanceof Error ? error.message : String(error))
        report(error, lease.job.subject)
      } finally {
        clearInterval(beat)
      }
    }
  }

  async #run({ job }: Lease): Promise<void> {
    const { peer, request, duplicate } = job.payload as Payload
    const known = this.#reports.get(job.subject)
    const report = known ?? (duplicate ? allFailed(request) : await this.#check(request))
    if (this.#reports.size >= REPORTS_MAX) this.#reports.clear()
    this.#reports.set(job.subject, report)
    await this.#inTurn(peer, () => this.#tell(job.subject, peer, report))
  }

  async #inTurn(aeTitle: string, tell: () => Promise<void>): Promise<void> {
    const before = this.#telling.get(aeTitle) ?? Promise.resolve()
    const mine = before.then(tell)
    // Whoever waits behind it does so whatever becomes of it; its own job is told.
    const settled = mine.catch(() => undefined)
    this.#telling.set(aeTitle, settled)
    try {
      await mine
    } finally {
      if (this.#telling.get(aeTitle) === settled) this.#telling.delete(aeTitle)
    }
  }

  #check(request: CommitmentRequest): Promise<CommitmentReport> {
    return checkCommitment(this.#options, request, this.#stopping.signal)
  }

  async #tell(subject: string, aeTitle: string, report: CommitmentReport): Promise<void> {
    const live = this.#live.get(subject)
    if (live !== undefined) {
      try {
        return await this.#send(live, report)
      } catch (error) {
        // It went away, or does not take reports here: a new association, as the standard foresees.
        if (!(error instanceof DimseError)) throw error
        this.#live.delete(subject)
      }
    }
    const { connector, peer: find } = this.#options
    const peer = find(aeTitle)
    if (peer?.host == null) {
      throw new ArchiveError('request.not-found', `${aeTitle} is not registered with host and port: it cannot be told`)
    }
    const association = await connector.connect(peer, {
      contexts: numbered([{ abstractSyntax: COMMITMENT_CLASS, transferSyntaxes: UNCOMPRESSED }]),
      roles: [{ sopClass: COMMITMENT_CLASS, scu: false, scp: true }],
      signal: this.#stopping.signal,
    })
    try {
      const [context] = association.contexts.values()
      if (context === undefined) throw new DimseError('context', 'the peer takes no commitment reports')
      await this.#send({ association, contextId: context.id, transferSyntax: context.transferSyntax }, report)
    } finally {
      await association.release()
    }
  }

  async #send({ association, contextId, transferSyntax }: Live, report: CommitmentReport): Promise<void> {
    const request = {
      commandField: COMMAND.N_EVENT_REPORT_RQ,
      affectedSOPClassUID: COMMITMENT_CLASS,
      affectedSOPInstanceUID: COMMITMENT_INSTANCE,
      eventTypeId: report.failed.length === 0 ? EVENT.allCommitted : EVENT.failuresExist,
    }
    const bytes = encodeCommitmentReport(report, this.#options.aeTitle, transferSyntax)
    for await (const answer of association.call(contextId, request, [bytes])) {
      const { status } = answer.command
      await answer.drain()
      if (status !== STATUS.success) {
        throw new ArchiveError('archive.failed', `the report was answered with status ${status?.toString(16)}`)
      }
    }
  }
}

function digestOf(payload: unknown): string {
  const { request } = payload as Payload
  return hash('sha256', JSON.stringify(request.references), 'hex').slice(0, 16)
}

function allFailed({ transactionUID, references }: CommitmentRequest): CommitmentReport {
  const failed = references.map((reference) => ({ ...reference, reason: STATUS.duplicateTransaction }))
  return { transactionUID, committed: [], failed }
}
