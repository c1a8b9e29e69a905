import { ArchiveError } from '#errors.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import { type ByteSource, memorySource, READ_BYTES_MAX } from '#standards/byte-source.ts'
import { readDataSet } from '#standards/dicom/data-set.ts'
import { EXPLICIT_LE } from '#standards/dicom/encoding.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import type { Piece, SourcePiece } from '#standards/dicom/pieces.ts'
import { EXPLICIT_LITTLE_ENDIAN, transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { swapBytes } from '#standards/dicom/value-representation.ts'
import { buildHead, encodeDataSet, toWritable } from '#standards/dicom/write.ts'
import { asArchiveErrors } from './data-set-bytes.ts'
import { PagedSource } from './paged-source.ts'
import type { RangedReads } from './send.ts'
import type { StoredFiles } from './stored-files.ts'

/** Up to this length, in bytes, an object is rewritten from memory. */
const IN_MEMORY_MAX = 4 * 1024 * 1024
const CHUNK_BYTES = 1024 * 1024
/** Its directory may sit in this element; what is rewritten has no TIFF any more. threats.md section 2. */
const TRAILING_PADDING = 0xfffcfffc

/** Gives stored instances in explicit VR little endian: headers written anew, values copied by range. */
export class Recoder {
  readonly #reads: RangedReads
  readonly #files: StoredFiles

  constructor(reads: RangedReads, files: StoredFiles) {
    this.#reads = reads
    this.#files = files
  }

  /**
   * A Part 10 file with zero preamble. The stored bytes are verified before the first byte is given.
   * @throws ArchiveError 'storage.damaged', 'dicom.malformed', 'dicom.limit'
   */
  async *explicitLittleEndian(instance: StoredInstance): AsyncGenerator<Uint8Array, void, void> {
    const { length } = instance.location
    const deflated = transferSyntax(instance.transferSyntaxUID)?.deflated === true
    if (length <= IN_MEMORY_MAX || deflated) {
      if (length > READ_BYTES_MAX) {
        throw new ArchiveError('dicom.limit', 'a deflated object above 64 MiB is only given as stored')
      }
      const bytes = await this.#files.bytes(instance)
      const pieces = await asArchiveErrors(async () => compose(memorySource(bytes), instance))
      for (const piece of pieces) yield* chunks(piece, async (read) => read())
      return
    }
    await this.#files.verify(instance)
    const paged = new PagedSource(this.#reads, instance.location)
    const pieces = await asArchiveErrors(() => paged.run((source) => compose(source, instance)))
    for (const piece of pieces) {
      yield* chunks(piece, (read) => {
        paged.release()
        return paged.run(read)
      })
    }
  }
}

function compose(source: ByteSource, instance: StoredInstance): Piece[] {
  const opened = openPart10(source)
  const dataSet = toWritable(readDataSet(opened.dataSet, opened.encoding))
  if (opened.meta?.preamble.kind !== 'zero') dataSet.delete(TRAILING_PADDING)
  const head = buildHead({
    sopClassUID: instance.sopClassUID,
    sopInstanceUID: instance.sopInstanceUID,
    transferSyntaxUID: EXPLICIT_LITTLE_ENDIAN,
  })
  return [head, ...encodeDataSet(dataSet, EXPLICIT_LE)]
}

async function* chunks(
  piece: Piece,
  reading: (read: () => Uint8Array) => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  if (piece instanceof Uint8Array) {
    yield piece
    return
  }
  for (let at = 0; at < piece.length; at += CHUNK_BYTES) {
    const chunk = await reading(() => slice(piece, at))
    swapBytes(chunk, piece.swapUnit)
    yield chunk
  }
}

function slice({ source, offset, length }: SourcePiece, at: number): Uint8Array {
  return source.read(offset + at, offset + Math.min(length, at + CHUNK_BYTES)).slice()
}
