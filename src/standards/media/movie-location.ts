import type { ByteSource } from '../byte-source.ts'
import type { Patch } from './patch.ts'
import { xmpLocations } from './xmp-location.ts'

/** What was found in a movie. */
export interface MovieLocations {
  readonly removed: number
  /** Why places may be left: a track of positions, tables that cannot be followed; null when there is no sign of any. */
  readonly doubt: string | null
}

const DEPTH_MAX = 12
const XMP_BYTES_MAX = 16 * 1024 * 1024
const KEYS_MAX = 10_000
const BOXES_MAX = 100_000

/** Boxes that hold boxes. ISO/IEC 14496-12 table 1; QuickTime File Format, "Movie Atoms". */
const containers = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl', 'udta', 'moof', 'traf', 'meta'])
/** QuickTime user data and 3GPP TS 26.244 section 8.10; cameras for cars; Windows. */
const places = new Set(['\u00a9xyz', 'loci', 'gps ', 'GPS ', 'GPSP', '\u00a9loc'])
/** Sample descriptions of tracks whose samples are positions. */
const positionTracks = new Set(['gpmd', 'camm', 'rtmd', 'GPRM', 'fdsc'])
const XMP_UUID = 'be7acfcb97a942e89c71999491e3afac'

interface Box {
  readonly type: string
  /** Offsets in the file: of the box, of its content, behind it. */
  readonly at: number
  readonly content: number
  readonly end: number
}

class Movie {
  readonly #source: ByteSource
  readonly #patch: Patch
  #movieSeen = false
  removed = 0
  doubt: string | null = null

  constructor(source: ByteSource, patch: Patch) {
    this.#source = source
    this.#patch = patch
  }

  /** @param keys of the metadata box around, when it names them: indices that say where */
  walk(start: number, end: number, depth: number, keys: ReadonlySet<number> | null): void {
    let own: ReadonlySet<number> | null = keys
    for (const { type, at, content, end: last } of this.#boxes(start, end, depth)) {
      if (type === 'moov') this.#movieSeen = true
      if (places.has(type)) this.#blank(at, content, last)
      else if (type === 'keys') own = this.#keys(content, last)
      else if (type === 'ilst') this.#list(content, last, own)
      else if (type === 'stsd') this.#descriptions(content, last)
      else if (type === 'uuid') this.#uuid(content, last)
      else if (type === 'XMP_') this.#xmp(content, last)
      else if (containers.has(type)) {
        if (depth >= DEPTH_MAX) this.doubt = 'boxes nested too deep'
        else this.walk(type === 'meta' ? this.#metaStart(content, last) : content, last, depth + 1, null)
      }
    }
  }

  /** User data have types that are no words (`\u00a9xyz`) and may end in a zero. Behind the movie anything may follow. */
  *#boxes(start: number, end: number, depth: number): Generator<Box> {
    let at = start
    for (let count = 0; at + 8 <= end; count++) {
      const head = Buffer.from(Uint8Array.from(this.#source.read(at, Math.min(end, at + 16))))
      const short = head.readUInt32BE(0)
      const wide = short === 1 && head.byteLength === 16
      const length = wide ? Number(head.readBigUInt64BE(8)) : short === 0 && depth === 0 ? end - at : short
      const content = at + (wide ? 16 : 8)
      if (short === 0 && depth > 0) return
      if (length < content - at || at + length > end || count >= BOXES_MAX) {
        if (depth > 0 || !this.#movieSeen) this.doubt = 'a box that is damaged'
        return
      }
      yield { type: head.toString('latin1', 4, 8), at, content, end: at + length }
      at += length
    }
  }

  /** The box stays as free space, so that nothing behind it moves. */
  #blank(at: number, content: number, end: number): void {
    this.#patch.write(at + 4, Buffer.from('free', 'latin1'))
    this.#patch.fill(content, end)
    this.removed++
  }

  /** In ISO files a version stands before the boxes; in QuickTime none does. */
  #metaStart(content: number, end: number): number {
    const head = Buffer.from(Uint8Array.from(this.#source.read(content, Math.min(end, content + 12))))
    return head.toString('latin1', 4, 8) === 'hdlr' ? content : content + 4
  }

  /** Indices (from 1) of keys whose name speaks of a place. QuickTime File Format, "Metadata Item Keys Atom". */
  #keys(content: number, end: number): ReadonlySet<number> {
    const found = new Set<number>()
    let at = content + 8
    for (let index = 1; at + 8 <= end && index <= KEYS_MAX; index++) {
      const head = Buffer.from(Uint8Array.from(this.#source.read(at, Math.min(end, at + 256))))
      const length = head.readUInt32BE(0)
      if (length < 8 || at + length > end) break
      const name = head.toString('latin1', 8, Math.min(length, 256)).toLowerCase()
      if (name.includes('location') || name.includes('gps') || name.includes('latitude') || name.includes('longitude'))
        found.add(index)
      at += length
    }
    return found
  }

  /** Items have their key's index as type; the walker of boxes takes types for words, so this one counts itself. */
  #list(content: number, end: number, keys: ReadonlySet<number> | null): void {
    let at = content
    for (let count = 0; at + 8 <= end && count < KEYS_MAX; count++) {
      const head = Buffer.from(Uint8Array.from(this.#source.read(at, at + 8)))
      const length = head.readUInt32BE(0)
      if (length < 8 || at + length > end) {
        this.doubt = 'a list of metadata that is damaged'
        return
      }
      if (places.has(head.toString('latin1', 4, 8)) || keys?.has(head.readUInt32BE(4)) === true)
        this.#blank(at, at + 8, at + length)
      at += length
    }
  }

  #descriptions(content: number, end: number): void {
    const head = Buffer.from(Uint8Array.from(this.#source.read(content, Math.min(end, content + 4096))))
    const format = head.toString('latin1', 12, 16)
    if (positionTracks.has(format) || (format === 'mebx' && head.includes('location'))) {
      this.doubt = 'a track that may hold positions'
    }
  }

  #uuid(content: number, end: number): void {
    const id = Buffer.from(Uint8Array.from(this.#source.read(content, content + 16))).toString('hex')
    if (id === XMP_UUID) this.#xmp(content + 16, end)
  }

  #xmp(start: number, end: number): void {
    if (end - start > XMP_BYTES_MAX) {
      this.doubt = 'XMP too large to look into'
      return
    }
    const packet = Uint8Array.from(this.#source.read(start, end))
    for (const range of xmpLocations(packet)) {
      this.#patch.fill(start + range.start, start + range.end, 0x20)
      this.removed++
    }
  }
}

/** Blanks places in an MP4 or QuickTime movie, in place. @param start of the movie in its file */
export function blankMovieLocations(source: ByteSource, patch: Patch, start = 0): MovieLocations {
  const movie = new Movie(source, patch)
  movie.walk(start, source.size, 0, null)
  return { removed: movie.removed, doubt: movie.doubt }
}
