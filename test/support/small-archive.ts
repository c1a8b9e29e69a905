/** A data directory with real segments and a real index, filled by the code of the walk's end; for operations. */
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '#index/sqlite/database.ts'
import { createJournalNumbers, createKeptObjects } from '#index/sqlite/kept-objects.ts'
import { migrate } from '#index/sqlite/migrate.ts'
import { createSqliteReader } from '#index/sqlite/reader.ts'
import { createSqliteWriter } from '#index/sqlite/writer.ts'
import type { Location, NewInstance, ObjectRecord } from '#model/archive-object.ts'
import type { ArrivalRecord } from '#model/arrival.ts'
import { type ByteSource, memorySource } from '#standards/byte-source.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { buildHead } from '#standards/dicom/write.ts'
import { entryNames } from '#storage/entry-names.ts'
import { openFileSegments } from '#storage/file-segments.ts'
import { openJournal } from '#storage/journal.ts'
import { extract } from '../../src/intake/extract.ts'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctSeries, STUDY } from '../fixtures/objects.ts'

const TIME = '2026-01-02T03:04:05.678Z'
const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'diptych-test-'))
}

/** Files of a small CT series; `name` makes another study of it. */
export function ctFiles(slices: number, name = 'fixture'): readonly Uint8Array[] {
  return ctSeries(slices, 16, { ...STUDY, name, patientId: `P-${name}` }).map((elements) => part10({ elements }))
}

/** What the index learns from a stored file: as the walk does it. */
export function reindex(record: ObjectRecord, source: ByteSource, location: Location): NewInstance {
  const opened = openPart10(source)
  const sopClassUID = '1.2.840.10008.5.1.4.1.1.2'
  const probe = extract(
    opened,
    { sopClassUID, sopInstanceUID: record.sopInstanceUID, studyInstanceUID: '', seriesInstanceUID: '' },
    { zone: null, siteZone: 'UTC' },
  )
  const uids = {
    sopClassUID,
    sopInstanceUID: record.sopInstanceUID,
    studyInstanceUID: probe.attributes['0020000D']?.[0] ?? '',
    seriesInstanceUID: probe.attributes['0020000E']?.[0] ?? '',
  }
  const { findings: _, ...extracted } = extract(opened, uids, { zone: null, siteZone: 'UTC' })
  return { record, location, ...uids, ...extracted }
}

export async function smallArchive(directory: string, segmentBytesMax = 64 * 1024) {
  mkdirSync(directory, { recursive: true })
  const db = openDatabase(join(directory, 'diptych.db'))
  migrate(db)
  const writer = createSqliteWriter(db)
  const segments = openFileSegments(join(directory, 'segments'), { segmentBytesMax })
  await segments.recover(writer.flushed())
  const kept = createKeptObjects(db)
  const numbers = createJournalNumbers(db)
  const journal = openJournal(segments, numbers)
  const commit = (fn: () => void) =>
    db.transaction(() => {
      fn()
      writer.commit({ instances: [], arrivals: [], flushed: segments.flushed() })
    })
  return {
    directory,
    db,
    writer,
    reader: createSqliteReader(db),
    segments,
    kept,
    numbers,
    journal,
    commit,
    /** Stores files in one group. @returns object ids */
    async store(files: readonly Uint8Array[]): Promise<readonly string[]> {
      const made = files.map((file) => keptForm(file))
      const locations = await segments.append(
        made.flatMap(({ content, record, names }) => [
          { name: names.object, content: [content] },
          { name: names.record, content: [Buffer.from(JSON.stringify(record))] },
        ]),
        'default',
      )
      const instances = made.map(({ record, content }, i) =>
        reindex(record, memorySource(content), locations[2 * i] as Location),
      )
      const arrivals = made.map(({ record }) => record.arrival)
      writer.commit({ instances, arrivals, flushed: segments.flushed() })
      return made.map(({ record }) => record.objectId)
    },
    async close() {
      await segments.close()
      db.close()
    },
    async destroy() {
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

export type SmallArchive = Awaited<ReturnType<typeof smallArchive>>

function keptForm(file: Uint8Array) {
  const opened = openPart10(memorySource(file))
  const dataSet = file.subarray(opened.dataSetStart)
  const meta = extract(
    opened,
    { sopClassUID: '', sopInstanceUID: '', studyInstanceUID: '', seriesInstanceUID: '' },
    { zone: null, siteZone: 'UTC' },
  )
  const one = (tag: string) => meta.attributes[tag]?.[0] ?? ''
  const uids = { sopClassUID: one('00080016'), sopInstanceUID: one('00080018') }
  const head = buildHead({ ...uids, transferSyntaxUID: opened.transferSyntax.uid })
  const content = Buffer.concat([head, dataSet])
  const objectId = randomUUID()
  const arrival: ArrivalRecord = {
    id: randomUUID(),
    sha256: sha(file),
    size: file.byteLength,
    door: 'stow',
    peer: null,
    originator: null,
    user: null,
    address: null,
    medium: null,
    path: null,
    time: TIME,
    verdict: 'accept',
    reason: 'nothing was found',
    findings: [],
    scan: { status: 'not-scanned', engine: null, signatures: null, coverage: null },
    sopInstanceUid: uids.sopInstanceUID,
    objectId,
    quarantineId: null,
  }
  const record: ObjectRecord = {
    format: 1,
    objectId,
    version: 1,
    sopInstanceUID: uids.sopInstanceUID,
    digests: { arrived: sha(file), dataSet: sha(dataSet), kept: sha(content) },
    dataSetOffset: head.byteLength,
    patient: { patientId: `FIX|${one('00100020')}`, issuer: 'FIX', id: one('00100020'), issuerAssumed: false },
    arrival,
    arrivedHead: Buffer.from(file.subarray(0, opened.dataSetStart)).toString('base64'),
    arrivedTail: null,
    verdict: 'accept',
    findings: [],
    scan: arrival.scan,
    placement: { rule: 'images', ruleVersion: 1, panel: 'image', form: 'native', facts: {}, alternatives: [] },
    time: TIME,
  }
  return { content, record, names: entryNames(uids.sopInstanceUID, record.digests.kept, 1) }
}
