/** What is kept of an arrival: our own File Meta in front of the data set as it came. threats.md G7. */
import { createHash } from 'node:crypto'
import type { Digests } from '#model/archive-object.ts'
import type { ArrivedBytes } from '#model/arrival.ts'
import type { ByteRange } from '#model/finding.ts'
import type { SpooledEntry } from '#model/segment-store.ts'
import type { Screened } from '#screening/screened.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import type { Part10 } from '#standards/dicom/open.ts'
import { buildHead } from '#standards/dicom/write.ts'
import { placeHead } from '#storage/spool.ts'

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
  const keep = without({ start: dataSetStart, end: source.size }, screened.remove)
  const end = keep.at(-1)?.end ?? dataSetStart
  const tail = source.size - end
  const common = {
    dataSetOffset: head.length,
    arrivedHead: arrivedHead === null ? null : Buffer.from(arrivedHead).toString('base64'),
    arrivedTail:
      tail === 0 || tail > TAIL_BYTES_MAX ? null : Buffer.from(source.read(end, source.size)).toString('base64'),
  }

  const dataSet = createHash('sha256')
  const kept = createHash('sha256').update(head)
  if (bytes.in === 'memory') {
    const content = [head, ...keep.map((range) => bytes.bytes.subarray(range.start, range.end))]
    for (const piece of content.slice(1)) {
      dataSet.update(piece)
      kept.update(piece)
    }
    const digests = { arrived: arrivedSha256, dataSet: dataSet.digest('hex'), kept: kept.digest('hex') }
    return { ...common, digests, in: 'memory', content, memoryBytes: bytes.bytes.length }
  }

  for (const range of keep) {
    for (let at = range.start; at < range.end; at += CHUNK_BYTES) {
      const chunk = source.read(at, Math.min(at + CHUNK_BYTES, range.end))
      dataSet.update(chunk)
      kept.update(chunk)
      // Other arrivals have their turn while a large one is hashed.
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
  }
  const digests = { arrived: arrivedSha256, dataSet: dataSet.digest('hex'), kept: kept.digest('hex') }
  const entry = await placeHead(bytes, head, keep)
  return { ...common, digests, in: 'spool', entry, memoryBytes: 0 }
}

/** A range without others: ascending, disjoint. */
export function without(whole: ByteRange, removed: readonly ByteRange[]): ByteRange[] {
  const left: ByteRange[] = []
  let at = whole.start
  for (const { start, end } of [...removed].sort((a, b) => a.start - b.start)) {
    if (end <= at || start >= whole.end) continue
    if (start > at) left.push({ start: at, end: start })
    at = Math.max(at, end)
  }
  if (at < whole.end) left.push({ start: at, end: whole.end })
  return left
}
