import type { OutgoingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { ArchiveError } from '#errors.ts'
import type { Location } from '#model/archive-object.ts'
import type { Asked } from '#model/route.ts'
import type { SegmentStore } from '#model/segment-store.ts'

/** What reading needs of the store. */
export type SegmentReads = Pick<SegmentStore, 'read'>

/** Largest and smallest piece of one read, in bytes, and what all answers under way may hold together. */
const PIECE_MAX = 1024 * 1024
const PIECE_MIN = 64 * 1024
const HELD_BYTES_MAX = 32 * 1024 * 1024
const PAGE_BYTES = 4096
const IDLE_MS_MAX = 120_000
/** Read in one go when nothing else presses: one read per frame. */
const WHOLE_MAX = 4 * 1024 * 1024

/**
 * Ranged reads with a bound on the bytes in flight: the more answers are under way, the smaller their pieces, so slow
 * callers hold little and keep nobody else waiting.
 */
export class RangedReads {
  readonly #segments: SegmentReads
  #active = 0

  constructor(segments: SegmentReads) {
    this.#segments = segments
  }

  /** Largest piece a read should ask for now, in bytes: a multiple of 4 KiB. */
  get pieceBytes(): number {
    const share = Math.floor(HELD_BYTES_MAX / (2 * Math.max(1, this.#active)) / PAGE_BYTES) * PAGE_BYTES
    return Math.max(PIECE_MIN, Math.min(PIECE_MAX, share))
  }

  /** @throws ArchiveError 'storage.damaged' when the segment is gone or shorter than the index says */
  async read(at: Location, start: number, end: number): Promise<Uint8Array> {
    const bytes = await this.#segments.read(at, { start, end })
    if (bytes === undefined || bytes.byteLength !== end - start) {
      const got = bytes === undefined ? 'nothing' : `${bytes.byteLength} bytes`
      throw new ArchiveError('storage.damaged', `segment ${at.segment} gave ${got} instead of ${end - start} bytes`)
    }
    return bytes
  }

  /** Bytes `start` (included) to `end` (excluded) of an entry, zero-based, the next piece read while one is sent. */
  async *pieces(at: Location, start: number, end: number): AsyncGenerator<Uint8Array, void, void> {
    if (start >= end) return
    this.#active++
    try {
      if (end - start <= WHOLE_MAX && this.pieceBytes === PIECE_MAX) {
        yield await this.read(at, start, end)
        return
      }
      let position = start
      const next = (): Promise<Uint8Array> | undefined => {
        if (position >= end) return undefined
        const from = position
        position = Math.min(end, from + this.pieceBytes)
        const read = this.read(at, from, position)
        // Awaited below; until then a failure must not count as unhandled.
        read.catch(() => undefined)
        return read
      }
      let ahead = next()
      while (ahead !== undefined) {
        const piece = await ahead
        ahead = next()
        yield piece
      }
    } finally {
      this.#active--
    }
  }
}

/** Head of an answer; `length` in bytes when it is known. */
export interface Head {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly length?: number
}

/**
 * Sends pieces as they come. The first one is awaited before the status line is written, so that a failure until then
 * is told as an error; a later one ends the connection, so that nobody takes a cut answer for a whole one.
 */
export async function sendPieces(
  asked: Asked<unknown>,
  reply: FastifyReply,
  head: Head,
  pieces: AsyncGenerator<Uint8Array, void, void>,
): Promise<FastifyReply> {
  const headOnly = asked.raw.method === 'HEAD'
  const first = await pieces.next()
  begin(reply, head)
  if (head.length !== undefined) reply.header('content-length', head.length)
  if (headOnly) {
    await pieces.return()
    return reply.send(Readable.from([]))
  }
  async function* all() {
    try {
      if (first.done !== true) {
        yield first.value
        yield* pieces
      }
    } finally {
      await pieces.return()
    }
  }
  // A caller who takes nothing for so long is given up: what is held for it is others'.
  reply.raw.setTimeout(IDLE_MS_MAX, () => reply.raw.destroy())
  return reply.send(Readable.from(all(), { objectMode: false, highWaterMark: PIECE_MIN }))
}

/** What an answer varies with adds to what the server said of it (an allowed origin). */
function begin(reply: FastifyReply, { status, headers }: Head): FastifyReply {
  const varies = reply.raw.getHeader('vary')
  const all = { ...headers }
  if (typeof varies === 'string' && all['Vary'] !== undefined) all['Vary'] = `${varies}, ${all['Vary']}`
  return reply.code(status).headers(all)
}

/** Sends what is in memory already, headers and all pieces in one write: large ones are not copied together. */
export function sendBytes(
  asked: Asked<unknown>,
  reply: FastifyReply,
  head: Head,
  pieces: readonly Uint8Array[],
): FastifyReply {
  const length = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)
  begin(reply, head).header('content-length', length)
  if (asked.raw.method === 'HEAD') return reply.send(Readable.from([]))
  const few = coalesced(pieces, PIECE_MIN)
  if (few.length === 1 && few[0] !== undefined) return reply.send(few[0])
  reply.hijack()
  const { raw } = reply
  raw.writeHead(head.status, reply.getHeaders() as OutgoingHttpHeaders)
  raw.cork()
  for (const piece of few) raw.write(piece)
  raw.end()
  raw.uncork()
  return reply
}

/** Copies pieces below `bytes` together, so that they cost one write instead of many. */
export function coalesced(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const joined: Uint8Array[] = []
  let small: Uint8Array[] = []
  let held = 0
  const flush = () => {
    if (held > 0) joined.push(small.length === 1 && small[0] !== undefined ? small[0] : Buffer.concat(small))
    small = []
    held = 0
  }
  for (const piece of pieces) {
    if (piece.byteLength >= bytes) flush()
    small.push(piece)
    held += piece.byteLength
    if (held >= bytes) flush()
  }
  flush()
  return joined
}

export interface AskedRange {
  readonly start: number
  readonly end: number
}

/**
 * Reads `Range: bytes=...` for content of `size` bytes. RFC 9110 section 14.2: several ranges, other units and what
 * cannot be read are ignored, which gives the whole.
 *
 * @returns undefined for the whole content; `unsatisfiable` is answered with 416
 */
export function parseRange(header: string | undefined, size: number): AskedRange | 'unsatisfiable' | undefined {
  const match = header === undefined || header.length > 100 ? null : /^bytes=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header)
  if (match === null) return undefined
  const [, from = '', to = ''] = match
  if (from === '' && to === '') return undefined
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const end = from === '' || to === '' ? size : Math.min(size, Number(to) + 1)
  if (from !== '' && to !== '' && Number(to) < Number(from)) return undefined
  return start >= size || start >= end ? 'unsatisfiable' : { start, end }
}

/** True when `If-None-Match` names the entity tag. RFC 9110 section 13.1.2: weak comparison. */
export function isNotModified(header: string | undefined, etag: string): boolean {
  if (header === undefined || header.length > 8192) return false
  return header.split(',').some((tag) => {
    const plain = tag.trim().replace(/^W\//, '')
    return plain === '*' || plain === etag
  })
}
