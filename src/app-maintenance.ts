/** Verify, export, backup and rebuild-index put together over the embedded adapters. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { backup as copyDatabase, DatabaseSync } from 'node:sqlite'
import { ArchiveError } from '#errors.ts'
import { type Database, openDatabase } from '#index/sqlite/database.ts'
import { createDeliveryStore } from '#index/sqlite/delivery-store.ts'
import { createDocumentStore } from '#index/sqlite/document-store.ts'
import { createFhirResourceStore } from '#index/sqlite/fhir-resources.ts'
import { createSqliteJobQueue } from '#index/sqlite/job-queue.ts'
import { createJournalNumbers, createKeptObjects } from '#index/sqlite/kept-objects.ts'
import { highestNumbers } from '#index/sqlite/lost-rows.ts'
import { createMessageStore } from '#index/sqlite/message-store.ts'
import { migrate } from '#index/sqlite/migrate.ts'
import { createPlacementStore } from '#index/sqlite/placement-store.ts'
import { createReportStore } from '#index/sqlite/report-store.ts'
import { createRestrictionStore } from '#index/sqlite/restriction-store.ts'
import { sqliteSecurityReader } from '#index/sqlite/security-store.ts'
import { overlaidStudies } from '#index/sqlite/stale-studies.ts'
import { createSqliteWriter } from '#index/sqlite/writer.ts'
import type { ArchiveReader } from '#model/archive-index.ts'
import type { NewInstance, ObjectRecord, StoredInstance } from '#model/archive-object.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { type BackupManifest, type BackupOptions, type BackupTools, backup } from '#operations/backup.ts'
import {
  type ExportOptions,
  type ExportSummary,
  type ExportTools,
  exportFolder,
  exportZip,
} from '#operations/export.ts'
import { exportMedia, type MediaOptions } from '#operations/export-media.ts'
import { type RebuildSummary, type RebuildTools, rebuildIndex, swapDatabase } from '#operations/rebuild-index.ts'
import { RENDER_METADATA } from '#operations/render-metadata.ts'
import { replayRestriction } from '#operations/restriction-desk.ts'
import { type VerifySummary, type VerifyTools, verify } from '#operations/verify.ts'
import { settingIn } from '#security/site-settings.ts'
import { type DataSet, readDataSet, string } from '#standards/dicom/data-set.ts'
import { DEFAULT_LIMITS } from '#standards/dicom/limits.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { openFileSegments } from '#storage/file-segments.ts'
import { openSegmentSource } from '#storage/file-source.ts'
import type { SegmentReader } from '#storage/segment-files.ts'
import { isLoss, type Losses, type LossTools, settleLosses } from './app-losses.ts'
import { replay } from './app-replay.ts'
import { extract } from './intake/extract.ts'

/** What can be done with a whole archive while it is open. */
export interface Maintenance {
  verify(tools: Pick<VerifyTools, 'onFinding' | 'onProgress' | 'signal'>): Promise<VerifySummary>
  exportFolder(
    out: string,
    options: ExportOptions,
    tools: Pick<ExportTools, 'onItem' | 'signal'>,
  ): Promise<ExportSummary>
  /** The same as a stream; `finished` answers once it ended. */
  exportZip(
    options: ExportOptions,
    tools: Pick<ExportTools, 'onItem' | 'signal'>,
    beside?: Parameters<typeof exportZip>[2],
  ): ReturnType<typeof exportZip>
  /** A disc: folder, ZIP or ISO 9660 image. */
  exportMedia(out: string, options: MediaOptions, tools: Pick<ExportTools, 'onItem' | 'signal'>): Promise<ExportSummary>
  backup(options: BackupOptions, tools: Pick<BackupTools, 'onProgress' | 'signal'>): Promise<BackupManifest>
}

