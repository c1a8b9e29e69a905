/** An established association: messages in and out over an upper layer. PS3.7 section 8, PS3.8 section 7. */
import type { Duplex } from 'node:stream'
import type {
  AcceptedContext,
  Association,
  AssociationEnd,
  AssociationLimits,
  AssociationRequest,
  DataSetPieces,
  IncomingMessage,
} from './association.ts'
import { encodeCommand } from './command-codec.ts'
import { COMMAND, type CommandSet } from './command-set.ts'
import type { DataSetQueue } from './data-set-queue.ts'
import { DimseError, errorOfEnd } from './dimse-error.ts'
import { Inbox } from './inbox.ts'
import { MessageReader } from './message-reader.ts'
import { fragmentMax, writeMessage } from './message-writer.ts'
import { isPending } from './status.ts'
import { StreamWriter } from './stream-writer.ts'
import type { UpperLayer } from './upper-layer.ts'
import { Window } from './window.ts'

/** Bytes of data sets held before the stream is paused. One chunk of the stream may come on top. */
const HELD_BYTES_MAX = 262_144
/** Messages nobody took yet before the stream is paused. */
const QUEUED_MESSAGES_MAX = 64

/** What was negotiated. */
export interface Negotiated {
  readonly request: AssociationRequest
  readonly contexts: ReadonlyMap<number, AcceptedContext>
  readonly refused: ReadonlyMap<number, number>
  readonly extended: ReadonlyMap<string, Uint8Array>
  readonly operations: { readonly invoked: number; readonly performed: number } | null
  /** Longest P-DATA-TF the peer takes, in bytes; 0: no limit. */
  readonly peerPduLengthMax: number
}

class Message implements IncomingMessage {
  readonly context: AcceptedContext
  readonly command: CommandSet
  readonly dataSet: DataSetQueue | null

  constructor(context: AcceptedContext, command: CommandSet, dataSet: DataSetQueue | null) {
    this.context = context
    this.command = command
    this.dataSet = dataSet
  }

  async drain(): Promise<void> {
    await this.dataSet?.drain()
  }
}

const isResponse = (command: CommandSet): boolean => (command.commandField & 0x8000) !== 0

export class EstablishedAssociation implements Association {
  readonly weAre: 'acceptor' | 'requestor'
  readonly request: AssociationRequest
  readonly contexts: ReadonlyMap<number, AcceptedContext>
  readonly refused: ReadonlyMap<number, number>
  readonly extended: ReadonlyMap<string, Uint8Array>
  readonly operationsInvoked: number
  readonly operationsPerformed: number
  readonly ended: Promise<AssociationEnd>
  readonly #stream: Duplex
  readonly #upper: UpperLayer
  readonly #limits: AssociationLimits
  readonly #fragmentMax: number
  readonly #reader: MessageReader
  readonly #writer: StreamWriter
  readonly #window: Window
  readonly #unclaimed = new Inbox<Message>()
  #unclaimedCount = 0
  /** Our requests waiting for responses, by message id; null: nobody waits any more. */
  readonly #calls = new Map<number, Inbox<Message> | null>()
  /** Requests of the peer not answered yet: how many of a message id, which not every peer keeps unique. */
  readonly #inWork = new Map<number, number>()
  #messageId = 0
  #heldBytes = 0
  #paused = false
  #sending: Promise<void> = Promise.resolve()
  #end: AssociationEnd | null = null
  #tellEnd: (end: AssociationEnd) => void = () => undefined
  readonly #idle: NodeJS.Timeout
  #releasing = false
  #lastCall: NodeJS.Timeout | null = null

