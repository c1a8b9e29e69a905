import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { statfs } from 'node:fs/promises'
import { ArchiveError } from '#errors.ts'
import type { Intake } from '#model/intake.ts'
import type { ImportDesk } from '#model/reconciliation.ts'
import { isFull, systemCode, writeFailure } from '#storage/disk.ts'
import type { MessageImport } from './hl7v2-import.ts'
import { ImportCount, type ImportLine } from './import-line.ts'
import { matched, noting } from './import-reconciliation.ts'
import { importPaths } from './media-import.ts'
import type { DocumentImport } from './media-import-documents.ts'
import type { Spool } from './media-import-load.ts'
import type { BadZip, ContainerLimits } from './media-import-zip.ts'
import { UploadFiles, type UploadState } from './web-upload-files.ts'

/** Limits of the node's configuration. */
export interface UploadLimits extends ContainerLimits {
  /** Uploads known at once: unfinished, running, and finished ones whose result is still kept. */
  readonly uploads: number
  /** An upload without progress, and the result of a finished one, is dropped after this long. */
  readonly uploadHours: number
}

export interface UploadsOptions {
  readonly directory: string
  readonly spool: Spool
  readonly intake: Intake
  /** Documents beside images, and alone; without it they are passed over. */
  readonly documents?: DocumentImport
  /** Matches the studies of an upload before its result is told. */
  readonly imports: Pick<ImportDesk, 'stateOf' | 'reconcile' | 'intend'>
  /** Where HL7 v2 messages go. */
  readonly messages: MessageImport
  /** Site setting `media.badZip`, as it is now. */
  readonly badZip: () => BadZip
  /** The study of a kept instance: for lines told before a restart. */
  readonly studyOf: (sopInstanceUid: string) => Promise<string | undefined>
  readonly limits: UploadLimits
  /** Bytes that stay free on the volume; default 1 GiB or 2 % of it, whichever is less. */
  readonly reserveBytes?: number
  /** Told of an upload whose import failed as a whole; it is tried again at the next start. */
  readonly onFault: (error: unknown, uploadId: string) => void
}

/** Uploads imported at the same time; others wait for their turn. */
const RUNNING_MAX = 2
/** Unfinished uploads of one account or token. */
const UPLOADS_PER_OWNER = 100
const SWEEP_MS = 10 * 60 * 1000

interface Known {
  state: UploadState
  lines: number
  touchedMs: number
  /** A PATCH is writing. */
  busy: boolean
}

/** Browser uploads: received in pieces, resumed after any break, imported like a medium, told line by line. */
export class Uploads {
  readonly #options: UploadsOptions
  readonly #files: UploadFiles
  readonly #known = new Map<string, Known>()
  readonly #told = new EventEmitter().setMaxListeners(0)
  readonly #stop = new AbortController()
  readonly #waiting: string[] = []
  readonly #running = new Set<Promise<void>>()
  readonly #sweeper: NodeJS.Timeout

