/**
 * The thread in which a PDF is read: one document, then it ends. Its author may have meant harm: scripts are not run, no
 * font, image or link is fetched, and nothing is drawn.
 */
import { fileURLToPath } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { pdfDate } from './pdf-date.ts'
import type { PdfAnswer, PdfInfo, PdfJob } from './pdf-job.ts'
import { TextCollector, titleOf } from './text-collector.ts'

/** The reader looks for these when it starts, to draw with; they are named so that it looks for no native canvas. */
class NotDrawn {}

async function load() {
  for (const name of ['DOMMatrix', 'ImageData', 'Path2D']) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value: NotDrawn, configurable: true })
  }
  return import('pdfjs-dist/legacy/build/pdf.mjs')
}

const NEEDS_PASSWORD = 'PasswordException'
/** Character maps of East Asian documents that do not bring their own: files of the package. */
function characterMaps(): string {
  return fileURLToPath(new URL('../../cmaps/', import.meta.resolve('pdfjs-dist/legacy/build/pdf.mjs')))
}

/** Items of one page: a page of print has some thousand. */
const ITEMS_MAX = 500_000

async function read({ bytes, characters, pages }: PdfJob): Promise<PdfAnswer> {
  const pdfjs = await load()
  const task = pdfjs.getDocument({
    data: bytes,
    cMapUrl: characterMaps(),
    enableXfa: false,
    disableFontFace: true,
    useSystemFonts: false,
    useWorkerFetch: false,
    useWasm: false,
    disableAutoFetch: true,
    disableStream: true,
    isOffscreenCanvasSupported: false,
    isImageDecoderSupported: false,
    stopAtErrors: false,
    maxImageSize: 1,
    verbosity: 0,
  })
  try {
    const document = await task.promise
    const collector = new TextCollector(characters)
    const count = document.numPages
    let truncated = count > pages
    let language: string | null = null
    for (let number = 1; number <= Math.min(count, pages) && !collector.full; number++) {
      try {
        const page = await document.getPage(number)
        const content = await page.getTextContent()
        language ??= content.lang
        for (const item of content.items.slice(0, ITEMS_MAX)) {
          if (!('str' in item)) continue
          collector.words(item.str)
          if (item.hasEOL) collector.break()
        }
        if (content.items.length > ITEMS_MAX) truncated = true
        page.cleanup()
      } catch (thrown) {
        // One damaged page does not take the words of the others away; that some are missing is told.
        if (!(thrown instanceof Error)) throw thrown
        truncated = true
      }
      collector.break()
      collector.break()
    }
    const info = await infoOf(document, count, language)
    const { text, truncated: full } = collector.finish()
    return { ok: true, text, truncated: truncated || full, info }
  } catch (thrown) {
    if (!(thrown instanceof Error)) throw thrown
    const encrypted = thrown.name === NEEDS_PASSWORD
    const detail = encrypted ? 'a PDF that needs a password' : 'a PDF that cannot be read'
    return { ok: false, fault: encrypted ? 'encrypted' : 'malformed', detail }
  } finally {
    await task.destroy()
  }
}

interface Described {
  getMetadata(): Promise<{ readonly info: object; readonly metadata: { get(name: string): unknown } | null }>
}

async function infoOf(document: Described, pages: number, pageLanguage: string | null): Promise<PdfInfo> {
  const { info, metadata } = await document.getMetadata()
  const entries = new Map<string, unknown>(Object.entries(info))
  const string = (name: string): string | null => {
    const value = entries.get(name)
    return typeof value === 'string' && value.trim() !== '' ? value : null
  }
  const xmp = (name: string): string | null => {
    const value = metadata?.get(name)
    const first = Array.isArray(value) ? value[0] : value
    return typeof first === 'string' && first.trim() !== '' ? first : null
  }
  const part = xmp('pdfaid:part')
  return {
    title: titleOf(string('Title') ?? xmp('dc:title')),
    author: titleOf(string('Author') ?? xmp('dc:creator')),
    created: pdfDate(string('CreationDate')),
    modified: pdfDate(string('ModDate')),
    language: string('Language') ?? pageLanguage ?? xmp('dc:language'),
    producer: titleOf(string('Producer')),
    pages,
    conformance: part === null ? null : `PDF/A-${part}${(xmp('pdfaid:conformance') ?? '').toLowerCase()}`,
  }
}

const port = parentPort
if (port !== null) port.postMessage(await read(workerData as PdfJob))
