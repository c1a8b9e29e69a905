import { Buffer } from 'node:buffer'

/** Start block, end block, and the carriage return behind it. HL7 v2 Transport Specification: MLLP, release 1. */
export const START_BLOCK = 0x0b
export const END_BLOCK = 0x1c
const CARRIAGE_RETURN = 0x0d

/** What came out of the stream. */
export type Framed =
  | { readonly is: 'message'; readonly bytes: Uint8Array }
  /**
   * Something that began and is no whole message; `head` are its first bytes, so that it can be answered.
   * `restarted`: a new start block came before the end block; `oversized`: longer than a message may be; `ended`: the
   * stream ended first; `crowded`: whoever reads has no room for it now.
   */
  | { readonly is: 'broken'; readonly why: BrokenFrame; readonly head: Uint8Array }

export type BrokenFrame = 'restarted' | 'oversized' | 'ended' | 'crowded'

/** How much of a broken message is kept: enough for MSH. */
const HEAD_BYTES = 4096
const FIRST_BYTES = 4096

/**
 * Finds messages in a stream however it was cut: one byte at a time, several messages in one read. What stands between
 * messages is passed over; a message without start block is taken when it begins with `MSH`. The end block ends a
 * message, whether or not its carriage return follows, so that no sender waits for an answer that waits for a byte.
 */
export class MllpFramer {
  readonly #bytesMax: number
  #state: 'between' | 'inside' | 'skipping' = 'between'
  /** Grows by doubling, so that single bytes cost no buffer each. */
  #buffer = Buffer.allocUnsafe(0)
  #length = 0
  /** Last bytes seen between messages that could be the beginning of `MSH`. */
  #maybe = 0

  /** @param bytesMax longest message, in bytes without framing */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Bytes held of a message that is not complete. */
  get held(): number {
    return this.#buffer.byteLength
  }

  /** True when a message has begun and not ended. */
  get begun(): boolean {
    return this.#state !== 'between'
  }

  /** Takes the next bytes of the stream. They are copied. */
  push(chunk: Uint8Array): Framed[] {
    const found: Framed[] = []
    for (let at = 0; at < chunk.length; ) {
      at = this.#state === 'between' ? this.#between(chunk, at) : this.#inside(chunk, at, found)
    }
    return found
  }

  /** The stream has ended. */
  end(): Framed[] {
    const open = this.#state === 'inside' && this.#length > 0
    const head = Buffer.from(this.#buffer.subarray(0, Math.min(this.#length, HEAD_BYTES)))
    this.#reset('between')
    return open ? [{ is: 'broken', why: 'ended', head }] : []
  }

  /** Gives the message that has begun up: what is still to come of it is passed over. */
  abandon(): Framed[] {
    if (this.#state !== 'inside') return []
    const head = this.#head()
    this.#reset('skipping')
    return [{ is: 'broken', why: 'crowded', head }]
  }

  #between(chunk: Uint8Array, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at] as number
      if (byte === START_BLOCK) {
        this.#reset('inside')
        return at + 1
      }
      this.#maybe = byte === MSH[this.#maybe] ? this.#maybe + 1 : byte === MSH[0] ? 1 : 0
      if (this.#maybe === MSH.length) {
        this.#reset('inside')
        this.#append(Buffer.from(MSH), 0, MSH.length)
        return at + 1
      }
    }
    return chunk.length
  }

  #inside(chunk: Uint8Array, from: number, found: Framed[]): number {
    let at = from
    while (at < chunk.length && chunk[at] !== END_BLOCK && chunk[at] !== START_BLOCK) at++
    if (this.#state === 'inside') {
      const room = this.#bytesMax - this.#length
      if (at - from > room) {
        this.#append(chunk, from, from + Math.min(room, HEAD_BYTES))
        found.push({ is: 'broken', why: 'oversized', head: this.#head() })
        this.#reset('skipping') // the rest is passed over: it was answered
      } else this.#append(chunk, from, at)
    }
    if (at === chunk.length) return at
    if (chunk[at] === END_BLOCK) {
      if (this.#state === 'inside') found.push({ is: 'message', bytes: this.#taken() })
      this.#reset('between')
      return chunk[at + 1] === CARRIAGE_RETURN ? at + 2 : at + 1
    }
    if (this.#state === 'inside' && this.#length > 0) found.push({ is: 'broken', why: 'restarted', head: this.#head() })
    this.#reset('inside')
    return at + 1
  }

  #append(chunk: Uint8Array, from: number, to: number): void {
    const length = to - from
    if (this.#length + length > this.#buffer.byteLength) {
      const wanted = Math.max(this.#length + length, Math.min(this.#buffer.byteLength * 2, this.#bytesMax), FIRST_BYTES)
      const grown = Buffer.allocUnsafe(wanted)
      this.#buffer.copy(grown, 0, 0, this.#length)
      this.#buffer = grown
    }
    this.#buffer.set(chunk.subarray(from, to), this.#length)
    this.#length += length
  }

  /** In a buffer of its own, of its size. */
  #taken(): Uint8Array {
    return new Uint8Array(this.#buffer.subarray(0, this.#length))
  }

  #head(): Uint8Array {
    return new Uint8Array(this.#buffer.subarray(0, Math.min(this.#length, HEAD_BYTES)))
  }

  #reset(state: 'between' | 'inside' | 'skipping'): void {
    this.#state = state
    this.#length = 0
    this.#maybe = 0
    if (this.#buffer.byteLength > FIRST_BYTES) this.#buffer = Buffer.allocUnsafe(0)
  }
}

const MSH = [0x4d, 0x53, 0x48]

/** A message in its frame, in one piece. */
export function frame(message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(START_BLOCK), message, Buffer.of(END_BLOCK, CARRIAGE_RETURN)])
}
