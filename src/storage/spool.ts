import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'
import { ArchiveError } from '#errors.ts'
import type { ArrivedBytes } from '#model/arrival.ts'
import type { ByteRange } from '#model/finding.ts'
import type { SpooledEntry } from '#model/segment-store.ts'
import { type ByteSource, memorySource, READ_BYTES_MAX } from '#standards/byte-source.ts'
import { DicomError } from '#standards/dicom/errors.ts'
import { readFileMeta } from '#standards/dicom/file-meta.ts'
import { DEFAULT_LIMITS, type DicomLimits } from '#standards/dicom/limits.ts'
import { buildHead } from '#standards/dicom/write.ts'
import { type Disk, nodeDisk, systemCode, writeFailure } from './disk.ts'
import { openFileSource } from './file-source.ts'
import { inlineSink, type SpoolSink, threadSink } from './spool-sink.ts'
import { BLOCK_BYTES } from './tar.ts'

/** Up to this length an arrival travels as one buffer, in bytes. */
export const MEMORY_BYTES_MAX = 4 * 1024 * 1024

const SPOOL_BLOCK_BYTES = 1024 * 1024
/** Blocks in flight per spool: filled, on their way to the thread, or on their way back. */
const SPOOL_BLOCKS_MAX = 4
const COPY_BYTES = 4 * 1024 * 1024

export interface SpoolOptions {
  readonly limits?: DicomLimits
  /** Longest arrival taken, in bytes; none by default. */
  readonly bytesMax?: number
  /** Bytes left free on the volume. */
  readonly reserveBytes?: number
  /** The arrival is a data set alone: length of the head that will stand before it, in bytes. No head is looked for. */
  readonly headBytes?: number
  /** A disk other than the real one; it is written to on the calling thread. */
  readonly disk?: Disk
}

/**
 * Writes a large arrival, or one of unknown length, into the spool.
 *
 * Preamble and group 0002 stay in memory; the data set is written where it will be when our own head stands before it
 * and a tar header before that, so that the file becomes a segment by rename. Memory is bounded by four blocks of 1 MiB.
 */
export class SpoolWriter {
  readonly #directory: string
  readonly #options: SpoolOptions
  readonly #path: string
  /** What has come while the head is not complete. */
  #start: Buffer = Buffer.alloc(0)
  #startLength = 0
  #tryAt = 0
  #sink: SpoolSink | null = null
  #head: Uint8Array = new Uint8Array(0)
  #dataStart = BLOCK_BYTES
  #size = 0
  #block: Uint8Array<ArrayBuffer> | null = null
  #filled = 0
  #blocks = 0

  constructor(directory: string, options: SpoolOptions = {}) {
    this.#directory = directory
    this.#options = options
    this.#path = join(directory, `${randomBytes(16).toString('hex')}.part`)
  }

