import { DicomError } from './errors.ts'
import type { FrameTable } from './frames.ts'
import type { EncapsulatedFrames, FoundBy } from './frames-encapsulated.ts'

// Byte 0 is the format. Everything else is unsigned LEB128, up to 2^53:
//   native:        tag offset length frameBits count wordBytes
//   encapsulated:  tag count foundBy fragments { gap length }* ones? { fragments of a frame }* exact? { padding }*
// `gap` is counted from the end of the fragment before, so a usual one is 8 and a table costs 4 to 5 bytes per frame.
const NATIVE = 1
const ENCAPSULATED = 2
const FOUND_BY: readonly FoundBy[] = [
  'none',
  'single',
  'video',
  'extended-table',
  'basic-table',
  'one-per-frame',
  'markers',
]

/** A frame table as bytes, small enough to be a column of the index. */
export function encodeFrameTable(table: FrameTable): Uint8Array {
  if (table.kind === 'native') {
    const writer = new VarintWriter(NATIVE, 48)
    for (const value of [table.tag, table.offset, table.length, table.frameBits, table.count, table.wordBytes]) {
      writer.put(value)
    }
    return writer.bytes()
  }
  const fragments = table.fragmentOffsets.length
  const writer = new VarintWriter(ENCAPSULATED, 64 + fragments * 8)
  writer.put(table.tag)
  writer.put(table.count)
  writer.put(FOUND_BY.indexOf(table.foundBy))
  writer.put(fragments)
  let end = 0
  for (let i = 0; i < fragments; i++) {
    writer.put(table.fragmentOffsets[i]! - end)
    writer.put(table.fragmentLengths[i]!)
    end = table.fragmentOffsets[i]! + table.fragmentLengths[i]!
  }
  const one = table.firstFragment.every((first, index) => first === index)
  writer.put(one ? 1 : 0)
  if (!one) for (let i = 0; i < table.count; i++) writer.put(table.firstFragment[i + 1]! - table.firstFragment[i]!)
  writer.put(table.exactLengths === null ? 0 : 1)
  table.exactLengths?.forEach((length, i) => {
    writer.put(table.fragmentLengths[table.firstFragment[i]!]! - length)
  })
  return writer.bytes()
}

/** @throws DicomError `dicom.malformed` for bytes that encodeFrameTable did not make */
export function decodeFrameTable(bytes: Uint8Array): FrameTable {
  const reader = new VarintReader(bytes)
  if (bytes[0] === NATIVE) {
    const [tag, offset, length, frameBits, count, wordBytes] = reader.take(6)
    return {
      kind: 'native',
      tag: tag!,
      offset: offset!,
      length: length!,
      frameBits: frameBits!,
      count: count!,
      wordBytes: wordBytes!,
    }
  }
  if (bytes[0] !== ENCAPSULATED) throw reader.wrong('no frame table')
  const [tag, count, found, fragments] = reader.take(4) as [number, number, number, number]
  const foundBy = FOUND_BY[found]
  if (foundBy === undefined || fragments > bytes.length) throw reader.wrong('no frame table')
  const fragmentOffsets = new Float64Array(fragments)
  const fragmentLengths = new Float64Array(fragments)
  let end = 0
  for (let i = 0; i < fragments; i++) {
    fragmentOffsets[i] = end + reader.next()
    fragmentLengths[i] = reader.next()
    end = fragmentOffsets[i]! + fragmentLengths[i]!
  }
  const one = reader.next() === 1
  if (count > (one ? fragments : bytes.length)) throw reader.wrong('more frames than the table has bytes')
  const firstFragment = new Uint32Array(count + 1)
  for (let i = 0; i < count; i++) firstFragment[i + 1] = firstFragment[i]! + (one ? 1 : reader.next())
  let exactLengths: EncapsulatedFrames['exactLengths'] = null
  if (reader.next() === 1) {
    exactLengths = new Float64Array(count)
    for (let i = 0; i < count; i++) exactLengths[i] = fragmentLengths[firstFragment[i]!]! - reader.next()
  }
  return { kind: 'encapsulated', tag, count, foundBy, fragmentOffsets, fragmentLengths, firstFragment, exactLengths }
}

class VarintWriter {
  #bytes: Uint8Array
  #at = 1

  constructor(format: number, size: number) {
    this.#bytes = new Uint8Array(size)
    this.#bytes[0] = format
  }

  put(value: number): void {
    if (this.#at + 8 > this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2)
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    let rest = value
    while (rest >= 128) {
      this.#bytes[this.#at++] = (rest % 128) + 128
      rest = Math.floor(rest / 128)
    }
    this.#bytes[this.#at++] = rest
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#at)
  }
}

class VarintReader {
  readonly #bytes: Uint8Array
  #at = 1

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  next(): number {
    let value = 0
    for (let scale = 1; scale < 2 ** 56; scale *= 128) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) throw this.wrong('a frame table that ends early')
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    throw this.wrong('a number that is too long')
  }

  take(count: number): number[] {
    return Array.from({ length: count }, () => this.next())
  }

  wrong(detail: string): DicomError {
    return new DicomError('dicom.malformed', 'frame-table', detail, this.#at)
  }
}
