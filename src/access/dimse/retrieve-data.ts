import { ArchiveError } from '#errors.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import { egressOptions } from '#operations/egress-options.ts'
import { memorySource, READ_BYTES_MAX } from '#standards/byte-source.ts'
import { canLeaveAs, type Egress, planEgress } from '#standards/dicom/egress.ts'
import { EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN, transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import type { DataSetPieces } from '#standards/dimse/association.ts'
import { asArchiveErrors } from '../dicomweb/data-set-bytes.ts'
import { PagedSource } from '../dicomweb/paged-source.ts'
import { RangedReads, type SegmentReads } from '../dicomweb/send.ts'
import { type Damage, StoredFiles } from '../dicomweb/stored-files.ts'

/** Up to this length, in bytes, an object is sent from memory. */
const IN_MEMORY_MAX = 4 * 1024 * 1024
/** Preamble and prefix, then the group length element of group 0002: where its value stands. PS3.10 section 7.1. */
const GROUP_LENGTH_AT = 140

/**
 * Data sets of stored instances on their way to a peer: overlay applied, in a transfer syntax the peer took, without
 * preamble and File Meta. Stored bytes are verified before the first one leaves: a store operation cannot be taken back.
 */
export class InstanceData {
  readonly #reads: RangedReads
  readonly #files: StoredFiles

  constructor(segments: SegmentReads, damaged: (damage: Damage) => void) {
    this.#reads = new RangedReads(segments)
    this.#files = new StoredFiles(this.#reads, damaged)
  }

  /** @throws ArchiveError 'storage.damaged', 'dicom.malformed', 'dicom.limit' */
  async open(instance: StoredInstance, transferSyntaxUID: string): Promise<DataSetPieces> {
    const { location, dataSetOffset, overlay } = instance
    if (overlay.length === 0 && transferSyntaxUID === instance.transferSyntaxUID) {
      if (location.length <= IN_MEMORY_MAX) return [(await this.#files.bytes(instance)).subarray(dataSetOffset)]
      await this.#files.verify(instance)
      return this.#reads.pieces(location, dataSetOffset, location.length)
    }
    return withoutHead((await this.#rewritten(instance, transferSyntaxUID)).chunks())
  }

  /** Reads an instance back and compares it with its digest. @throws ArchiveError 'storage.damaged' */
  async verify(instance: StoredInstance): Promise<void> {
    if (instance.location.length <= IN_MEMORY_MAX) await this.#files.bytes(instance)
    else await this.#files.verify(instance)
  }

  async #rewritten(instance: StoredInstance, transferSyntaxUID: string): Promise<Egress> {
    const { location } = instance
    const options = egressOptions(instance, transferSyntaxUID)
    const deflated = transferSyntax(instance.transferSyntaxUID)?.deflated === true
    if (location.length <= IN_MEMORY_MAX || deflated) {
      if (location.length > READ_BYTES_MAX) {
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

/** Leaves out what a Part 10 file has before its data set. */
async function* withoutHead(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  let head: Uint8Array | null = new Uint8Array(0)
  for await (const chunk of chunks) {
    if (head === null) {
      yield chunk
      continue
    }
    head = head.byteLength === 0 ? chunk : Buffer.concat([head, chunk])
    if (head.byteLength < GROUP_LENGTH_AT + 4) continue
    const start =
      GROUP_LENGTH_AT + 4 + new DataView(head.buffer, head.byteOffset, head.byteLength).getUint32(GROUP_LENGTH_AT, true)
    if (head.byteLength < start) continue
    if (head.byteLength > start) yield head.subarray(start)
    head = null
  }
}

const NATIVE_BEST_FIRST = [EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN]

/**
 * The transfer syntax an instance leaves in, of those the peer took for its class: as stored, else explicit, else
 * implicit VR little endian, where pixels need not be coded anew.
 */
export function chooseSyntax(storedUID: string, taken: ReadonlySet<string>): string | undefined {
  if (taken.has(storedUID)) return storedUID
  const best = NATIVE_BEST_FIRST.find((uid) => taken.has(uid) && canLeaveAs(storedUID, uid))
  return best ?? [...taken].find((uid) => canLeaveAs(storedUID, uid))
}
