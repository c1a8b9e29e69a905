import { type ByteSource, copyOf, READ_BYTES_MAX } from '../byte-source.ts'
import { DicomError } from './errors.ts'

const WINDOW_BYTES = 64 * 1024
/** Read after a jump, as over the fragments of a slide: what follows is likely to be jumped over too. */
const JUMP_BYTES = 4 * 1024

/**
 * The part of a source that is being looked at. Whoever shares a window with a walk may move it: an index is good
 * until the next `ensure`. A source in memory is one window as large as itself, which never moves.
 */
export class ByteWindow {
  readonly source: ByteSource
  bytes: Uint8Array
  /** Offset in the source of `bytes[0]`. */
  base: number
  readonly #buffer: Uint8Array | null

  constructor(source: ByteSource) {
    this.source = source
    this.base = 0
    if (source.memory === undefined) {
      this.#buffer = new Uint8Array(Math.min(WINDOW_BYTES, source.size))
      this.bytes = new Uint8Array(0)
    } else {
      this.#buffer = null
      this.bytes = source.memory
    }
  }

  /**
   * Brings `length` bytes from `offset` into the window.
   * @returns the index in `bytes` where they start
   * @throws DicomError `dicom.malformed` when the source ends before; `dicom.limit` above 64 MiB
   */
  ensure(offset: number, length: number): number {
    const index = offset - this.base
    if (index >= 0 && index + length <= this.bytes.length) return index
    return this.#move(offset, length)
  }

  #move(offset: number, length: number): number {
    const { source } = this
    if (offset < 0 || offset + length > source.size) {
      throw new DicomError('dicom.malformed', 'R1', `${length} bytes wanted, the source ends at ${source.size}`, offset)
    }
    if (length > READ_BYTES_MAX) {
      throw new DicomError(
        'dicom.limit',
        'value-in-memory',
        `a value of ${length} bytes is not read into memory`,
        offset,
      )
    }
    const buffer = this.#buffer
    // Copied, because a source may reuse the memory it hands out and others read from it during a walk.
    if (buffer !== null && length <= buffer.length) {
      const sequential = offset >= this.base && offset <= this.base + this.bytes.length
      const wanted = sequential ? buffer.length : Math.max(length, Math.min(JUMP_BYTES, buffer.length))
      const read = source.read(offset, Math.min(source.size, offset + wanted))
      buffer.set(read)
      this.bytes = read.length === buffer.length ? buffer : buffer.subarray(0, read.length)
    } else {
      this.bytes = copyOf(source.read(offset, offset + length))
    }
    this.base = offset
    if (this.bytes.length < length) {
      throw new DicomError('dicom.malformed', 'R1', `the source gave ${this.bytes.length} of ${length} bytes`, offset)
    }
    return 0
  }
}
