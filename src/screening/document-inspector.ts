import { Worker } from 'node:worker_threads'
import type { DocumentPlace, DocumentVerdict, Inspector } from './document-inspection.ts'

/** What the thread is handed, and what it answers. */
export interface InspectionOrder {
  readonly bytes: Uint8Array
  readonly start: number
  readonly type: DocumentPlace['type']
  readonly tag: string | null
}
export type InspectionReport = { readonly verdict: DocumentVerdict } | { readonly failed: string }

/** One document may take this long, in milliseconds. 64 MiB of XML take some seconds. */
const INSPECTION_MS = 120_000
/** The thread ends when nobody needed it for this long, in milliseconds: its memory goes with it. */
const IDLE_MS = 30_000
/** Of the thread's heap, in MiB: 64 MiB of UTF-16 text with its bodies, and room to work. */
const HEAP_MIB = 1024

/** One thread for all large documents, started with the first; they are read and inspected one after the other. */
export function createInspector(inspectionMs = INSPECTION_MS): Inspector {
  let worker: Worker | null = null
  let turn: Promise<unknown> = Promise.resolve()
  let idle: NodeJS.Timeout | undefined

  function started(): Worker {
    clearTimeout(idle)
    if (worker !== null) return worker
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    const fresh = new Worker(new URL(`./document-inspector-worker.${extension}`, import.meta.url), {
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

  async function inspected({ source, start, end: last, type, tag }: DocumentPlace): Promise<DocumentVerdict> {
    const thread = started()
    const bytes = source.read(start, last).slice()
    const order: InspectionOrder = { bytes, start, type, tag }
    const answer = Promise.withResolvers<InspectionReport>()
    const failed = (error: unknown) => answer.reject(error)
    const exited = () => answer.reject(new Error('the inspecting thread ended'))
    const clock = setTimeout(() => {
      answer.reject(new Error(`the inspection took longer than ${inspectionMs} ms`))
    }, inspectionMs)
    thread.once('message', answer.resolve).once('error', failed).once('exit', exited)
    thread.ref()
    try {
      thread.postMessage(order, [bytes.buffer])
      const report = await answer.promise
      if ('failed' in report) throw new Error(report.failed)
      return report.verdict
    } catch (error) {
      await end() // whatever it does now is for nobody
      throw error
    } finally {
      clearTimeout(clock)
      thread.off('message', answer.resolve).off('error', failed).off('exit', exited)
      thread.unref()
      idle = setTimeout(() => void end(), IDLE_MS).unref()
    }
  }

  return {
    inspect(place) {
      const mine = turn.then(() => inspected(place))
      turn = mine.catch(() => undefined)
      return mine
    },
    async close() {
      await turn
      await end()
    },
  }
}
