import { createHash } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { KeptObject, KeptObjects } from '#model/archive-index.ts'
import type { Location } from '#model/archive-object.ts'
import type { SegmentStore } from '#model/segment-store.ts'
import { entryKind } from '#storage/entry-names.ts'
import { readJournalEntry } from '#storage/journal.ts'
import { parseRecord } from './object-record.ts'

/** What `verify --json` ends with. contract.md. */
export interface VerifySummary {
  /** Objects whose bytes were read. */
  readonly objects: number
  /** Objects, records or journal entries whose bytes are not what was kept. */
  readonly damaged: number
  /** Objects the index knows and storage has not. */
  readonly missing: number
  /** Objects in storage the index does not know. */
  readonly orphans: number
  /** Journal entries read. */
  readonly journal: number
  readonly seconds: number
}

export interface VerifyFinding {
  readonly is: 'damaged' | 'missing' | 'orphan'
  readonly objectId: string | null
  readonly sopInstanceUid: string | null
  readonly segment: string
  /** Of the content within the segment, in bytes. */
  readonly offset: number
  readonly detail: string
}

export interface VerifyTools {
  readonly segments: SegmentStore
  readonly kept: KeptObjects
  onFinding?(finding: VerifyFinding): void
  onProgress?(done: { readonly bytes: number; readonly bytesTotal: number; readonly objects: number }): void
  readonly signal?: AbortSignal
}

const PIECE_BYTES = 4 * 1024 * 1024

/**
 * Reads everything kept and compares it with its digests and with the index, both ways (threats.md K12, K13). Changes
 * nothing; may run beside a server: what moved or came meanwhile is looked at again before it is called a finding.
 */
export async function verify(tools: VerifyTools): Promise<VerifySummary> {
  const { segments, kept } = tools
  const started = performance.now()
  const counts = { objects: 0, damaged: 0, missing: 0, orphans: 0, journal: 0 }
  const suspects: { readonly finding: VerifyFinding; readonly object: KeptObject | null }[] = []
  const list = await segments.segments()
  const bytesTotal = list.reduce((sum, { length }) => sum + length, 0)
  let bytes = 0

  const damaged = (at: Location, object: KeptObject | undefined, detail: string) => {
    counts.damaged++
    tools.onFinding?.(finding('damaged', at, object, detail))
  }

  for (const { name, length } of list) {
    const expected = Map.groupBy(kept.inSegment(name), ({ location }) => location.offset)
    for await (const entry of segments.entries(name)) {
      tools.signal?.throwIfAborted()
      const at = entry.location
      const kind = entryKind(entry.name)
      try {
        if (kind.is === 'journal') {
          await readJournalEntry(segments, at)
          counts.journal++
        } else if (kind.is === 'record') {
          parseRecord(await segments.read(at), at)
        } else if (kind.is === 'object') {
          const here = expected.get(at.offset) ?? []
          // Whose bytes these are is said by the entry, not by the place: a place can be named by more than one object.
          const object = here.find((one) => kind.base.includes(one.keptSha256))
          counts.objects++
          const sha256 = await digest(segments, at, tools.signal)
          expected.delete(at.offset)
          for (const other of here) if (other !== object) suspects.push(missing(other))
          const promised = object?.keptSha256 ?? /([0-9a-f]{64})(?:\.v[0-9]+)?$/.exec(kind.base)?.[1]
          if (sha256 !== promised) damaged(at, object, `has SHA-256 ${sha256}, was kept with ${promised}`)
          else if (object !== undefined && object.location.length !== at.length) {
            damaged(at, object, `has ${at.length} bytes, the index says ${object.location.length}`)
          }
          if (object === undefined) {
            suspects.push({ finding: finding('orphan', at, undefined, 'the index does not know it'), object: null })
          }
        }
      } catch (error) {
        if (!(error instanceof ArchiveError)) throw error
        const [object, ...others] = expected.get(at.offset) ?? []
        expected.delete(at.offset)
        damaged(at, object, error.message)
        suspects.push(...others.map(missing))
      }
      tools.onProgress?.({ bytes: bytes + at.offset + at.length, bytesTotal, objects: counts.objects })
    }
    bytes += length
    for (const objects of expected.values()) suspects.push(...objects.map(missing))
  }
  const present = new Set(list.map(({ name }) => name))
  for (const name of kept.segments()) {
    if (!present.has(name)) for (const object of kept.inSegment(name)) suspects.push(missing(object))
  }
  for (const { finding, object } of suspects) {
    if (!(await stillSo(tools, finding, object))) continue
    counts[finding.is === 'orphan' ? 'orphans' : 'missing']++
    tools.onFinding?.(finding)
  }
  return { ...counts, seconds: Number(((performance.now() - started) / 1000).toFixed(3)) }
}

function missing(object: KeptObject) {
  return { finding: finding('missing', object.location, object, 'its bytes are not in storage'), object }
}

function finding(
  is: VerifyFinding['is'],
  { segment, offset }: Location,
  object: KeptObject | undefined,
  detail: string,
): VerifyFinding {
  return {
    is,
    objectId: object?.objectId ?? null,
    sopInstanceUid: object?.sopInstanceUID ?? null,
    segment,
    offset,
    detail,
  }
}

/** An object stored, deleted or moved while we were looking is neither an orphan nor missing. */
async function stillSo(
  { segments, kept }: VerifyTools,
  { segment, offset }: VerifyFinding,
  object: KeptObject | null,
): Promise<boolean> {
  if (object === null) {
    if (kept.inSegment(segment).some(({ location }) => location.offset === offset)) return false
    return (await segments.segments()).some(({ name }) => name === segment)
  }
  const now = kept.get(object.objectId)?.location
  if (now === undefined || now.segment !== segment || now.offset !== offset) return false
  for await (const { name, location } of segments.entries(segment)) {
    if (location.offset === offset) return !name.includes(object.keptSha256)
  }
  return true
}

/** @throws ArchiveError 'storage.damaged' when the bytes end early */
async function digest(segments: SegmentStore, at: Location, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256')
  for (let start = 0; start < at.length; start += PIECE_BYTES) {
    signal?.throwIfAborted()
    const piece = await segments.read(at, { start, end: Math.min(start + PIECE_BYTES, at.length) })
    if (piece === undefined) throw new ArchiveError('storage.damaged', `segment ${at.segment} is gone`)
    hash.update(piece)
  }
  return hash.digest('hex')
}
