import fs from 'node:fs'
import { dirname } from 'node:path'
import { ArchiveError } from '#errors.ts'
import type { ArchiveWriter, KeptObjects } from '#model/archive-index.ts'
import type { Location, NewInstance, ObjectRecord } from '#model/archive-object.ts'
import type { NewDocument } from '#model/document-store.ts'
import type { SegmentStore } from '#model/segment-store.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import { nodeDisk } from '#storage/disk.ts'
import { entryKind } from '#storage/entry-names.ts'
import { type PlacedEntry, replayJournal } from '#storage/journal.ts'
import { DELETE_KIND, type DeletionDecision, readDeletion } from './deletion.ts'
import { DOCUMENT_DELETE_KIND, type DocumentDeletion } from './document-desk.ts'
import { isDocumentRecord, type KeptRecord, parseRecord } from './object-record.ts'

export interface RebuildTools {
  readonly segments: SegmentStore
  /** Over a fresh, empty database. */
  readonly writer: ArchiveWriter
  readonly kept: KeptObjects
  /** Extracts anew what the index holds of an object: the same code as at intake. */
  index(record: ObjectRecord, bytes: ByteSource, location: Location): NewInstance
  /** Opens a stored object for that; see storage/file-source.ts. */
  open(location: Location): ByteSource & { close(): void }
  /** Documents as they came in: one transaction. */
  addDocuments(documents: readonly NewDocument[]): void
  /** Hides a document that was deleted. */
  deleteDocument(deletion: DocumentDeletion, time: string): void
  /** Carries out a decision other than a deletion; in the order they were taken, after all objects. */
  apply(entry: PlacedEntry): void
  onProgress?(done: { readonly objects: number; readonly bytes: number; readonly bytesTotal: number }): void
  onFinding?(finding: { readonly segment: string; readonly offset: number; readonly detail: string }): void
  readonly signal?: AbortSignal
}

export interface RebuildSummary {
  readonly objects: number
  readonly deleted: number
  readonly journal: number
  /** Last journal number seen: new ones go on behind it. */
  readonly lastSequence: number
  /** Objects that could not be brought back; they are still in their segments. */
  readonly damaged: number
  readonly seconds: number
}

interface Place {
  readonly object: Location
  readonly record: Location
}

const GROUP_MAX = 200

/** Fills a fresh index from segments and journal alone. design.md section 6. */
export async function rebuildIndex(tools: RebuildTools): Promise<RebuildSummary> {
  const { segments, writer } = tools
  const started = performance.now()
  const journal: PlacedEntry[] = []
  const deletions: DeletionDecision[] = []
  const documents: { readonly deletion: DocumentDeletion; readonly time: string }[] = []
  for await (const entry of replayJournal(segments)) {
    const deletion = entry.kind === DELETE_KIND ? readDeletion(entry.payload) : undefined
    if (deletion !== undefined) deletions.push(deletion)
    else if (entry.kind !== DOCUMENT_DELETE_KIND) journal.push(entry)
    else documents.push({ deletion: entry.payload as DocumentDeletion, time: entry.time })
  }
  const gone = [
    ...deletions.flatMap(({ objectIds }) => objectIds),
    ...documents.map(({ deletion }) => deletion.objectId),
  ]
  const doomed = new Map(gone.map((id) => [id, null as Place | null]))
  const counts = { objects: 0, deleted: 0, damaged: 0 }
  const run = { tools, counts }

  // A UID that was deleted and stored again is kept twice: what is deleted comes first, so that both versions find in.
  if (doomed.size > 0) {
    for await (const place of places(run)) {
      const record = await readRecord(run, place.record)
      if (record !== undefined && doomed.get(record.objectId) === null) doomed.set(record.objectId, place)
    }
    for (const { deletion, objectIds } of deletions) {
      const here = objectIds.map((id) => doomed.get(id)).filter((place) => place !== null && place !== undefined)
      await store(run, here, new Set())
      counts.deleted += here.length
      if (here.length > 0) writer.delete(deletion)
    }
    for (const { deletion, time } of documents) {
      const here = doomed.get(deletion.objectId)
      if (here === null || here === undefined) continue // a face, or its bytes are gone
      await store(run, [here], new Set())
      counts.deleted++
      tools.deleteDocument(deletion, time)
    }
  }
  const skip = new Set(doomed.keys())
  let group: Place[] = []
  for await (const place of places(run)) {
    tools.signal?.throwIfAborted()
    group.push(place)
    if (group.length < GROUP_MAX) continue
    await store(run, group, skip)
    group = []
  }
  await store(run, group, skip)
  await notePositions(tools)
  for (const entry of journal) tools.apply(entry)
  // Faces came back with the journal; those that were deleted go again.
  for (const { deletion, time } of documents) tools.deleteDocument(deletion, time)
  return {
    ...counts,
    objects: counts.objects - counts.deleted,
    journal: journal.length + deletions.length + documents.length,
    lastSequence: await lastSequence(segments),
    seconds: Number(((performance.now() - started) / 1000).toFixed(3)),
  }
}

