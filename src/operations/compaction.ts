import { hash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { ArchiveWriter, KeptObjects } from '#model/archive-index.ts'
import type { Location } from '#model/archive-object.ts'
import type { Entry, SegmentEntry, SegmentStore } from '#model/segment-store.ts'
import { entryKind } from '#storage/entry-names.ts'
import { parseRecord } from './object-record.ts'

export interface CompactionTools {
  readonly segments: SegmentStore
  readonly kept: KeptObjects
  readonly writer: Pick<ArchiveWriter, 'purgeable' | 'forget' | 'retire' | 'relocate'>
  /**
   * Told, in the transaction of a move, where entries of the journal stand now: for an index that notes their places.
   * @param moves by sequence number
   */
  decisionsMoved?(moves: readonly { readonly sequence: number; readonly to: Location }[]): void
  /** Runs `fn` in one transaction that also writes the flushed position of the segments. */
  commit(fn: () => void): void
  /** Told before a segment goes, so that readers let go of it. */
  onRemove?(segment: string): void
  readonly now?: () => Date
  /**
   * Milliseconds between moving what lives on and removing the old segment, for readers that asked where an object is
   * just before. Default one minute.
   */
  readonly settleMs?: number
  readonly signal?: AbortSignal
}

export interface CompactionSummary {
  readonly removed: readonly string[]
  /** Objects that were moved, and objects whose bytes are gone for good. */
  readonly moved: number
  readonly purged: number
  /** Segments that had to stay, with the reason. */
  readonly skipped: readonly { readonly segment: string; readonly reason: string }[]
}

const MOVE_BYTES_MAX = 8 * 1024 * 1024
const SETTLE_MS = 60_000

/**
 * The second half of a deletion: rewrites what lives on in segments that hold objects whose grace is over, then removes
 * those segments. Appends in small groups beside the intake, never under a lock.
 *
 * Safe to be killed anywhere: until an object is relocated its old place counts, and what was deleted is forgotten last;
 * the next run finds the rest. Run it and backup one after the other, never at once.
 */
export async function compact(tools: CompactionTools): Promise<CompactionSummary> {
  const { segments, writer } = tools
  const now = (tools.now?.() ?? new Date()).toISOString()
  const due = Map.groupBy(writer.purgeable(now, Number.MAX_SAFE_INTEGER), ({ location }) => location.segment)
  const ready: string[] = []
  const skipped: { segment: string; reason: string }[] = []
  let [moved, purged] = [0, 0]
  for (const [segment, objects] of due) {
    tools.signal?.throwIfAborted()
    if (segments.flushed()?.segment === segment) await segments.seal()
    const { keep, unclear } = await planOf(tools, segment, new Set(objects.map(({ location }) => location.offset)))
    if (unclear !== null) {
      skipped.push({ segment, reason: unclear })
      continue
    }
    moved += await move(tools, keep)
    ready.push(segment)
  }
  if (ready.length > 0) await delay(tools.settleMs ?? SETTLE_MS, undefined, { signal: tools.signal })
  for (const segment of ready) {
    tools.onRemove?.(segment)
    tools.commit(() => writer.retire(segment))
    await segments.remove(segment)
    const ids = (due.get(segment) ?? []).map(({ objectId }) => objectId)
    tools.commit(() => writer.forget(ids))
    purged += ids.length
  }
  return { removed: ready, moved, purged, skipped }
}

interface Keep {
  readonly entry: SegmentEntry
  /** Set for an object the index has to be told about. */
  readonly objectId: string | null
  /** SHA-256 it must have; null for records and decisions. */
  readonly sha256: string | null
  /** Number of a decision; null for objects and records. */
  readonly sequence: number | null
}

/** What of a segment lives on. Anything nobody can account for keeps the whole segment. */
async function planOf(
  { segments, kept }: CompactionTools,
  segment: string,
  doomed: ReadonlySet<number>,
): Promise<{ readonly keep: readonly Keep[]; readonly unclear: string | null }> {
  const keep: Keep[] = []
  let object: SegmentEntry | null = null
  for await (const entry of segments.entries(segment)) {
    const kind = entryKind(entry.name)
    if (kind.is === 'journal') keep.push({ entry, objectId: null, sha256: null, sequence: kind.sequence })
    if (kind.is === 'object') {
      if (object !== null) return { keep, unclear: `${object.name} has no record` }
      object = entry
    }
    if (kind.is !== 'record') continue
    const record = parseRecord(await segments.read(entry.location), entry.location)
    if (object === null) return { keep, unclear: `${entry.name} has no object` }
    const { offset } = object.location
    const place = kept.get(record.objectId)
    if (!doomed.has(offset)) {
      if (place === undefined) return { keep, unclear: `${object.name} is not in the index` }
      if (place.location.segment === segment && place.location.offset === offset) {
        keep.push({ entry: object, objectId: record.objectId, sha256: place.keptSha256, sequence: null })
        keep.push({ entry, objectId: null, sha256: null, sequence: null })
      } // else a copy that an earlier run has already moved
    }
    object = null
  }
  return { keep, unclear: object === null ? null : `${object.name} has no record` }
}

async function move(tools: CompactionTools, keep: readonly Keep[]): Promise<number> {
  let moved = 0
  let group: { readonly entry: Entry; readonly objectId: string | null; readonly sequence: number | null }[] = []
  let bytes = 0
  const flush = async () => {
    if (group.length === 0) return
    const places = await tools.segments.append(
      group.map(({ entry }) => entry),
      'default',
    )
    const moves = group.flatMap(({ objectId }, i) => {
      const to: Location | undefined = places[i]
      return objectId === null || to === undefined ? [] : [{ objectId, to }]
    })
    const decisions = group.flatMap(({ sequence }, i) => {
      const to: Location | undefined = places[i]
      return sequence === null || to === undefined ? [] : [{ sequence, to }]
    })
    tools.commit(() => {
      tools.writer.relocate(moves)
      if (decisions.length > 0) tools.decisionsMoved?.(decisions)
    })
    moved += moves.length
    group = []
    bytes = 0
  }
  for (const { entry, objectId, sha256, sequence } of keep) {
    tools.signal?.throwIfAborted()
    // An object and its record stay neighbours: only before an object may a group end.
    if (bytes > MOVE_BYTES_MAX && (objectId !== null || entryKind(entry.name).is === 'journal')) await flush()
    const content = await tools.segments.read(entry.location)
    if (content === undefined) throw new RangeError(`${entry.name} went while it was moved`)
    if (sha256 !== null && hash('sha256', content) !== sha256) {
      throw new Error(`${entry.name} is damaged; its segment stays as it is`)
    }
    group.push({ entry: { name: entry.name, content: [content] }, objectId, sequence })
    bytes += content.byteLength
  }
  await flush()
  return moved
}
