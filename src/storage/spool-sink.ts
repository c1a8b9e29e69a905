import { createHash } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { ArchiveError } from '#errors.ts'
import { type Disk, nodeDisk, writeFailure } from './disk.ts'

/** Where the blocks of one spooled arrival go: hashed and written, one after the other. */
export interface SpoolSink {
  /** Takes the block over. Failures come out of `finish` and `failed`. */
  block(bytes: Uint8Array<ArrayBuffer>, length: number): void
  /** Resolves with a block that may be filled again. */
  returned(): Promise<Uint8Array<ArrayBuffer> | undefined>
  readonly failed: ArchiveError | null
  /** Flushed when it resolves. @returns hexadecimal SHA-256 of everything, the head included */
  finish(): Promise<string>
  /** Forgets the file. */
  abort(): Promise<void>
}

export interface SpoolFile {
  readonly path: string
  /** File offset of the first block. */
  readonly start: number
  /** Bytes that are hashed first and not written here. */
  readonly head: Uint8Array
  readonly reserveBytes: number
}

/** Free space is asked for again after this many bytes. */
const ROOM_CHECK_BYTES = 16 * 1024 * 1024

/** Hashes and writes one spooled file on the calling thread. */
export class SpoolFileWriter {
  readonly #disk: Disk
  readonly #spool: SpoolFile
  readonly #file: ReturnType<Disk['open']>
  readonly #hash = createHash('sha256')
  #at: number
  #room = 0
  #closed = false

  /** @throws ArchiveError 'storage.full', 'archive.failed' */
  constructor(disk: Disk, spool: SpoolFile) {
    this.#disk = disk
    this.#spool = spool
    this.#at = spool.start
    this.#hash.update(spool.head)
    try {
      this.#file = disk.open(spool.path, 'create')
    } catch (error) {
      throw writeFailure(error, 'a spooled arrival')
    }
  }

  /** @throws ArchiveError 'storage.full', 'archive.failed' */
  write(bytes: Uint8Array): void {
    this.#hash.update(bytes)
    try {
      if (this.#room < bytes.byteLength) {
        this.#room = ROOM_CHECK_BYTES
        if (this.#disk.free(this.#spool.path) - this.#room < this.#spool.reserveBytes) {
          throw new ArchiveError('storage.full', 'no room for a large arrival')
        }
      }
      this.#room -= bytes.byteLength
      this.#file.write([bytes], this.#at)
    } catch (error) {
      throw writeFailure(error, 'a spooled arrival')
    }
    this.#at += bytes.byteLength
  }

  /** @throws ArchiveError 'storage.read-only' when the flush fails: this file is lost, a second flush proves nothing */
  async finish(): Promise<string> {
    try {
      await this.#file.flush()
    } catch (error) {
      throw new ArchiveError('storage.read-only', 'a spooled arrival could not be flushed', { cause: error })
    } finally {
      this.#close()
    }
    return this.#hash.digest('hex')
  }

  abort(): void {
    this.#close()
    this.#disk.unlink(this.#spool.path)
  }

  #close(): void {
    if (!this.#closed) this.#file.close()
    this.#closed = true
  }
}

/** Works on the calling thread: for tests, and for disks that are not the real one. */
export function inlineSink(disk: Disk, spool: SpoolFile): SpoolSink {
  const writer = new SpoolFileWriter(disk, spool)
  const blocks: Uint8Array<ArrayBuffer>[] = []
  let failed: ArchiveError | null = null
  return {
    block(bytes, length) {
      blocks.push(bytes)
      if (failed !== null) return
      try {
        writer.write(bytes.subarray(0, length))
      } catch (error) {
        failed = writeFailure(error, 'a spooled arrival')
      }
    },
    returned: async () => blocks.pop(),
    get failed() {
      return failed
    },
    async finish() {
      if (failed !== null) throw failed
      return writer.finish()
    },
    async abort() {
      writer.abort()
    },
  }
}

