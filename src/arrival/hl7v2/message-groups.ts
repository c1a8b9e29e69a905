import type { MessageAnswer, MessageEnvelope } from '#model/message.ts'

/** Most messages, and bytes of them, that one flush and one transaction carry. */
const GROUP_MAX = 64
const GROUP_BYTES_MAX = 8 * 1024 * 1024

/** A message that waits for its turn. */
export interface WaitingMessage {
  readonly envelope: MessageEnvelope
  answer(answer: MessageAnswer): void
}

/**
 * What one message has to say about: two of a group must have none in common, or the second would be judged by what was
 * known before the first. Null: unknown, so it goes alone.
 */
export type Names = readonly string[] | null

/** Messages in the order they came, handed on in groups of which none depends on another of the same group. */
export class MessageGroups {
  readonly #waiting: WaitingMessage[] = []

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** The message that is taken first. */
  get next(): MessageEnvelope | undefined {
    return this.#waiting[0]?.envelope
  }

  push(message: WaitingMessage): void {
    this.#waiting.push(message)
  }

  /**
   * Takes the next group, at least one message. What follows keeps its place.
   * @param read judges a message; called once for each of the group, and for the one it ended before
   */
  take<T extends { readonly names: Names }>(
    read: (envelope: MessageEnvelope) => T,
  ): (T & { readonly waiting: WaitingMessage })[] {
    const group: (T & { readonly waiting: WaitingMessage })[] = []
    const taken = new Set<string>()
    let bytes = 0
    for (;;) {
      const waiting = this.#waiting[0]
      if (waiting === undefined || group.length >= GROUP_MAX) return group
      bytes += waiting.envelope.bytes.byteLength
      if (group.length > 0 && bytes > GROUP_BYTES_MAX) return group
      const judged = read(waiting.envelope)
      const alone = judged.names === null
      if (group.length > 0 && (alone || judged.names.some((name) => taken.has(name)))) return group
      this.#waiting.shift()
      group.push({ ...judged, waiting })
      if (alone) return group
      for (const name of judged.names) taken.add(name)
    }
  }
}
