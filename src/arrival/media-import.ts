import { basename } from 'node:path/posix'
import { ArchiveError } from '#errors.ts'
import type { ArrivedBytes, Claims, Door, Provenance } from '#model/arrival.ts'
import type { Intake } from '#model/intake.ts'
import { holdsMessages, importMessages, type MessageImport } from './hl7v2-import.ts'
import {
  type CountedLine,
  ImportCount,
  type ImportLine,
  type ImportSummary,
  lineOf,
  lineWithoutArrival,
} from './import-line.ts'
import { FileSetCheck } from './media-import-dicomdir.ts'
import { type DocumentImport, documentWordOf, MediumDocuments, notReport } from './media-import-documents.ts'
import { type FlightLimits, flight, type Job, type Outcome } from './media-import-flight.ts'
import { loadFile, type OpenedFile, openFile, type Spool } from './media-import-load.ts'
import { type Found, type GivenPath, reasonOf, walkMedium } from './media-import-walk.ts'
import { isXdmDocument, isXdmMetadata } from './media-import-xdm.ts'
import { type BadZip, type ContainerImport, type ContainerLimits, expandZip } from './media-import-zip.ts'

export type { ImportLine, ImportSummary } from './import-line.ts'
export type { GivenPath } from './media-import-walk.ts'

export interface ImportOptions {
  readonly intake: Intake
  readonly door: Door
  /** Name of the originator as the person gave it; intake looks it up. */
  readonly originator: string | null
  /** Label written on the medium. */
  readonly medium: string | null
  /** Account or token that imports; null for the local owner. */
  readonly user: string | null
  readonly peer: string | null
  readonly address: string | null
  /** Accept data sets without preamble and File Meta (rule P0). */
  readonly bareDataSets: boolean
  /** Judge, store nothing: `screen`. */
  readonly judgeOnly: boolean
  /** Where files above 4 MiB are copied before they are taken over. */
  readonly spool: Spool
  readonly signal: AbortSignal
  /** Takes in files of HL7 v2 messages, or refuses them; without it they are text like any other. */
  readonly messages?: MessageImport | 'forbidden'
  /** Takes in documents that stand beside images; without it they are passed over. */
  readonly documents?: DocumentImport
  /** Studies that an earlier run of the same work brought. */
  readonly knownStudies?: ReadonlySet<string>
  readonly flight?: FlightLimits
  /** Bounds on containers; those of threats.md E2 by default. */
  readonly containers?: ContainerLimits
  /** What becomes of a container with a bad member; `keep-good` by default. */
  readonly badZip?: BadZip
  /** Lines already told by an earlier run of the same work: their files are passed over. */
  readonly alreadyTold?: ReadonlySet<string>
}

/** What an import tells: one line per file, then the summary. */
export type ImportEvent = { readonly line: ImportLine; readonly bytes: number } | { readonly summary: ImportSummary }

/**
 * Imports files, folders, ZIP containers and DICOMDIR media. Every regular file becomes one arrival and one line,
 * whatever it is: intake says what it is, names decide nothing. Links and devices are listed and never opened.
 * Running it again stores nothing twice. An abort ends it after what was on its way; the summary still comes.
 */
export async function* importPaths(
  paths: readonly GivenPath[],
  options: ImportOptions,
): AsyncGenerator<ImportEvent, ImportSummary> {
  const count = new ImportCount()
  const walk = new MediaImport(options)
  for await (const counted of flight(walk.jobs(paths), options.signal, options.flight)) {
    count.add(counted)
    yield { line: counted.line, bytes: counted.bytes }
  }
  const summary = count.summary()
  yield { summary }
  return summary
}

type FileJob = Job<CountedLine>

/** Makes the jobs of one import. Files named DICOMDIR come last, so that they can be checked against the rest. */
export class MediaImport implements ContainerImport {
  readonly #options: ImportOptions
  readonly #media = new WeakMap<FileSetCheck, MediumDocuments>()
  /** Files a person named themselves: whatever they are called, they are meant. */
  readonly #named = new Set<string>()
  /** Settles when every file begun so far has been loaded: files of messages are handed over in their order. */
  #turn: Promise<void> = Promise.resolve()

  constructor(options: ImportOptions) {
    this.#options = options
  }

