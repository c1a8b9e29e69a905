import { hash } from 'node:crypto'
import type { ArrivedBytes } from '#model/arrival.ts'
import { DicomError } from '#standards/dicom/errors.ts'
import { readFileMeta } from '#standards/dicom/file-meta.ts'

/** Longer arrivals are left to the writer: the thread of the doors answers others meanwhile. 0.8 ms for each pass. */
const DIGEST_BYTES_MAX = 1024 * 1024
/** Below this the writer's own pass costs less than looking for where the data set starts. */
const TAIL_BYTES_MIN = 64 * 1024

/**
 * Arrived bytes with what a door can tell of them while the writer is at work on others: the digest of all of it, and
 * of a file that of its data set.
 * @param alone the bytes are a data set without a head
 */
export function withDigests(arrived: ArrivedBytes, alone: boolean): ArrivedBytes {
  if (arrived.in !== 'memory' || arrived.bytes.byteLength > DIGEST_BYTES_MAX) return arrived
  const { bytes } = arrived
  const sha256 = hash('sha256', bytes, 'hex')
  const start = alone || bytes.byteLength < TAIL_BYTES_MIN ? null : dataSetStart(bytes)
  if (start === null) return { ...arrived, sha256 }
  return { ...arrived, sha256, tail: { start, sha256: hash('sha256', bytes.subarray(start), 'hex') } }
}

function dataSetStart(bytes: Uint8Array): number | null {
  try {
    const meta = readFileMeta(bytes, undefined, true)
    return meta.kind === 'part10' ? meta.dataSetStart : null
  } catch (error) {
    // Whatever is wrong with the head, screening will say it of the same bytes.
    if (error instanceof DicomError) return null
    throw error
  }
}
