import type { ByteSource } from '#standards/byte-source.ts'

/** Read at once when reading goes on where it left off, in bytes. */
const AHEAD_BYTES = 64 * 1024
/** Read at once after a jump: checks that hop from frame to frame need a few bytes of each. */
const HOP_BYTES = 4 * 1024

/**
 * The same bytes with two promises more: what was read stays valid, and many small reads near one another cost one.
 * Checks look at a value and then at what it points to, which a source that reuses its buffer would not survive.
 */
export function stableSource(source: ByteSource): ByteSource {
  if (source.memory !== undefined) return source
  const { size } = source
  let window = new Uint8Array(0)
  let base = 0
  return {
    size,
    read(start, end) {
      const from = Math.max(0, start)
      const to = Math.min(end, size)
      if (to <= from) return new Uint8Array(0)
      if (from >= base && to <= base + window.byteLength) return window.subarray(from - base, to - base)
      if (to - from > AHEAD_BYTES) return source.read(from, to).slice()
      const goesOn = from >= base && from <= base + window.byteLength + HOP_BYTES
      const length = Math.max(to - from, goesOn ? AHEAD_BYTES : HOP_BYTES)
      // A new buffer each time: views handed out before stay what they were.
      window = source.read(from, Math.min(size, from + length)).slice()
      base = from
      return window.subarray(0, to - from)
    },
  }
}
