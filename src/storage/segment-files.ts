import { join } from 'node:path'
import { ArchiveError } from '#errors.ts'
import type { PromisedSegments } from '#model/archive-index.ts'
import type { Location } from '#model/archive-object.ts'
import type { SegmentEntry } from '#model/segment-store.ts'
import { type Disk, type DiskFile, nodeDisk, systemCode } from './disk.ts'
import { BLOCK_BYTES, entryBytes, isZero, readTarHeader, TRAILER_BYTES } from './tar.ts'
import { passedThrough } from './young-garbage.ts'

export interface FileSegmentOptions {
  readonly disk?: Disk
  /** A segment is sealed before it would grow beyond this. Default 256 MiB. */
  readonly segmentBytesMax?: number
  /** A name known from elsewhere: new segments come behind it. */
  readonly behind?: string | null
  /** Bytes left free on the volume for audit, decisions and deletions. threats.md K2. */
  readonly reserveBytes?: number
  /** Called once, when the store became read-only. */
  readonly alarm?: (error: ArchiveError) => void
}

/** Largest single read, in bytes: whoever wants more of an object asks for ranges. */
export const SEGMENT_READ_BYTES_MAX = 512 * 1024 * 1024

const OPEN_FILES_MAX = 128
const IDLE_MS = 60_000
const WALK_WINDOW_BYTES = 128 * 1024

/** File name of a segment: `000001.tar`. Numbers ascend and are never used twice. */
export function segmentName(number: number): string {
  return `${String(number).padStart(6, '0')}.tar`
}

/** @returns undefined when the name is not one of a segment */
export function segmentNumber(name: string): number | undefined {
  const match = /^([0-9]{6,15})\.tar$/.exec(name)
  return match === null ? undefined : Number(match[1])
}

/** Segment names of a directory in the order they were begun. */
export function listSegments(disk: Disk, directory: string): readonly string[] {
  return disk
    .list(directory)
    .filter((name) => segmentNumber(name) !== undefined)
    .sort((a, b) => (segmentNumber(a) ?? 0) - (segmentNumber(b) ?? 0))
}

/** Open files kept for reading, the least recently used one closed first, never while a read is under way. */
export class OpenFiles {
  readonly #disk: Disk
  readonly #directory: string
  readonly #files = new Map<string, { readonly file: DiskFile; readers: number; gone: boolean; usedAt: number }>()

  constructor(disk: Disk, directory: string) {
    this.#disk = disk
    this.#directory = directory
  }

