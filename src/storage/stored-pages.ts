import { ArchiveError } from '#errors.ts'
import { type ByteSource, READ_BYTES_MAX } from '#standards/byte-source.ts'

const PAGE_BYTES = 64 * 1024
/** Bytes one look into an object may bring into memory. */
const HELD_BYTES_MAX = 64 * 1024 * 1024

/** Bytes that are not here yet. Caught by StoredPages.run, never seen outside. */
class Missing extends Error {
  readonly first: number
  readonly last: number

  constructor(first: number, last: number) {
    super('bytes are not in memory')
    this.first = first
    this.last = last
  }
}

/**
 * A stored entry for parsers that read synchronously, on a thread that must not block: work that meets bytes which
 * are not here is run again once they were read. Meant for looking at headers between large values; the bytes of
 * large values are sent by ranged reads.
 */
export class StoredPages implements ByteSource {
  readonly size: number
  readonly #load: (start: number, end: number) => Promise<Uint8Array>
  readonly #pages = new Map<number, Uint8Array>()
  #held = 0

  /**
   * @param load reads of the entry; rejects when it cannot give all of them
   * @param size length of the entry in bytes
   */
  constructor(load: (start: number, end: number) => Promise<Uint8Array>, size: number) {
    this.#load = load
    this.size = size
  }

  read(start: number, end: number): Uint8Array {
    const from = Math.max(0, start)
    const to = Math.min(end, this.size)
    if (to <= from) return new Uint8Array(0)
    if (to - from > READ_BYTES_MAX) throw new RangeError(`a read of ${to - from} bytes at once`)
    const first = Math.floor(from / PAGE_BYTES)
    const last = Math.floor((to - 1) / PAGE_BYTES)
    for (let page = first; page <= last; page++) {
      if (!this.#pages.has(page)) throw new Missing(page, last)
    }
    const base = first * PAGE_BYTES
    if (first === last) return this.#pages.get(first)!.subarray(from - base, to - base)
    const joined = new Uint8Array(to - from)
    for (let page = first; page <= last; page++) {
      const bytes = this.#pages.get(page)!
      const at = page * PAGE_BYTES
      const part = bytes.subarray(Math.max(0, from - at), Math.min(bytes.byteLength, to - at))
      joined.set(part, Math.max(0, at - from))
    }
    return joined
  }

  /**
   * Runs work over this source until it does not lack bytes any more. It may be run many times: it must not have
   * effects of its own.
   * @throws ArchiveError 'dicom.limit' when it would bring more than 64 MiB into memory; what the work throws
   */
  async run<T>(work: (source: ByteSource) => T): Promise<T> {
    for (;;) {
      try {
        return work(this)
      } catch (error) {
        if (!(error instanceof Missing)) throw error
        await this.#bring(error)
      }
    }
  }

  /** Forgets what was read, before bytes further on are wanted. */
  release(): void {
    this.#pages.clear()
    this.#held = 0
  }

  async #bring({ first, last }: Missing): Promise<void> {
    const start = first * PAGE_BYTES
    const end = Math.min(this.size, (last + 1) * PAGE_BYTES)
    this.#held += end - start
    if (this.#held > HELD_BYTES_MAX + 2 * PAGE_BYTES) {
      throw new ArchiveError('dicom.limit', 'the object is too scattered to be looked into')
    }
    const bytes = await this.#load(start, end)
    for (let page = first; page <= last; page++) {
      const at = (page - first) * PAGE_BYTES
      this.#pages.set(page, bytes.subarray(at, Math.min(bytes.byteLength, at + PAGE_BYTES)))
    }
  }
}
