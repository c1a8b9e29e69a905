/** The Asynchronous Operations Window: how many requests of ours may wait for responses. PS3.7 section D.3.3.3. */
import type { DimseError } from './dimse-error.ts'

export class Window {
  readonly #max: number
  #open = 0
  #error: DimseError | null = null
  readonly #waiting: { resolve: () => void; reject: (error: DimseError) => void }[] = []

  /** @param max 0: no limit */
  constructor(max: number) {
    this.#max = max === 0 ? Number.POSITIVE_INFINITY : max
  }

  /** Resolves when there is room. @throws DimseError when the association ends before */
  enter(): Promise<void> {
    if (this.#error !== null) return Promise.reject(this.#error)
    if (this.#open < this.#max) {
      this.#open++
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
    })
  }

  leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#open--
    else next.resolve()
  }

  fail(error: DimseError): void {
    this.#error = error
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}
