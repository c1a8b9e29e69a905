import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { ArchiveError } from '#errors.ts'
import type { DecodedSamples, Picture, RenderAnswer, RenderJob } from './render-job.ts'

export interface RenderLimits {
  /** Threads; default one fewer than cores, 1 to 4. */
  readonly threads?: number
  /** Jobs that wait for a thread; one more is told to come again. */
  readonly waitingMax: number
  /** One job. */
  readonly timeMs: number
  /** Memory of a thread's objects, in MiB; pixels are outside it. */
  readonly memoryMiB: number
}

export const RENDER_LIMITS: RenderLimits = { waitingMax: 256, timeMs: 30_000, memoryMiB: 512 }

interface Waiting {
  readonly job: RenderJob
  resolve(answer: RenderAnswer): void
  reject(error: Error): void
}

interface Thread {
  readonly worker: Worker
  under: Waiting | null
  clock: NodeJS.Timeout | undefined
}

/**
 * Threads that decode and draw. They start with the first job; one that crashes or takes too long is replaced, and only
 * its job fails.
 */
export class RenderPool {
  readonly #limits: RenderLimits
  readonly #size: number
  readonly #threads = new Set<Thread>()
  readonly #waiting: Waiting[] = []
  #closed = false

  constructor(limits: Partial<RenderLimits> = {}) {
    this.#limits = { ...RENDER_LIMITS, ...limits }
    this.#size = this.#limits.threads ?? Math.max(1, Math.min(4, availableParallelism() - 1))
  }

  /**
   * @throws ArchiveError 'request.not-acceptable' for an object without such a form, 'dicom.malformed', 'dicom.limit',
   *   'archive.busy' when too many wait
   */
  async picture(job: RenderJob & { readonly is: 'picture' }): Promise<Picture> {
    const answer = await this.#run(job)
    if ('picture' in answer) return answer.picture
    throw new ArchiveError('archive.failed', 'a picture was asked for')
  }

  /** The same for native samples. */
  async samples(job: RenderJob & { readonly is: 'decode' }): Promise<readonly DecodedSamples[]> {
    const answer = await this.#run(job)
    if ('samples' in answer) return answer.samples
    throw new ArchiveError('archive.failed', 'samples were asked for')
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const waiting of this.#waiting.splice(0)) waiting.reject(stopping())
    await Promise.all([...this.#threads].map(({ worker }) => worker.terminate()))
  }

  async #run(job: RenderJob): Promise<RenderAnswer & { ok: true }> {
    if (this.#closed) throw stopping()
    if (this.#waiting.length >= this.#limits.waitingMax) {
      throw new ArchiveError('archive.busy', 'too many pictures are being made', { hint: 'Ask again in a moment.' })
    }
    const answer = await new Promise<RenderAnswer>((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject })
      this.#next()
    })
    if (answer.ok) return answer
    if (answer.why === 'cannot') throw new ArchiveError('request.not-acceptable', answer.detail)
    throw new ArchiveError(answer.why === 'limit' ? 'dicom.limit' : 'dicom.malformed', answer.detail)
  }

  #next(): void {
    for (;;) {
      const [waiting] = this.#waiting
      if (waiting === undefined) return
      const thread = this.#idle()
      if (thread === undefined) return
      this.#waiting.shift()
      thread.under = waiting
      thread.clock = setTimeout(() => this.#drop(thread, tooLong(this.#limits.timeMs)), this.#limits.timeMs)
      thread.worker.postMessage(waiting.job)
    }
  }

  #idle(): Thread | undefined {
    for (const thread of this.#threads) if (thread.under === null) return thread
    return this.#threads.size < this.#size ? this.#start() : undefined
  }

  #start(): Thread {
    const worker = new Worker(join(import.meta.dirname, 'render-worker.ts'), {
      env: {},
      stdin: false,
      resourceLimits: { maxOldGenerationSizeMb: this.#limits.memoryMiB },
    })
    const thread: Thread = { worker, under: null, clock: undefined }
    this.#threads.add(thread)
    worker.unref()
    worker.on('message', (answer: RenderAnswer) => {
      clearTimeout(thread.clock)
      const { under } = thread
      thread.under = null
      under?.resolve(answer)
      this.#next()
    })
    worker.on('error', (error) => {
      this.#drop(thread, new ArchiveError('dicom.malformed', 'the object could not be drawn', { cause: error }))
    })
    worker.on('exit', () => this.#drop(thread, stopping()))
    return thread
  }

  /** The thread is gone: what it did fails, what waits has another. */
  #drop(thread: Thread, why: ArchiveError): void {
    clearTimeout(thread.clock)
    if (!this.#threads.delete(thread)) return
    thread.under?.reject(why)
    thread.under = null
    thread.worker.terminate().then(
      () => this.#next(),
      () => this.#next(),
    )
  }
}

function stopping(): ArchiveError {
  return new ArchiveError('archive.busy', 'the archive is stopping')
}

function tooLong(timeMs: number): ArchiveError {
  return new ArchiveError('dicom.limit', `drawing took more than ${timeMs} ms`)
}