export function createMaintenance(dataDirectory: string, reader: ArchiveReader, reads: SegmentReader): Maintenance {
  const database = join(dataDirectory, 'diptych.db')
  const exporting = { reader, segments: reads, visibility: EVERYTHING }
  const openStored = (stored: StoredInstance) => openSegmentSource(join(dataDirectory, 'segments'), stored.location)
  return {
    async verify(tools) {
      // Opened anew: a connection and descriptors of its own, so that hours of reading hold up nobody.
      const db = openDatabase(database, { readOnly: true })
      const segments = openFileSegments(join(dataDirectory, 'segments'))
      try {
        return await verify({ ...tools, segments, kept: createKeptObjects(db) })
      } finally {
        await segments.close()
        db.close()
      }
    },
    exportFolder: (out, options, tools) => exportFolder({ ...exporting, ...tools }, out, options),
    exportZip: (options, tools, beside) => exportZip({ ...exporting, ...tools }, options, beside),
    exportMedia: (out, options, tools) => exportMedia({ ...exporting, ...tools, open: openStored }, out, options),
    async backup(options, tools) {
      const db = new DatabaseSync(database)
      const snapshot = async (path: string): Promise<void> => {
        // Page by page, so that other work has its turn between steps.
        await copyDatabase(db, path, { rate: SNAPSHOT_PAGES })
      }
      try {
        return await backup({ ...tools, dataDirectory, snapshot, readSnapshot }, options)
      } finally {
        db.close()
      }
    },
  }
}

/** Pages of the index copied in one step: 8 MiB at the usual page size. */
const SNAPSHOT_PAGES = 2048

function readSnapshot(path: string): ReturnType<BackupTools['readSnapshot']> {
  const db = openDatabase(path, { readOnly: true })
  try {
    return { flushed: createSqliteWriter(db).flushed(), segments: createKeptObjects(db).segments() }
  } finally {
    db.close()
  }
}

/** Tables that no segment can bring back: they are taken over from the old database when it can be read. */
const NOT_IN_SEGMENTS = [
  'account',
  'setup',
  'token',
  'audit',
  'audit_sent',
  'break_glass',
  'setting',
  'originator',
  'quarantine',
]

export interface RebuildReport extends RebuildSummary {
  /** Where the old database stays; null when there was none. */
  readonly old: string | null
  /** Tables taken over from it. */
  readonly takenOver: readonly string[]
  /** What it promised and storage has not; null when there was none to compare with. */
  readonly lost: Losses | null
  /** False when something is lost and that was not accepted: then the old index stays where it is. */
  readonly replaced: boolean
}

/**
 * Makes the index anew from segments and journal. The caller holds the lock of the data directory and nobody has it open.
 *
 * Accounts, tokens, audit, settings and the quarantine register are not in segments: they are taken over from the old
 * database if it can still be read; else they come from a backup.
 */
export async function rebuildArchive(
  dataDirectory: string,
  tools: Pick<RebuildTools, 'onProgress' | 'onFinding' | 'signal'> & LossTools,
): Promise<RebuildReport> {
  const live = join(dataDirectory, 'diptych.db')
  const fresh = join(dataDirectory, 'diptych.db.fresh')
  for (const end of ['', '-wal', '-shm']) rmSync(`${fresh}${end}`, { force: true })
  const db = openDatabase(fresh)
  const folder = join(dataDirectory, 'segments')
  const before = highestNumbers(db, live)
  const segments = openFileSegments(folder, { behind: before.segment })
  let summary: RebuildSummary
  let lost: Losses | null = null
  let takenOver: readonly string[] = []
  try {
    migrate(db)
    if (existsSync(live)) takenOver = takeOver(db, live)
    const security = sqliteSecurityReader(db)
    const siteZone = settingIn(security.settings(), 'site.timeZone')
    const writer = createSqliteWriter(db)
    const documents = createDocumentStore(db)
    const restrictions = createRestrictionStore(db)
    const decisions = {
      ledger: writer.ledger,
      messages: createMessageStore(db),
      reports: createReportStore(db),
      documents,
      fhir: createFhirResourceStore(db),
      placement: createPlacementStore(db),
      deliveries: createDeliveryStore(db),
    }
    summary = await rebuildIndex({
      ...tools,
      segments,
      writer,
      kept: createKeptObjects(db),
      open: (location) => openSegmentSource(folder, location),
      index(record, source, location): NewInstance {
        const zone =
          record.arrival.originator === null ? null : (security.originator(record.arrival.originator)?.timeZone ?? null)
        return instanceOf(record, source, location, { zone, siteZone })
      },
      addDocuments: (list) =>
        db.transaction(() => {
          for (const document of list) documents.add(document)
        }),
      deleteDocument: ({ objectId, cause, purgeAfter }, time) => {
        documents.delete(objectId, cause, time, purgeAfter)
      },
      // Quarantine decisions changed the register, which is taken over; deletions are carried out by rebuildIndex.
      apply(entry) {
        replay(decisions, entry)
        replayRestriction(restrictions, entry)
      },
    })
    createJournalNumbers(db).atLeast(Math.max(summary.lastSequence, before.journal))
    lost = await settleLosses(db, live, { ...tools, segments, writer, highest: before.segment })
    const jobs = createSqliteJobQueue(db)
    // Until they have run, metadata are rendered whenever they are read.
    for (const subject of overlaidStudies(db)) jobs.enqueue({ kind: RENDER_METADATA, subject }, Date.now())
    db.exec('pragma wal_checkpoint(truncate)')
  } finally {
    await segments.close()
    db.close()
  }
  closeLog(live)
  const replaced = lost === null || !isLoss(lost) || tools.acceptLoss === true
  if (!replaced) for (const end of ['', '-wal', '-shm']) rmSync(`${fresh}${end}`, { force: true })
  return { ...summary, old: replaced ? await swapDatabase(fresh, live) : null, takenOver, lost, replaced }
}

