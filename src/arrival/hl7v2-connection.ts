import type { Socket } from 'node:net'
import type { MessageDesk, MessageEnvelope } from '#model/message.ts'
import { type Framed, frame, MllpFramer } from '#standards/hl7v2/mllp.ts'
import type { ConnectionRoom } from './hl7v2-room.ts'

/** Bounds on one connection. */
export interface ConnectionLimits {
  readonly messageBytes: number
  /** Nothing happens for this long: closed. */
  readonly idleMs: number
  /** A message that has begun must end within this. */
  readonly messageMs: number
  /** The peer must take an answer within this. */
  readonly answerMs: number
}

export interface ConnectionTools {
  readonly desk: MessageDesk
  readonly limits: ConnectionLimits
  /** Room for messages that are not answered yet. */
  readonly room: ConnectionRoom
  onFault(error: unknown): void
}

/** Most messages of one connection that wait for their turn; then its socket is not read. */
const WAITING_MAX = 16
/** Most bytes of them, beyond which the next message is not read: of large ones there is one at a time. */
const WAITING_BYTES_MAX = 64 * 1024

/** One connection: bytes in, messages one after the other, one answer each, in their order. */
export class Hl7Connection {
  readonly #socket: Socket
  readonly #tools: ConnectionTools
  readonly #framer: MllpFramer
  readonly #from: Pick<MessageEnvelope, 'address' | 'certificate'>
  readonly #waiting: Framed[] = []
  #working = false
  #ended = false
  #closing = false
  /** Bytes of complete messages that are not answered. */
  #unanswered = 0
  #deadline: NodeJS.Timeout | undefined
  /** Settles when the connection has ended and nothing of it is under way. */
  readonly closed: Promise<void>
  #settle: () => void = () => undefined

  constructor(socket: Socket, from: Pick<MessageEnvelope, 'address' | 'certificate'>, tools: ConnectionTools) {
    this.#socket = socket
    this.#tools = tools
    this.#from = from
    this.#framer = new MllpFramer(tools.limits.messageBytes)
    this.closed = new Promise((resolve) => {
      this.#settle = resolve
    })
    socket.setNoDelay(true)
    socket.setTimeout(tools.limits.idleMs, () => this.#destroyUnlessWorking())
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('end', () => this.#end())
    // A peer that went away is no fault of ours: 'close' follows and is all there is to do.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#gone())
  }

  /** Answers what has arrived, reads nothing more, then ends. */
  finish(): void {
    this.#closing = true
    this.#socket.pause()
    if (!this.#working) this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    if (this.#ended) return
    const found = this.#framer.push(chunk)
    for (const framed of found) this.#unanswered += sizeOf(framed)
    // No room for more of this message: its sender is told so, and sends it again later.
    if (!this.#hold()) found.push(...this.#framer.abandon())
    this.#hold()
    this.#waiting.push(...found)
    this.#watch(found.length > 0)
    if (this.#isFull) this.#wait()
    this.#work()
  }

  /** @returns false when there is no room for what is held now */
  #hold(): boolean {
    return this.#tools.room.hold(this.#framer.held + this.#unanswered)
  }

  get #isFull(): boolean {
    return this.#waiting.length >= WAITING_MAX || this.#unanswered > WAITING_BYTES_MAX
  }

  /** The socket is not read until there is room; nobody is too slow meanwhile but we. */
  #wait(): void {
    this.#socket.pause()
    clearTimeout(this.#deadline)
    this.#deadline = undefined
  }

  #goOn(): void {
    if (!this.#ended) this.#watch(true)
    this.#socket.resume()
  }

  /** The clock of a message runs from its first byte to its last, however slowly bytes drip. */
  #watch(restart: boolean): void {
    if (restart || !this.#framer.begun) {
      clearTimeout(this.#deadline)
      this.#deadline = undefined
    }
    if (!this.#framer.begun || this.#deadline !== undefined) return
    this.#deadline = setTimeout(() => this.#end(), this.#tools.limits.messageMs)
  }

  /** No more bytes are taken: the peer has ended, or was too slow. What was unfinished is answered as broken. */
  #end(): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#deadline)
    this.#waiting.push(...this.#framer.end())
    if (this.#waiting.length === 0 && !this.#working) this.#socket.end()
    else this.#work()
  }

  #work(): void {
    if (this.#working) return
    this.#working = true
    this.#drain()
      .catch((error: unknown) => {
        this.#tools.onFault(error)
        this.#socket.destroy() // no answer: the sender sends it again, and nothing happens twice
      })
      .finally(() => {
        this.#working = false
        if (this.#socket.destroyed) this.#gone()
        else if (this.#waiting.length > 0) this.#work()
        else if (this.#ended || this.#closing) this.#socket.end()
        // What came while the last answer left may have paused the socket: a paused one never learns that its peer is gone.
        if (!this.#closing && !this.#working && !this.#socket.destroyed) this.#goOn()
      })
  }

  /** All that wait are handed in at once, so that one flush serves them; they are carried out and answered in order. */
  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const answers = this.#waiting.splice(0).map((framed) => ({
        size: sizeOf(framed),
        answer: this.#tools.desk.receive(this.#envelopeOf(framed)),
      }))
      const settled = Promise.allSettled(answers.map(({ answer }) => answer))
      for (const { size, answer } of answers) {
        const { acknowledgements } = await answer
        this.#unanswered -= size
        this.#hold()
        for (const bytes of acknowledgements) {
          if (this.#socket.destroyed) break
          await this.#answer(bytes)
        }
      }
      await settled
      if (this.#socket.destroyed) return
      if (!this.#isFull && !this.#closing) this.#goOn()
    }
  }

  #envelopeOf(framed: Framed): MessageEnvelope {
    const time = new Date().toISOString()
    return framed.is === 'message'
      ? { bytes: framed.bytes, door: 'mllp', time, ...this.#from }
      : { bytes: framed.head, door: 'mllp', time, ...this.#from, broken: framed.why }
  }

  /** Resolves when the answer has left; a peer that does not take it is dropped. */
  #answer(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      const drop = setTimeout(() => this.#socket.destroy(), this.#tools.limits.answerMs)
      const done = () => {
        clearTimeout(drop)
        this.#socket.off('close', done)
        resolve()
      }
      this.#socket.once('close', done)
      this.#socket.write(frame(bytes), done)
    })
  }

  #destroyUnlessWorking(): void {
    if (!this.#working) this.#socket.destroy()
  }

  #gone(): void {
    clearTimeout(this.#deadline)
    this.#ended = true
    if (this.#working) return // what is under way is still held
    this.#tools.room.hold(0)
    this.#settle()
  }
}

/** Bytes that a message holds until it is answered. */
function sizeOf(framed: Framed): number {
  return framed.is === 'message' ? framed.bytes.byteLength : framed.head.byteLength
}
