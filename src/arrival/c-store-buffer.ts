import { ArchiveError } from '#errors.ts'
import type { ArrivedBytes } from '#model/arrival.ts'
import { withDigests } from '#storage/arrival-digests.ts'
import { arrivalMemory } from '#storage/arrival-memory.ts'
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
}

/** Least that is taken from the budget, in bytes. */
const FIRST_BYTES = 16 * 1024
/** Shorter fragments are copied together: what is kept of one is more than its bytes. */
const SHORT_BYTES = 2048
const BLOCK_BYTES = 64 * 1024
/** Below this length a data set waits for memory before it goes to the disk. */
const SMALL_BYTES = 512 * 1024
const WAIT_MS = 2_000

/** A data set of unknown length on its way in: in memory up to 4 MiB while the budget has room, then in the spool. */
export class DataSetBuffer {
  readonly #tools: BufferTools
  readonly #of: BufferFor
  #pieces: Uint8Array[] = []
  /** Where short fragments go together; its first `#blockStart` bytes stand in `#pieces` already. */
  #block: Uint8Array = new Uint8Array(0)
  #blockStart = 0
  #blockEnd = 0
  #taken = 0
  #size = 0
  #spool: SpoolWriter | null = null
  #leave: (() => void) | null = null
  /** What `finish` gave out. */
  #whole: Uint8Array | null = null

  constructor(tools: BufferTools, of: BufferFor) {
    this.#tools = tools
    this.#of = of
  }

  get size(): number {
    return this.#size
  }

  /**
   * Keeps the fragment: its memory is not written to afterwards. Wait for what it answers before the next: that is the
   * back-pressure.
   * @throws ArchiveError as SpoolWriter.write; then only `discard` is left
   */
  write(fragment: Uint8Array): undefined | Promise<void> {
    this.#size += fragment.byteLength
    const { bytesMax = Number.POSITIVE_INFINITY } = this.#tools.spool
    if (this.#size > bytesMax) throw new ArchiveError('request.too-large', `larger than ${bytesMax} bytes`)
    if (this.#spool !== null) return this.#spool.write(fragment)
    if (this.#size > this.#taken && !this.#reserve()) return this.#spill(fragment)
    this.#keep(fragment)
    return undefined
  }

  /** @returns bytes that are good until `release`, or the spooled file. Throws as SpoolWriter.finish. */
  async finish(): Promise<ArrivedBytes> {
    if (this.#spool !== null) {
      try {
        return await this.#spool.finish()
      } finally {
        this.#leave?.()
      }
    }
    const bytes = arrivalMemory.take(this.#size)
    this.#whole = bytes
    let at = 0
    for (const piece of this.#takePieces()) {
      bytes.set(piece, at)
      at += piece.byteLength
    }
    return withDigests({ in: 'memory', bytes }, true)
  }

  /** Gives back the memory, and what it was counted for: once the arrival is answered. */
  release(): void {
    if (this.#whole !== null) arrivalMemory.give(this.#whole)
    this.#whole = null
    if (this.#taken > 0) this.#tools.budget.give(this.#of.peer, this.#taken)
    this.#taken = 0
  }

  /** Gives up: nothing is left in memory or on disk. */
  async discard(): Promise<void> {
    this.#takePieces()
    this.release()
    await this.#spool?.abort()
    this.#leave?.()
  }

  /** Takes from the budget what the size so far needs. @returns false when it must go to the disk */
  #reserve(): boolean {
    if (this.#size > MEMORY_BYTES_MAX) return false
    const length = Math.min(Math.max(FIRST_BYTES, this.#taken * 2, this.#size), MEMORY_BYTES_MAX)
    if (!this.#tools.budget.take(this.#of.peer, length - this.#taken)) return false
    this.#taken = length
    return true
  }

  #keep(fragment: Uint8Array): void {
    if (fragment.byteLength >= SHORT_BYTES) {
      this.#sealBlock()
      this.#pieces.push(fragment)
      return
    }
    if (this.#blockEnd + fragment.byteLength > this.#block.byteLength) {
      this.#sealBlock()
      this.#block = Buffer.allocUnsafeSlow(this.#pieces.length === 0 ? SHORT_BYTES : BLOCK_BYTES)
      this.#blockStart = 0
      this.#blockEnd = 0
    }
    this.#block.set(fragment, this.#blockEnd)
    this.#blockEnd += fragment.byteLength
  }

  #sealBlock(): void {
    if (this.#blockEnd > this.#blockStart) this.#pieces.push(this.#block.subarray(this.#blockStart, this.#blockEnd))
    this.#blockStart = this.#blockEnd
  }

  #takePieces(): readonly Uint8Array[] {
    this.#sealBlock()
    const pieces = this.#pieces
    this.#pieces = []
    this.#block = new Uint8Array(0)
    this.#blockStart = 0
    this.#blockEnd = 0
    return pieces
  }

  async #spill(fragment: Uint8Array): Promise<void> {
    const { budget, spools, spoolDirectory, spool } = this.#tools
    const { peer, signal, headBytes } = this.#of
    // A small object would become a segment of its own: others are answered soon and give their memory back.
    const until = performance.now() + WAIT_MS
    while (this.#size <= SMALL_BYTES && performance.now() < until && !signal.aborted) {
      await budget.freed(until - performance.now())
      if (!this.#reserve()) continue
      this.#keep(fragment)
      return
    }
    this.#leave = await spools.enter(peer, signal)
    this.#spool = new SpoolWriter(spoolDirectory, { ...spool, headBytes })
    for (const piece of this.#takePieces()) await this.#spool.write(piece)
    this.release()
    await this.#spool.write(fragment)
  }
}
