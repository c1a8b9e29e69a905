import type { ByteSource } from '../byte-source.ts'

/** A binary STL: 80 bytes of free text, a count, 50 bytes per triangle. */
export interface StlShape {
  readonly triangles: number
  /** 84 + 50 x count, in bytes. */
  readonly expectedLength: number
  /** Length in bytes of what is there. */
  readonly length: number
}

/**
 * Reads the header of a binary STL. The count is believed by nobody: it is compared with the length, never allocated.
 * The free text may begin with `solid`, so that word does not make a file an ASCII STL.
 *
 * @returns null when there are fewer than 84 bytes
 */
export function readStlShape(source: ByteSource, start = 0, end = source.size): StlShape | null {
  if (end - start < 84) return null
  const head = source.read(start + 80, start + 84)
  const triangles = new DataView(head.buffer, head.byteOffset, 4).getUint32(0, true)
  return { triangles, expectedLength: 84 + 50 * triangles, length: end - start }
}
