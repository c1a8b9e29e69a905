/** Serves one association: messages go to their service, as many at once as were negotiated. */
import { setMaxListeners } from 'node:events'
import { ArchiveError, failures } from '#errors.ts'
import type { DimseCaller, DimseService, DimseSession } from '#model/dimse-service.ts'
import type { Auditor } from '#security/audit.ts'
import type { Association, IncomingMessage } from '#standards/dimse/association.ts'
import { COMMAND } from '#standards/dimse/command-set.ts'
import { DimseError } from '#standards/dimse/dimse-error.ts'
import { hasRight } from './authorise.ts'
import { serviceFor } from './negotiate.ts'
import { STATUS } from './refusal.ts'

export interface SessionTools {
  readonly services: readonly DimseService[]
  readonly auditor: Pick<Auditor, 'record'>
  /** Most operations under way on one association, whatever was negotiated. */
  readonly operationsMax: number
  /** Told of failures that nobody planned; the peer only hears "processing failure". */
  report(error: unknown): void
}

/**
 * Serves an association until it ends. Without a negotiated window one operation is under way at a time; only C-CANCEL
 * is heard meanwhile.
 */
export class ServedAssociation {
  readonly association: Association
  readonly #tools: SessionTools
  readonly #session: DimseSession
  readonly #gone = new AbortController()
  readonly #cancels = new Map<number, AbortController>()
  readonly #running = new Set<Promise<void>>()
  readonly #window: number
  readonly #serviceOfContext = new Map<number, DimseService>()

  constructor(association: Association, caller: DimseCaller, tools: SessionTools) {
    this.association = association
    this.#tools = tools
    const { operationsInvoked: window } = association
    this.#window = window === 0 ? tools.operationsMax : Math.min(window, tools.operationsMax)
    setMaxListeners(0, this.#gone.signal)
    this.#session = {
      association,
      caller,
      signal: this.#gone.signal,
      cancelled: (messageId) => this.#cancel(messageId).signal,
      audit: (kind, what) => tools.auditor.record(caller.subject, { ...what, kind, address: caller.address }),
    }
  }

  /** Operations under way. */
  get running(): number {
    return this.#running.size
  }

  /** Resolves when the association has ended and nothing of it is under way. */
  async serve(): Promise<void> {
    const ended = this.association.ended.then(() => this.#gone.abort(new DimseError('lost', 'the association ended')))
    try {
      for await (const message of this.association.messages()) await this.#take(message)
    } catch (error) {
      if (!(error instanceof DimseError)) this.#tools.report(error)
      this.association.abort('processing failed')
    }
    await Promise.all([ended, ...this.#running])
  }

  /** Resolves once the next message may be read. */
  async #take(message: IncomingMessage): Promise<void> {
    const { commandField, messageId, messageIdBeingRespondedTo } = message.command
    if (commandField === COMMAND.C_CANCEL_RQ) {
      this.#cancels.get(messageIdBeingRespondedTo ?? -1)?.abort()
      return message.drain()
    }
    // A response nobody waits for any more.
    if ((commandField & 0x8000) !== 0) return message.drain()
    if (messageId === undefined) {
      this.association.abort('a request without Message ID')
      return
    }
    while (this.#running.size >= this.#window) await Promise.race(this.#running)
    const handled = this.#handle(message, messageId).finally(() => {
      this.#running.delete(handled)
      this.#cancels.delete(messageId)
    })
    this.#running.add(handled)
  }

  /** Never rejects. */
  async #handle(message: IncomingMessage, messageId: number): Promise<void> {
    try {
      const service = this.#serviceOf(message)
      if (service === undefined || !this.#mayUse(service, message)) {
        await message.drain()
        return await this.#refuse(message, messageId, STATUS.notAuthorised, 'not authorised')
      }
      await service.handle(message, this.#session)
    } catch (error) {
      if (error instanceof DimseError || this.#gone.signal.aborted) return
      await this.#failed(message, messageId, error)
    }
  }

  #serviceOf({ context }: IncomingMessage): DimseService | undefined {
    const known = this.#serviceOfContext.get(context.id)
    if (known !== undefined) return known
    const service = serviceFor(this.#tools.services, context.abstractSyntax)
    if (service !== undefined) this.#serviceOfContext.set(context.id, service)
    return service
  }

  #mayUse({ needs, reversedNeeds = 'get' }: DimseService, { context }: IncomingMessage): boolean {
    const { caller } = this.#session
    return hasRight(caller, needs) || (context.requestorIsScp && hasRight(caller, reversedNeeds))
  }

  async #failed(message: IncomingMessage, messageId: number, error: unknown): Promise<void> {
    const known = error instanceof ArchiveError
    if (!known) this.#tools.report(error)
    const status = known ? failures[error.code].dimse : STATUS.processingFailure
    try {
      await message.drain()
      await this.#refuse(message, messageId, status, known ? error.code : 'processing failed')
    } catch (gone) {
      if (gone instanceof DimseError) return
      this.#tools.report(gone)
      this.association.abort('processing failed')
    }
  }

  #refuse({ command, context }: IncomingMessage, messageId: number, status: number, why: string): Promise<void> {
    const { affectedSOPClassUID, affectedSOPInstanceUID } = command
    return this.association.send(context.id, {
      commandField: command.commandField | 0x8000,
      messageIdBeingRespondedTo: messageId,
      ...(affectedSOPClassUID === undefined ? {} : { affectedSOPClassUID }),
      ...(affectedSOPInstanceUID === undefined ? {} : { affectedSOPInstanceUID }),
      status,
      errorComment: why,
    })
  }

  #cancel(messageId: number): AbortController {
    const known = this.#cancels.get(messageId)
    if (known !== undefined) return known
    const made = new AbortController()
    this.#cancels.set(messageId, made)
    return made
  }
}
