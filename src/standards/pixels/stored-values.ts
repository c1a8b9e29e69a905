import { DicomError } from '../dicom/errors.ts'
import type { FrameFormat } from './frame-format.ts'

/** Stored values of one sample each, without the bits that are not stored. */
export type StoredValues =
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array

/**
 * The stored values of a frame.
 * @param bytes native, little endian; bit-packed ones begin at the lowest bit of the first byte
 * @returns rows by columns by samples, in the order of `bytes`
 * @throws DicomError `dicom.malformed` when there are too few bytes
 */
export function storedValues(bytes: Uint8Array, format: FrameFormat): StoredValues {
  const { rows, columns, samples, bitsAllocated, bitsStored, highBit, signed } = format
  const count = rows * columns * samples
  if (count === 0 || bytes.length * 8 < count * bitsAllocated) {
    const detail = `${bytes.length} bytes for ${columns} by ${rows} pixels of ${samples} samples`
    throw new DicomError('dicom.malformed', 'pixels', detail, 0)
  }
  if (format.float) return floats(bytes, count, bitsAllocated)
  if (bitsAllocated === 1) return unpacked(bytes, count)
  const raw = words(bytes, count, bitsAllocated)
  const low = highBit + 1 - bitsStored
  if (bitsStored === bitsAllocated && !signed) return raw
  const up = 32 - bitsStored - low
  if (!signed) {
    for (let i = 0; i < count; i++) raw[i] = (((raw[i] ?? 0) << up) >>> up) >>> low
    return raw
  }
  const out = bitsStored <= 16 ? new Int16Array(count) : new Int32Array(count)
  for (let i = 0; i < count; i++) out[i] = ((raw[i] ?? 0) << up) >> (up + low)
  return out
}

function words(bytes: Uint8Array, count: number, bits: number): Uint8Array | Uint16Array | Uint32Array {
  if (bits === 8) return bytes.slice(0, count)
  if (bits !== 16 && bits !== 32) throw new DicomError('dicom.malformed', 'pixels', `${bits} bits allocated`, 0)
  const copy = aligned(bytes, (count * bits) / 8)
  return bits === 16 ? new Uint16Array(copy) : new Uint32Array(copy)
}

function floats(bytes: Uint8Array, count: number, bits: number): Float32Array | Float64Array {
  const copy = aligned(bytes, (count * bits) / 8)
  return bits === 64 ? new Float64Array(copy) : new Float32Array(copy)
}

/** Typed arrays begin at multiples of their size; every machine this runs on is little endian. */
function aligned(bytes: Uint8Array, length: number): ArrayBuffer {
  const copy = new ArrayBuffer(length)
  new Uint8Array(copy).set(bytes.subarray(0, length))
  return copy
}

function unpacked(bytes: Uint8Array, count: number): Uint8Array {
  const out = new Uint8Array(count)
  for (let i = 0; i < count; i++) out[i] = ((bytes[i >>> 3] ?? 0) >>> (i & 7)) & 1
  return out
}
