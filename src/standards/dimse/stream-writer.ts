/** Writes to a stream as fast as it takes, and notices when it takes nothing. */
import type { Duplex } from 'node:stream'
import type { DimseError } from './dimse-error.ts'

/** Up to this many bytes are copied into one buffer, so that they leave in one write on any kind of stream. */
const ONE_WRITE_BYTES = 131_072

export class StreamWriter {
  readonly #stream: Duplex
  readonly #stalledMs: number
  readonly #stalled: () => void
  #error: DimseError | null = null
  #waiting: { resolve: () => void; reject: (error: DimseError) => void } | null = null

  /** @param stalled called when the stream took nothing for so many milliseconds */
  constructor(stream: Duplex, stalledMs: number, stalled: () => void) {
    this.#stream = stream
    this.#stalledMs = stalledMs
    this.#stalled = stalled
  }

  /** True while something waits for the peer to take it. */
  get busy(): boolean {
    return this.#waiting !== null
  }

  /**
   * Resolves when more may be written. One call at a time.
   * @throws DimseError when the association ended
   */
  async write(chunks: readonly Uint8Array[]): Promise<void> {
    if (this.#error !== null) throw this.#error
    if (this.#put(chunks)) return
    const timer = setTimeout(this.#stalled, this.#stalledMs)
    const drained = () => this.#waiting?.resolve()
    this.#stream.once('drain', drained)
    try {
      await new Promise<void>((resolve, reject) => {
        this.#waiting = { resolve, reject }
      })
    } finally {
      this.#waiting = null
      clearTimeout(timer)
      this.#stream.removeListener('drain', drained)
    }
  }

  #put(chunks: readonly Uint8Array[]): boolean {
    let bytes = 0
    for (const chunk of chunks) bytes += chunk.length
    if (bytes <= ONE_WRITE_BYTES) {
      // What is sent in the same turn, such as the answers to one query, leaves together.
      this.#stream.cork()
      process.nextTick(() => this.#stream.uncork())
      return this.#stream.write(Buffer.concat(chunks, bytes))
    }
    this.#stream.cork()
    let more = true
    for (const chunk of chunks) more = this.#stream.write(chunk)
    this.#stream.uncork()
    return more
  }

  fail(error: DimseError): void {
    this.#error = error
    this.#waiting?.reject(error)
  }
}
