import { ArchiveError } from '#errors.ts'
import type { ArchiveWriter, CommitGroup, KnownObject } from '#model/archive-index.ts'
import type { Change, NewInstance } from '#model/archive-object.ts'
import { encodeFrameTable } from '#standards/dicom/frames.ts'
import { type SearchableTable, standardSearchables } from '../searchable.ts'
import { writeArrival } from './arrivals.ts'
import type { Database } from './database.ts'
import { deleteScope } from './deletion.ts'
import { levelInstances } from './instance-row.ts'
import { createLedgerParts, createSqliteLedger, type SqliteLedger } from './ledger.ts'
import { createStudyDerivation } from './ledger-study.ts'
import { addLookups, numberOf, readLevel } from './level-values.ts'
import { createSegmentLedger } from './segment-ledger.ts'
import { createTexts, hex, packTime } from './texts.ts'
import { createTree, type SeriesState, SLOTS } from './tree.ts'

const INSERT_OBJECT = `insert into object (id, uid, version, state, patient, instance, segment, offset, length,
  data_set_offset, transfer_syntax, sop_class, sha_arrived, sha_data_set, sha_kept, overlay_version, time, verdict, scan,
  placement, findings, family, head, tail, frames)
  values (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
const INSERT_INSTANCE = `insert into instance (key, object, uid, number, sop_class, rows, columns, bits, frames, extra,
  crc32, raw_length, chunk) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
const INSERT_DIGEST = 'insert or ignore into digest (prefix, object) values (?, ?)'
const INSERT_FACTS = 'insert into fact_list (object, list) values (?, ?)'
const INSERT_FEED = 'insert into feed (kind, object, study, time) values (?, ?, ?, ?)'

/** The writer with the identity ledger, which shares what it remembers of studies and patients. */
export interface SqliteWriter extends ArchiveWriter {
  readonly ledger: Pick<SqliteLedger, 'check' | 'apply' | 'putImportItem'>
}

/**
 * The one writer of an index. Every method is a transaction, or part of the caller's.
 * @param db opened for writing and migrated
 */