/** What the spool thread is told. */
export type SpoolOrder =
  | { readonly id: number; readonly is: 'begin'; readonly spool: SpoolFile }
  | { readonly id: number; readonly is: 'block'; readonly buffer: ArrayBuffer; readonly length: number }
  | { readonly id: number; readonly is: 'finish' | 'abort' }

/** What it answers; `block` gives the memory back. */
export type SpoolReport =
  | { readonly id: number; readonly is: 'block'; readonly buffer: ArrayBuffer }
  | { readonly id: number; readonly is: 'done'; readonly sha256: string }
  | { readonly id: number; readonly is: 'aborted' }
  | { readonly id: number; readonly is: 'failed'; readonly code: ArchiveError['code']; readonly detail: string }

interface Client {
  report(report: SpoolReport): void
  lost(error: ArchiveError): void
}

/** Starts the spool thread ahead of the first large arrival, which then waits for nothing. */
export function startSpoolThread(): void {
  spoolThread()
}

/** One thread for all spools of this process, started with the first of them; it keeps no process alive. */
let thread: { readonly worker: Worker; readonly clients: Map<number, Client> } | null = null
let lastId = 0

function spoolThread() {
  if (thread !== null) return thread
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const worker = new Worker(new URL(`./spool-worker.${extension}`, import.meta.url), {
    name: 'spool',
    // It holds nothing but the blocks it is handed.
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  })
  const clients = new Map<number, Client>()
  const started = { worker, clients }
  worker.on('message', (report: SpoolReport) => clients.get(report.id)?.report(report))
  const lost = (cause: unknown) => {
    if (thread === started) thread = null
    const error = new ArchiveError('archive.failed', 'the spool thread ended', { cause })
    for (const client of [...clients.values()]) client.lost(error)
  }
  worker.on('error', lost)
  worker.on('exit', lost)
  worker.unref()
  thread = started
  return started
}

/** Hashes and writes on a thread of its own, so that a large upload leaves the network thread free. */
export function threadSink(spool: SpoolFile): SpoolSink {
  const { worker, clients } = spoolThread()
  const id = ++lastId
  const blocks: Uint8Array<ArrayBuffer>[] = []
  let wanted: (() => void) | null = null
  let failed: ArchiveError | null = null
  let gone = false
  let ended: { readonly resolve: (sha256: string) => void; readonly reject: (error: ArchiveError) => void } | null =
    null

  const order = (message: SpoolOrder, transfer: ArrayBuffer[] = []) => worker.postMessage(message, transfer)
  const leave = () => {
    clients.delete(id)
    if (clients.size === 0) worker.unref()
  }
  const fail = (error: ArchiveError) => {
    failed ??= error
    ended?.reject(failed)
    wanted?.()
  }
  clients.set(id, {
    report(report) {
      if (report.is === 'block') blocks.push(new Uint8Array(report.buffer))
      if (report.is === 'failed') return fail(new ArchiveError(report.code, report.detail))
      if (report.is === 'done') ended?.resolve(report.sha256)
      if (report.is === 'aborted') ended?.resolve('')
      wanted?.()
    },
    lost(error) {
      gone = true
      fail(error)
    },
  })
  worker.ref()
  order({ id, is: 'begin', spool })

  const end = async (is: 'finish' | 'abort'): Promise<string> => {
    try {
      return await new Promise<string>((resolve, reject) => {
        ended = { resolve, reject }
        if (is === 'finish' && failed !== null) reject(failed)
        else order({ id, is })
      })
    } finally {
      if (is === 'abort' || failed === null) leave()
    }
  }
  return {
    block(bytes, length) {
      order({ id, is: 'block', buffer: bytes.buffer, length }, [bytes.buffer])
    },
    async returned() {
      while (blocks.length === 0 && failed === null) {
        await new Promise<void>((resolve) => {
          wanted = resolve
        })
        wanted = null
      }
      return blocks.pop()
    },
    get failed() {
      return failed
    },
    finish: () => end('finish'),
    async abort() {
      if (!gone) await end('abort')
      else nodeDisk.unlink(spool.path)
    },
  }
}