  private constructor(options: UploadsOptions) {
    this.#options = options
    this.#files = new UploadFiles(options.directory)
    this.#sweeper = setInterval(() => {
      this.sweep().catch((error: unknown) => options.onFault(error, 'sweep'))
    }, SWEEP_MS).unref()
  }

  /** Takes up what an earlier process left: unfinished uploads wait for their browser, finished ones are imported. */
  static async open(options: UploadsOptions): Promise<Uploads> {
    const uploads = new Uploads(options)
    for (const state of await uploads.#files.states()) {
      const known: Known = { state, lines: 0, touchedMs: Date.parse(state.createdAt), busy: false }
      uploads.#known.set(state.id, known)
      if (state.state === 'running') uploads.#enqueue(state.id)
      else if (state.state === 'done') for await (const _ of uploads.#files.lines(state.id)) known.lines += 1
    }
    await uploads.sweep()
    return uploads
  }

  /**
   * @throws ArchiveError 'request.too-many', 'request.too-large', 'storage.full'
   */
  async begin(
    asked: Pick<
      UploadState,
      'name' | 'sizeBytes' | 'originator' | 'medium' | 'owner' | 'user' | 'messages' | 'readsIdentity' | 'address'
    >,
  ): Promise<UploadState> {
    const { limits, directory, reserveBytes } = this.#options
    const mine = [...this.#known.values()].filter(({ state }) => state.owner === asked.owner && state.state !== 'done')
    if (this.#known.size >= limits.uploads || mine.length >= UPLOADS_PER_OWNER) {
      throw new ArchiveError('request.too-many', 'there are too many unfinished uploads', {
        hint: 'Finish or delete one, or wait until the oldest is dropped.',
      })
    }
    if (asked.sizeBytes > limits.archiveBytes) {
      throw new ArchiveError('request.too-large', `an upload has at most ${limits.archiveBytes} bytes`)
    }
    const volume = await statfs(directory)
    const reserve = reserveBytes ?? Math.min(1024 ** 3, 0.02 * volume.blocks * volume.bsize)
    if (volume.bavail * volume.bsize - asked.sizeBytes < reserve) {
      throw new ArchiveError('storage.full', `there is no room for ${asked.sizeBytes} bytes`)
    }
    const id = randomBytes(16).toString('hex')
    const state: UploadState = {
      ...asked,
      id,
      createdAt: new Date().toISOString(),
      state: 'receiving',
      summary: null,
    }
    await this.#files.writeState(state)
    this.#known.set(id, { state, lines: 0, touchedMs: Date.now(), busy: false })
    return state
  }

  /** @throws ArchiveError 'request.not-found' for an unknown upload and for one of somebody else alike */
  state(id: string, owner: string): UploadState {
    return this.#mine(id, owner).state
  }

  async offset(id: string, owner: string): Promise<number> {
    const { state } = this.#mine(id, owner)
    return state.state === 'receiving' ? this.#files.receivedBytes(id) : state.sizeBytes
  }

  /**
   * Appends a piece. What arrived before a break stays.
   * @returns the new offset
   * @throws ArchiveError 'request.conflict' at another offset, or while another piece is being written;
   *   'request.too-large' beyond the size that was announced
   */
  async append(id: string, owner: string, offset: number, body: AsyncIterable<Uint8Array>): Promise<number> {
    const known = this.#mine(id, owner)
    if (known.state.state !== 'receiving') throw new ArchiveError('request.conflict', 'the upload is finished')
    if (known.busy) throw new ArchiveError('request.conflict', 'another piece is being written')
    known.busy = true
    try {
      let at = await this.#files.receivedBytes(id)
      if (offset !== at) throw new ArchiveError('request.conflict', `the next byte is at offset ${at}, not ${offset}`)
      const file = await this.#files.openBytes(id)
      try {
        for await (const chunk of body) {
          if (at + chunk.byteLength > known.state.sizeBytes) {
            throw new ArchiveError('request.too-large', `the upload was announced with ${known.state.sizeBytes} bytes`)
          }
          await file.writeFile(chunk)
          at += chunk.byteLength
          known.touchedMs = Date.now()
        }
      } catch (error) {
        if (isFull(error)) throw writeFailure(error, 'the upload')
        if (isBrokenOff(error)) throw new ArchiveError('request.malformed', 'the body broke off; what came is kept')
        throw error
      } finally {
        await file.close()
      }
      return at
    } finally {
      known.busy = false
    }
  }

  /**
   * All bytes are here: flushes them and imports them. Asking again changes nothing.
   * @throws ArchiveError 'request.conflict' while bytes are missing
   */
  async finish(id: string, owner: string): Promise<void> {
    const known = this.#mine(id, owner)
    if (known.state.state !== 'receiving') return
    if (known.busy) throw new ArchiveError('request.conflict', 'a piece is being written')
    known.busy = true
    try {
      const received = await this.#files.receivedBytes(id)
      const { sizeBytes } = known.state
      if (received !== sizeBytes) {
        throw new ArchiveError('request.conflict', `${received} of ${sizeBytes} bytes have arrived`)
      }
      await this.#files.flushBytes(id)
      known.state = { ...known.state, state: 'running' }
      await this.#files.writeState(known.state)
    } finally {
      known.busy = false
    }
    this.#enqueue(id)
  }

  async cancel(id: string, owner: string): Promise<void> {
    const known = this.#mine(id, owner)
    if (known.state.state === 'running' || known.busy) {
      throw new ArchiveError('request.conflict', 'the upload is being imported')
    }
    this.#known.delete(id)
    await this.#files.remove(id)
  }

  /**
   * Lines from number `after` on (the first is 1), waiting for new ones until the import is done.
   * @returns when all were told, or `signal` ends
   */
  async *follow(id: string, owner: string, after: number, signal: AbortSignal): AsyncGenerator<[number, string]> {
    const known = this.#mine(id, owner)
    let told = after
    while (!signal.aborted) {
      const { lines, state } = known
      if (told < lines) {
        for await (const text of this.#files.lines(id, told)) {
          told += 1
          yield [told, text]
          if (signal.aborted || told >= lines) break
        }
        continue
      }
      if (state.state === 'done' || this.#stop.signal.aborted) return
      try {
        await once(this.#told, id, { signal: AbortSignal.any([signal, this.#stop.signal]) })
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'AbortError') throw error
      }
    }
  }

  /** Number of lines told so far. */
  lineCount(id: string, owner: string): number {
    return this.#mine(id, owner).lines
  }

  /** Drops what nobody came back for. */
  async sweep(nowMs: number = Date.now()): Promise<void> {
    for (const [id, { state, touchedMs, busy }] of this.#known) {
      if (busy || state.state === 'running' || nowMs - touchedMs < this.#options.limits.uploadHours * 3_600_000)
        continue
      this.#known.delete(id)
      await this.#files.remove(id)
    }
  }

  /** Stops importing after what is on its way; the rest goes on at the next start. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper)
    this.#stop.abort()
    await Promise.allSettled(this.#running)
  }

  #mine(id: string, owner: string): Known {
    const known = this.#known.get(id)
    if (known === undefined || known.state.owner !== owner) {
      throw new ArchiveError('request.not-found', 'there is no such upload')
    }
    return known
  }

  #enqueue(id: string): void {
    this.#waiting.push(id)
    this.#next()
  }

  #next(): void {
    while (this.#running.size < RUNNING_MAX && !this.#stop.signal.aborted) {
      const id = this.#waiting.shift()
      const known = id === undefined ? undefined : this.#known.get(id)
      if (id === undefined) return
      if (known === undefined) continue
      const running = this.#import(known)
        .catch((error: unknown) => this.#options.onFault(error, id))
        .finally(() => {
          this.#running.delete(running)
          this.#next()
        })
      this.#running.add(running)
    }
  }

  async #import(known: Known): Promise<void> {
    const { id, name, originator, medium, user, address } = known.state
    const before = await this.#files.repairLines(id)
    known.lines = before.length
    const lines = await this.#files.openLines(id)
    const count = new ImportCount()
    for (const line of before) count.add({ line, bytes: 0, failed: isFailure(line) })
    const { intake, spool, messages, badZip, documents } = this.#options
    const studies = await this.#studiesOf(before)
    try {
      const events = importPaths([{ given: name, absolute: this.#files.bytesPath(id) }], {
        intake: noting(intake, studies),
        door: 'web',
        originator,
        medium,
        user,
        peer: null,
        address,
        bareDataSets: false,
        judgeOnly: false,
        spool,
        containers: this.#options.limits,
        badZip: badZip(),
        messages: known.state.messages === true ? messages : 'forbidden',
        ...(documents === undefined ? {} : { documents, knownStudies: studies }),
        signal: this.#stop.signal,
        alreadyTold: new Set(before.map(({ path }) => path)),
      })
      for await (const event of events) {
        if ('summary' in event) continue
        count.add({ line: event.line, bytes: event.bytes, failed: isFailure(event.line) })
        await lines.writeFile(`${JSON.stringify(event.line)}\n`)
        known.lines += 1
        this.#told.emit(id)
      }
    } finally {
      await lines.close()
    }
    if (this.#stop.signal.aborted) return // stays `running`: taken up at the next start
    const { imports } = this.#options
    const matching = { imports, studies, intention: null, who: { by: user, address }, signal: this.#stop.signal }
    const told = known.state.readsIdentity === true ? { reconciliation: await matched(matching) } : {}
    const done: UploadState = { ...known.state, state: 'done', summary: { ...count.summary(), ...told } }
    await this.#files.writeState(done) // told only once it would survive
    await this.#files.removeBytes(id)
    known.state = done
    known.touchedMs = Date.now()
    this.#told.emit(id)
  }

  /** Studies of what an earlier process stored of an upload: it noted them in memory only. */
  async #studiesOf(before: readonly ImportLine[]): Promise<Set<string>> {
    const studies = new Set<string>()
    for (const { stored, sopInstanceUid } of before) {
      const study = stored && sopInstanceUid !== null ? await this.#options.studyOf(sopInstanceUid) : undefined
      if (study !== undefined) studies.add(study)
    }
    return studies
  }

  /** The lines of a finished upload as JSON texts, without holding them all. */
  resultLines(id: string, owner: string): AsyncGenerator<string> {
    this.#mine(id, owner)
    return this.#files.lines(id)
  }
}

/** The caller went away within a body. */
function isBrokenOff(error: unknown): boolean {
  return ['ECONNRESET', 'ABORT_ERR', 'ERR_STREAM_PREMATURE_CLOSE'].includes(systemCode(error))
}

/** What a line written before a restart was counted as. */
function isFailure(line: ImportLine): boolean {
  return (
    !line.stored &&
    line.findings.some(
      ({ rule }) => rule === 'unreadable' || rule.startsWith('storage.') || rule.startsWith('archive.'),
    )
  )
}