export function createSqliteWriter(db: Database, table: SearchableTable = standardSearchables()): SqliteWriter {
  const texts = createTexts(db)
  const ledger = createSegmentLedger(db)
  const parts = createLedgerParts(db)
  const tree = createTree(db, table, createStudyDerivation(db, parts.entries, parts.patients))
  const decisions = createSqliteLedger(db, tree, parts)
  let rollbacks = db.rollbacks

  /** What a transaction that was undone wrote must not be remembered, whoever undid it. */
  function refresh(): void {
    if (rollbacks === db.rollbacks) return
    rollbacks = db.rollbacks
    texts.clear()
    ledger.clear()
    tree.clear()
  }

  function inTransaction<T>(fn: () => T): T {
    refresh()
    return db.transaction(fn)
  }

  function latest(uid: string): { version: number; state: number } | undefined {
    return db.get('select version, state from object where uid = ? order by version desc limit 1', uid)
  }

  function writeInstance(instance: NewInstance, key: number, object: number, sopClass: number): void {
    const values = readLevel(table, 'instance', instance.attributes)
    let extra: Record<string, readonly string[]> | null = null
    for (const searchable of table.levels.instance) {
      if (searchable.column !== null) continue
      const found = values.get(searchable.key)
      if (found === undefined) continue
      extra ??= {}
      extra[searchable.key] = found
    }
    const { crc32, rawLength, deflated } = instance.metadata
    db.run(
      INSERT_INSTANCE,
      key,
      object,
      instance.record.sopInstanceUID,
      numberOf(values, '00200013'),
      sopClass,
      numberOf(values, '00280010'),
      numberOf(values, '00280011'),
      numberOf(values, '00280100'),
      numberOf(values, '00280008'),
      extra === null ? null : JSON.stringify(extra),
      crc32,
      rawLength,
      deflated,
    )
    addLookups(db, table.levels.instance, values, key)
  }

  function writeObject(instance: NewInstance, series: SeriesState, key: number): number {
    const { record, location } = instance
    const last = latest(record.sopInstanceUID)
    if (last?.state === 0) {
      throw new ArchiveError('identity.conflict', `${record.sopInstanceUID} is kept already`)
    }
    const dataSet = Buffer.from(record.digests.dataSet, 'hex')
    const kept = Buffer.from(record.digests.kept, 'hex')
    const sopClass = texts.keyOf(instance.sopClassUID)
    const sameFindings =
      record.findings.length === record.arrival.findings.length &&
      JSON.stringify(record.findings) === JSON.stringify(record.arrival.findings)
    const object = db.run(
      INSERT_OBJECT,
      record.objectId,
      record.sopInstanceUID,
      Math.max(record.version, (last?.version ?? 0) + 1),
      series.study.patient,
      key,
      ledger.keyOf(location.segment),
      location.offset,
      location.length,
      record.dataSetOffset,
      texts.keyOf(instance.transferSyntaxUID),
      sopClass,
      Buffer.from(record.digests.arrived, 'hex'),
      dataSet,
      kept,
      packTime(record.time),
      record.verdict,
      texts.keyOf(JSON.stringify(record.scan)),
      texts.keyOf(JSON.stringify(record.placement)),
      sameFindings ? null : JSON.stringify(record.findings),
      instance.family,
      record.arrivedHead === null ? null : Buffer.from(record.arrivedHead, 'base64'),
      record.arrivedTail,
      instance.frames === null ? null : encodeFrameTable(instance.frames),
    ).rowid
    db.run(INSERT_DIGEST, dataSet.subarray(0, 8), object)
    db.run(INSERT_DIGEST, kept.subarray(0, 8), object)
    writeInstance(instance, key, object, sopClass)
    if (instance.facts.length > 0) {
      const facts = instance.facts.map(({ family, name, value, ...detail }) => [
        family,
        name,
        value,
        Object.keys(detail).length === 0 ? null : JSON.stringify(detail),
      ])
      db.run(INSERT_FACTS, object, JSON.stringify(facts))
    }
    return object
  }

  function place(instance: NewInstance): number {
    const series = tree.series(instance)
    if (series.slots >= SLOTS) throw new ArchiveError('archive.failed', 'a series holds at most 16,777,216 instances')
    const key = series.key * SLOTS + series.slots
    const object = writeObject(instance, series, key)
    if (series.study.events.length > 0) {
      levelInstances(db, table, series.study.events, { series: series.uid, from: key, to: key + 1 })
    }
    series.slots++
    tree.count(series, 1, instance.location.length)
    ledger.add(instance.location)
    db.run(INSERT_FEED, 'stored', instance.record.objectId, instance.studyInstanceUID, packTime(instance.record.time))
    return object
  }

  function commit(group: CommitGroup): void {
    const written = new Map<string, number>()
    for (const instance of group.instances) written.set(instance.record.objectId, place(instance))
    tree.flush()
    decisions.stated(tree.takeStated())
    const arrivals = new Set<string>()
    const write = (arrival: CommitGroup['arrivals'][number]): void => {
      arrivals.add(arrival.id)
      const { objectId } = arrival
      writeArrival(db, texts, arrival, objectId === null ? null : (written.get(objectId) ?? objectKey(objectId)))
    }
    for (const arrival of group.arrivals) write(arrival)
    // Rebuilt from segments, an object brings its arrival along in its record.
    for (const { record } of group.instances) {
      if (!arrivals.has(record.arrival.id)) write({ ...record.arrival, objectId: record.objectId })
    }
    ledger.flush(group.flushed)
  }

  function objectKey(objectId: string): number | null {
    return db.get<{ key: number }>('select key from object where id = ?', objectId)?.key ?? null
  }

  return {
    known(sopInstanceUID): KnownObject | undefined {
      refresh()
      const row = db.get<KnownRow>(KNOWN, sopInstanceUID)
      if (row === undefined) return undefined
      return {
        objectId: row.id,
        digests: { arrived: hex(row.sha_arrived), dataSet: hex(row.sha_data_set), kept: hex(row.sha_kept) },
        transferSyntaxUID: texts.valueOf(row.transfer_syntax),
        patientId: row.patient,
      }
    },
    studyPatient(studyInstanceUID) {
      const row = db.get<{ id: string; issuer: string; identifier: string; issuer_assumed: number }>(
        `select p.id, p.issuer, p.identifier, p.issuer_assumed from study s join patient p on p.key = s.patient
         where s.uid = ?`,
        studyInstanceUID,
      )
      if (row === undefined) return undefined
      return { patientId: row.id, issuer: row.issuer, id: row.identifier, issuerAssumed: row.issuer_assumed === 1 }
    },
    commit(group) {
      refresh()
      db.within(() => commit(group))
    },
    nextVersion: (sopInstanceUID) => (latest(sopInstanceUID)?.version ?? 0) + 1,
    changed: (objectId, changes) => inTransaction(() => recordChanges(db, objectId, changes)),
    delete: (deletion) =>
      inTransaction(() => {
        const gone = deleteScope(db, tree, table, deletion)
        tree.flush()
        return gone
      }),
    purgeable: (now, limit) => ledger.purgeable(now, limit),
    forget: (objectIds) => inTransaction(() => ledger.forget(objectIds)),
    liveBytes: () => ledger.liveBytes(),
    relocate: (moves) => inTransaction(() => ledger.relocate(moves)),
    flushed: () => ledger.flushed(),
    promised: () => ledger.promised(),
    retire: (segment) => ledger.retire(segment),
    ledger: {
      check: (list) => decisions.check(list),
      apply: (entries) => inTransaction(() => decisions.apply(entries)),
      putImportItem: (item) => inTransaction(() => decisions.putImportItem(item)),
    },
  }
}

interface KnownRow {
  readonly id: string
  readonly sha_arrived: Uint8Array
  readonly sha_data_set: Uint8Array
  readonly sha_kept: Uint8Array
  readonly transfer_syntax: number
  readonly patient: string
}

const KNOWN = `select o.id, o.sha_arrived, o.sha_data_set, o.sha_kept, o.transfer_syntax, p.id as patient
  from object o join patient p on p.key = o.patient where o.uid = ? and o.state = 0`

function recordChanges(db: Database, objectId: string, changes: readonly Change[]): boolean {
  const row = db.get<{ key: number; study: string }>(
    `select o.key, s.uid as study from object o join series r on r.key = o.instance / ${SLOTS}
     join study s on s.key = r.study where o.id = ? and o.state = 0`,
    objectId,
  )
  if (row === undefined) return false
  for (const { tag, before, after, rule, by, time, undone } of changes) {
    db.run(
      'insert into change (object, tag, before, after, rule, by, time, undone) values (?, ?, ?, ?, ?, ?, ?, ?)',
      ...[row.key, tag, before, after, rule, by, time, undone ? 1 : 0],
    )
  }
  db.run('update object set overlay_version = overlay_version + 1 where key = ?', row.key)
  const time = changes.at(-1)?.time ?? new Date().toISOString()
  db.run(INSERT_FEED, 'changed', objectId, row.study, packTime(time))
  return true
}