  async *jobs(paths: readonly GivenPath[]): AsyncGenerator<FileJob> {
    for (const path of paths) {
      const check = new FileSetCheck()
      const last: Extract<Found, { kind: 'file' }>[] = []
      for await (const found of walkMedium(path)) {
        if (found.label === path.given) this.#named.add(found.label)
        if (found.kind === 'file' && isFileSetIndex(found.label)) last.push(found)
        else if (!this.#told(found.label)) yield this.#jobOf(found, check)
      }
      for (const found of last) check.sawIndex(found.label)
      for (const found of last) if (!this.#told(found.label)) yield this.#jobOf(found, check)
      yield* this.documentsOf(check)
    }
  }

  /** Documents of a medium, once its images have been judged: then it is known whose they are. */
  async *documentsOf(check: FileSetCheck): AsyncGenerator<FileJob> {
    await check.settled()
    const documents = this.#media.get(check)
    if (documents === undefined || this.#options.signal.aborted) return
    yield* documents.jobs(
      (label) => this.#provenance(label),
      (label, bytes) => this.deliver(label, bytes, check),
    )
  }

  #documents(check: FileSetCheck): MediumDocuments | null {
    const { documents, spool, knownStudies } = this.#options
    if (documents === undefined) return null
    const known = this.#media.get(check) ?? new MediumDocuments(documents, spool, knownStudies)
    this.#media.set(check, known)
    return known
  }

  /**
   * Takes a file that is a report aside until the images of its medium have come.
   * @returns false when it is none: then it goes the way of all files
   */
  async takesAside(
    label: string,
    bytes: ArrivedBytes,
    check: FileSetCheck,
    told: (line: CountedLine) => CountedLine = (line) => line,
  ): Promise<boolean> {
    if (this.#options.judgeOnly) return false
    if (isXdmMetadata(label)) this.#documents(check)?.describes(label, bytes)
    const word = this.#reportIn(label, bytes)
    const documents = word === null ? null : this.#documents(check)
    const besideImages = word === 'text' && !this.#named.has(label) && !isXdmDocument(label)
    await documents?.hold(label, bytes, besideImages, told)
    return documents !== null
  }

  /** @returns what kind of document it is; null for what is no report */
  #reportIn(label: string, bytes: ArrivedBytes): string | null {
    if (this.#options.documents === undefined) return null
    const word = documentWordOf(bytes)
    return word === null || notReport(label, word, this.#named.has(label)) !== null ? null : word
  }

  /** Why a document is no report; null for what is one, or no document. */
  #passedOver(label: string, bytes: ArrivedBytes): string | null {
    if (this.#options.documents === undefined) return null
    const word = documentWordOf(bytes)
    return word === null ? null : notReport(label, word, this.#named.has(label))
  }

  #told(label: string): boolean {
    return this.#options.alreadyTold?.has(label) ?? false
  }

  #jobOf(found: Found, check: FileSetCheck): FileJob {
    if (found.kind === 'file') {
      const costBytes = Math.min(found.sizeBytes, COST_BYTES_MAX)
      if (isFileSetIndex(found.label)) return { costBytes, run: () => this.#file(found, check) }
      check.begin()
      return { costBytes, run: () => this.#file(found, check).finally(() => check.end()) }
    }
    const line =
      found.kind === 'listed'
        ? lineWithoutArrival(found.label, 'skip', 'E1', `a ${found.what} is listed, never opened`)
        : lineWithoutArrival(found.label, 'reject', 'unreadable', found.why)
    const failed = found.kind === 'unreadable'
    return { costBytes: 0, run: async () => ({ result: { line, bytes: 0, failed } }) }
  }

  async #file(found: Extract<Found, { kind: 'file' }>, check: FileSetCheck): Promise<Outcome<CountedLine>> {
    const before = this.#turn
    const mine = Promise.withResolvers<void>()
    this.#turn = Promise.all([before, mine.promise]).then(() => undefined)
    try {
      return await this.#load(found, check, before)
    } finally {
      mine.resolve()
    }
  }

  async #load(
    found: Extract<Found, { kind: 'file' }>,
    check: FileSetCheck,
    before: Promise<void>,
  ): Promise<Outcome<CountedLine>> {
    let file: OpenedFile
    try {
      file = await openFile(found.path)
    } catch (error) {
      return { result: unreadable(found.label, error) }
    }
    try {
      if (file.container === 'zip') {
        const more = expandZip({ label: found.label, path: found.path, depth: 1, signal: this.#options.signal }, this)
        return { more }
      }
      let bytes: ArrivedBytes
      try {
        bytes = await loadFile(file, this.#options.spool)
      } catch (error) {
        if (error instanceof ArchiveError) return { result: refusedByArchive(found.label, file.sizeBytes, error) }
        return { result: unreadable(found.label, error) }
      }
      if (isFileSetIndex(found.label)) return { result: await this.fileSetIndex(found.label, bytes, check) }
      const messages = this.messagesIn(found.label, bytes)
      if (messages !== null) {
        await before
        return { more: messages }
      }
      if (await this.takesAside(found.label, bytes, check)) return { more: nothing() }
      return { result: await this.deliver(found.label, bytes, check) }
    } finally {
      await file.close()
    }
  }

  isFileSetIndex(label: string): boolean {
    return isFileSetIndex(label)
  }

  /** Jobs for the messages of a file; null when it is none of HL7 v2, or nobody takes them here. */
  messagesIn(label: string, bytes: ArrivedBytes): AsyncIterable<FileJob> | null {
    const { messages, originator, user, address, judgeOnly, signal } = this.#options
    if (messages === undefined || !holdsMessages(bytes)) return null
    const passesOver = (told: string) => this.#told(told)
    return importMessages(label, bytes, messages, { originator, user, address, judgeOnly, signal, passesOver })
  }

  /** True when a member of a container was told by an earlier run. */
  passesOver(label: string): boolean {
    return this.#told(label)
  }

  get containers(): ContainerLimits | undefined {
    return this.#options.containers
  }

  get badZip(): BadZip {
    return this.#options.badZip ?? 'keep-good'
  }

  get spool(): Spool {
    return this.#options.spool
  }

  /** Hands bytes to intake and says what became of them. */
  async deliver(label: string, bytes: ArrivedBytes, check: FileSetCheck): Promise<CountedLine> {
    const { intake, judgeOnly } = this.#options
    const passed = this.#passedOver(label, bytes)
    const document = judgeOnly && this.#reportIn(label, bytes) !== null
    const size = bytes.in === 'memory' ? bytes.bytes.byteLength : bytes.size
    const arrival = { provenance: this.#provenance(label), claims: document ? { document } : this.#claims(), bytes }
    try {
      const receipt = await (judgeOnly ? intake.judge(arrival) : intake.receive(arrival))
      this.#documents(check)?.saw(receipt)
      check.saw(label, receipt.verdict !== 'skip')
      const failed = receipt.failure !== null && ARCHIVE_FAILURES.has(receipt.failure)
      const line = lineOf(label, receipt)
      const told = line.verdict === 'skip' && passed !== null ? { ...line, reason: `${line.reason}: ${passed}` } : line
      return { line: told, bytes: size, failed }
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error
      return refusedByArchive(label, size, error)
    }
  }

  /** A DICOMDIR is an arrival like any other; its line also tells where it and the medium differ. threats.md E4. */
  async fileSetIndex(label: string, bytes: ArrivedBytes, check: FileSetCheck): Promise<CountedLine> {
    const read = check.read(bytes) // before the bytes are handed over
    const counted = await this.deliver(label, bytes, check)
    await check.settled()
    const { findings, missing } = 'rule' in read ? { findings: [read], missing: 0 } : check.differences(label, read)
    const { line } = counted
    const reason = missing === 0 ? line.reason : `${line.reason}; ${missing} of the files it lists missing`
    return { ...counted, missing, line: { ...line, reason, findings: [...line.findings, ...findings] } }
  }

  #provenance(label: string): Provenance {
    const { door, peer, originator, user, address, medium } = this.#options
    return { door, peer, originator, user, address, medium, path: label, time: new Date().toISOString() }
  }

  #claims(): Claims {
    return this.#options.bareDataSets ? { bareDataSet: true } : {}
  }
}

async function* nothing(): AsyncGenerator<FileJob> {}

/** Larger files are spooled in pieces: they take no more memory than this. */
const COST_BYTES_MAX = 4 * 1024 * 1024

const ARCHIVE_FAILURES: ReadonlySet<string> = new Set([
  'storage.full',
  'storage.read-only',
  'storage.damaged',
  'archive.busy',
  'archive.failed',
])

/** DICOMDIR is the one name the standard fixes. PS3.10 section 8.6. */
export function isFileSetIndex(label: string): boolean {
  return basename(label).toUpperCase() === 'DICOMDIR'
}

function unreadable(label: string, error: unknown): CountedLine {
  return { line: lineWithoutArrival(label, 'reject', 'unreadable', reasonOf(error)), bytes: 0, failed: true }
}

function refusedByArchive(label: string, bytes: number, error: ArchiveError): CountedLine {
  const failed = ARCHIVE_FAILURES.has(error.code) // else it is the file that is at fault, e.g. too large
  return { line: lineWithoutArrival(label, 'reject', error.code, error.message), bytes, failed }
}
