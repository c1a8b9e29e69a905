/** Choices of a fuzz case: all of them follow from its seed. */
import { seeded } from '../simulated-disk.ts'

export class Choices {
  readonly #random: () => number

  constructor(seed: number) {
    this.#random = seeded(Math.imul(seed, 0x9e3779b1) ^ seed)
  }

  /** An integer of 0 (included) to `n` (excluded). */
  below(n: number): number {
    return Math.floor(this.#random() * n)
  }

  chance(probability: number): boolean {
    return this.#random() < probability
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length)
    for (let i = 0; i < length; i++) bytes[i] = this.below(256)
    return bytes
  }
}

/** Damage that knows nothing of formats: something flipped, left out, put in, repeated or cut off. */
export function damaged(bytes: Buffer, choices: Choices): Buffer {
  const at = choices.below(bytes.length + 1)
  const length = choices.below(choices.pick([2, 8, 64]))
  switch (choices.below(6)) {
    case 0:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
    case 1:
      return Buffer.concat([bytes.subarray(0, at), choices.bytes(length), bytes.subarray(at)])
    case 2:
      return bytes.subarray(0, at)
    case 3:
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)])
    default: {
      const copy = Buffer.from(bytes)
      if (at < copy.length) copy[at] = choices.pick([0, 1, 0x7f, 0x80, 0xfe, 0xff, choices.below(256)])
      return copy
    }
  }
}
