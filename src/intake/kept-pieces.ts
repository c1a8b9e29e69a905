import type { ByteRange, ByteRewrite } from '#model/finding.ts'
import { type ByteSource, memorySource, slice } from '#standards/byte-source.ts'

/** A stretch of an arrival that is kept as it came, or bytes that stand in the place of others. */
export type KeptPiece = ByteRange | Uint8Array

/** A range without others: ascending, disjoint. */
export function without(whole: ByteRange, removed: readonly ByteRange[]): ByteRange[] {
  const left: ByteRange[] = []
  let at = whole.start
  for (const { start, end } of [...removed].sort((a, b) => a.start - b.start)) {
    if (end <= at || start >= whole.end) continue
    if (start > at) left.push({ start: at, end: start })
    at = Math.max(at, end)
  }
  if (at < whole.end) left.push({ start: at, end: whole.end })
  return left
}

/**
 * What is kept of a range, in order.
 * @param rewrites ascending, disjoint; those within what is removed, or beyond the range, are passed over
 */
export function keptPieces(
  whole: ByteRange,
  removed: readonly ByteRange[],
  rewrites: readonly ByteRewrite[],
): KeptPiece[] {
  const pieces: KeptPiece[] = []
  let next = 0
  for (const { start, end } of without(whole, removed)) {
    let at = start
    for (; next < rewrites.length; next++) {
      const { at: place, bytes } = rewrites[next] as ByteRewrite
      if (place >= end) break
      if (place < at || place + bytes.byteLength > end) continue
      if (place > at) pieces.push({ start: at, end: place })
      pieces.push(bytes)
      at = place + bytes.byteLength
    }
    if (at < end) pieces.push({ start: at, end })
  }
  return pieces
}

/** The pieces as one source: what will be kept, before it is written. */
export function keptSource(source: ByteSource, pieces: readonly KeptPiece[]): ByteSource {
  const parts = pieces.map((piece) =>
    piece instanceof Uint8Array ? memorySource(piece) : slice(source, piece.start, piece.end),
  )
  const starts: number[] = []
  let size = 0
  for (const part of parts) {
    starts.push(size)
    size += part.size
  }
  /** The last part that starts at or before an offset. */
  const partAt = (offset: number): number => {
    let [low, high] = [0, parts.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] as number) <= offset) low = middle
      else high = middle - 1
    }
    return low
  }
  return {
    size,
    read(from, to) {
      const start = Math.max(0, from)
      const end = Math.min(to, size)
      if (end <= start) return new Uint8Array(0)
      let i = partAt(start)
      const first = parts[i] as ByteSource
      const offset = starts[i] as number
      if (end <= offset + first.size) return first.read(start - offset, end - offset)
      const joined = new Uint8Array(end - start)
      for (let at = start; at < end; i++) {
        const part = parts[i] as ByteSource
        const begin = starts[i] as number
        const bytes = part.read(at - begin, Math.min(end - begin, part.size))
        if (bytes.byteLength === 0) return joined.subarray(0, at - start)
        joined.set(bytes, at - start)
        at += bytes.byteLength
      }
      return joined
    },
  }
}