interface Run {
  readonly tools: RebuildTools
  readonly counts: { objects: number; damaged: number }
}

/** Every object with its record, in the order of storage. */
async function* places({ tools, counts }: Run): AsyncGenerator<Place> {
  const list = await tools.segments.segments()
  const bytesTotal = list.reduce((sum, { length }) => sum + length, 0)
  let bytes = 0
  for (const { name, length } of list) {
    let object: { readonly base: string; readonly at: Location } | null = null
    for await (const entry of tools.segments.entries(name)) {
      const kind = entryKind(entry.name)
      if (kind.is === 'object') object = { base: kind.base, at: entry.location }
      if (kind.is !== 'record') continue
      if (object?.base === kind.base) yield { object: object.at, record: entry.location }
      object = null
    }
    bytes += length
    tools.onProgress?.({ objects: counts.objects, bytes, bytesTotal })
  }
}

async function store(run: Run, group: readonly Place[], skip: ReadonlySet<string>): Promise<void> {
  const { tools, counts } = run
  const instances: NewInstance[] = []
  const documents: NewDocument[] = []
  for (const place of group) {
    const record = await readRecord(run, place.record)
    if (record === undefined || skip.has(record.objectId)) continue
    if (isDocumentRecord(record)) {
      const twice = documents.some((one) => one.record.objectId === record.objectId)
      if (!twice && tools.kept.get(record.objectId) === undefined) documents.push({ record, location: place.object })
      continue
    }
    // Compaction that a crash interrupted leaves a second copy.
    if (instances.some((one) => one.record.objectId === record.objectId)) continue
    if (tools.kept.get(record.objectId) !== undefined) continue
    const source = tools.open(place.object)
    try {
      instances.push(tools.index(record, source, place.object))
    } catch (error) {
      counts.damaged++
      const { segment, offset } = place.object
      tools.onFinding?.({ segment, offset, detail: error instanceof Error ? error.message : String(error) })
    } finally {
      source.close()
    }
  }
  if (documents.length > 0) tools.addDocuments(documents)
  counts.objects += documents.length
  if (instances.length === 0) return
  tools.writer.commit({ instances, arrivals: instances.map(({ record }) => record.arrival), flushed: null })
  counts.objects += instances.length
}

async function readRecord({ tools, counts }: Run, at: Location): Promise<KeptRecord | undefined> {
  try {
    return parseRecord(await tools.segments.read(at), at)
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error
    counts.damaged++
    tools.onFinding?.({ segment: at.segment, offset: at.offset, detail: error.message })
    return undefined
  }
}

/** The fresh index knows how far each segment is flushed, as the old one did. */
async function notePositions({ segments, writer }: RebuildTools): Promise<void> {
  for (const { name } of await segments.segments()) {
    let offset = 0
    for await (const { location } of segments.entries(name)) {
      offset = Math.ceil((location.offset + location.length) / 512) * 512
    }
    writer.commit({ instances: [], arrivals: [], flushed: { segment: name, offset } })
  }
}

async function lastSequence(segments: SegmentStore): Promise<number> {
  let last = 0
  for (const { name } of await segments.segments()) {
    for await (const entry of segments.entries(name)) {
      const kind = entryKind(entry.name)
      if (kind.is === 'journal') last = Math.max(last, kind.sequence)
    }
  }
  return last
}

/**
 * Puts a finished database in the place of the old one, which stays beside it under another name. Both must be closed
 * and their write-ahead logs written back. A crash leaves either the old or the new one in place.
 * @returns path of the old one; null when there was none
 */
export async function swapDatabase(fresh: string, live: string, now = new Date()): Promise<string | null> {
  for (const path of [fresh, live]) {
    const log = `${path}-wal`
    if (fs.existsSync(log) && fs.statSync(log).size > 0) {
      throw new ArchiveError('archive.busy', `${log} is not empty: the database is open or was not closed`)
    }
  }
  const old = fs.existsSync(live) ? `${live}.before-${now.toISOString().replace(/[:.]/g, '-')}` : null
  if (old !== null) fs.linkSync(live, old)
  const file = nodeDisk.open(fresh, 'change')
  try {
    await file.flush()
  } finally {
    file.close()
  }
  nodeDisk.rename(fresh, live)
  await nodeDisk.flushDirectory(dirname(live))
  return old
}
