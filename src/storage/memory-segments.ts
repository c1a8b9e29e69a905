import { readFileSync, unlinkSync } from 'node:fs'
import { ArchiveError } from '#errors.ts'
import type { Location } from '#model/archive-object.ts'
import type { Entry, SegmentEntry, SegmentStore } from '#model/segment-store.ts'
import { checkedRange, segmentName } from './segment-files.ts'
import { BLOCK_BYTES, entryBytes, TRAILER_BYTES, tarHeader } from './tar.ts'

interface MemorySegment {
  readonly entries: { readonly name: string; readonly offset: number; readonly bytes: Uint8Array }[]
  length: number
  sealed: boolean
}

/** Segments in memory, for tests of what stands above. Same places, same refusals, nothing survives. */
export function openMemorySegments(options: { readonly segmentBytesMax?: number; readonly bytesMax?: number } = {}) {
  const segments = new Map<string, MemorySegment>()
  let next = 1
  let open: string | null = null
  let used = 0

  const begin = (): string => {
    const name = segmentName(next++)
    segments.set(name, { entries: [], length: 0, sealed: false })
    return name
  }
  const end = (name: string): void => {
    const segment = segments.get(name)
    if (segment === undefined || segment.sealed) return
    segment.length += TRAILER_BYTES
    segment.sealed = true
  }
  const put = (name: string, segment: MemorySegment, entry: Entry): Location => {
    const bytes = Buffer.concat(entry.content)
    const offset = segment.length + BLOCK_BYTES
    segment.entries.push({ name: entry.name, offset, bytes })
    segment.length += entryBytes(bytes.byteLength)
    used += bytes.byteLength
    return { segment: name, offset, length: bytes.byteLength }
  }
  const sizeOf = (group: readonly Entry[]) =>
    group.reduce((sum, { content }) => sum + entryBytes(content.reduce((n, piece) => n + piece.byteLength, 0)), 0)
  const mustHaveRoom = (bytes: number): void => {
    if (used + bytes > (options.bytesMax ?? Number.POSITIVE_INFINITY)) {
      throw new ArchiveError('storage.full', `${bytes} bytes are needed, fewer are free`)
    }
  }

  const store: SegmentStore = {
    async append(group) {
      if (group.length === 0) return []
      const bytes = sizeOf(group)
      for (const { name } of group) tarHeader(name, 0, 0) // the same names are refused as on files
      mustHaveRoom(bytes)
      const current = open === null ? undefined : segments.get(open)
      const limit = options.segmentBytesMax ?? Number.POSITIVE_INFINITY
      if (
        open !== null &&
        current !== undefined &&
        current.length > 0 &&
        current.length + bytes + TRAILER_BYTES > limit
      ) {
        end(open)
        open = null
      }
      open ??= begin()
      const name = open
      const segment = segments.get(name)
      if (segment === undefined) throw new TypeError('the open segment is gone')
      return group.map((entry) => put(name, segment, entry))
    },
    async adopt(entry) {
      mustHaveRoom(entry.contentLength)
      const file = readFileSync(entry.path)
      const { contentStart, contentLength } = entry
      if (
        contentStart % BLOCK_BYTES !== 0 ||
        contentStart < BLOCK_BYTES ||
        file.byteLength < contentStart + contentLength
      ) {
        throw new RangeError('a spooled entry starts at a multiple of 512 and lies within its file')
      }
      const name = begin()
      const segment = segments.get(name)
      if (segment === undefined) throw new TypeError('the new segment is gone')
      segment.length = contentStart - BLOCK_BYTES
      const content = [file.subarray(contentStart, contentStart + contentLength)]
      const locations = [{ name: entry.name, content }, ...entry.followedBy].map((each) => put(name, segment, each))
      end(name)
      unlinkSync(entry.path)
      return locations
    },
    async read(at, range) {
      const { start, end } = checkedRange(at, range)
      const segment = segments.get(at.segment)
      const entry = segment?.entries.find(({ offset }) => offset === at.offset)
      if (segment !== undefined && !segment.sealed && at.offset + at.length > segment.length) return undefined
      if (segment === undefined) return undefined
      if (entry === undefined || entry.bytes.byteLength < at.length) {
        throw new ArchiveError('storage.damaged', `segment ${at.segment} holds no such object`)
      }
      return Uint8Array.from(entry.bytes.subarray(start, end))
    },
    flushed: () => (open === null ? null : { segment: open, offset: segments.get(open)?.length ?? 0 }),
    async seal() {
      if (open !== null) end(open)
      open = null
    },
    async segments() {
      return [...segments].map(([name, { length, sealed }]) => ({ name, length, sealed: sealed || name !== open }))
    },
    async *entries(segment): AsyncIterable<SegmentEntry> {
      for (const { name, offset, bytes } of segments.get(segment)?.entries ?? []) {
        yield { name, location: { segment, offset, length: bytes.byteLength } }
      }
    },
    async truncate(segment, length) {
      const found = segments.get(segment)
      if (found === undefined) return
      if (open === segment) open = null
      const keep = found.entries.filter(
        ({ offset, bytes }) => offset - BLOCK_BYTES + entryBytes(bytes.byteLength) <= length,
      )
      found.entries.splice(0, found.entries.length, ...keep)
      found.length = length
    },
    async remove(segment) {
      if (open === segment) throw new RangeError(`segment ${segment} is being appended to`)
      segments.delete(segment)
    },
    async close() {
      open = null
    },
  }
  return store
}
