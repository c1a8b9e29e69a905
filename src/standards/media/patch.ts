import type { ByteSource } from '../byte-source.ts'
import type { Piece } from '../dicom/pieces.ts'

/** Zero-based offsets in bytes; `start` included, `end` excluded. */
export interface Range {
  readonly start: number
  readonly end: number
}

interface Edit extends Range {
  /** What stands there instead. */
  readonly bytes: Uint8Array
}

/** Replaces ranges of a source; all else stays a reference to it. Of overlapping edits the earlier start counts. */
export class Patch {
  readonly #source: ByteSource
  readonly #edits: Edit[] = []

  constructor(source: ByteSource) {
    this.#source = source
  }

  get empty(): boolean {
    return this.#edits.length === 0
  }

  /** @param bytes as many as the range has, or others: then what follows moves */
  replace(start: number, end: number, bytes: Uint8Array): void {
    if (end > start && end <= this.#source.size) this.#edits.push({ start, end, bytes })
  }

  write(start: number, bytes: Uint8Array): void {
    this.replace(start, start + bytes.byteLength, bytes)
  }

  fill(start: number, end: number, byte = 0): void {
    const last = Math.min(end, this.#source.size)
    if (last > start) this.#edits.push({ start, end: last, bytes: new Uint8Array(last - start).fill(byte) })
  }

  cut(start: number, end: number): void {
    this.replace(start, end, new Uint8Array(0))
  }

  pieces(): Piece[] {
    const pieces: Piece[] = []
    let at = 0
    const keep = (end: number) => {
      if (end > at) pieces.push({ source: this.#source, offset: at, length: end - at, swapUnit: 1 })
    }
    for (const { start, end, bytes } of [...this.#edits].sort((a, b) => a.start - b.start || b.end - a.end)) {
      if (end <= at) continue
      const hidden = Math.max(0, at - start)
      keep(start)
      // What another edit has already replaced is not written twice.
      const rest = bytes.byteLength === end - start ? bytes.subarray(hidden) : hidden === 0 ? bytes : new Uint8Array(0)
      if (rest.byteLength > 0) pieces.push(rest)
      at = end
    }
    keep(this.#source.size)
    return pieces
  }
}
