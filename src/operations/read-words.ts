/** Reads the words inside documents and structured reports, behind the answers; search finds them then. */
import type { JobHandler } from '#jobs/job-runner.ts'
import type { Location } from '#model/archive-object.ts'
import type { DocumentMetadata, StoredDocument } from '#model/document.ts'
import type { DocumentDesk } from '#model/document-desk.ts'
import type { JobQueue } from '#model/job-queue.ts'
import type { WordsRead, WordsStore } from '#model/words.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import { DocumentError } from '#standards/document-error.ts'
import { pdfText } from '#standards/text/pdf-text.ts'
import { DEFAULT_TEXT_LIMITS, type PlainText, plainText } from '#standards/text/plain-text.ts'

/** Raised whenever the reader reads something it did not before: everything is read again then. */
export const READER = 1

export const READ_WORDS = 'read-words'
export const READ_WORDS_ALL = 'read-words-all'

/** Objects looked at in one turn, and texts written in one transaction. */
const PAGE = 2000
const TEXTS = 50
/** Reports come in crowds: they are read together, this long after the first, in milliseconds. */
const GATHER_MS = 1000

export interface ReadWordsTools {
  readonly store: WordsStore
  readonly jobs: Pick<JobQueue, 'enqueue'>
  /** The document as it is now; undefined for what is none. */
  document(objectId: string): StoredDocument | undefined
  readonly desk: Pick<DocumentDesk, 'decide'>
  open(at: Location): ByteSource & { close(): void }
  commit(fn: () => void): void
}

export interface ReadWords {
  readonly handlers: { readonly [READ_WORDS]: JobHandler; readonly [READ_WORDS_ALL]: JobHandler }
  /** Documents that came or changed: asked for where they were not read. Part of the caller's transaction. @returns how many */
  ask(objectIds: readonly string[]): number
  /** Structured reports came. Part of the caller's transaction. */
  askBehind(): void
  /** At the start: everything this reader has not seen, e.g. after a rebuild. */
  begin(): void
}

/** Words are read by durable jobs, one per object; reading again is harmless. */
export function createReadWords(tools: ReadWordsTools): ReadWords {
  const { store, jobs } = tools

  function ask(objectIds: readonly string[]): number {
    const wanted = objectIds.filter((id) => store.unread(id, READER) !== undefined)
    for (const subject of wanted) jobs.enqueue({ kind: READ_WORDS, subject, attemptsMax: 3 }, Date.now())
    return wanted.length
  }

  async function readOne(objectId: string): Promise<(() => void) | undefined> {
    const unread = store.unread(objectId, READER)
    if (unread === undefined) return undefined
    const { words, info } = await read(unread.kind, unread.title, () => tools.open(unread.location))
    const says = info === null ? {} : stillUnsaid(tools.document(objectId), info)
    if (Object.keys(says).length > 0) {
      const cause = { by: 'rule:document-says', reason: 'what the document says of itself' }
      await tools.desk.decide([{ is: 'metadata', objectId, metadata: says, source: 'content' }], cause)
    }
    return () => store.put(objectId, words)
  }

  function askBehind(delayMs = GATHER_MS): void {
    const now = Date.now()
    const subject = `reader ${READER} behind ${store.readUpTo(READER)}`
    jobs.enqueue({ kind: READ_WORDS_ALL, subject, runAfter: now + delayMs }, now)
  }

  /** Reads everything behind the mark that was not read, in the order of storage. @returns the new mark */
  async function readBehind(signal: AbortSignal): Promise<number> {
    let mark = store.readUpTo(READER)
    for (;;) {
      const page = store.page(mark, READER, PAGE)
      for (let at = 0; at < page.objectIds.length; at += TEXTS) {
        signal.throwIfAborted()
        const effects: ((() => void) | undefined)[] = []
        for (const id of page.objectIds.slice(at, at + TEXTS)) effects.push(await readOne(id))
        tools.commit(() => {
          for (const effect of effects) effect?.()
        })
      }
      if (page.last === null) return mark
      mark = page.last
      signal.throwIfAborted()
      // Others have their turn between pages.
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
  }

  return {
    ask,
    askBehind: () => askBehind(),
    begin() {
      if (store.page(store.readUpTo(READER), READER, 1).last !== null) askBehind(0)
    },
    handlers: {
      [READ_WORDS]: ({ subject }) => readOne(subject),
      [READ_WORDS_ALL]: async (_job, signal) => {
        const mark = await readBehind(signal)
        return () => {
          store.readTo(mark, READER)
          // What came while the last page was read.
          if (store.page(mark, READER, 1).last !== null) askBehind()
        }
      },
    },
  }
}

async function read(
  kind: Parameters<typeof plainText>[0] | 'other',
  title: string,
  open: () => ByteSource & { close(): void },
): Promise<{ words: WordsRead; info: Partial<DocumentMetadata> | null }> {
  const none = { reader: READER, title, text: '', cut: false, problem: null }
  if (kind === 'other') return { words: none, info: null }
  const source = open()
  try {
    const { told, info } = kind === 'pdf' ? await readPdf(source) : { told: await plainText(kind, source), info: null }
    const words = { ...none, title: title || told.title || '', text: told.text, cut: told.truncated }
    return { words, info: info ?? (told.language === null ? null : { language: told.language }) }
  } catch (error) {
    // What cannot be read is found by its metadata all the same.
    if (!(error instanceof DocumentError)) throw error
    return { words: { ...none, problem: error.message.slice(0, 500) }, info: null }
  } finally {
    source.close()
  }
}

async function readPdf(source: ByteSource): Promise<{ told: PlainText; info: Partial<DocumentMetadata> }> {
  if (source.size > DEFAULT_TEXT_LIMITS.bytes) throw new DocumentError('limit', 'a PDF too large to be read')
  const { text, info } = await pdfText(Uint8Array.from(source.read(0, source.size)), DEFAULT_TEXT_LIMITS)
  const { created, language } = info
  return {
    told: text,
    info: { ...(created === null ? {} : { creationTime: created }), ...(language === null ? {} : { language }) },
  }
}

/** Of what a document says of itself, the required fields that nobody else said. */
function stillUnsaid(document: StoredDocument | undefined, says: Partial<DocumentMetadata>): Partial<DocumentMetadata> {
  const missing: readonly string[] = document?.missing ?? []
  return Object.fromEntries(Object.entries(says).filter(([field]) => missing.includes(field)))
}
