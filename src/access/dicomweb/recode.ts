import { ArchiveError } from '#errors.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import { egressOptions } from '#operations/egress-options.ts'
import { memorySource, READ_BYTES_MAX } from '#standards/byte-source.ts'
import { type Egress, planEgress } from '#standards/dicom/egress.ts'
import { EXPLICIT_LITTLE_ENDIAN, transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { asArchiveErrors } from './data-set-bytes.ts'
import type { Encoding } from './negotiate.ts'
import { PagedSource } from './paged-source.ts'
import type { RangedReads } from './send.ts'
import type { StoredFiles } from './stored-files.ts'

/** Up to this length, in bytes, an object is rewritten from memory. */
const IN_MEMORY_MAX = 4 * 1024 * 1024

/** A file on its way out. */
export interface Leaving {
  readonly pieces: AsyncGenerator<Uint8Array, void, void>
  /** In bytes; null when it is deflated on the way. */
  readonly length: number | null
}

/** True when the bytes of an instance that leave are those that are stored. */
export function leavesAsStored(instance: StoredInstance, encoding: Encoding): boolean {
  return encoding === 'stored' && instance.overlay.length === 0
}

/** Gives instances as they leave: with their overlay, as stored or in explicit VR little endian. */
export class Recoder {
  readonly #reads: RangedReads
  readonly #files: StoredFiles

  constructor(reads: RangedReads, files: StoredFiles) {
    this.#reads = reads
    this.#files = files
  }

  /**
   * Prepares a Part 10 file: the stored one when nothing of it changes. Before a rewrite the stored bytes are verified: a
   * rewritten file has no digest.
   * @throws ArchiveError 'storage.damaged', 'dicom.malformed', 'dicom.limit'
   */
  async leaving(instance: StoredInstance, encoding: Encoding): Promise<Leaving> {
    const asStored = () => ({ pieces: this.#files.pieces(instance), length: instance.location.length })
    if (leavesAsStored(instance, encoding)) return asStored()
    const egress = await this.#planned(instance, encoding)
    return egress.passthrough ? asStored() : { pieces: egress.chunks(), length: egress.length }
  }

  /** The same, prepared when the first piece is asked for. */
  async *pieces(instance: StoredInstance, encoding: Encoding): AsyncGenerator<Uint8Array, void, void> {
    yield* (await this.leaving(instance, encoding)).pieces
  }

  async #planned(instance: StoredInstance, encoding: Encoding): Promise<Egress> {
    const { location } = instance
    const { length } = location
    const options = egressOptions(instance, encoding === 'stored' ? undefined : EXPLICIT_LITTLE_ENDIAN)
    const deflated = transferSyntax(instance.transferSyntaxUID)?.deflated === true
    if (length <= IN_MEMORY_MAX || deflated) {
      if (length > READ_BYTES_MAX) {
        throw new ArchiveError('dicom.limit', 'a deflated object above 64 MiB is only given as stored')
      }
      const source = memorySource(await this.#files.bytes(instance))
      return asArchiveErrors(async () => planEgress({ source }, options))
    }
    await this.#files.verify(instance)
    const paged = new PagedSource(this.#reads, location)
    const read = (start: number, end: number) => this.#reads.read(location, start, end)
    return asArchiveErrors(() => paged.run((source) => planEgress({ source, read }, options)))
  }
}
