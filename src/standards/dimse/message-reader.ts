/** Puts presentation data values together to messages. PS3.8 annex E, PS3.7 section 6.3. */
import type { AcceptedContext } from './association.ts'
import { decodeCommand } from './command-codec.ts'
import type { CommandSet } from './command-set.ts'
import { DataSetQueue } from './data-set-queue.ts'
import { ABORT_REASON, type DimseError, ProtocolError } from './dimse-error.ts'
import { CONTROL_COMMAND, CONTROL_LAST } from './pdu.ts'

const GROWTH_START_BYTES = 512

export class MessageReader {
  readonly #contexts: ReadonlyMap<number, AcceptedContext>
  readonly #commandMax: number
  readonly #held: (change: number) => void
  readonly #deliver: (context: AcceptedContext, command: CommandSet, dataSet: DataSetQueue | null) => void
  #context: AcceptedContext | null = null
  #command = Buffer.alloc(0)
  #commandFilled = 0
  #dataSet: DataSetQueue | null = null
  /** Message control header of the value being read. */
  #control = 0

  /**
   * @param commandMax longest command set, in bytes
   * @param held told by how many bytes of data sets more or less is held
   * @param deliver given a message when its command is complete; its data set may still be on its way
   */
  constructor(
    contexts: ReadonlyMap<number, AcceptedContext>,
    commandMax: number,
    held: (change: number) => void,
    deliver: (context: AcceptedContext, command: CommandSet, dataSet: DataSetQueue | null) => void,
  ) {
    this.#contexts = contexts
    this.#commandMax = commandMax
    this.#held = held
    this.#deliver = deliver
  }

  /** True while a message has begun and not ended. */
  get inMessage(): boolean {
    return this.#context !== null
  }

  /** @throws ProtocolError when such a value cannot come now */
  pdv(contextId: number, control: number): void {
    const { unexpectedParameter, invalidParameter } = ABORT_REASON
    const isCommand = (control & CONTROL_COMMAND) !== 0
    if (this.#context === null) {
      const context = this.#contexts.get(contextId)
      if (context === undefined) {
        throw new ProtocolError(invalidParameter, `presentation context ${contextId} was not accepted`)
      }
      if (!isCommand) throw new ProtocolError(unexpectedParameter, 'a data set without a command')
      this.#context = context
    } else {
      if (contextId !== this.#context.id) {
        throw new ProtocolError(unexpectedParameter, 'the presentation context changes within a message')
      }
      if (isCommand !== (this.#dataSet === null)) {
        const what = isCommand ? 'a command where a data set goes on' : 'a data set where a command goes on'
        throw new ProtocolError(unexpectedParameter, what)
      }
    }
    this.#control = control
  }

  /** @throws ProtocolError when what came is no command, or too long for one */
  fragment(bytes: Uint8Array, last: boolean): void {
    const ends = last && (this.#control & CONTROL_LAST) !== 0
    if (this.#dataSet !== null) {
      this.#dataSet.push(bytes)
      if (!ends) return
      const complete = this.#dataSet
      this.#dataSet = null
      this.#context = null
      complete.finish()
      return
    }
    this.#collect(bytes)
    if (ends) this.#commandComplete()
  }

  #collect(bytes: Uint8Array): void {
    const needed = this.#commandFilled + bytes.length
    if (needed > this.#commandMax) {
      throw new ProtocolError(ABORT_REASON.invalidParameter, `a command of more than ${this.#commandMax} bytes`)
    }
    if (needed > this.#command.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#command.length * 2, GROWTH_START_BYTES))
      this.#command.copy(grown, 0, 0, this.#commandFilled)
      this.#command = grown
    }
    this.#command.set(bytes, this.#commandFilled)
    this.#commandFilled = needed
  }

  #commandComplete(): void {
    const context = this.#context
    if (context === null) return
    const command = decodeCommand(this.#command.subarray(0, this.#commandFilled))
    this.#commandFilled = 0
    if (this.#command.length > 16 * GROWTH_START_BYTES) this.#command = Buffer.alloc(0)
    if (command.hasDataSet === true) this.#dataSet = new DataSetQueue(this.#held)
    else this.#context = null
    this.#deliver(context, command, this.#dataSet)
  }

  /** The association ended: a data set on its way will not be complete. */
  fail(error: DimseError): void {
    this.#dataSet?.fail(error)
    this.#dataSet = null
    this.#context = null
  }
}
