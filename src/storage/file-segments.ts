import { join } from 'node:path'
import { ArchiveError } from '#errors.ts'
import type { PromisedSegments } from '#model/archive-index.ts'
import type { Location } from '#model/archive-object.ts'
import type { Entry, RetentionClass, SegmentEntry, SegmentStore, SpooledEntry } from '#model/segment-store.ts'
import { type Disk, type DiskFile, isFull, nodeDisk, systemCode, writeFailure } from './disk.ts'
import {
  checkedRange,
  endOfSegment,
  type FileSegmentOptions,
  type FlushedPositions,
  lengthIfThere,
  listSegments,
  missingOf,
  NOTHING_PROMISED,
  OpenFiles,
  type Recovery,
  readLocation,
  segmentName,
  segmentNumber,
  walkSegment,
} from './segment-files.ts'
import { frameSpooled, lay, lengthOf } from './segment-layout.ts'
import { entryBytes, TRAILER_BYTES } from './tar.ts'

/** Segments as files; readable after any failure. */
export interface FileSegments extends SegmentStore {
  /**
   * Once, before the first append: cuts what was never acknowledged and seals or continues what was open.
   * When anything promised is not there, nothing is changed and nothing taken: the volume may not be mounted.
   * @param flushed positions the index committed; design.md section 6
   */
  recover(flushed: FlushedPositions, promised?: PromisedSegments): Promise<Recovery>
  readonly isReadOnly: boolean
}

const ZEROS = new Uint8Array(TRAILER_BYTES)
const SEGMENT_BYTES_DEFAULT = 256 * 1024 * 1024

interface Open {
  readonly name: string
  readonly file: DiskFile
  /** End of what is flushed. */
  length: number
}

/**
 * Opens a directory of segments.
 * @throws ArchiveError 'storage.full', 'archive.failed' when the directory cannot be made or read
 */
export function openFileSegments(directory: string, options: FileSegmentOptions = {}): FileSegments {
  const disk = options.disk ?? nodeDisk
  try {
    disk.makeDirectory(directory)
    return new SegmentDirectory(directory, disk, options)
  } catch (error) {
    throw writeFailure(error, 'the segments directory')
  }
}

class SegmentDirectory implements FileSegments {
  readonly #directory: string
  readonly #disk: Disk
  readonly #options: FileSegmentOptions
  readonly #files: OpenFiles
  #open: Open | null = null
  #next: number
  #refusal: ArchiveError | null = null
  #queue: Promise<unknown> = Promise.resolve()

  constructor(directory: string, disk: Disk, options: FileSegmentOptions) {
    this.#directory = directory
    this.#disk = disk
    this.#options = options
    this.#files = new OpenFiles(disk, directory)
    const names = [...listSegments(disk, directory), options.behind ?? '']
    this.#next = names.reduce((highest, name) => Math.max(highest, segmentNumber(name) ?? 0), 0) + 1
  }

  get isReadOnly(): boolean {
    return this.#refusal !== null
  }

  append(group: readonly Entry[], _retention: RetentionClass): Promise<readonly Location[]> {
    return this.#alone(() => this.#append(group))
  }

  adopt(entry: SpooledEntry, _retention: RetentionClass): Promise<readonly Location[]> {
    return this.#alone(() => this.#adopt(entry))
  }

  async read(at: Location, range?: { start: number; end: number }): Promise<Uint8Array | undefined> {
    checkedRange(at, range)
    if (this.#open?.name === at.segment && at.offset + at.length > this.#open.length) return undefined
    return readLocation(this.#files, at, range)
  }

  flushed(): { readonly segment: string; readonly offset: number } | null {
    return this.#open === null ? null : { segment: this.#open.name, offset: this.#open.length }
  }

  seal(): Promise<void> {
    return this.#alone(async () => {
      this.#mustBeWritable()
      if (this.#open !== null) await this.#seal(this.#open)
    })
  }

  async segments(): Promise<readonly { name: string; length: number; sealed: boolean }[]> {
    return listSegments(this.#disk, this.#directory).flatMap((name) => {
      const open = this.#open?.name === name ? this.#open : null
      const length = open === null ? this.#lengthOf(name) : open.length
      return length === undefined ? [] : [{ name, length, sealed: open === null }]
    })
  }

  async *entries(segment: string): AsyncIterable<SegmentEntry> {
    if (segmentNumber(segment) === undefined) return
    const length = this.#open?.name === segment ? this.#open.length : this.#lengthOf(segment)
    if (length === undefined) return
    const file = this.#disk.open(join(this.#directory, segment), 'read')
    try {
      yield* walkSegment(file, segment, 0, length)
    } finally {
      file.close()
    }
  }

