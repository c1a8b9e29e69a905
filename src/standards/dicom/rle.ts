import { DicomError } from './errors.ts'

/** Most segments an RLE header counts. PS3.5 section G.5. */
const SEGMENTS_MAX = 15

/**
 * Decodes one RLE Lossless frame. PS3.5 Annex G. Segments hold one byte plane each: those of the first sample from
 * its highest byte to its lowest, then those of the next sample.
 *
 * @param planeBytes rows times columns: the length of each plane
 * @param bytesPerSample 1 or 2 or 4
 * @returns samples interleaved, little endian
 * @throws DicomError `dicom.malformed` when segments are missing or do not fill their plane
 */
export function decodeRle(frame: Uint8Array, planeBytes: number, samples: number, bytesPerSample: number): Uint8Array {
  const wrong = (detail: string, at: number) => new DicomError('dicom.malformed', 'rle', detail, at)
  if (frame.length < 64) throw wrong('no header of 64 bytes', 0)
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  const segments = view.getUint32(0, true)
  if (segments > SEGMENTS_MAX || segments !== samples * bytesPerSample) throw wrong(`${segments} segments`, 0)
  const out = new Uint8Array(planeBytes * segments)
  for (let segment = 0; segment < segments; segment++) {
    const start = view.getUint32(4 + 4 * segment, true)
    const end = segment + 1 < segments ? view.getUint32(8 + 4 * segment, true) : frame.length
    if (start < 64 || end > frame.length || start > end)
      throw wrong(`segment ${segment + 1} is not in the frame`, start)
    const sample = Math.floor(segment / bytesPerSample)
    const byte = bytesPerSample - 1 - (segment % bytesPerSample)
    const filled = decodeSegment(frame.subarray(start, end), out, planeBytes, sample * bytesPerSample + byte, segments)
    if (filled < planeBytes) throw wrong(`segment ${segment + 1} ends after ${filled} of ${planeBytes} bytes`, start)
  }
  return out
}

/** PackBits. Writes every `step`-th byte from `first` on; what is too much is left out. @returns bytes written */
function decodeSegment(bytes: Uint8Array, out: Uint8Array, count: number, first: number, step: number): number {
  let at = 0
  let filled = 0
  while (filled < count && at < bytes.length) {
    const control = bytes[at++] ?? 0
    if (control === 128) continue
    const run = control > 128
    const length = Math.min(run ? 257 - control : control + 1, count - filled)
    if (at >= bytes.length || (!run && at + length > bytes.length)) return filled
    for (let index = 0; index < length; index++) {
      out[first + step * filled++] = bytes[run ? at : at + index] ?? 0
    }
    at += run ? 1 : control + 1
  }
  return filled
}
