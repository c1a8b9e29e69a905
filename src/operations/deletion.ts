import type { ArchiveReader, ArchiveWriter, Deletion } from '#model/archive-index.ts'
import type { Deletions } from '#model/intake.ts'
import { EVERYTHING } from '#model/visibility.ts'
import type { Journal } from '#storage/journal.ts'

/** Journal kind of a deletion; its payload is a DeletionDecision. */
export const DELETE_KIND = 'delete'

/** Which objects a deletion hid: those and no others are hidden again by a rebuild. */
export interface DeletionDecision {
  readonly deletion: Deletion
  readonly objectIds: readonly string[]
}

export interface DeletionTools {
  readonly writer: Pick<ArchiveWriter, 'delete'>
  readonly reader: Pick<ArchiveReader, 'instances'>
  readonly journal: Journal
  /** Runs `fn` in one transaction that also writes the flushed position of the segments (the journal's). */
  commit(fn: () => void): void
  /** Told, in the transaction of the tombstone, of which study objects were deleted. */
  deleted?(studyInstanceUID: string): void
}

/** The first half of a deletion: a tombstone, at once; the bytes go by compaction once their grace is over. */
export function createDeletions({ writer, reader, journal, commit, deleted }: DeletionTools): Deletions {
  const decide = (deletion: Deletion, objectIds: readonly string[]) =>
    journal.append([{ kind: DELETE_KIND, payload: { deletion, objectIds } satisfies DeletionDecision }])
  return {
    async delete(deletion) {
      const listed = new Set<string>()
      for await (const { objectId } of reader.instances(deletion.scope, EVERYTHING)) listed.add(objectId)
      if (listed.size === 0) return 0
      await decide(deletion, [...listed])
      let hidden: readonly string[] = []
      commit(() => {
        hidden = writer.delete(deletion)
        deleted?.(deletion.scope.studyInstanceUID)
      })
      // Stored between the list and the tombstone: hidden too, so the journal names them as well.
      const late = hidden.filter((id) => !listed.has(id))
      if (late.length > 0) {
        await decide(deletion, late)
        commit(() => undefined)
      }
      return hidden.length
    },
  }
}

/** @returns undefined when the payload is not of a deletion */
export function readDeletion(payload: unknown): DeletionDecision | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined
  const { deletion, objectIds }: { deletion?: unknown; objectIds?: unknown } = payload
  if (typeof deletion !== 'object' || deletion === null || !Array.isArray(objectIds)) return undefined
  return payload as DeletionDecision
}
