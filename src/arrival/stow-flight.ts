/** A bound on bytes that are under way between doors and the writer, shared by all requests of a door. */
export class ByteGate {
  readonly #bytesMax: number
  #bytes = 0
  readonly #waiting: { readonly bytes: number; enter(): void }[] = []

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Waits until there is room, first come first served. What is larger than the gate passes alone. */
  enter(bytes: number): Promise<void> {
    if (this.#waiting.length === 0 && this.#fits(bytes)) {
      this.#bytes += bytes
      return Promise.resolve()
    }
    return new Promise((resolve) => this.#waiting.push({ bytes, enter: resolve }))
  }

  leave(bytes: number): void {
    this.#bytes -= bytes
    while (this.#waiting.length > 0 && this.#fits(this.#waiting[0]!.bytes)) {
      const next = this.#waiting.shift()!
      this.#bytes += next.bytes
      next.enter()
    }
  }

  #fits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#bytesMax
  }
}

/** Work of one request under way: at most so many at once, each with its bytes inside the shared gate. */
export class Flight<T> {
  readonly #gate: ByteGate
  readonly #most: number
  readonly #results: Promise<T>[] = []
  readonly #under = new Set<Promise<unknown>>()

  constructor(gate: ByteGate, most: number) {
    this.#gate = gate
    this.#most = most
  }

  /** Resolves once the work has begun: until then the sender is not read further. `work` never rejects. */
  async start(bytes: number, work: () => Promise<T>): Promise<void> {
    while (this.#under.size >= this.#most) await Promise.race(this.#under)
    await this.#gate.enter(bytes)
    const result = work().finally(() => {
      this.#gate.leave(bytes)
      this.#under.delete(result)
    })
    this.#under.add(result)
    this.#results.push(result)
  }

  /** Everything that was started, in that order, once all of it is done. */
  all(): Promise<T[]> {
    return Promise.all(this.#results)
  }
}
