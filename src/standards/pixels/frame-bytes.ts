import { type ByteSource, copyOf, READ_BYTES_MAX } from '../byte-source.ts'
import { DicomError } from '../dicom/errors.ts'
import { alignBits, type FrameBytes, type FrameTable, frameRanges, type NativeFrames } from '../dicom/frames.ts'
import { swapBytes } from '../dicom/value-representation.ts'

/**
 * The bytes of one frame, a copy: native ones in little endian from the lowest bit of the first byte, compressed ones
 * as their bare code stream.
 *
 * @param frame from 1
 * @param dataSet the source the table's offsets refer to
 * @returns undefined when the object has no such frame, or its bytes cannot be told from those of another
 * @throws DicomError `dicom.limit` above 64 MiB
 */
export function readFrame(table: FrameTable, frame: number, dataSet: ByteSource): Uint8Array | undefined {
  const where = frameRanges(table, frame)
  if (where === undefined) return undefined
  if (where.length > READ_BYTES_MAX) throw new DicomError('dicom.limit', 'frame', 'a frame above 64 MiB', 0)
  if (table.kind === 'native') {
    const bytes = nativeBytes(table, where, dataSet)
    return where.bitLength === null ? bytes : alignBits(bytes, where.bitOffset, where.bitLength)
  }
  const bytes = new Uint8Array(where.length)
  let at = 0
  for (const { start, end } of where.ranges) {
    bytes.set(dataSet.read(start, end), at)
    at += end - start
  }
  return bytes
}

/** In big endian words a frame of an odd length ends, and the next begins, within one: whole words are read. */
function nativeBytes(table: NativeFrames, { ranges, length }: FrameBytes, dataSet: ByteSource): Uint8Array {
  const { offset, wordBytes } = table
  const first = (ranges[0]?.start ?? offset) - offset
  const before = first % wordBytes
  const end = Math.min(table.length, Math.ceil((first + length) / wordBytes) * wordBytes)
  const words = copyOf(dataSet.read(offset + first - before, offset + end))
  swapBytes(words, wordBytes)
  return words.subarray(before, before + length)
}
