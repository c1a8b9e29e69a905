import { copyOf } from '../byte-source.ts'

/** A deflate stream that is broken or ends early. */
export class InflateError extends Error {
  override readonly name = 'InflateError'
}

const WINDOW = 32 * 1024
const OUTPUT_STEP = 256 * 1024
const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
]
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
]
const DISTANCE_EXTRA = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
]
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

/** A Huffman code as RFC 1951 section 3.2.2 defines it: how many codes of each length, and symbols by code. */
interface Code {
  readonly counts: Uint16Array
  readonly symbols: Uint16Array
}

function makeCode(lengths: Uint8Array): Code {
  const counts = new Uint16Array(16)
  for (const length of lengths) counts[length] = counts[length]! + 1
  let left = 1
  for (let length = 1; length <= 15; length++) {
    left = left * 2 - counts[length]!
    if (left < 0) throw new InflateError('a Huffman code with too many symbols')
  }
  const offsets = new Uint16Array(16)
  for (let length = 1; length < 15; length++) offsets[length + 1] = offsets[length]! + counts[length]!
  const symbols = new Uint16Array(lengths.length)
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol]!
    if (length !== 0) symbols[offsets[length]!++] = symbol
  }
  counts[0] = 0
  return { counts, symbols }
}

function fixedCodes(): { lengths: Code; distances: Code } {
  const lengths = new Uint8Array(288)
  lengths.fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280, 288)
  return { lengths: makeCode(lengths), distances: makeCode(new Uint8Array(30).fill(5)) }
}

/**
 * Inflates a raw deflate stream (RFC 1951) step by step and synchronously, which node:zlib only does for output that
 * fits in memory. Slower than zlib; meant for the rare data set above 64 MiB.
 */
export class Inflater {
  readonly #emit: (bytes: Uint8Array) => void
  readonly #output = new Uint8Array(WINDOW + OUTPUT_STEP)
  #at = 0
  #emitted = 0
  #total = 0
  #read: (from: number, to: number) => Uint8Array = () => new Uint8Array(0)
  #stepBytes = 0
  #input = new Uint8Array(0)
  #inputBase = 0
  #inputAt = 0
  #bits = 0
  #bitCount = 0

  /** @param emit gets each piece of output; the memory is reused after it returns */
  constructor(emit: (bytes: Uint8Array) => void) {
    this.#emit = emit
  }

  /** Input bytes that belong to the stream so far. */
  get consumed(): number {
    return this.#inputBase + this.#inputAt - (this.#bitCount >>> 3)
  }

  /** Inflates to the end of the stream. @param read input bytes from and to these offsets; fewer at the end */
  run(read: (from: number, to: number) => Uint8Array, stepBytes: number): void {
    this.#read = read
    this.#stepBytes = stepBytes
    const fixed = fixedCodes()
    let last = false
    while (!last) {
      last = this.#take(1) === 1
      const type = this.#take(2)
      if (type === 0) this.#stored()
      else if (type === 1) this.#compressed(fixed.lengths, fixed.distances)
      else if (type === 2) this.#dynamic()
      else throw new InflateError('a block of no known type')
    }
    this.#flush()
  }

  #byte(): number {
    if (this.#inputAt >= this.#input.length) {
      this.#inputBase += this.#input.length
      this.#input = copyOf(this.#read(this.#inputBase, this.#inputBase + this.#stepBytes))
      this.#inputAt = 0
      if (this.#input.length === 0) throw new InflateError('the stream ends early')
    }
    return this.#input[this.#inputAt++]!
  }

  #take(count: number): number {
    while (this.#bitCount < count) {
      this.#bits |= this.#byte() << this.#bitCount
      this.#bitCount += 8
    }
    const value = this.#bits & ((1 << count) - 1)
    this.#bits >>>= count
    this.#bitCount -= count
    return value
  }

  #symbol(code: Code): number {
    let value = 0
    let first = 0
    let index = 0
    for (let length = 1; length <= 15; length++) {
      value |= this.#take(1)
      const count = code.counts[length]!
      if (value - count < first) return code.symbols[index + (value - first)]!
      index += count
      first = (first + count) << 1
      value <<= 1
    }
    throw new InflateError('a code that stands for nothing')
  }

  #put(byte: number): void {
    if (this.#at === this.#output.length) this.#flush()
    this.#output[this.#at++] = byte
    this.#total++
  }

  /** Hands out what is new and keeps the last 32 KiB for back references. */
  #flush(): void {
    if (this.#at > this.#emitted) this.#emit(this.#output.subarray(this.#emitted, this.#at))
    const keep = Math.min(WINDOW, this.#at)
    this.#output.copyWithin(0, this.#at - keep, this.#at)
    this.#at = keep
    this.#emitted = keep
  }

  #stored(): void {
    this.#bits = 0
    this.#bitCount = 0
    const length = this.#byte() | (this.#byte() << 8)
    const check = this.#byte() | (this.#byte() << 8)
    if ((length ^ 0xffff) !== check) throw new InflateError('a stored block whose length contradicts itself')
    for (let i = 0; i < length; i++) this.#put(this.#byte())
  }

  #dynamic(): void {
    const lengthCount = this.#take(5) + 257
    const distanceCount = this.#take(5) + 1
    const codeCount = this.#take(4) + 4
    if (lengthCount > 286 || distanceCount > 30) throw new InflateError('too many codes')
    const codeLengths = new Uint8Array(19)
    for (let i = 0; i < codeCount; i++) codeLengths[CODE_LENGTH_ORDER[i]!] = this.#take(3)
    const code = makeCode(codeLengths)
    const lengths = new Uint8Array(lengthCount + distanceCount)
    for (let at = 0; at < lengths.length; ) {
      const symbol = this.#symbol(code)
      if (symbol < 16) {
        lengths[at++] = symbol
        continue
      }
      if (symbol === 16 && at === 0) throw new InflateError('a repetition of nothing')
      const value = symbol === 16 ? lengths[at - 1]! : 0
      const times = symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7)
      if (at + times > lengths.length) throw new InflateError('too many code lengths')
      lengths.fill(value, at, at + times)
      at += times
    }
    this.#compressed(makeCode(lengths.subarray(0, lengthCount)), makeCode(lengths.subarray(lengthCount)))
  }

  #compressed(lengths: Code, distances: Code): void {
    for (;;) {
      const symbol = this.#symbol(lengths)
      if (symbol < 256) {
        this.#put(symbol)
        continue
      }
      if (symbol === 256) return
      if (symbol > 285) throw new InflateError('a length that does not exist')
      const length = LENGTH_BASE[symbol - 257]! + this.#take(LENGTH_EXTRA[symbol - 257]!)
      const distanceSymbol = this.#symbol(distances)
      if (distanceSymbol > 29) throw new InflateError('a distance that does not exist')
      const distance = DISTANCE_BASE[distanceSymbol]! + this.#take(DISTANCE_EXTRA[distanceSymbol]!)
      if (distance > this.#total) throw new InflateError('a distance before the beginning')
      for (let i = 0; i < length; i++) {
        if (this.#at === this.#output.length) this.#flush()
        this.#output[this.#at] = this.#output[this.#at - distance]!
        this.#at++
        this.#total++
      }
    }
  }
}
