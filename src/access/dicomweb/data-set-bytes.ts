import { ArchiveError } from '#errors.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import { copyOf, memorySource, READ_BYTES_MAX } from '#standards/byte-source.ts'
import { DicomError } from '#standards/dicom/errors.ts'
import { openPart10, type Part10 } from '#standards/dicom/open.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { swapBytes } from '#standards/dicom/value-representation.ts'
import { PagedSource } from './paged-source.ts'
import type { RangedReads } from './send.ts'
import type { StoredFiles } from './stored-files.ts'

/** The data set of a stored instance; of a deflated one, inflated. Offset 0 is its first byte. */
export interface DataSetBytes {
  /** Bytes `start` (included) to `end` (excluded), each unit of `swapUnit` bytes reversed; 1 leaves them as they are. */
  pieces(start: number, end: number, swapUnit: number): AsyncGenerator<Uint8Array, void, void>
  /** Runs a parser over the object; it may be run more than once. */
  look<T>(work: (opened: Part10) => T): Promise<T>
}

/**
 * Opens the data set of an instance. Only a deflated one is brought into memory for it.
 * @throws ArchiveError 'dicom.limit' for a deflated object above 64 MiB, 'storage.damaged'
 */
export async function openDataSet(
  reads: RangedReads,
  files: StoredFiles,
  instance: StoredInstance,
): Promise<DataSetBytes> {
  if (transferSyntax(instance.transferSyntaxUID)?.deflated === true) return inflated(files, instance)
  const { location, dataSetOffset } = instance
  return {
    pieces: (start, end, swapUnit) =>
      swapped(reads.pieces(location, dataSetOffset + start, dataSetOffset + end), swapUnit),
    look: (work) => asArchiveErrors(() => new PagedSource(reads, location).run((source) => work(openPart10(source)))),
  }
}

async function inflated(files: StoredFiles, instance: StoredInstance): Promise<DataSetBytes> {
  if (instance.location.length > READ_BYTES_MAX) {
    throw new ArchiveError('dicom.limit', 'a deflated object above 64 MiB is only given whole, as stored')
  }
  const bytes = await files.bytes(instance)
  const opened = await asArchiveErrors(async () => openPart10(memorySource(bytes)))
  return {
    async *pieces(start, end, swapUnit) {
      const piece = copyOf(opened.dataSet.read(start, end))
      swapBytes(piece, swapUnit)
      yield piece
    },
    look: (work) => asArchiveErrors(async () => work(opened)),
  }
}

/** Pieces are multiples of 4 KiB but for the last, so a unit never lies across two. */
async function* swapped(
  pieces: AsyncGenerator<Uint8Array, void, void>,
  unit: number,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const piece of pieces) {
    if (unit === 1) yield piece
    else {
      const copy = Uint8Array.from(piece)
      swapBytes(copy, unit)
      yield copy
    }
  }
}

/** What a parser says of bytes, told to a caller. */
export async function asArchiveErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof DicomError) throw new ArchiveError(error.code, error.message, { cause: error })
    throw error
  }
}
