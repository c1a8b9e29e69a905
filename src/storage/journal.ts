import { ArchiveError } from '#errors.ts'
import type { Location } from '#model/archive-object.ts'
import type { Entry, SegmentStore } from '#model/segment-store.ts'
import { entryKind, journalName } from './entry-names.ts'

/** A decision, as it stands in a segment beside the objects. design.md section 6. */
export interface JournalEntry {
  readonly format: 1
  /** Orders all decisions of an archive; ascending, with gaps, never by clock. */
  readonly sequence: number
  /** What was decided, e.g. `delete`, `quarantine.release`. */
  readonly kind: string
  readonly time: string
  readonly payload: unknown
}

/** A decision with where it stands, for those who read it again later. */
export interface PlacedEntry extends JournalEntry {
  readonly location: Location
}

export interface Decision {
  readonly kind: string
  /** Plain JSON. */
  readonly payload: unknown
}

/** The last number given out, kept in the index: `take` answers the first of `count` new ones, durably taken. */
export interface JournalNumbers {
  take(count: number): number
}

export interface Journal {
  /**
   * Flushed when it resolves. The transaction that carries the decision out afterwards also writes the flushed position
   * of the segments, or a restart would cut the entry off again.
   * @throws ArchiveError 'storage.full', 'storage.read-only': nothing was decided
   */
  append(decisions: readonly Decision[]): Promise<readonly PlacedEntry[]>
  /**
   * Decisions behind other entries that stand or fall with them: one append, one flush.
   * @returns places of `entries`, and the decisions as they stand
   */
  appendWith(
    entries: readonly Entry[],
    decisions: readonly Decision[],
  ): Promise<{ readonly places: readonly Location[]; readonly journal: readonly PlacedEntry[] }>
}

export function openJournal(segments: SegmentStore, numbers: JournalNumbers, now = () => new Date()): Journal {
  async function appendWith(before: readonly Entry[], decisions: readonly Decision[]) {
    const first = decisions.length === 0 ? 0 : numbers.take(decisions.length)
    const time = now().toISOString()
    const entries = decisions.map(
      ({ kind, payload }, i): JournalEntry => ({ format: 1, sequence: first + i, kind, time, payload }),
    )
    const places = await segments.append([...before, ...entries.map(segmentEntry)], 'default')
    const journal = entries.map((entry, i) => ({ ...entry, location: places[before.length + i] as Location }))
    return { places: places.slice(0, before.length), journal }
  }

  return {
    appendWith,
    async append(decisions) {
      return decisions.length === 0 ? [] : (await appendWith([], decisions)).journal
    },
  }
}

function segmentEntry(entry: JournalEntry): Entry {
  return { name: journalName(entry.sequence, entry.kind), content: [Buffer.from(JSON.stringify(entry))] }
}

/**
 * Every decision in its order, each once (compaction interrupted by a crash leaves copies).
 * @throws ArchiveError 'storage.damaged' for an entry that cannot be read
 */
export async function* replayJournal(segments: SegmentStore): AsyncGenerator<PlacedEntry> {
  const places = new Map<number, Location>()
  for (const { name } of await segments.segments()) {
    for await (const entry of segments.entries(name)) {
      const kind = entryKind(entry.name)
      if (kind.is === 'journal') places.set(kind.sequence, entry.location)
    }
  }
  for (const [, at] of [...places].sort(([a], [b]) => a - b))
    yield { ...(await readJournalEntry(segments, at)), location: at }
}

/** @throws ArchiveError 'storage.damaged' */
export async function readJournalEntry(segments: SegmentStore, at: Location): Promise<JournalEntry> {
  const where = `journal entry at ${at.segment}:${at.offset}`
  const bytes = await segments.read(at)
  if (bytes === undefined) throw new ArchiveError('storage.damaged', `${where} is gone`)
  let entry: unknown
  try {
    entry = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch (error) {
    throw new ArchiveError('storage.damaged', `${where} is not JSON`, { cause: error })
  }
  if (isJournalEntry(entry)) return entry
  throw new ArchiveError('storage.damaged', `${where} is not a decision of a known format`)
}

function isJournalEntry(value: unknown): value is JournalEntry {
  if (typeof value !== 'object' || value === null) return false
  const entry: Partial<Record<keyof JournalEntry, unknown>> = value
  return (
    entry.format === 1 &&
    typeof entry.sequence === 'number' &&
    typeof entry.kind === 'string' &&
    typeof entry.time === 'string'
  )
}
