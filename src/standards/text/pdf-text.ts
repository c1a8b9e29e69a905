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
    function end(outcome: DocumentError | PdfAnswer): void {
      clearTimeout(timer)
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
      end(
        new DocumentError(
          memory ? 'memory' : 'malformed',
          memory ? `a PDF that needs more than ${limits.memoryMib} MiB` : 'a PDF that cannot be read',
          { cause },
        ),
      )
    })
    worker.on('exit', () => end(new DocumentError('malformed', 'a PDF that ended its reader')))
  })
}
