import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { type ByteSource, memorySource, READ_BYTES_MAX } from '../byte-source.ts'
import { DicomError } from './errors.ts'
import { InflateError, Inflater } from './inflater.ts'
import type { DicomLimits } from './limits.ts'

/** Takes what is inflated when it is too much for memory: a temporary file of the caller. */
export interface InflateSink {
  write(bytes: Uint8Array): void
  /** Everything written, readable. The caller removes the file when it is done. */
  finish(): ByteSource
}

export interface Inflated {
  readonly source: ByteSource
  /** Offset behind the last deflated byte. */
  readonly end: number
}

const STEP_BYTES = 256 * 1024

/**
 * Inflates a deflated data set (PS3.5 section A.5), in memory up to 64 MiB, beyond that through the sink.
 * @throws DicomError `dicom.malformed` for a broken or unfinished stream; `dicom.limit` for a ratio or a total above
 *   the limits, or more than memory takes when there is no sink. Output is counted while it comes, not as declared.
 */
export function inflateDataSet(
  source: ByteSource,
  start: number,
  end: number,
  limits: DicomLimits,
  sink?: () => InflateSink,
): Inflated {
  const deflatedBytes = end - start
  const ratioMax = Math.max(limits.inflateRatioAfterBytes, deflatedBytes * limits.inflateRatio)
  const outputMax = Math.min(ratioMax, limits.inflatedBytesMax)
  if (deflatedBytes <= READ_BYTES_MAX) {
    const inMemory = inflateInMemory(source.read(start, end), Math.min(outputMax, READ_BYTES_MAX), start)
    if (inMemory !== null) return { source: memorySource(inMemory.bytes), end: start + inMemory.used }
    if (outputMax <= READ_BYTES_MAX) throw tooMuch(outputMax, start)
  }
  if (sink === undefined) throw tooMuch(READ_BYTES_MAX, start)
  return inflateToSink(source, start, end, limits, sink())
}

function tooMuch(bytes: number, offset: number): DicomError {
  return new DicomError('dicom.limit', 'R6', `inflates to more than ${bytes} bytes`, offset)
}

/** @returns null when the output would be longer than `outputMax` */
function inflateInMemory(
  deflated: Uint8Array,
  outputMax: number,
  offset: number,
): { bytes: Uint8Array; used: number } | null {
  try {
    // With `info` zlib also says how far it read; the type declarations leave that out.
    const answer = inflateRawSync(deflated, { maxOutputLength: Math.max(1, outputMax), info: true }) as unknown as {
      buffer: Uint8Array
      engine: { bytesWritten: number }
    }
    return { bytes: answer.buffer, used: answer.engine.bytesWritten }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ERR_BUFFER_TOO_LARGE') return null
    if (typeof code === 'string' && code.startsWith('Z_')) {
      throw new DicomError('dicom.malformed', 'deflate', `not a deflated data set (${code})`, offset)
    }
    throw error
  }
}

function inflateToSink(
  source: ByteSource,
  start: number,
  end: number,
  limits: DicomLimits,
  sink: InflateSink,
): Inflated {
  let output = 0
  const deadline = performance.now() + limits.timeMs
  const inflater = new Inflater((bytes) => {
    output += bytes.length
    const deflated = inflater.consumed
    if (output > limits.inflatedBytesMax) throw tooMuch(limits.inflatedBytesMax, start)
    if (output > limits.inflateRatioAfterBytes && output > (deflated + STEP_BYTES) * limits.inflateRatio) {
      throw new DicomError('dicom.limit', 'R6', `inflates more than ${limits.inflateRatio} times`, start + deflated)
    }
    if (performance.now() > deadline) {
      throw new DicomError('dicom.limit', 'time', `not inflated within ${limits.timeMs} ms`, start + deflated)
    }
    sink.write(bytes)
  })
  try {
    inflater.run((from, to) => source.read(start + from, Math.min(end, start + to)), STEP_BYTES)
  } catch (error) {
    if (error instanceof InflateError) {
      throw new DicomError('dicom.malformed', 'deflate', error.message, start + inflater.consumed)
    }
    throw error
  }
  return { source: sink.finish(), end: start + inflater.consumed }
}

/** Deflates a whole data set in memory, padded to an even length. PS3.5 section A.5. */
export function deflateDataSet(dataSet: Uint8Array): Uint8Array {
  const deflated = deflateRawSync(dataSet)
  if (deflated.length % 2 === 0) return deflated
  const padded = new Uint8Array(deflated.length + 1)
  padded.set(deflated)
  return padded
}