  truncate(segment: string, length: number): Promise<void> {
    return this.#alone(async () => {
      this.#mustBeWritable()
      if (this.#open?.name === segment) this.#closeOpen()
      await this.#cut(segment, length)
    })
  }

  remove(segment: string): Promise<void> {
    return this.#alone(async () => {
      this.#mustBeWritable()
      const number = segmentNumber(segment)
      if (number === undefined || this.#lengthOf(segment) === undefined) return
      if (this.#open?.name === segment) throw new RangeError(`segment ${segment} is being appended to`)
      // A number is never used twice, also across a restart: a higher one must exist before the highest goes.
      if (number === this.#next - 1 && this.#open !== null) await this.#sealIfRoom(this.#open)
      if (number === this.#next - 1) await this.#begin()
      try {
        this.#disk.unlink(join(this.#directory, segment))
      } catch (error) {
        throw writeFailure(error, `the removal of segment ${segment}`)
      }
      this.#files.forget(segment)
      await this.#flushDirectory()
    })
  }

  async close(): Promise<void> {
    await this.#alone(async () => this.#closeOpen())
    this.#files.close()
  }

  recover(flushed: FlushedPositions, promised: PromisedSegments = NOTHING_PROMISED): Promise<Recovery> {
    return this.#alone(async () => {
      try {
        // What was ever known keeps its number.
        this.#next = Math.max(this.#next, (segmentNumber(promised.highest ?? '') ?? 0) + 1)
        const missing = missingOf(flushed, promised, (name) => this.#lengthOf(name))
        if (missing[0] !== undefined) {
          this.#refuse(`${missing.length} segments are missing or cut short, the first is ${missing[0].segment}`, null)
          return { missing, dropped: [], unlisted: [] }
        }
        return await this.#recover(new Map(flushed.map(({ segment, offset }) => [segment, offset])))
      } catch (error) {
        throw this.#writeError(error, 'segments while they were recovered')
      }
    })
  }

  /** One writer after the other: the appender has no holes by construction. */
  #alone<T>(fn: () => Promise<T>): Promise<T> {
    const run = this.#queue.then(fn)
    this.#queue = run.catch(() => undefined)
    return run
  }

  async #append(group: readonly Entry[]): Promise<readonly Location[]> {
    this.#mustBeWritable()
    if (group.length === 0) return []
    const bytes = group.reduce((sum, { content }) => sum + entryBytes(lengthOf(content)), 0)
    this.#mustHaveRoom(bytes)
    const limit = this.#options.segmentBytesMax ?? SEGMENT_BYTES_DEFAULT
    if (this.#open !== null && this.#open.length > 0 && this.#open.length + bytes + TRAILER_BYTES > limit) {
      await this.#seal(this.#open)
    }
    const open = this.#open ?? (await this.#begin())
    const { pieces, locations } = lay(group, open.name, open.length)
    try {
      open.file.write(pieces, open.length)
    } catch (error) {
      throw this.#undo(open, error, 'a group of objects')
    }
    await this.#flush(open.file, open.name)
    open.length += bytes
    return locations
  }

  async #adopt(entry: SpooledEntry): Promise<readonly Location[]> {
    this.#mustBeWritable()
    this.#mustHaveRoom(
      entry.followedBy.reduce((sum, { content }) => sum + entryBytes(lengthOf(content)), TRAILER_BYTES),
    )
    const name = segmentName(this.#next)
    const file = this.#disk.open(entry.path, 'change')
    let locations: readonly Location[]
    try {
      locations = frameSpooled(file, entry, name)
    } catch (error) {
      file.close()
      if (error instanceof RangeError) throw error
      throw this.#writeError(error, 'a spooled object')
    }
    try {
      await this.#flush(file, name)
    } finally {
      file.close()
    }
    try {
      this.#disk.rename(entry.path, join(this.#directory, name))
    } catch (error) {
      throw this.#writeError(error, 'a spooled object')
    }
    this.#next++
    await this.#flushDirectory()
    return locations
  }

  async #recover(flushed: ReadonlyMap<string, number>): Promise<Recovery> {
    const dropped: { segment: string; from: number; bytes: number }[] = []
    const unlisted: string[] = []
    const growing: { name: string; length: number }[] = []
    const names = listSegments(this.#disk, this.#directory)
    const newest = names.findLastIndex((name) => flushed.has(name))
    for (const [i, name] of names.entries()) {
      const from = flushed.get(name)
      // A segment is begun only when the one before is sealed and flushed: older ones need no look, however many.
      if (i < newest) continue
      if (from === undefined) unlisted.push(name)
      const length = this.#lengthOf(name) ?? 0
      const end = await endOfSegment(this.#disk, join(this.#directory, name), from ?? 0, length)
      if (end.state === 'sealed' && (from === undefined || end.complete <= from)) continue
      const keep = from ?? end.complete
      if (keep < length) {
        dropped.push({ segment: name, from: keep, bytes: length - keep })
        await this.#cut(name, keep)
      }
      growing.push({ name, length: keep })
    }
    // The newest that can grow goes on; anything older is closed for good.
    const last = growing.pop()
    for (const { name, length } of growing) await this.#reopen(name, length).then((open) => this.#sealIfRoom(open))
    if (last !== undefined) await this.#reopen(last.name, last.length)
    return { missing: [], dropped, unlisted }
  }

  async #reopen(name: string, length: number): Promise<Open> {
    this.#closeOpen()
    const file = this.#disk.open(join(this.#directory, name), 'change')
    this.#open = { name, file, length }
    await this.#flush(file, name)
    await this.#flushDirectory()
    return this.#open
  }

  async #begin(): Promise<Open> {
    const name = segmentName(this.#next)
    let file: DiskFile
    try {
      file = this.#disk.open(join(this.#directory, name), 'create')
    } catch (error) {
      throw this.#writeError(error, 'a new segment')
    }
    this.#next++
    this.#closeOpen()
    this.#open = { name, file, length: 0 }
    await this.#flushDirectory()
    return this.#open
  }

  /** Two zero blocks, flushed; it never changes again. */
  async #seal(open: Open): Promise<void> {
    try {
      open.file.write([ZEROS], open.length)
    } catch (error) {
      throw this.#undo(open, error, 'the end of a segment')
    }
    await this.#flush(open.file, open.name)
    this.#closeOpen()
  }

  /** A full disk must not keep the archive from starting: then the two zero blocks stay away, which tar forgives. */
  async #sealIfRoom(open: Open): Promise<void> {
    try {
      await this.#seal(open)
    } catch (error) {
      if (!(error instanceof ArchiveError) || error.code !== 'storage.full') throw error
      await this.#flush(open.file, open.name) // what was taken back must stay away
      this.#closeOpen()
    }
  }

  #closeOpen(): void {
    if (this.#open === null) return
    this.#open.file.close()
    this.#open = null
  }

  async #cut(segment: string, length: number): Promise<void> {
    const file = this.#disk.open(join(this.#directory, segment), 'change')
    try {
      file.truncate(length)
      await this.#flush(file, segment)
    } finally {
      file.close()
    }
  }

  /** Takes a failed write back, so that nothing of it is kept. */
  #undo(open: Open, error: unknown, what: string): ArchiveError {
    try {
      open.file.truncate(open.length)
    } catch (second) {
      return this.#refuse(`segment ${open.name} could not be cut after a failed write`, second)
    }
    return this.#writeError(error, what)
  }

  #writeError(error: unknown, what: string): ArchiveError {
    const code = systemCode(error)
    if (!isFull(error) && (code === 'EIO' || code === 'EROFS')) return this.#refuse(`${what}: ${code}`, error)
    return writeFailure(error, what)
  }

  /** A failed flush is final: the pages may be gone although a second flush would succeed. threats.md section 6. */
  async #flush(file: DiskFile, segment: string): Promise<void> {
    try {
      await file.flush()
    } catch (error) {
      throw this.#refuse(`segment ${segment} could not be flushed`, error)
    }
  }

  async #flushDirectory(): Promise<void> {
    try {
      await this.#disk.flushDirectory(this.#directory)
    } catch (error) {
      throw this.#refuse('the segments directory could not be flushed', error)
    }
  }

  #refuse(detail: string, cause: unknown): ArchiveError {
    const first = this.#refusal === null
    this.#refusal ??= new ArchiveError('storage.read-only', `storage takes nothing more: ${detail}`, {
      cause,
      hint: 'Check the volume, then restart. Reads go on.',
    })
    if (first) this.#options.alarm?.(this.#refusal)
    return this.#refusal
  }

  #mustBeWritable(): void {
    if (this.#refusal !== null) throw this.#refusal
  }

  #mustHaveRoom(bytes: number): void {
    let free: number
    try {
      free = this.#disk.free(this.#directory)
    } catch (error) {
      throw this.#writeError(error, 'a group of objects')
    }
    if (free - bytes >= (this.#options.reserveBytes ?? 0)) return
    throw new ArchiveError('storage.full', `${free} bytes are free, a part of them reserved; ${bytes} are needed`, {
      hint: 'Free space on the volume; storing goes on by itself.',
    })
  }

  #lengthOf(name: string): number | undefined {
    return lengthIfThere(this.#disk, join(this.#directory, name))
  }
}
