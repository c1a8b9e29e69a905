/**
 * Slots shared fairly: at most so many at once, of one peer at most so many, and among peers that wait each has its turn.
 * A peer that floods waits behind itself, not others behind it. threats.md R22.
 */
export class FairSlots {
  readonly #most: number
  readonly #mostPerPeer: number
  #taken = 0
  readonly #takenBy = new Map<string, number>()
  /** Peers that wait, in the order of their turns. */
  readonly #waiting = new Map<string, Waiter[]>()

  constructor(most: number, mostPerPeer: number) {
    this.#most = most
    this.#mostPerPeer = mostPerPeer
  }

  /**
   * Waits for a slot.
   * @returns what gives it back; a second call does nothing
   * @throws the reason of the signal when that is aborted first
   */
  enter(peer: string, signal: AbortSignal): Promise<() => void> {
    if (this.#taken < this.#most && this.#mayTake(peer)) return Promise.resolve(this.#take(peer))
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const waiter: Waiter = {
        begin: () => {
          signal.removeEventListener('abort', gone)
          resolve(this.#take(peer))
        },
      }
      const gone = () => {
        const queue = this.#waiting.get(peer) ?? []
        const left = queue.filter((each) => each !== waiter)
        if (left.length === 0) this.#waiting.delete(peer)
        else this.#waiting.set(peer, left)
        reject(signal.reason)
      }
      signal.addEventListener('abort', gone, { once: true })
      const queue = this.#waiting.get(peer)
      if (queue === undefined) this.#waiting.set(peer, [waiter])
      else queue.push(waiter)
    })
  }

  #mayTake(peer: string): boolean {
    return (this.#takenBy.get(peer) ?? 0) < this.#mostPerPeer
  }

  #take(peer: string): () => void {
    this.#taken++
    this.#takenBy.set(peer, (this.#takenBy.get(peer) ?? 0) + 1)
    let held = true
    return () => {
      if (!held) return
      held = false
      this.#taken--
      const left = (this.#takenBy.get(peer) ?? 1) - 1
      if (left === 0) this.#takenBy.delete(peer)
      else this.#takenBy.set(peer, left)
      this.#next()
    }
  }

  /** The first peer in turn that may take one; it goes to the end of the line. */
  #next(): void {
    for (const [peer, queue] of this.#waiting) {
      if (!this.#mayTake(peer)) continue
      this.#waiting.delete(peer)
      const waiter = queue.shift()
      if (queue.length > 0) this.#waiting.set(peer, queue)
      waiter?.begin()
      return
    }
  }
}

interface Waiter {
  begin(): void
}

/** Bytes that all associations together may hold in memory, and how many of them one peer may. */
export class MemoryBudget {
  readonly #bytesMax: number
  readonly #perPeerMax: number
  #taken = 0
  readonly #takenBy = new Map<string, number>()
  #waiting: (() => void)[] = []

  constructor(bytesMax: number, perPeerMax: number) {
    this.#bytesMax = bytesMax
    this.#perPeerMax = perPeerMax
  }

  /** Bytes held now. */
  get taken(): number {
    return this.#taken
  }

  /** @returns false when there is no room: nothing is taken then */
  take(peer: string, bytes: number): boolean {
    const own = this.#takenBy.get(peer) ?? 0
    if (this.#taken + bytes > this.#bytesMax || own + bytes > this.#perPeerMax) return false
    this.#taken += bytes
    this.#takenBy.set(peer, own + bytes)
    return true
  }

  give(peer: string, bytes: number): void {
    this.#taken -= bytes
    const left = (this.#takenBy.get(peer) ?? bytes) - bytes
    if (left === 0) this.#takenBy.delete(peer)
    else this.#takenBy.set(peer, left)
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  /** Resolves when somebody gave something back, or after `mostMs` milliseconds. */
  async freed(mostMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, mostMs)
      this.#waiting.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}