function instanceOf(
  record: ObjectRecord,
  source: Parameters<RebuildTools['index']>[1],
  location: NewInstance['location'],
  zones: Parameters<typeof extract>[2],
): NewInstance {
  const part10 = openPart10(source)
  const dataSet = readDataSet(part10.dataSet, part10.encoding, 0, part10.dataSet.size, DEFAULT_LIMITS, {
    keepBefore: AFTER_UIDS,
  })
  const uids = {
    sopInstanceUID: record.sopInstanceUID,
    sopClassUID: needed(dataSet, 0x00080016),
    studyInstanceUID: needed(dataSet, 0x0020000d),
    seriesInstanceUID: needed(dataSet, 0x0020000e),
  }
  const { findings: _, ...extracted } = extract(part10, uids, zones)
  return { record, location, ...uids, ...extracted }
}

/** First tag behind the identifiers: nothing from here on is kept in the tree. */
const AFTER_UIDS = 0x00200010

function needed(dataSet: DataSet, tag: number): string {
  const value = string(dataSet, tag)
  if (value === null)
    throw new ArchiveError('storage.damaged', `a stored object has no (${tag.toString(16).padStart(8, '0')})`)
  return value
}

/** Copies what segments do not hold. @returns the tables that could be copied */
function takeOver(db: Database, live: string): string[] {
  const taken: string[] = []
  try {
    db.run('attach database ? as old', live)
  } catch (error) {
    if (error instanceof ArchiveError && error.code === 'storage.damaged') return taken
    throw error
  }
  try {
    for (const table of NOT_IN_SEGMENTS) {
      try {
        db.transaction(() => {
          db.exec(`delete from main.${table}`)
          db.exec(`insert into main.${table} select * from old.${table}`)
        })
        taken.push(table)
      } catch (error) {
        // A damaged old database is why one rebuilds: what cannot be read is told as not taken over.
        if (!(error instanceof ArchiveError) && !isMissingTable(error)) throw error
      }
    }
  } finally {
    db.exec('detach database old')
  }
  return taken
}

function isMissingTable(error: unknown): boolean {
  return error instanceof Error && error.message.includes('no such table')
}

/** Writes the log of a database nobody has open back into it, so that it can be set aside as one file. */
function closeLog(path: string): void {
  if (!existsSync(path)) return
  try {
    const db = openDatabase(path)
    db.exec('pragma wal_checkpoint(truncate)')
    db.close()
  } catch (error) {
    if (!(error instanceof ArchiveError) || error.code !== 'storage.damaged') throw error
    for (const end of ['-wal', '-shm']) rmSync(`${path}${end}`, { force: true })
  }
}