  /**
   * Takes a chunk; the caller may use its memory again once this resolves, and waits for that: this is the back-pressure.
   * @throws ArchiveError 'storage.full', 'request.too-large', 'archive.failed'; then only `abort` is left
   */
  async write(chunk: Uint8Array): Promise<void> {
    this.#size += chunk.byteLength
    if (this.#size > (this.#options.bytesMax ?? Number.POSITIVE_INFINITY)) {
      throw new ArchiveError('request.too-large', `an arrival is larger than ${this.#options.bytesMax} bytes`)
    }
    if (this.#sink !== null) return this.#put(chunk)
    this.#collect(chunk)
    if (this.#startLength >= this.#tryAt) await this.#begin(false)
  }

  /**
   * Everything has come.
   * @returns the `spool` variant; the file is flushed
   * @throws ArchiveError as `write`, and 'storage.read-only' when the flush failed
   */
  async finish(): Promise<ArrivedBytes> {
    if (this.#sink === null) await this.#begin(true)
    const sink = this.#mustHaveSink()
    if (this.#block !== null && this.#filled > 0) sink.block(this.#block, this.#filled)
    this.#block = null
    const sha256 = await sink.finish()
    return {
      in: 'spool',
      path: this.#path,
      head: this.#head,
      dataStart: this.#dataStart,
      size: this.#size,
      sha256,
    }
  }

  /** Gives up: nothing is left on disk. */
  async abort(): Promise<void> {
    this.#block = null
    await this.#sink?.abort()
  }

  #collect(chunk: Uint8Array): void {
    const length = this.#startLength + chunk.byteLength
    if (length > this.#start.byteLength) {
      const grown = Buffer.allocUnsafe(Math.max(length, 2 * this.#start.byteLength, 4096))
      this.#start.copy(grown, 0, 0, this.#startLength)
      this.#start = grown
    }
    this.#start.set(chunk, this.#startLength)
    this.#startLength = length
  }

  /** Reads the head; when it is complete (or none), the rest goes to the disk from here on. */
  async #begin(complete: boolean): Promise<void> {
    const start = this.#start.subarray(0, this.#startLength)
    const { headBytes, limits = DEFAULT_LIMITS } = this.#options
    const planned =
      headBytes === undefined ? plannedHead(start, limits, complete) : { dataSetStart: 0, ownLength: headBytes }
    if (planned === 'need-more') {
      // Not at every dribbled byte: the work stays linear.
      this.#tryAt = this.#startLength + Math.max(512, this.#startLength >> 1)
      return
    }
    this.#head = Uint8Array.from(start.subarray(0, planned.dataSetStart))
    this.#dataStart = BLOCK_BYTES + planned.ownLength
    const disk = this.#options.disk ?? nodeDisk
    disk.makeDirectory(this.#directory)
    const spool = {
      path: this.#path,
      start: this.#dataStart,
      head: this.#head,
      reserveBytes: this.#options.reserveBytes ?? 0,
    }
    this.#sink = this.#options.disk === undefined ? threadSink(spool) : inlineSink(disk, spool)
    const rest = start.subarray(planned.dataSetStart)
    this.#start = Buffer.alloc(0)
    await this.#put(rest)
  }

  async #put(chunk: Uint8Array): Promise<void> {
    const sink = this.#mustHaveSink()
    for (let done = 0; done < chunk.byteLength; ) {
      if (sink.failed !== null) throw sink.failed
      const block = this.#block ?? (await this.#freeBlock(sink))
      this.#block = block
      const n = Math.min(chunk.byteLength - done, block.byteLength - this.#filled)
      block.set(chunk.subarray(done, done + n), this.#filled)
      this.#filled += n
      done += n
      if (this.#filled < block.byteLength) continue
      this.#block = null
      this.#filled = 0
      sink.block(block, block.byteLength)
    }
  }

  async #freeBlock(sink: SpoolSink): Promise<Uint8Array<ArrayBuffer>> {
    this.#filled = 0
    if (this.#blocks < SPOOL_BLOCKS_MAX) {
      this.#blocks++
      return new Uint8Array(SPOOL_BLOCK_BYTES)
    }
    const block = await sink.returned()
    if (block !== undefined) return block
    throw sink.failed ?? new ArchiveError('archive.failed', 'the spool gave no memory back')
  }

  #mustHaveSink(): SpoolSink {
    if (this.#sink === null) throw new TypeError('the spool has not begun')
    return this.#sink
  }
}

/** Lengths in bytes: of the head as it came, and of the head we will put in its place. */
function plannedHead(
  start: Uint8Array,
  limits: DicomLimits,
  complete: boolean,
): 'need-more' | { readonly dataSetStart: number; readonly ownLength: number } {
  try {
    const meta = readFileMeta(start, limits, complete)
    if (meta.kind === 'need-more') return 'need-more'
    if (meta.kind === 'not-part10') return { dataSetStart: 0, ownLength: 0 }
    const { dataSetStart } = meta
    // A dual-personality TIFF names absolute offsets: it can only be kept with a head of the same length.
    if (meta.preamble.kind === 'tiff') return { dataSetStart, ownLength: dataSetStart }
    const own = buildHead({
      sopClassUID: meta.mediaStorageSOPClassUID ?? '',
      sopInstanceUID: meta.mediaStorageSOPInstanceUID ?? '',
      transferSyntaxUID: meta.transferSyntaxUID ?? '',
    })
    return { dataSetStart, ownLength: own.byteLength }
  } catch (error) {
    // Whatever is wrong with the head, screening will say it of the same bytes.
    if (error instanceof DicomError || error instanceof RangeError) return { dataSetStart: 0, ownLength: 0 }
    throw error
  }
}

/** Begins in memory and spills to the spool when an arrival grows beyond 4 MiB. Doors write every arrival to one. */
export class ArrivalBuffer {
  readonly #directory: string
  readonly #options: SpoolOptions
  #chunks: Uint8Array[] = []
  #size = 0
  #spool: SpoolWriter | null = null

  constructor(spoolDirectory: string, options: SpoolOptions = {}) {
    this.#directory = spoolDirectory
    this.#options = options
  }

  get size(): number {
    return this.#size
  }

  /** Keeps the chunk: the caller must not write into it afterwards. Throws as SpoolWriter.write. */
  async write(chunk: Uint8Array): Promise<void> {
    this.#size += chunk.byteLength
    if (this.#spool !== null) return this.#spool.write(chunk)
    if (this.#size > (this.#options.bytesMax ?? Number.POSITIVE_INFINITY)) {
      throw new ArchiveError('request.too-large', `an arrival is larger than ${this.#options.bytesMax} bytes`)
    }
    this.#chunks.push(chunk)
    if (this.#size <= MEMORY_BYTES_MAX) return
    const spool = new SpoolWriter(this.#directory, this.#options)
    this.#spool = spool
    const chunks = this.#chunks
    this.#chunks = []
    for (const each of chunks) await spool.write(each)
  }

  /**
   * @param room memory the whole arrival is put together in, by default a buffer of its own that may be transferred
   * @returns the bytes, or the spooled file. Throws as SpoolWriter.finish.
   */
  async finish(room: (length: number) => Uint8Array = (length) => new Uint8Array(length)): Promise<ArrivedBytes> {
    if (this.#spool !== null) return this.#spool.finish()
    const bytes = room(this.#size)
    let at = 0
    for (const chunk of this.#chunks) {
      bytes.set(chunk, at)
      at += chunk.byteLength
    }
    this.#chunks = []
    return { in: 'memory', bytes }
  }

  /** Gives up: nothing is left in memory or on disk. */
  async discard(): Promise<void> {
    this.#chunks = []
    await this.#spool?.abort()
  }
}

/** The bytes of an arrival as they came: head from memory, the rest by windows of the file. Close it when done. */
export function openSpooled(bytes: ArrivedBytes): ByteSource & { close(): void } {
  if (bytes.in === 'memory') return { ...memorySource(bytes.bytes), close: () => undefined }
  const { head, dataStart, size } = bytes
  const own = head.byteLength
  const rest = openFileSource(bytes.path, dataStart, size - own)
  return {
    size,
    read(start, end) {
      const first = Math.max(0, start)
      const last = Math.min(end, size)
      if (last <= first) return new Uint8Array(0)
      if (last - first > READ_BYTES_MAX) throw new RangeError(`a read of ${last - first} bytes at once`)
      if (last <= own) return head.subarray(first, last)
      if (first >= own) return rest.read(first - own, last - own)
      return Buffer.concat([head.subarray(first, own), rest.read(0, last - own)])
    },
    close: () => rest.close(),
  }
}

/**
 * Puts the head that is kept before the data set that is kept, within the spooled file when the room left for it fits;
 * else into a copy beside it (then the arrival's own file stays, for whoever removes it).
 *
 * @param keep what is kept, in order: ranges of the arrival, head included in their offsets, and bytes of our own
 * @throws ArchiveError 'storage.full', 'archive.failed'
 */
export async function placeHead(
  bytes: ArrivedBytes,
  head: Uint8Array,
  keep: readonly (ByteRange | Uint8Array)[],
): Promise<Omit<SpooledEntry, 'name' | 'followedBy'>> {
  if (bytes.in !== 'spool') throw new TypeError('only a spooled arrival has a file to put a head into')
  const length = keep.reduce((sum, piece) => sum + lengthOf(piece), 0)
  const [first] = keep
  const only = first instanceof Uint8Array ? undefined : first
  const contentStart = only === undefined ? 0 : bytes.dataStart + only.start - bytes.head.byteLength - head.byteLength
  const fits = keep.length === 1 && contentStart >= BLOCK_BYTES && contentStart % BLOCK_BYTES === 0
  const inPlace = fits && only !== undefined && only.start >= bytes.head.byteLength
  try {
    if (inPlace) writeHead(bytes.path, head, contentStart)
    else await copyKept(bytes, head, keep, `${bytes.path}.kept`)
  } catch (error) {
    throw writeFailure(error, 'a spooled arrival')
  }
  return inPlace
    ? { path: bytes.path, contentStart, contentLength: head.byteLength + length }
    : { path: `${bytes.path}.kept`, contentStart: BLOCK_BYTES, contentLength: head.byteLength + length }
}

function lengthOf(piece: ByteRange | Uint8Array): number {
  return piece instanceof Uint8Array ? piece.byteLength : piece.end - piece.start
}

function writeHead(path: string, head: Uint8Array, at: number): void {
  const file = nodeDisk.open(path, 'change')
  try {
    file.write([head], at)
  } finally {
    file.close()
  }
}

async function copyKept(
  bytes: ArrivedBytes,
  head: Uint8Array,
  keep: readonly (ByteRange | Uint8Array)[],
  path: string,
): Promise<void> {
  const source = openSpooled(bytes)
  const file = nodeDisk.open(path, 'create')
  try {
    file.write([head], BLOCK_BYTES)
    let at = BLOCK_BYTES + head.byteLength
    for (const piece of keep) {
      if (piece instanceof Uint8Array) {
        file.write([piece], at)
        at += piece.byteLength
        continue
      }
      const { start, end } = piece
      for (let from = start; from < end; from += COPY_BYTES) {
        const chunk = source.read(from, Math.min(from + COPY_BYTES, end))
        file.write([chunk], at)
        at += chunk.byteLength
        // Others have their turn while a large one is copied.
        await new Promise<void>((resolve) => setImmediate(resolve))
      }
    }
  } catch (error) {
    nodeDisk.unlink(path)
    throw error
  } finally {
    file.close()
    source.close()
  }
}

/** Removes what a process that ended left behind; nothing in the spool was ever acknowledged. Once, at start. */
export function clearSpool(directory: string): number {
  let removed = 0
  try {
    for (const name of fs.readdirSync(directory)) {
      fs.rmSync(join(directory, name), { recursive: true, force: true })
      removed++
    }
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
  return removed
}
