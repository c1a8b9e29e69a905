/** What a rebuild finds that the old index promised and storage has not: told, and, when accepted, written down for good. */
import { hostname } from 'node:os'
import type { Database } from '#index/sqlite/database.ts'
import { createJournalNumbers } from '#index/sqlite/kept-objects.ts'
import { type LostObject, type LostRows, lostRows } from '#index/sqlite/lost-rows.ts'
import { sqliteSecurityWriter } from '#index/sqlite/security-store.ts'
import type { ArchiveWriter } from '#model/archive-index.ts'
import type { SegmentStore } from '#model/segment-store.ts'
import { auditEvent } from '#security/audit.ts'
import { openJournal } from '#storage/journal.ts'

/** Kind of the journal entries that name what is lost. */
const LOST_KIND = 'lost'
/** Objects named in one entry of the journal. */
const OBJECTS_MAX = 1000

/** How much is lost, by number. */
export interface Losses {
  readonly objects: number
  readonly decisions: number
  readonly messages: number
}

export interface LossTools {
  /** Go on without what is lost. */
  readonly acceptLoss?: boolean
  onLost?(object: LostObject): void
}

export function isLoss({ objects, decisions, messages }: Losses): boolean {
  return objects + decisions + messages > 0
}

/**
 * Compares the fresh index with the old one, tells every lost object, and, when the loss is accepted, writes it into the
 * journal and the audit trail.
 * @returns null when there is no old index that can be read
 */
export async function settleLosses(
  db: Database,
  old: string,
  tools: LossTools & {
    readonly segments: SegmentStore
    readonly writer: Pick<ArchiveWriter, 'commit' | 'retire'>
    /** The highest segment the old index knew. */
    readonly highest: string | null
  },
): Promise<Losses | null> {
  const { segments, writer, highest } = tools
  if (highest !== null && !(await segments.segments()).some(({ name }) => name === highest)) writer.retire(highest)
  const found = lostRows(db, old)
  if (found === null) return null
  const losses = { objects: found.objects.length, decisions: found.decisions, messages: found.messages }
  for (const object of found.objects) tools.onLost?.(object)
  if (isLoss(losses) && tools.acceptLoss === true) await writeDown(db, found, losses, tools)
  return losses
}

async function writeDown(
  db: Database,
  { objects }: LostRows,
  losses: Losses,
  { segments, writer }: { readonly segments: SegmentStore; readonly writer: Pick<ArchiveWriter, 'commit'> },
): Promise<void> {
  const journal = openJournal(segments, createJournalNumbers(db))
  for (let at = 0; at === 0 || at < objects.length; at += OBJECTS_MAX) {
    await journal.append([{ kind: LOST_KIND, payload: { ...losses, named: objects.slice(at, at + OBJECTS_MAX) } }])
    db.transaction(() => writer.commit({ instances: [], arrivals: [], flushed: segments.flushed() }))
  }
  const studies = Map.groupBy(objects, ({ studyInstanceUID }) => studyInstanceUID)
  const told = [...studies].map(([studyInstanceUID, { length, 0: first }]) =>
    auditEvent('local', {
      kind: 'delete',
      studyInstanceUID,
      patientId: first?.patient.id ?? null,
      count: length,
      detail: 'rebuild-index: bytes are lost, accepted',
    }),
  )
  const rest = `rebuild-index: accepted; lost too: ${losses.decisions} decisions, ${losses.messages} messages`
  await sqliteSecurityWriter(db, hostname()).appendAudit([
    ...told,
    auditEvent('local', { kind: 'delete', detail: rest }),
  ])
}
