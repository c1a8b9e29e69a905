/** Fragments of a data set between the socket and whoever reads it. */
import type { DataSetStream } from './association.ts'
import type { DimseError } from './dimse-error.ts'

/** Added to every fragment held, so that a peer who sends single bytes is held to the same bound. */
export const FRAGMENT_OVERHEAD_BYTES = 128

type Step = IteratorResult<Uint8Array, undefined>
const DONE: Step = { done: true, value: undefined }

export class DataSetQueue implements DataSetStream, AsyncIterator<Uint8Array, undefined> {
  readonly #held: (change: number) => void
  readonly #fragments: Uint8Array[] = []
  #next = 0
  #complete = false
  #discarding = false
  #touched = false
  #error: DimseError | null = null
  #waiting: { resolve: (step: Step) => void; reject: (error: DimseError) => void } | null = null

  /** @param held told by how many bytes more or less is held */
  constructor(held: (change: number) => void) {
    this.#held = held
  }

  /** True when somebody began to read or to drain it. */
  get touched(): boolean {
    return this.#touched
  }

  push(fragment: Uint8Array): void {
    if (this.#discarding || fragment.length === 0) return
    if (this.#waiting !== null) {
      this.#answer({ done: false, value: fragment })
      return
    }
    this.#fragments.push(fragment)
    this.#held(fragment.length + FRAGMENT_OVERHEAD_BYTES)
  }

  /** The last fragment was pushed. */
  finish(): void {
    this.#complete = true
    this.#answer(DONE)
  }

  /** The rest will not come. */
  fail(error: DimseError): void {
    if (this.#complete) return
    this.#error = error
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.reject(error)
  }

  #answer(step: Step): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.resolve(step)
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    this.#touched = true
    return this
  }

  next(): Promise<Step> {
    this.#touched = true
    const fragment = this.#fragments[this.#next]
    if (fragment !== undefined) {
      this.#next++
      if (this.#next === this.#fragments.length) {
        this.#fragments.length = 0
        this.#next = 0
      }
      this.#held(-fragment.length - FRAGMENT_OVERHEAD_BYTES)
      return Promise.resolve({ done: false, value: fragment })
    }
    if (this.#complete || this.#discarding) return Promise.resolve(DONE)
    if (this.#error !== null) return Promise.reject(this.#error)
    if (this.#waiting !== null) return Promise.reject(new TypeError('a data set has one reader'))
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  /** A reader that stops early does not hold up the association: what is left is skipped as it comes. */
  return(): Promise<Step> {
    this.#discard()
    return Promise.resolve(DONE)
  }

  /** Skips the rest; resolves when its end came. */
  async drain(): Promise<void> {
    this.#touched = true
    this.#discard()
    if (this.#complete) return
    if (this.#error !== null) throw this.#error
    this.#answer(DONE)
    await new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  #discard(): void {
    this.#touched = true
    this.#discarding = true
    let bytes = 0
    for (const fragment of this.#fragments.slice(this.#next)) bytes += fragment.length + FRAGMENT_OVERHEAD_BYTES
    this.#fragments.length = 0
    this.#next = 0
    if (bytes > 0) this.#held(-bytes)
  }
}
