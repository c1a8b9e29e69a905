import type { Server, Socket } from 'node:net'

/**
 * How much of something one address may have, so that nobody shuts out the others by taking all of it. Counts in any
 * unit; addresses are as the socket says them.
 */
export class AddressShare {
  readonly #max: number
  readonly #taken = new Map<string, number>()

  /** @param max most that one address may have at a time */
  constructor(max: number) {
    this.#max = max
  }

  /** @returns false, taking nothing, when the address would have more than its share */
  take(address: string, amount = 1): boolean {
    const taken = (this.#taken.get(address) ?? 0) + amount
    if (taken > this.#max) return false
    this.#taken.set(address, taken)
    return true
  }

  give(address: string, amount = 1): void {
    const taken = (this.#taken.get(address) ?? 0) - amount
    if (taken > 0) this.#taken.set(address, taken)
    else this.#taken.delete(address)
  }
}

/**
 * Closes connections of an address that has its share of them already.
 * @param free tells addresses without a limit: proxies, behind which many callers are
 */
export function shareConnections(server: Server, max: number, free: (address: string) => boolean = () => false): void {
  const share = new AddressShare(max)
  server.prependListener('connection', (socket: Socket) => {
    const address = (socket.remoteAddress ?? '').replace(/^::ffff:(?=.*\.)/, '')
    if (free(address)) return
    if (!share.take(address)) socket.destroy()
    else socket.once('close', () => share.give(address))
  })
}
