import type { ByteRewrite } from '#model/finding.ts'
import type { Encoding } from '#standards/dicom/encoding.ts'

/** A sequence or an item that is open, with what is removed inside. */
interface Open {
  /** Offset of the 32-bit length; -1 where none is written (FFFFFFFFH), and for the outermost data set. */
  readonly lengthAt: number
  readonly length: number
  /** Byte order of that length. */
  readonly bigEndian: boolean
  /** How its content is written. */
  readonly content: Encoding
  /** Group of the sequence; -1 for an item and for the outermost data set. */
  readonly group: number
  /** Group lengths (gggg,0000) met in this data set. Retired, and still written. PS3.5 section 7.2. */
  readonly groupLengths: Map<number, { readonly at: number; readonly value: number; removed: number }>
  removed: number
}

/**
 * What has to be written anew around bytes that are removed: lengths of the sequences and items they stand in, and group
 * lengths. Follows a walk.
 */
export class LengthRewrites {
  readonly #open: Open[] = []
  readonly #rewrites: ByteRewrite[] = []

  constructor(encoding: Encoding) {
    this.#push(-1, 0, encoding, encoding, -1)
  }

  /** @param at offset of its value, behind the length; @param length -1 when it is not written */
  startSequence(tag: number, at: number, length: number, content: Encoding): void {
    this.#push(length < 0 ? -1 : at - 4, length, this.#innermost.content, content, tag >>> 16)
  }

  startItem(at: number, length: number): void {
    const { content } = this.#innermost
    this.#push(length < 0 ? -1 : at - 4, length, content, content, -1)
  }

  /** The innermost sequence or item ends. */
  end(): void {
    const ended = this.#open.pop()
    if (ended !== undefined) this.#tell(ended)
  }

  groupLength(tag: number, at: number, value: number): void {
    this.#innermost.groupLengths.set(tag >>> 16, { at, value, removed: 0 })
  }

  /** Bytes of the innermost data set that go. */
  remove(bytes: number): void {
    let inside = -1
    for (let i = this.#open.length - 1; i >= 0; i--) {
      const open = this.#open[i] as Open
      open.removed += bytes
      const group = open.groupLengths.get(inside)
      if (group !== undefined) group.removed += bytes
      inside = open.group
    }
  }

  /** All of them, ascending: the walk has ended. */
  all(): readonly ByteRewrite[] {
    while (this.#open.length > 0) this.end()
    return this.#rewrites.sort((a, b) => a.at - b.at)
  }

  get #innermost(): Open {
    const open = this.#open.at(-1)
    if (open === undefined) throw new RangeError('the outermost data set has ended')
    return open
  }

  #push(lengthAt: number, length: number, written: Encoding, content: Encoding, group: number): void {
    const { bigEndian } = written
    this.#open.push({ lengthAt, length, bigEndian, content, group, groupLengths: new Map(), removed: 0 })
  }

  #tell({ lengthAt, length, bigEndian, content, groupLengths, removed }: Open): void {
    if (removed > 0 && lengthAt >= 0) this.#rewrites.push(rewrite(lengthAt, length - removed, bigEndian))
    for (const { at, value, removed: gone } of groupLengths.values()) {
      // One that was wrong already is left as it came.
      if (gone > 0 && gone <= value) this.#rewrites.push(rewrite(at, value - gone, content.bigEndian))
    }
  }
}

function rewrite(at: number, value: number, bigEndian: boolean): ByteRewrite {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, !bigEndian)
  return { at, bytes }
}
