import type { Location } from '#model/archive-object.ts'
import type { Entry, SpooledEntry } from '#model/segment-store.ts'
import type { DiskFile } from './disk.ts'
import { BLOCK_BYTES, entryBytes, paddingAfter, TRAILER_BYTES, tarHeader } from './tar.ts'

const ZEROS = new Uint8Array(TRAILER_BYTES)

export function lengthOf(content: readonly Uint8Array[]): number {
  return content.reduce((sum, piece) => sum + piece.byteLength, 0)
}

/** A group as it stands in a segment from `start` on: headers, contents, padding; and where each content is. */
export function lay(
  group: readonly Entry[],
  segment: string,
  start: number,
): { readonly pieces: readonly Uint8Array[]; readonly locations: readonly Location[]; readonly end: number } {
  const pieces: Uint8Array[] = []
  const locations: Location[] = []
  const time = Date.now() / 1000
  let at = start
  for (const { name, content } of group) {
    const length = lengthOf(content)
    pieces.push(tarHeader(name, length, time), ...content, ZEROS.subarray(0, paddingAfter(length)))
    locations.push({ segment, offset: at + BLOCK_BYTES, length })
    at += entryBytes(length)
  }
  return { pieces, locations, end: at }
}

/**
 * Makes a spooled file a complete tar: a header before its content, what follows and two zero blocks behind it.
 * @throws RangeError when the content is not where it may be; whatever the disk throws
 */
export function frameSpooled(file: DiskFile, entry: SpooledEntry, segment: string): readonly Location[] {
  const { contentStart, contentLength } = entry
  const end = contentStart + contentLength
  if (contentStart % BLOCK_BYTES !== 0 || contentStart < BLOCK_BYTES || file.length() < end) {
    throw new RangeError(`a spooled entry starts at a multiple of 512 and lies within its file, not at ${contentStart}`)
  }
  const time = Date.now() / 1000
  const head = [tarHeader(entry.name, contentLength, time)]
  if (contentStart > BLOCK_BYTES) {
    // Room in front that was not needed becomes an entry of its own, so that the segment stays an ordinary tar.
    const room = contentStart - 2 * BLOCK_BYTES
    head.unshift(tarHeader('room', room, time), new Uint8Array(room))
  }
  const behind = lay(entry.followedBy, segment, end + paddingAfter(contentLength))
  file.truncate(end) // bytes behind the content that were not kept
  file.write(head, 0)
  file.write([new Uint8Array(paddingAfter(contentLength)), ...behind.pieces, ZEROS], end)
  return [{ segment, offset: contentStart, length: contentLength }, ...behind.locations]
}