  /** @returns undefined when the segment does not exist */
  async use<T>(segment: string, fn: (file: DiskFile) => Promise<T>): Promise<T | undefined> {
    let held = this.#files.get(segment)
    if (held === undefined) {
      try {
        held = { file: this.#disk.open(join(this.#directory, segment), 'read'), readers: 0, gone: false, usedAt: 0 }
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return undefined
        throw error
      }
    } else this.#files.delete(segment)
    this.#files.set(segment, held)
    held.readers++
    this.#trim()
    try {
      return await fn(held.file)
    } finally {
      held.readers--
      held.usedAt = performance.now()
      if (held.gone && held.readers === 0) held.file.close()
    }
  }

  /** Lets go of a segment that was removed or cut. */
  forget(segment: string): void {
    const held = this.#files.get(segment)
    if (held === undefined) return
    this.#files.delete(segment)
    held.gone = true
    if (held.readers === 0) held.file.close()
  }

  /** Closes what nobody read for a while: a removed segment gives its space back only then. */
  closeIdle(idleMs: number): void {
    const before = performance.now() - idleMs
    for (const [segment, { readers, usedAt }] of this.#files) {
      if (readers === 0 && usedAt < before) this.forget(segment)
    }
  }

  close(): void {
    for (const segment of [...this.#files.keys()]) this.forget(segment)
  }

  #trim(): void {
    for (const [segment, { readers }] of this.#files) {
      if (this.#files.size <= OPEN_FILES_MAX) return
      if (readers === 0) this.forget(segment)
    }
  }
}

/** Reads of segments; safe in any thread, because what a committed location names never changes. */
export interface SegmentReader {
  /** As SegmentStore.read. @throws ArchiveError 'storage.damaged' when the segment ends before the range does */
  read(at: Location, range?: { readonly start: number; readonly end: number }): Promise<Uint8Array | undefined>
  /** Closes the file of a segment that compaction removed, so that its space is given back. */
  forget(segment: string): void
  close(): void
}

/** Reads segments without owning them: for the thread that answers requests. */
export function openSegmentReader(directory: string, options?: { readonly disk?: Disk }): SegmentReader {
  const files = new OpenFiles(options?.disk ?? nodeDisk, directory)
  const clock = setInterval(() => files.closeIdle(IDLE_MS), IDLE_MS)
  clock.unref()
  return {
    read: (at, range) => readLocation(files, at, range),
    forget: (segment) => files.forget(segment),
    close() {
      clearInterval(clock)
      files.close()
    },
  }
}

/** One ranged read. @throws RangeError for a range outside the entry: a mistake of the caller */
export async function readLocation(
  files: OpenFiles,
  at: Location,
  range?: { readonly start: number; readonly end: number },
): Promise<Uint8Array | undefined> {
  const { start, end } = checkedRange(at, range)
  if (segmentNumber(at.segment) === undefined) return undefined
  return files.use(at.segment, async (file) => {
    // Not from Node's pool: the bytes may be transferred to another thread.
    passedThrough(end - start)
    const bytes = Buffer.allocUnsafeSlow(end - start)
    const n = await file.read(bytes, at.offset + start)
    if (n === bytes.byteLength) return bytes
    throw new ArchiveError(
      'storage.damaged',
      `segment ${at.segment} ends ${bytes.byteLength - n} bytes before an object it should hold`,
    )
  })
}

/** @throws RangeError when the range is not within the entry, or larger than one read may be */
export function checkedRange(
  at: Location,
  range?: { readonly start: number; readonly end: number },
): { readonly start: number; readonly end: number } {
  const { start, end } = range ?? { start: 0, end: at.length }
  if (!(start >= 0 && start <= end && end <= at.length)) {
    throw new RangeError(`range ${start} to ${end} is not within an entry of ${at.length} bytes`)
  }
  if (end - start > SEGMENT_READ_BYTES_MAX) throw new RangeError(`a read of ${end - start} bytes: ask for ranges`)
  return { start, end }
}

/** How a segment ends: with its two zero blocks, after a complete entry, or within one. */
export interface SegmentEnd {
  readonly state: 'sealed' | 'open' | 'torn'
  /** End of the last complete entry, in bytes. */
  readonly complete: number
}

/**
 * Walks the headers of a segment and yields its complete entries; contents are skipped, not read.
 * @param from offset of a header, `limit` the end of what may be looked at
 */
export async function* walkSegment(
  file: DiskFile,
  segment: string,
  from: number,
  limit: number,
): AsyncGenerator<SegmentEntry, SegmentEnd> {
  const window = Buffer.allocUnsafe(Math.min(WALK_WINDOW_BYTES, Math.max(TRAILER_BYTES, limit - from)))
  let windowStart = 0
  let windowEnd = 0
  let at = from
  while (at < limit) {
    if (at < windowStart || at + TRAILER_BYTES > windowEnd) {
      windowStart = at
      windowEnd = at + (await file.read(window.subarray(0, Math.min(window.byteLength, limit - at)), at))
    }
    const block = window.subarray(at - windowStart, Math.min(at - windowStart + BLOCK_BYTES, windowEnd - windowStart))
    const header = readTarHeader(block)
    if (header.is === 'zero') {
      const rest = window.subarray(at - windowStart, windowEnd - windowStart)
      const ends = limit - at === TRAILER_BYTES && rest.byteLength >= TRAILER_BYTES && isZero(rest)
      return { state: ends ? 'sealed' : 'torn', complete: at }
    }
    if (header.is === 'other' || at + entryBytes(header.size) > limit) return { state: 'torn', complete: at }
    yield { name: header.name, location: { segment, offset: at + BLOCK_BYTES, length: header.size } }
    at += entryBytes(header.size)
  }
  return { state: 'open', complete: at }
}

/** As walkSegment, for the end alone; `path` is the segment's file. */
export async function endOfSegment(disk: Disk, path: string, from: number, limit: number): Promise<SegmentEnd> {
  const file = disk.open(path, 'read')
  try {
    const walk = walkSegment(file, '', from, limit)
    for (let step = await walk.next(); ; step = await walk.next()) if (step.done) return step.value
  } finally {
    file.close()
  }
}

/** What start-up found and did. Positions in bytes. */
export interface Recovery {
  /** Unacknowledged tails that were dropped. */
  readonly dropped: readonly { readonly segment: string; readonly from: number; readonly bytes: number }[]
  /** Segments that are absent (`length` null) or shorter than what was acknowledged needs: then nothing was changed. */
  readonly missing: readonly { readonly segment: string; readonly length: number | null; readonly needs: number }[]
  /** Segments newer than any position of the index: taken over whole, or never acknowledged. verify tells which. */
  readonly unlisted: readonly string[]
}

/** How far the index says that segments are flushed, in bytes. */
export type FlushedPositions = readonly { readonly segment: string; readonly offset: number }[]

export const NOTHING_PROMISED: PromisedSegments = { segments: [], highest: null }

/** What of the promised is absent or too short. `lengthOf` answers undefined for a file that is not there. */
export function missingOf(
  flushed: FlushedPositions,
  { segments }: PromisedSegments,
  lengthOf: (segment: string) => number | undefined,
): Recovery['missing'] {
  const needed = new Map(segments.map(({ segment, length }) => [segment, length]))
  for (const { segment, offset } of flushed) needed.set(segment, Math.max(offset, needed.get(segment) ?? 0))
  return [...needed].flatMap(([segment, needs]) => {
    const length = lengthOf(segment) ?? null
    return length === null || length < needs ? [{ segment, length, needs }] : []
  })
}

/** @returns undefined when there is no such file */
export function lengthIfThere(disk: Disk, path: string): number | undefined {
  try {
    return disk.length(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