  constructor(
    stream: Duplex,
    upper: UpperLayer,
    limits: AssociationLimits,
    weAre: 'acceptor' | 'requestor',
    negotiated: Negotiated,
  ) {
    this.#stream = stream
    this.#upper = upper
    this.#limits = limits
    this.weAre = weAre
    this.request = negotiated.request
    this.contexts = negotiated.contexts
    this.refused = negotiated.refused
    this.extended = negotiated.extended
    this.operationsInvoked = negotiated.operations?.invoked ?? 1
    this.operationsPerformed = negotiated.operations?.performed ?? 1
    this.#fragmentMax = fragmentMax(negotiated.peerPduLengthMax)
    this.#window = new Window(weAre === 'requestor' ? this.operationsInvoked : this.operationsPerformed)
    this.#writer = new StreamWriter(stream, limits.stalledMs, () => {
      upper.timeout(`the peer took nothing for ${limits.stalledMs} ms`)
      upper.destroy()
    })
    this.#reader = new MessageReader(
      this.contexts,
      limits.commandBytesMax,
      (change) => this.#hold(change),
      (context, command, dataSet) => this.#deliver(new Message(context, command, dataSet)),
    )
    this.ended = new Promise((resolve) => {
      this.#tellEnd = resolve
    })
    this.#idle = setTimeout(() => this.#idled(), limits.idleMs)
  }

  // What the upper layer tells.

  pdv(contextId: number, control: number): void {
    this.#reader.pdv(contextId, control)
  }

  fragment(bytes: Uint8Array, last: boolean): void {
    this.#reader.fragment(bytes, last)
  }

  heard(): void {
    if (this.#end !== null) return
    this.#idle.refresh()
    if (!this.#paused && this.#isFull()) {
      this.#paused = true
      this.#stream.pause()
    }
  }

  releaseAsked(): void {
    // What the peer asked before is answered first, within reason: PS3.8 table 9-10, AR-7.
    this.#releasing = true
    if (this.#inWork.size === 0 || this.#upper.state !== 'Sta8') this.#agreeToRelease()
    else this.#lastCall = setTimeout(() => this.#upper.event('Evt14'), this.#limits.artimMs)
  }

  #agreeToRelease(): void {
    this.#sending.then(() => this.#upper.event('Evt14'))
  }

  finish(end: AssociationEnd): void {
    if (this.#end !== null) return
    this.#end = end
    clearTimeout(this.#idle)
    if (this.#lastCall !== null) clearTimeout(this.#lastCall)
    const error = this.#error()
    this.#reader.fail(error)
    this.#writer.fail(error)
    this.#window.fail(error)
    for (const inbox of this.#calls.values()) inbox?.close()
    this.#unclaimed.close()
    this.#stream.resume()
    this.#tellEnd(end)
  }

  #error(): DimseError {
    return errorOfEnd(this.#end ?? { how: 'lost', detail: 'the association is over' }, this.#upper.timedOut)
  }

  // Messages in.

  #deliver(message: Message): void {
    const { command } = message
    const id = command.messageIdBeingRespondedTo
    if (isResponse(command) && id !== undefined) {
      const inbox = this.#calls.get(id)
      if (inbox !== undefined) {
        if (!isPending(command.status ?? 0)) this.#calls.delete(id)
        if (inbox !== null) {
          inbox.push(message)
          return
        }
        // Its caller went away; what still comes for it is skipped. A data set cut off by the end has no reader to tell.
        message.drain().catch(() => undefined)
        return
      }
    } else if (command.messageId !== undefined && command.commandField !== COMMAND.C_CANCEL_RQ) {
      this.#inWork.set(command.messageId, (this.#inWork.get(command.messageId) ?? 0) + 1)
    }
    this.#unclaimedCount++
    this.#unclaimed.push(message)
  }

  async *messages(): AsyncGenerator<IncomingMessage, void, void> {
    for (;;) {
      const message = await this.#unclaimed.next()
      if (message === undefined) return
      this.#unclaimedCount--
      this.#relax()
      yield message
    }
  }

  #hold(change: number): void {
    this.#heldBytes += change
    if (change < 0) this.#relax()
  }

  #isFull(): boolean {
    return this.#heldBytes >= HELD_BYTES_MAX || this.#unclaimedCount >= QUEUED_MESSAGES_MAX
  }

  #relax(): void {
    if (!this.#paused || this.#isFull()) return
    this.#paused = false
    this.#idle.refresh()
    this.#stream.resume()
  }

  /** Idle counts only while it is the peer's turn. */
  #idled(): void {
    if (this.#end !== null) return
    const midway = this.#reader.inMessage || !this.#upper.betweenPdus
    const quiet = this.#inWork.size === 0 && (this.#calls.size > 0 || this.weAre === 'acceptor')
    if (!this.#paused && !this.#writer.busy && (midway || quiet)) {
      this.#upper.timeout(`the peer sent nothing for ${this.#limits.idleMs} ms`)
    } else this.#idle.refresh()
  }

  // Messages out.

  send(contextId: number, command: CommandSet, dataSet?: DataSetPieces): Promise<void> {
    const sent = this.#sending.then(() => this.#sendNow(contextId, command, dataSet))
    // The next message waits for this one whatever becomes of it; the caller of this one is told.
    this.#sending = sent.catch(() => undefined)
    return sent
  }

  async #sendNow(contextId: number, command: CommandSet, dataSet?: DataSetPieces): Promise<void> {
    if (this.#end !== null) throw this.#error()
    if (!this.contexts.has(contextId)) {
      throw new DimseError('context', `presentation context ${contextId} was not accepted`)
    }
    let begun = false
    const bytes = encodeCommand(command, dataSet !== undefined)
    try {
      await writeMessage(
        (chunks) => this.#writeOut(chunks),
        contextId,
        bytes,
        dataSet,
        this.#fragmentMax,
        () => {
          begun = true
        },
      )
    } catch (error) {
      // Half a message cannot be taken back.
      if (begun && this.#end === null) this.abort('a data set could not be sent to its end')
      throw error
    }
    this.#idle.refresh()
    const id = command.messageIdBeingRespondedTo
    if (id !== undefined && isResponse(command) && !isPending(command.status ?? 0)) {
      const left = (this.#inWork.get(id) ?? 1) - 1
      if (left === 0) this.#inWork.delete(id)
      else this.#inWork.set(id, left)
      if (this.#releasing && this.#inWork.size === 0) this.#agreeToRelease()
    }
  }

  async #writeOut(chunks: readonly Uint8Array[]): Promise<void> {
    // DT-1 or AR-7 by the table; anything else says that no P-DATA may leave in this state.
    if (!this.#upper.event('Evt9')) throw this.#end === null ? released() : this.#error()
    await this.#writer.write(chunks)
  }

  async *call(
    contextId: number,
    command: CommandSet,
    dataSet?: DataSetPieces,
  ): AsyncGenerator<IncomingMessage, void, void> {
    await this.#window.enter()
    const messageId = this.#nextMessageId()
    const inbox = new Inbox<Message>()
    let answered = false
    try {
      this.#calls.set(messageId, inbox)
      await this.send(contextId, { ...command, messageId }, dataSet)
      while (!answered) {
        const message = await inbox.next()
        if (message === undefined) throw this.#error()
        answered = !isPending(message.command.status ?? 0)
        if (answered) this.#window.leave()
        yield message
        if (message.dataSet !== null && !message.dataSet.touched) await message.drain()
      }
    } catch (error) {
      this.#calls.delete(messageId)
      throw error
    } finally {
      if (!answered) {
        // The caller stopped before the final response, which may still come.
        if (this.#calls.get(messageId) === inbox) this.#calls.set(messageId, null)
        await this.#skip(inbox)
        this.#window.leave()
      }
    }
  }

  /** Skips responses that came for a caller who went away. */
  async #skip(inbox: Inbox<Message>): Promise<void> {
    inbox.close()
    for (let message = await inbox.next(); message !== undefined; message = await inbox.next()) {
      if (this.#end === null) message.drain().catch(() => undefined)
    }
  }

  #nextMessageId(): number {
    do this.#messageId = (this.#messageId % 0xffff) + 1
    while (this.#calls.has(this.#messageId))
    return this.#messageId
  }

  async release(): Promise<void> {
    await this.#sending
    this.#upper.event('Evt11')
    await this.ended
  }

  abort(detail: string): void {
    this.#upper.event('Evt15', { detail })
  }
}

function released(): DimseError {
  return new DimseError('released', 'the association is being released')
}
