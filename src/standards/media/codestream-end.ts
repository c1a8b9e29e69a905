import type { ByteSource } from '../byte-source.ts'

/** How far back an end marker is searched for, in bytes. */
const SEARCH_BYTES_MAX = 1024 * 1024

/**
 * End of a JPEG, JPEG-LS, JPEG 2000 or PNG stream by its own end marker.
 *
 * For the marker-based ones the last end marker in `[start, end)` counts; what a decoder ignores stands behind it.
 *
 * @returns offset just behind the marker, in bytes; null when the bytes are none of these or hold no end marker in the
 * last MiB
 */
export function findCodestreamEnd(source: ByteSource, start: number, end: number): number | null {
  const head = source.read(start, Math.min(end, start + 8))
  if (head.byteLength < 4 || head[0] !== 0xff) return null
  // SOI of JPEG and JPEG-LS (ITU-T T.81, T.87), SOC of JPEG 2000 (ITU-T T.800): all end in FF D9.
  if (head[1] !== 0xd8 && head[1] !== 0x4f) return null
  const tail = source.read(Math.max(start, end - 4), end)
  const n = tail.byteLength
  if (tail[n - 2] === 0xff && tail[n - 1] === 0xd9) return end
  if (tail[n - 3] === 0xff && tail[n - 2] === 0xd9) return end - 1
  const from = Math.max(start, end - SEARCH_BYTES_MAX)
  const window = source.read(from, end)
  const at = Buffer.from(window.buffer, window.byteOffset, window.byteLength).lastIndexOf(Buffer.from([0xff, 0xd9]))
  return at < 0 ? null : from + at + 2
}

/** End of a PNG by its IEND chunk; null when it is no PNG or its chunks do not lead there. PNG section 5.3. */
export function findPngEnd(source: ByteSource, start: number, end: number): number | null {
  let at = start + 8
  for (let chunks = 0; chunks < 100_000 && at + 12 <= end; chunks++) {
    const head = source.read(at, at + 8)
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
    const type = view.getUint32(4)
    at += 12 + view.getUint32(0)
    if (type === 0x49454e44) return at <= end ? at : null
  }
  return null
}
