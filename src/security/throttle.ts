/**
 * Slows repeated failures of one account or token. Keys are what was tried, never the address it came from: a
 * hospital behind one address is not locked out by one colleague. contract.md HTTP.
 */
export class Throttle {
  readonly #failures = new Map<string, { count: number; last: number }>()
  readonly #free: number
  readonly #now: () => number

  /** @param free failures that cost nothing */
  constructor(free = 5, now: () => number = Date.now) {
    this.#free = free
    this.#now = now
  }

  /** @returns seconds until this key may be tried again; 0 when it may be tried now */
  waitSeconds(key: string): number {
    const entry = this.#failures.get(key)
    if (entry === undefined) return 0
    if (this.#now() - entry.last > FORGET_MS) {
      this.#failures.delete(key)
      return 0
    }
    if (entry.count < this.#free) return 0
    const waitMs = Math.min(2 ** (entry.count - this.#free) * 1000, WAIT_MAX_MS)
    return Math.max(0, Math.ceil((entry.last + waitMs - this.#now()) / 1000))
  }

  failed(key: string): void {
    const count = (this.#failures.get(key)?.count ?? 0) + 1
    this.#failures.delete(key)
    this.#failures.set(key, { count, last: this.#now() })
    if (this.#failures.size <= KEYS_MAX) return
    const oldest = this.#failures.keys().next()
    if (!oldest.done) this.#failures.delete(oldest.value)
  }

  succeeded(key: string): void {
    this.#failures.delete(key)
  }
}

/** One failure is forgotten after this long without another. */
const FORGET_MS = 15 * 60_000
const WAIT_MAX_MS = 30_000
/** Keys remembered; the oldest is given up. */
const KEYS_MAX = 10_000
