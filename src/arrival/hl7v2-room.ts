import { AddressShare } from '#security/address-share.ts'

/** What a connection may always hold, in bytes: ordinary messages pass however full it is. */
const ALWAYS_BYTES = 64 * 1024

/** Bytes of messages that have not been answered, over all connections. */
export class MessageRoom {
  readonly #bytesMax: number
  readonly #share: AddressShare
  #held = 0

  /** @param bytesMax of all connections; one address has at most half of it */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
    this.#share = new AddressShare(bytesMax / 2)
  }

  /** For one connection. */
  of(address: string | null): ConnectionRoom {
    const from = address ?? ''
    let counted = 0
    return {
      hold: (bytes) => {
        const wanted = bytes <= ALWAYS_BYTES ? 0 : bytes
        const more = wanted - counted
        if (more > 0 && (this.#held + more > this.#bytesMax || !this.#share.take(from, more))) return false
        if (more < 0) this.#share.give(from, -more)
        this.#held += more
        counted = wanted
        return true
      },
    }
  }
}

export interface ConnectionRoom {
  /**
   * Says how many bytes the connection holds now; less is always right.
   * @returns false when there is no room for them: nothing is counted then
   */
  hold(bytes: number): boolean
}
