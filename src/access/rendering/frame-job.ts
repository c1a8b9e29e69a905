import { ArchiveError } from '#errors.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import { type FrameTable, frameCount, frameRanges } from '#standards/dicom/frames.ts'
import { PIXEL_DATA } from '#standards/dicom/pixel-element.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { type DataSetBytes, openDataSet } from '../dicomweb/data-set-bytes.ts'
import { framePart } from '../dicomweb/frames.ts'
import type { RangedReads } from '../dicomweb/send.ts'
import type { StoredFiles } from '../dicomweb/stored-files.ts'
import type { FrameJob } from './render-job.ts'

/** Where stored objects are read from. */
export interface FrameReads {
  readonly reads: RangedReads
  readonly files: StoredFiles
}

/** What stands before the pixels, and what one job may hold of them, in bytes. */
const HEAD_BYTES_MAX = 64 * 1024 * 1024
const FRAMES_BYTES_MAX = 256 * 1024 * 1024

/**
 * Brings the bytes of frames, and what describes them, for a thread that renders.
 * @param frames from 1
 * @throws ArchiveError 'request.not-found' for a frame that is not there, 'dicom.malformed' for one whose bytes cannot be
 *   told, 'dicom.limit', 'storage.damaged'
 */
export async function frameJob(
  from: FrameReads,
  instance: StoredInstance,
  frames: readonly number[],
): Promise<FrameJob> {
  const table = instance.frames
  if (table === null) throw new ArchiveError('request.not-acceptable', 'the object has no frames')
  const dataSet = await openDataSet(from.reads, from.files, instance)
  const headEnd = headEndOf(table, transferSyntax(instance.transferSyntaxUID)?.explicit === true)
  const head = await joined(headEnd, HEAD_BYTES_MAX, dataSet.pieces(0, headEnd, 1))
  let left = FRAMES_BYTES_MAX
  const found: { number: number; bytes: Uint8Array }[] = []
  for (const number of frames) {
    const bytes = await frameBytes(instance, table, dataSet, number, left)
    left -= bytes.byteLength
    found.push({ number, bytes })
  }
  return {
    head,
    transferSyntaxUID: instance.transferSyntaxUID,
    pixelTag: table.kind === 'native' ? table.tag : PIXEL_DATA,
    frames: found,
    compressed: table.kind !== 'native',
  }
}

/** Pixel Data may be cut off where its value begins: readers know of it. Floats are elements like any other. */
function headEndOf(table: FrameTable, explicit: boolean): number {
  if (table.kind !== 'native') return table.fragmentOffsets[0] ?? 0
  if (table.tag === PIXEL_DATA) return table.offset
  return table.offset - (explicit ? 12 : 8) // without its header; PS3.5 section 7.1.2
}

async function frameBytes(
  instance: StoredInstance,
  table: FrameTable,
  dataSet: DataSetBytes,
  number: number,
  most: number,
): Promise<Uint8Array> {
  const count = frameCount(table)
  if (number < 1 || number > count) throw new ArchiveError('request.not-found', `no frame ${number} of ${count}`)
  const place = frameRanges(table, number)
  if (place === undefined) {
    throw new ArchiveError('dicom.malformed', `the bytes of frame ${number} are missing or cannot be told apart`)
  }
  const { length, pieces } = framePart(instance, table, dataSet, number, place)
  return joined(length, most, pieces(0, length))
}

async function joined(length: number, most: number, from: AsyncGenerator<Uint8Array>): Promise<Uint8Array> {
  if (length > most) throw new ArchiveError('dicom.limit', `${length} bytes are too many to be drawn at once`)
  const pieces: Uint8Array[] = []
  for await (const piece of from) pieces.push(piece)
  return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces)
}
