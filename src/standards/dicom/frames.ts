import type { ByteSource } from '../byte-source.ts'
import { type EncapsulatedFrames, encapsulatedFrames } from './frames-encapsulated.ts'
import type { PixelElement } from './pixel-element.ts'
import type { TransferSyntax } from './transfer-syntax.ts'
import { swapUnit } from './value-representation.ts'

/** Frames one after the other, without anything between them; 1-bit frames may begin within a byte. PS3.5 8.1.1. */
export interface NativeFrames {
  readonly kind: 'native'
  /** (7FE0,0010), (7FE0,0008) or (7FE0,0009). */
  readonly tag: number
  readonly offset: number
  /** Bytes that are there, which may be less than the frames need. */
  readonly length: number
  readonly frameBits: number
  readonly count: number
  /** Bytes that must be reversed together to get little endian; 1 when they already are. */
  readonly wordBytes: number
}

/**
 * Where the frames of an object are. Offsets are zero-based bytes from the start of the data set; of a deflated one,
 * of the inflated data set. Made once at intake, kept as bytes (frame-table-codec.ts).
 */
export type FrameTable = NativeFrames | EncapsulatedFrames

export { decodeFrameTable, encodeFrameTable } from './frame-table-codec.ts'
export type { EncapsulatedFrames } from './frames-encapsulated.ts'

/** Where one frame's bytes are. */
export interface FrameBytes {
  /** Zero-based, `start` included, `end` excluded, relative to the start of the data set; to be joined in this order. */
  readonly ranges: readonly { readonly start: number; readonly end: number }[]
  /** Sum of the ranges, in bytes. */
  readonly length: number
  /** First bit of the frame in its first byte, least significant first; 0 but for bit-packed frames. */
  readonly bitOffset: number
  /** Length of a bit-packed frame; null when frames are whole bytes. */
  readonly bitLength: number | null
}

/**
 * Bits of one native frame, the one place where dimensions are multiplied.
 * @returns null when the attributes do not describe a frame, or describe one above 2^53 bits (threats.md R4)
 */
export function nativeFrameBits(pixel: PixelElement): number | null {
  const { rows, columns, samplesPerPixel, bitsAllocated, photometricInterpretation } = pixel
  let samples = samplesPerPixel
  // Uncompressed 4:2:2 shares two chrominance samples between two pixels. PS3.3 C.7.6.3.1.2.
  if (photometricInterpretation === 'YBR_FULL_422' || photometricInterpretation === 'YBR_PARTIAL_422') samples = 2
  const bits = rows * columns * samples * bitsAllocated
  return bits > 0 && Number.isSafeInteger(bits) ? bits : null
}

/**
 * Finds the frames of an object.
 * @param dataSet the source the pixel element's offsets refer to; read for offset tables and frame beginnings only
 * @returns null when nothing describes the frames (no dimensions, or a count of 0)
 */
export function frameTable(pixel: PixelElement, syntax: TransferSyntax, dataSet: ByteSource): FrameTable | null {
  if (pixel.fragments !== null) return encapsulatedFrames(pixel, pixel.fragments, syntax, dataSet)
  const frameBits = nativeFrameBits(pixel)
  if (frameBits === null || pixel.numberOfFrames === 0) return null
  const wordBytes = pixel.bigEndian ? swapUnit(pixel.vr) : 1
  return {
    kind: 'native',
    tag: pixel.tag,
    offset: pixel.valueOffset,
    length: pixel.valueLength,
    frameBits,
    count: pixel.numberOfFrames,
    wordBytes,
  }
}

/** Number of frames the object says it has; for video 1, the stream. */
export function frameCount(table: FrameTable): number {
  return table.count
}

/**
 * Where a frame is.
 * @param frameNumber from 1, as DICOM counts them
 * @returns undefined when there is no such frame or its bytes cannot be told from those of another: never wrong bytes
 */
export function frameRanges(table: FrameTable, frameNumber: number): FrameBytes | undefined {
  const index = frameNumber - 1
  if (!Number.isInteger(index) || index < 0 || index >= table.count) return undefined
  if (table.kind === 'native') return nativeRange(table, index)
  const first = table.firstFragment[index]!
  const behind = table.firstFragment[index + 1]!
  if (first === behind) return undefined
  let left = table.exactLengths?.[index] ?? Number.POSITIVE_INFINITY
  const ranges: { start: number; end: number }[] = []
  let length = 0
  for (let i = first; i < behind; i++) {
    const start = table.fragmentOffsets[i]!
    const size = Math.min(table.fragmentLengths[i]!, left)
    if (size > 0) ranges.push({ start, end: start + size })
    left -= size
    length += size
  }
  return { ranges, length, bitOffset: 0, bitLength: null }
}

function nativeRange(table: NativeFrames, index: number): FrameBytes | undefined {
  const firstBit = index * table.frameBits
  const lastBit = firstBit + table.frameBits
  const start = Math.floor(firstBit / 8)
  const end = Math.ceil(lastBit / 8)
  if (!Number.isSafeInteger(lastBit) || end > table.length) return undefined
  return {
    ranges: [{ start: table.offset + start, end: table.offset + end }],
    length: end - start,
    bitOffset: firstBit % 8,
    bitLength: table.frameBits % 8 === 0 ? null : table.frameBits,
  }
}

/** Moves a bit-packed frame to the beginning of its first byte, zero bits behind it. PS3.5 section 8.1.1. */
export function alignBits(bytes: Uint8Array, bitOffset: number, bitLength: number): Uint8Array {
  const aligned = new Uint8Array(Math.ceil(bitLength / 8))
  for (let i = 0; i < aligned.length; i++) {
    aligned[i] = ((bytes[i]! >>> bitOffset) | ((bytes[i + 1] ?? 0) << (8 - bitOffset))) & 0xff
  }
  const spare = aligned.length * 8 - bitLength
  if (spare > 0) aligned[aligned.length - 1] = aligned[aligned.length - 1]! & (0xff >>> spare)
  return aligned
}
