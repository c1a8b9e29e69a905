import { Worker } from 'node:worker_threads'
import { ArchiveError } from '#errors.ts'
import type { FaceAnswer, FaceAsk, FaceResult, FaceWork } from './face-work.ts'

export interface FaceThread {
  /** @throws ArchiveError what the work throws; 'archive.busy' when too many wait, 'archive.failed' when it breaks down */
  run(work: FaceWork): Promise<FaceResult>
  close(): Promise<void>
}

/** One piece of work may take this long, in milliseconds; decoding a picture has its own limit within it. */
const WORK_MS = 60_000
/** The thread ends when nobody needed it for this long, in milliseconds: its memory goes with it. */
const IDLE_MS = 30_000
/** Of the thread's heap, in MiB. Pixels are outside it. */
const HEAP_MIB = 512
/** Requests that wait for their turn at most. */
const WAITING_MAX = 64

/**
 * A thread for the faces of originals, started with the first: what reads whole originals keeps no request waiting, and
 * what breaks it down ends with it. Work is done in turn.
 * @param directory of the segments
 */
export function createFaceThread(directory: string, workMs = WORK_MS): FaceThread {
  let worker: Worker | null = null
  let turn: Promise<unknown> = Promise.resolve()
  let waiting = 0
  let idle: NodeJS.Timeout | undefined

  function started(): Worker {
    clearTimeout(idle)
    if (worker !== null) return worker
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    const fresh = new Worker(new URL(`./face-worker.${extension}`, import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
    })
    fresh.on('error', () => undefined) // told to who waits, below; an idle one that breaks down is only replaced
    fresh.once('exit', () => {
      if (worker === fresh) worker = null
    })
    fresh.unref()
    worker = fresh
    return fresh
  }

  async function end(): Promise<void> {
    clearTimeout(idle)
    const ended = worker
    worker = null
    await ended?.terminate()
  }

  async function worked(work: FaceWork): Promise<FaceResult> {
    const thread = started()
    const answer = Promise.withResolvers<FaceAnswer>()
    const failed = (error: unknown) => answer.reject(error)
    const exited = () => answer.reject(new Error('the thread of faces ended'))
    const clock = setTimeout(() => answer.reject(new Error(`it took longer than ${workMs} ms`)), workMs)
    thread.once('message', answer.resolve).once('error', failed).once('exit', exited)
    thread.ref()
    let report: FaceAnswer
    try {
      const ask: FaceAsk = { directory, work }
      thread.postMessage(ask)
      report = await answer.promise
    } catch (cause) {
      await end() // whatever it does now is for nobody
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new ArchiveError('archive.failed', `the face could not be made: ${why}`, { cause })
    } finally {
      clearTimeout(clock)
      thread.off('message', answer.resolve).off('error', failed).off('exit', exited)
      thread.unref()
      clearTimeout(idle)
      idle = setTimeout(() => void end(), IDLE_MS).unref()
    }
    if ('result' in report) return report.result
    const { code, message, hint } = report.failed
    throw new ArchiveError(code ?? 'archive.failed', message, hint === null ? {} : { hint })
  }

  return {
    run(work) {
      if (waiting >= WAITING_MAX) throw new ArchiveError('archive.busy', 'too many faces are being made')
      waiting++
      const mine = turn
        .then(() => worked(work))
        .finally(() => {
          waiting--
        })
      turn = mine.catch(() => undefined)
      return mine
    },
    async close() {
      await turn
      await end()
    },
  }
}
