import { ArchiveError } from '#errors.ts'
import type { ArrivedBytes } from '#model/arrival.ts'
import { MEMORY_BYTES_MAX, type SpoolOptions, SpoolWriter } from '#storage/spool.ts'
import type { FairSlots, MemoryBudget } from './c-store-fair.ts'

/** What all associations share. */
export interface BufferTools {
  readonly spoolDirectory: string
  readonly spool: Pick<SpoolOptions, 'bytesMax' | 'reserveBytes'>
  readonly budget: MemoryBudget
  /** One per file that is written: each has blocks of its own in memory. */
  readonly spools: FairSlots
}

/** For whom, and how long what comes is expected to be. */
export interface BufferFor {
  readonly peer: string
  readonly signal: AbortSignal
  /** Length of our own head before a spooled data set, in bytes. */
  readonly headBytes: number
  /** Objects of a series have one length, mostly: a guess that is right saves a copy. Bytes; 0 for none. */
  readonly expectedBytes: number
}

const FIRST_BYTES = 16 * 1024
/** Below this length a data set waits for memory before it goes to the disk. */
const SMALL_BYTES = 512 * 1024
const WAIT_MS = 2_000

/** A data set of unknown length on its way in: in memory up to 4 MiB while the budget has room, then in the spool. */
export class DataSetBuffer {
  readonly #tools: BufferTools
  readonly #of: BufferFor
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0)
  #filled = 0
  #taken = 0
  #size = 0
  #spool: SpoolWriter | null = null
  #leave: (() => void) | null = null

  constructor(tools: BufferTools, of: BufferFor) {
    this.#tools = tools
    this.#of = of
  }

  get size(): number {
    return this.#size
  }

  /**
   * Copies the fragment. Wait for what it answers before the next: that is the back-pressure.
   * @throws ArchiveError as SpoolWriter.write; then only `discard` is left
   */
  write(fragment: Uint8Array): undefined | Promise<void> {
    this.#size += fragment.byteLength
    const { bytesMax = Number.POSITIVE_INFINITY } = this.#tools.spool
    if (this.#size > bytesMax) throw new ArchiveError('request.too-large', `larger than ${bytesMax} bytes`)
    if (this.#spool !== null) return this.#spool.write(fragment)
    if (this.#size > this.#bytes.byteLength && !this.#grow(this.#size)) return this.#spill(fragment)
    this.#bytes.set(fragment, this.#filled)
    this.#filled = this.#size
    return undefined
  }

  /** @returns a buffer of its own that may be transferred, or the spooled file. Throws as SpoolWriter.finish. */
  async finish(): Promise<ArrivedBytes> {
    if (this.#spool !== null) {
      try {
        return await this.#spool.finish()
      } finally {
        this.#leave?.()
      }
    }
    const bytes = this.#bytes.byteLength === this.#filled ? this.#bytes : this.#bytes.slice(0, this.#filled)
    this.#bytes = new Uint8Array(0)
    return { in: 'memory', bytes }
  }

  /** Gives back the memory it was counted for: once the arrival is answered. */
  release(): void {
    if (this.#taken > 0) this.#tools.budget.give(this.#of.peer, this.#taken)
    this.#taken = 0
  }

  /** Gives up: nothing is left in memory or on disk. */
  async discard(): Promise<void> {
    this.#bytes = new Uint8Array(0)
    this.release()
    await this.#spool?.abort()
    this.#leave?.()
  }

  /** @returns false when it must go to the disk */
  #grow(least: number): boolean {
    if (least > MEMORY_BYTES_MAX) return false
    const doubled = this.#bytes.byteLength === 0 ? Math.max(FIRST_BYTES, this.#of.expectedBytes) : this.#filled * 2
    const length = Math.min(Math.max(doubled, least), MEMORY_BYTES_MAX)
    if (!this.#tools.budget.take(this.#of.peer, length - this.#taken)) return false
    this.#taken = length
    // Not cleared: it is filled before anybody reads it, and only what was filled is handed on.
    const grown = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer as ArrayBuffer)
    grown.set(this.#bytes.subarray(0, this.#filled))
    this.#bytes = grown
    return true
  }

  async #spill(fragment: Uint8Array): Promise<void> {
    const { budget, spools, spoolDirectory, spool } = this.#tools
    const { peer, signal, headBytes } = this.#of
    // A small object would become a segment of its own: others are answered soon and give their memory back.
    const until = performance.now() + WAIT_MS
    while (this.#size <= SMALL_BYTES && performance.now() < until && !signal.aborted) {
      await budget.freed(until - performance.now())
      if (!this.#grow(this.#size)) continue
      this.#bytes.set(fragment, this.#filled)
      this.#filled = this.#size
      return
    }
    this.#leave = await spools.enter(peer, signal)
    this.#spool = new SpoolWriter(spoolDirectory, { ...spool, headBytes })
    const start = this.#bytes.subarray(0, this.#filled)
    this.#bytes = new Uint8Array(0)
    await this.#spool.write(start)
    this.release()
    await this.#spool.write(fragment)
  }
}
