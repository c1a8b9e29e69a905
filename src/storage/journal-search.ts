import type { SegmentStore } from '#model/segment-store.ts'
import { entryKind } from './entry-names.ts'
import { openFileSegments } from './file-segments.ts'

/**
 * Looks for the journal entry of a number in all segments, newest first: for an entry that a compaction moved after its
 * place was noted. A walk over the headers of the whole archive, so the exception and never the rule.
 *
 * @returns its content; undefined when there is none
 */
export async function findJournalEntry(
  segments: Pick<SegmentStore, 'segments' | 'entries' | 'read'>,
  sequence: number,
): Promise<Uint8Array | undefined> {
  const list = await segments.segments()
  for (const { name } of list.toReversed()) {
    for await (const entry of segments.entries(name)) {
      const kind = entryKind(entry.name)
      if (kind.is === 'journal' && kind.sequence === sequence) return await segments.read(entry.location)
    }
  }
  return undefined
}

/** The same over the segments of a folder, beside whoever writes there. */
export async function findJournalEntryIn(folder: string, sequence: number): Promise<Uint8Array | undefined> {
  const segments = openFileSegments(folder)
  try {
    return await findJournalEntry(segments, sequence)
  } finally {
    await segments.close()
  }
}
