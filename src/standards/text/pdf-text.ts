import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { copyOf } from '../byte-source.ts'
import { DocumentError } from '../document-error.ts'
import type { PdfAnswer, PdfInfo, PdfJob } from './pdf-job.ts'
import type { PlainText, TextLimits } from './plain-text.ts'
import { languageOf } from './text-collector.ts'

export interface ReadPdf {
  readonly text: PlainText
  readonly info: PdfInfo
}

const MIB = 1024 * 1024
/** Unpacked streams lie outside the heap, which alone the thread's own limit counts: they are asked for this often. */
const WATCH_MS = 50

/** The thread is pdf-worker.ts beside this module; both are `.ts`, or both built. */
const extension = extname(new URL(import.meta.url).pathname)

/**
 * Reads words and properties of a PDF in a thread of its own, which ends with the document, its time or its memory.
 *
 * @throws DocumentError `encrypted`, `malformed`, `time`, `memory`
 */
export async function pdfText(bytes: Uint8Array, limits: TextLimits): Promise<ReadPdf> {
  const copy = copyOf(bytes)
  const job: PdfJob = { bytes: copy, characters: limits.characters, pages: limits.pages }
  const answer = await inThread(job, limits)
  if (!answer.ok) throw new DocumentError(answer.fault, answer.detail)
  const { text, truncated, info } = answer
  const language = languageOf(info.language)
  return { text: { text, language, title: info.title, truncated }, info: { ...info, language } }
}

function inThread(job: PdfJob, limits: TextLimits): Promise<PdfAnswer> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(`./pdf-worker${extension}`, import.meta.url), {
      workerData: job,
      transferList: [job.bytes.buffer],
      resourceLimits: { maxOldGenerationSizeMb: limits.memoryMib, maxYoungGenerationSizeMb: 32 },
      stdout: true,
      stderr: true,
      env: {},
    })
    const timer = setTimeout(
      () => end(new DocumentError('time', `a PDF that takes longer than ${limits.timeMs} ms`)),
      limits.timeMs,
    )
    const watch = setInterval(() => {
      worker.getHeapStatistics().then(
        ({ external_memory }) => {
          if (external_memory > limits.memoryMib * MIB) end(tooLarge())
        },
        // It has just ended: the listener of `exit` says so.
        () => clearInterval(watch),
      )
    }, WATCH_MS)
    function tooLarge(cause?: unknown): DocumentError {
      return new DocumentError('memory', `a PDF that needs more than ${limits.memoryMib} MiB`, { cause })
    }
    function end(outcome: DocumentError | PdfAnswer): void {
      clearTimeout(timer)
      clearInterval(watch)
      worker.removeAllListeners()
      // What a thread says while it is being ended no longer matters; without a listener it would be thrown.
      worker.on('error', () => undefined)
      void worker.terminate()
      if (outcome instanceof DocumentError) reject(outcome)
      else resolve(outcome)
    }
    worker.on('message', (answer: PdfAnswer) => end(answer))
    worker.on('error', (cause: NodeJS.ErrnoException) => {
      const memory = cause.code === 'ERR_WORKER_OUT_OF_MEMORY'
      end(memory ? tooLarge(cause) : new DocumentError('malformed', 'a PDF that cannot be read', { cause }))
    })
    worker.on('exit', () => end(new DocumentError('malformed', 'a PDF that ended its reader')))
  })
}
