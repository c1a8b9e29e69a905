/**
 * Random access to bytes that need not be in memory. Reads are synchronous, because parsers run in workers
 * where a blocking read costs nobody else anything, and a synchronous walk is several times faster.
 */
export interface ByteSource {
  /** Total length in bytes. */
  readonly size: number
  /** The whole content when it already is in memory: views of it stay valid. A reader may use it as a fast path. */
  readonly memory?: Uint8Array
  /**
   * Bytes `start` (included) to `end` (excluded), zero-based. May be a view: callers never write into it, and
   * never keep it beyond the next read. Reading past `size` yields fewer bytes.
   * @throws RangeError when the request is larger than 64 MiB: nothing is allocated by a declared length
   */
  read(start: number, end: number): Uint8Array
}

/** Largest single read, in bytes. threats.md section 4, in-memory value. */
export const READ_BYTES_MAX = 64 * 1024 * 1024

export function memorySource(bytes: Uint8Array): ByteSource {
  // Never a Buffer: its slice() is a view, and who means to copy what was read would write into the source.
  const memory = Buffer.isBuffer(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : bytes
  return {
    size: memory.byteLength,
    memory,
    read: (start, end) => memory.subarray(Math.max(0, start), Math.max(0, Math.min(end, memory.byteLength))),
  }
}

/** A copy that is nobody else's, of a Buffer too (whose own slice() would be a view). */
export function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}

/** A part of another source, as a source of its own. */
export function slice(source: ByteSource, start: number, end: number): ByteSource {
  const from = Math.min(Math.max(0, start), source.size)
  const size = Math.max(0, Math.min(end, source.size) - from)
  if (source.memory !== undefined) return memorySource(source.memory.subarray(from, from + size))
  return { size, read: (s, e) => source.read(from + Math.max(0, s), from + Math.max(0, Math.min(e, size))) }
}
