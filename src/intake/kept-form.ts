/** What is kept of an arrival: our own File Meta in front of the data set as it came. threats.md G7. */
import { createHash } from 'node:crypto'
import type { Digests } from '#model/archive-object.ts'
import type { ArrivedBytes } from '#model/arrival.ts'
import type { SpooledEntry } from '#model/segment-store.ts'
import type { Screened } from '#screening/screened.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import type { Part10 } from '#standards/dicom/open.ts'
import { buildHead } from '#standards/dicom/write.ts'
import { placeHead } from '#storage/spool.ts'
import { type KeptPiece, keptPieces, keptSource } from './kept-pieces.ts'

interface Common {
  readonly digests: Digests
  /** Offset of the data set within the kept file. */
  readonly dataSetOffset: number
  /** Base64 of preamble, prefix and group 0002 as they arrived. */
  readonly arrivedHead: string | null
  /** Base64 of what followed the data set and is not kept; null when nothing did, or when it is longer than 2 KiB. */
  readonly arrivedTail: string | null
  /** What this form holds in memory, in bytes. */
  readonly memoryBytes: number
}

export type KeptForm = Common &
  (
    | { readonly in: 'memory'; readonly content: readonly Uint8Array[] }
    | { readonly in: 'spool'; readonly entry: Omit<SpooledEntry, 'name' | 'followedBy'> }
  )

/** Longest tail that goes into the record, in bytes: sector padding. threats.md B1. */
const TAIL_BYTES_MAX = 2048
/** Not above the window of a spooled source: a larger read would allocate anew each time. */
const CHUNK_BYTES = 256 * 1024

/**
 * Builds the kept form.
 *
 * A dual-personality TIFF that passed names absolute file offsets, so it keeps its own head to the byte: a head of
 * another length would make every offset point at other bytes.
 */
export async function keptForm(
  bytes: ArrivedBytes,
  arrivedSha256: string,
  source: ByteSource,
  part10: Part10,
  screened: Screened,
  uids: { readonly sopClassUID: string; readonly sopInstanceUID: string },
): Promise<KeptForm> {
  const { dataSetStart } = part10
  const arrivedHead = dataSetStart === 0 ? null : source.read(0, dataSetStart).slice()
  const head =
    screened.keepPreamble && arrivedHead !== null
      ? arrivedHead
      : buildHead({ ...uids, transferSyntaxUID: part10.transferSyntax.uid })
  const keep = piecesOf(source, part10, screened)
  const end = endOf(keep, source, screened, dataSetStart)
  const tail = source.size - end
  const common = {
    dataSetOffset: head.length,
    arrivedHead: arrivedHead === null ? null : Buffer.from(arrivedHead).toString('base64'),
    arrivedTail:
      tail === 0 || tail > TAIL_BYTES_MAX ? null : Buffer.from(source.read(end, source.size)).toString('base64'),
  }

  if (bytes.in === 'memory') {
    const pieces = keep.map((piece) =>
      piece instanceof Uint8Array ? piece : bytes.bytes.subarray(piece.start, piece.end),
    )
    const known = isRest(keep, dataSetStart, source.size) ? knownDigest(bytes, dataSetStart, arrivedSha256) : null
    const content = [head, ...pieces]
    const digests = { arrived: arrivedSha256, dataSet: known ?? digestOf(pieces), kept: digestOf(content) }
    return { ...common, digests, in: 'memory', content, memoryBytes: bytes.bytes.length }
  }

  const dataSet = createHash('sha256')
  const kept = createHash('sha256').update(head)
  const whole = keptSource(source, keep)
  for (let at = 0; at < whole.size; at += CHUNK_BYTES) {
    const chunk = whole.read(at, at + CHUNK_BYTES)
    dataSet.update(chunk)
    kept.update(chunk)
    // Other arrivals have their turn while a large one is hashed.
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  const digests = { arrived: arrivedSha256, dataSet: dataSet.digest('hex'), kept: kept.digest('hex') }
  const entry = await placeHead(bytes, head, keep)
  return { ...common, digests, in: 'spool', entry, memoryBytes: 0 }
}

/** True when everything from `start` on is kept as it came. */
function isRest(keep: readonly KeptPiece[], start: number, size: number): boolean {
  const [only] = keep
  return keep.length === 1 && !(only instanceof Uint8Array) && only?.start === start && only.end === size
}

/** Digest of everything from `start` on, when it is known without another pass over it. */
function knownDigest(bytes: ArrivedBytes, start: number, arrivedSha256: string): string | null {
  if (start === 0) return arrivedSha256
  return bytes.in === 'memory' && bytes.tail?.start === start ? bytes.tail.sha256 : null
}

function digestOf(pieces: readonly Uint8Array[]): string {
  const digest = createHash('sha256')
  for (const piece of pieces) digest.update(piece)
  return digest.digest('hex')
}

/** The object as it will be kept, for what is learnt from it: without what is removed. */
export function keptObject(source: ByteSource, part10: Part10, screened: Screened): Part10 {
  if (!screened.elementsDiscarded) return part10
  return { ...part10, dataSet: keptSource(source, piecesOf(source, part10, screened)), base: null }
}

function piecesOf(source: ByteSource, { dataSetStart }: Part10, { remove, rewrite }: Screened): KeptPiece[] {
  return keptPieces({ start: dataSetStart, end: source.size }, remove, rewrite)
}

/** Offset behind the last byte that is kept. */
function endOf(keep: readonly KeptPiece[], source: ByteSource, { remove }: Screened, start: number): number {
  if (keep.length === 0) return start
  const last = remove.at(-1)
  return last !== undefined && last.end >= source.size ? Math.max(start, last.start) : source.size
}
