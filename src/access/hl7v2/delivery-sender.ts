import { Buffer } from 'node:buffer'
import type { Config } from '#config.ts'
import type {
  Delivery,
  DeliveryBody,
  DeliveryDesk,
  DeliveryReader,
  NoticeDestination,
  NoticePolicy,
} from '#model/delivery.ts'
import { MllpPeer } from './mllp-peer.ts'

export interface DeliverySenderOptions {
  readonly deliveries: Pick<DeliveryReader, 'next'>
  readonly desk: Pick<DeliveryDesk, 'settle' | 'tried'>
  policy(): NoticePolicy
  /** The bytes of a document; undefined when it is gone. */
  content(objectId: string): Promise<Uint8Array | undefined>
  readonly hl7: Pick<Config['hl7'], 'tlsCertificate' | 'tlsKey' | 'tlsAuthorities'>
  report(error: unknown, what: string): void
}

type Waiting = Delivery & { readonly body: DeliveryBody }

const LOOK_MS = 500
const PAUSE_MAX_MS = 300_000
const STOPPED = Symbol('stopped')

/**
 * Tells each destination what waits for it, one notice after the other, in their order: the next is sent when the one
 * before is acknowledged, refused or given up. Destinations do not wait for each other.
 */
export class DeliverySender {
  readonly #options: DeliverySenderOptions
  readonly #running = new Map<string, Promise<void>>()
  readonly #stopping = new AbortController()
  readonly #rejections = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: DeliverySenderOptions) {
    this.#options = options
  }

  start(): void {
    this.#look()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    clearTimeout(this.#timer)
    await Promise.all(this.#running.values())
  }

  #look(): void {
    if (this.#stopping.signal.aborted) return
    try {
      for (const { name } of this.#options.policy().destinations) {
        if (this.#running.has(name) || this.#options.deliveries.next(name) === undefined) continue
        const run = this.#run(name)
          .catch((error: unknown) => this.#options.report(error, `notices to ${name}`))
          .finally(() => this.#running.delete(name))
        this.#running.set(name, run)
      }
    } catch (error) {
      this.#options.report(error, 'notices')
    }
    this.#timer = setTimeout(() => this.#look(), LOOK_MS)
    this.#timer.unref()
  }

  async #run(name: string): Promise<void> {
    const { signal } = this.#stopping
    let peer: MllpPeer | null = null
    let destination: NoticeDestination | undefined
    let failures = 0
    try {
      while (!signal.aborted) {
        // A changed address counts from the next notice on.
        const now = this.#options.policy().destinations.find((one) => one.name === name)
        if (now === undefined) return
        if (JSON.stringify(now) !== JSON.stringify(destination)) {
          peer?.close()
          peer = null
        }
        destination = now
        const next = this.#options.deliveries.next(name)
        if (next === undefined) return
        peer ??= new MllpPeer(destination, this.#options.hl7)
        const settled = await this.#tell(peer, destination, next)
        failures = settled ? 0 : failures + 1
        if (!settled) await this.#pause(destination, failures)
      }
    } catch (error) {
      if (error !== STOPPED) throw error
    } finally {
      peer?.close()
    }
  }

  /** Longer each time; a changed destination is tried at once. */
  async #pause(destination: NoticeDestination, failures: number): Promise<void> {
    const end = Date.now() + Math.min(destination.retrySeconds * 1000 * 2 ** (failures - 1), PAUSE_MAX_MS)
    const before = JSON.stringify(destination)
    for (let left = end - Date.now(); left > 0; left = end - Date.now()) {
      await pause(Math.min(left, LOOK_MS), this.#stopping.signal)
      const now = this.#options.policy().destinations.find(({ name }) => name === destination.name)
      if (JSON.stringify(now) !== before) return
    }
  }

  /** @returns false when it must be tried again */
  async #tell(peer: MllpPeer, destination: NoticeDestination, next: Waiting): Promise<boolean> {
    const { desk } = this.#options
    const { id, controlId } = next
    const bytes = await this.#bytesOf(next)
    if (bytes === null) {
      await desk.settle({ id, state: 'failed', answer: null, error: 'the document is gone' })
      return true
    }
    let answer: Awaited<ReturnType<MllpPeer['ask']>>
    try {
      answer = await peer.ask(bytes, controlId, this.#stopping.signal)
    } catch (error) {
      if (this.#stopping.signal.aborted) throw STOPPED
      return this.#unanswered(destination, next, error instanceof Error ? error.message : String(error))
    }
    const said = `${answer.code} ${answer.text}`.trim()
    switch (answer.code) {
      case 'AA':
      case 'CA':
        await desk.settle({ id, state: 'acknowledged', answer: said, error: null })
        break
      case 'AE':
      case 'CE':
        await desk.settle({ id, state: 'refused', answer: said, error: null })
        break
      default: {
        const rejections = (this.#rejections.get(id) ?? 0) + 1
        this.#rejections.set(id, rejections)
        if (rejections < destination.rejectionsMax) {
          await desk.tried(id, said)
          return false
        }
        await desk.settle({ id, state: 'failed', answer: said, error: `rejected ${rejections} times` })
      }
    }
    this.#rejections.delete(id)
    return true
  }

  async #unanswered(destination: NoticeDestination, { id, made }: Waiting, error: string): Promise<boolean> {
    const { desk } = this.#options
    await desk.tried(id, error)
    if (Date.now() - Date.parse(made) < destination.giveUpHours * 3_600_000) return false
    await desk.settle({ id, state: 'failed', answer: null, error: `given up: ${error}` })
    this.#rejections.delete(id)
    return true
  }

  /** The same at every try: what was written when it was made, and the document's own bytes, which never change. */
  async #bytesOf({ body, objectId }: Waiting): Promise<Uint8Array | null> {
    if (body.behind === null) return Buffer.from(body.before, 'utf8')
    const content = await this.#options.content(objectId)
    if (content === undefined) return null
    return Buffer.from(body.before + Buffer.from(content).toString('base64') + body.behind, 'utf8')
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stopped = () => {
      clearTimeout(timer)
      reject(STOPPED)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stopped)
      resolve()
    }, ms)
    signal.addEventListener('abort', stopped, { once: true })
  })
}
