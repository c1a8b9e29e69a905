/**
 * Memory that arrivals travel in from the door to the writer: one shared buffer, used again and again. A buffer for each
 * arrival would be given back by collections of garbage only, and those cost more than everything else that is done with
 * a CT slice.
 */

import { passedThrough } from './young-garbage.ts'

/** Bytes in the shared buffer. What does not fit at the moment travels in a buffer of its own. */
const ARENA_BYTES = 32 * 1024 * 1024
const GRAIN_BYTES = 4096

/** Ranges of one shared buffer: the lowest that fits, so that what was used last, and is still in a cache, is used next. */
export class ArrivalMemory {
  readonly #size: number
  #buffer: SharedArrayBuffer | null = null
  /** Free ranges, ascending, never touching one another. */
  readonly #free: { start: number; end: number }[]

  /** @param size bytes that are shared; taken from the system when they are first used */
  constructor(size = ARENA_BYTES) {
    this.#size = size
    this.#free = [{ start: 0, end: size }]
  }

  /**
   * Room for an arrival; its content is whatever stood there. Give it back once the arrival is answered, not before.
   * @returns a view of shared memory, or a buffer of its own when there is no room
   */
  take(length: number): Uint8Array {
    const needed = Math.max(GRAIN_BYTES, Math.ceil(length / GRAIN_BYTES) * GRAIN_BYTES)
    const at = this.#free.findIndex(({ start, end }) => end - start >= needed)
    const range = this.#free[at]
    // Not cleared first: every byte of it is written by who takes it.
    if (range === undefined) return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
    const view = new Uint8Array(this.#shared(), range.start, length)
    range.start += needed
    if (range.start === range.end) this.#free.splice(at, 1)
    return view
  }

  /** Gives back what `take` gave; a buffer of its own is nobody's business here. Nobody reads the view afterwards. */
  give(view: Uint8Array): void {
    passedThrough(view.byteLength) // about as much stands in chunks of a socket that nobody needs any more
    if (view.buffer !== this.#buffer) return
    const start = view.byteOffset
    const end = start + Math.max(GRAIN_BYTES, Math.ceil(view.byteLength / GRAIN_BYTES) * GRAIN_BYTES)
    const behind = this.#free.findIndex((range) => range.start >= end)
    const at = behind === -1 ? this.#free.length : behind
    const [before, after] = [this.#free[at - 1], this.#free[at]]
    if ((before !== undefined && before.end > start) || end > this.#size) throw new RangeError('given back twice')
    if (before?.end === start) {
      before.end = end
      if (after?.start !== end) return
      before.end = after.end
      this.#free.splice(at, 1)
    } else if (after?.start === end) after.start = start
    else this.#free.splice(at, 0, { start, end })
  }

  /** Bytes that may be taken now. */
  get freeBytes(): number {
    return this.#free.reduce((sum, { start, end }) => sum + end - start, 0)
  }

  #shared(): SharedArrayBuffer {
    this.#buffer ??= new SharedArrayBuffer(this.#size)
    return this.#buffer
  }
}

/** The memory of this process's doors. */
export const arrivalMemory = new ArrivalMemory()
