import { createHash } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import type { SegmentStore } from '#model/segment-store.ts'
import { READ_BYTES_MAX } from '#standards/byte-source.ts'
import { type Egress, planEgress } from '#standards/dicom/egress.ts'
import { DicomError } from '#standards/dicom/errors.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { StoredPages } from '#storage/stored-pages.ts'
import { egressOptions } from './egress-options.ts'

export interface ExportReads {
  readonly segments: Pick<SegmentStore, 'read'>
  readonly signal?: AbortSignal
}

/** A file to be written. */
export interface ExportedFile {
  /** In bytes. */
  readonly length: number
  readonly content: AsyncIterable<Uint8Array>
}

const PIECE_BYTES = 1024 * 1024
const PREAMBLE_BYTES = 128
/** `II*\0` or `MM\0*`, or BigTIFF: only what passed screening keeps such a preamble. threats.md section 2. */
const TIFF = /^(49492[ab]00|4d4d002[ab])/

/**
 * An instance as it leaves: its overlay applied, else the kept bytes. The first piece is read before this resolves, so
 * that a damaged file is known before a ZIP names it.
 * @throws ArchiveError 'storage.damaged', 'dicom.malformed', 'dicom.limit'
 */
export async function exportedFile(reads: ExportReads, instance: StoredInstance): Promise<ExportedFile> {
  if (instance.overlay.length > 0) {
    const egress = await planned(reads, instance)
    if (!egress.passthrough) return overlaid(egress)
  }
  const bytes = checkedBytes(reads, instance)
  const first = await bytes.next()
  const content = (async function* () {
    if (first.done !== true) yield first.value
    yield* bytes
  })()
  return { length: instance.location.length, content }
}

/** What is deflated on the way out has no length before: it is no larger than what is read into memory for it. */
async function overlaid(egress: Egress): Promise<ExportedFile> {
  if (egress.length !== null) return { length: egress.length, content: egress.chunks() }
  const chunks: Uint8Array[] = []
  for await (const chunk of egress.chunks()) chunks.push(chunk)
  const whole = Buffer.concat(chunks)
  return {
    length: whole.byteLength,
    content: (async function* () {
      yield whole
    })(),
  }
}

/** The kept bytes are verified first: a file that is written anew has no digest. */
async function planned(reads: ExportReads, instance: StoredInstance): Promise<Egress> {
  const { location, transferSyntaxUID } = instance
  if (transferSyntax(transferSyntaxUID)?.deflated === true && location.length > READ_BYTES_MAX) {
    throw new ArchiveError('dicom.limit', 'a deflated object above 64 MiB cannot be written with its changes')
  }
  const kept = checkedBytes(reads, instance)
  while ((await kept.next()).done !== true);
  const read = async (start: number, end: number): Promise<Uint8Array> => {
    const bytes = await reads.segments.read(location, { start, end })
    if (bytes?.byteLength === end - start) return bytes
    throw new ArchiveError('storage.damaged', `segment ${location.segment} is gone or cut short`)
  }
  try {
    const options = egressOptions(instance)
    return await new StoredPages(read, location.length).run((source) => planEgress({ source, read }, options))
  } catch (error) {
    if (error instanceof DicomError) throw new ArchiveError(error.code, error.message, { cause: error })
    throw error
  }
}

/**
 * The kept bytes, by pieces, with what must be true of everything that leaves: the preamble is zero or a TIFF's, and
 * the bytes have the digest they were kept with. @throws ArchiveError 'storage.damaged'
 */
async function* checkedBytes(
  { segments, signal }: ExportReads,
  { location, digests }: StoredInstance,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  for (let start = 0; start < location.length; start += PIECE_BYTES) {
    signal?.throwIfAborted()
    const piece = await segments.read(location, { start, end: Math.min(start + PIECE_BYTES, location.length) })
    if (piece === undefined) throw new ArchiveError('storage.damaged', `segment ${location.segment} is gone`)
    if (start === 0 && !harmlessPreamble(piece)) {
      throw new ArchiveError('storage.damaged', 'its preamble is neither zero nor a TIFF header')
    }
    hash.update(piece)
    if (start + PIECE_BYTES >= location.length && hash.digest('hex') !== digests.kept) {
      throw new ArchiveError('storage.damaged', 'its bytes do not have the digest they were kept with')
    }
    yield piece
  }
}

function harmlessPreamble(start: Uint8Array): boolean {
  const preamble = Buffer.from(start.buffer, start.byteOffset, Math.min(PREAMBLE_BYTES, start.byteLength))
  return preamble.every((byte) => byte === 0) || TIFF.test(preamble.toString('hex', 0, 4))
}
