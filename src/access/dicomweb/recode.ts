import { ArchiveError } from '#errors.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import { memorySource, READ_BYTES_MAX } from '#standards/byte-source.ts'
import { type Egress, planEgress } from '#standards/dicom/egress.ts'
import { EXPLICIT_LITTLE_ENDIAN, transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { asArchiveErrors } from './data-set-bytes.ts'
import { PagedSource } from './paged-source.ts'
import type { RangedReads } from './send.ts'
import type { StoredFiles } from './stored-files.ts'

/** Up to this length, in bytes, an object is rewritten from memory. */
const IN_MEMORY_MAX = 4 * 1024 * 1024
const WANTED = { transferSyntaxUID: EXPLICIT_LITTLE_ENDIAN }

/** Gives stored instances in explicit VR little endian: headers written anew, values copied by range. */
export class Recoder {
  readonly #reads: RangedReads
  readonly #files: StoredFiles

  constructor(reads: RangedReads, files: StoredFiles) {
    this.#reads = reads
    this.#files = files
  }

  /**
   * Prepares a Part 10 file with zero preamble. The stored bytes are verified before: a rewritten file has no digest.
   * @throws ArchiveError 'storage.damaged', 'dicom.malformed', 'dicom.limit'
   */
  async explicitLittleEndian(instance: StoredInstance): Promise<Egress> {
    const { location } = instance
    const { length } = location
    const deflated = transferSyntax(instance.transferSyntaxUID)?.deflated === true
    if (length <= IN_MEMORY_MAX || deflated) {
      if (length > READ_BYTES_MAX) {
        throw new ArchiveError('dicom.limit', 'a deflated object above 64 MiB is only given as stored')
      }
      const source = memorySource(await this.#files.bytes(instance))
      return asArchiveErrors(async () => planEgress({ source }, WANTED))
    }
    await this.#files.verify(instance)
    const paged = new PagedSource(this.#reads, location)
    const read = (start: number, end: number) => this.#reads.read(location, start, end)
    return asArchiveErrors(() => paged.run((source) => planEgress({ source, read }, WANTED)))
  }

  /** The same, as pieces. */
  async *pieces(instance: StoredInstance): AsyncGenerator<Uint8Array, void, void> {
    yield* (await this.explicitLittleEndian(instance)).chunks()
  }
}
