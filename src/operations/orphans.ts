import type { KeptObjects } from '#model/archive-index.ts'
import type { SegmentStore } from '#model/segment-store.ts'
import { entryKind } from '#storage/entry-names.ts'
import { parseRecord } from './object-record.ts'

export interface OrphanTools {
  readonly segments: SegmentStore
  readonly kept: KeptObjects
  /** Told before a segment goes: a durable note that this is on purpose. */
  onRemove(segment: string): void
  readonly now?: () => Date
  readonly signal?: AbortSignal
}

/** Bytes without an index row are kept this long: somebody may want to look. threats.md K13. */
export const ORPHAN_GRACE_MS = 24 * 3600 * 1000

/**
 * Removes segments of which the index knows nothing: large objects that were taken over just before the process died
 * and were never acknowledged. Only sealed ones, without decisions, whose every record is older than a day; and none at
 * all while the index is empty, because then it is the index that is missing. Other orphans wait for compaction.
 *
 * @returns names of the removed segments
 */
export async function collectOrphans(tools: OrphanTools): Promise<readonly string[]> {
  const { segments, kept } = tools
  const known = new Set(kept.segments())
  if (known.size === 0) return []
  const before = new Date((tools.now?.() ?? new Date()).getTime() - ORPHAN_GRACE_MS).toISOString()
  const removed: string[] = []
  for (const { name, sealed } of await segments.segments()) {
    tools.signal?.throwIfAborted()
    if (!sealed || known.has(name) || !(await isAbandoned(segments, name, before))) continue
    if (kept.inSegment(name).length > 0) continue
    tools.onRemove(name)
    await segments.remove(name)
    removed.push(name)
  }
  return removed
}

async function isAbandoned(segments: SegmentStore, name: string, before: string): Promise<boolean> {
  let records = 0
  for await (const entry of segments.entries(name)) {
    const kind = entryKind(entry.name)
    if (kind.is === 'journal' || kind.is === 'other') {
      if (entry.name !== 'room') return false
    }
    if (kind.is !== 'record') continue
    const record = parseRecord(await segments.read(entry.location), entry.location)
    if (record.time >= before) return false
    records++
  }
  return records > 0
}
