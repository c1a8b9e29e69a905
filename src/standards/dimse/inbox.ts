/** Values that come when they come, for one reader. */
export class Inbox<T> {
  readonly #values: T[] = []
  #waiting: ((value: T | undefined) => void) | null = null
  #closed = false

  push(value: T): void {
    if (this.#closed) return
    const waiting = this.#waiting
    this.#waiting = null
    if (waiting !== null) waiting(value)
    else this.#values.push(value)
  }

  /** Nothing more will come; what came already is still handed out. */
  close(): void {
    this.#closed = true
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.(undefined)
  }

  /** @returns undefined when it was closed and is empty */
  next(): Promise<T | undefined> {
    const value = this.#values.shift()
    if (value !== undefined || this.#closed) return Promise.resolve(value)
    if (this.#waiting !== null) return Promise.reject(new TypeError('there is a reader already'))
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }
}
