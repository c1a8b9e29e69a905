import { type Database, openDatabase } from '#index/sqlite/database.ts'
import { createIdentityReader } from '#index/sqlite/ledger-reader.ts'
import { migrate } from '#index/sqlite/migrate.ts'
import { createSqliteReader } from '#index/sqlite/reader.ts'
import { createSqliteWriter } from '#index/sqlite/writer.ts'
import type { CommitGroup } from '#model/archive-index.ts'
import type { AttributeValues } from '#model/archive-object.ts'
import type { LedgerCause, LedgerDecision, LedgerEntry, PatientKey } from '#model/identity.ts'
import { patientIdOf } from '#model/patient-id.ts'
import { instanceOf } from '../contracts/archive-index-fixtures.ts'

export const CAUSE: LedgerCause = { by: 'TEST', rule: 'desk', reference: null, reason: 'because' }

/** A patient's number with an issuer: `LOCAL|1`. */
export function patientKey(text: string): PatientKey {
  const [issuer = '', id = ''] = text.split('|')
  return { issuer, id }
}

export interface StudySketch {
  readonly study: string
  readonly patient: string
  readonly uid?: string
  readonly name?: string
  readonly birthDate?: string
  readonly sex?: string
  readonly accession?: string
  readonly attributes?: AttributeValues
}

/** Instances as the walk hands them over: patients have the ids that real ones have. */
export function studyGroup(...sketches: readonly StudySketch[]): CommitGroup {
  const instances = sketches.map((sketch) => {
    const { issuer, id } = patientKey(sketch.patient)
    const uid = sketch.uid ?? `${sketch.study}.1.1`
    const made = instanceOf({
      uid,
      study: sketch.study,
      patient: id,
      issuer,
      attributes: {
        '00100021': [issuer],
        '00100010': [sketch.name ?? `FAMILY^${id}`],
        '00100030': [sketch.birthDate ?? '19700101'],
        '00100040': [sketch.sex ?? 'F'],
        '00080020': ['20260101'],
        '00080050': [sketch.accession ?? `ACC-${sketch.study}`],
        '00081030': ['Knee'],
        ...sketch.attributes,
      },
      json: {
        '00080018': { vr: 'UI', Value: [uid] },
        '00100010': { vr: 'PN', Value: [{ Alphabetic: sketch.name ?? `FAMILY^${id}` }] },
        '00100020': { vr: 'LO', Value: [id] },
      },
    })
    const patient = { patientId: patientIdOf(issuer, id), issuer, id, issuerAssumed: false }
    return { ...made, record: { ...made.record, patient } }
  })
  return { instances, arrivals: instances.map(({ record }) => record.arrival), flushed: null }
}

/** An index with its ledger, in memory; decisions get ids in their order. */
export function ledgerArchive(db: Database = migrated()) {
  const writer = createSqliteWriter(db)
  const taken: LedgerEntry[] = []
  return {
    db,
    writer,
    ledger: writer.ledger,
    reader: createSqliteReader(db),
    identities: createIdentityReader(db),
    taken,
    store: (...sketches: StudySketch[]) => writer.commit(studyGroup(...sketches)),
    /** Applies decisions as one list. @returns ids of their entries */
    decide(...decisions: LedgerDecision[]): string[] {
      const sequence = taken.length + 1
      const time = new Date(Date.UTC(2026, 0, 1) + sequence * 1000).toISOString()
      const entries = decisions.map(
        (decision, i): LedgerEntry => ({ id: `${sequence}.${i}`, time, cause: CAUSE, decision, undoneBy: null }),
      )
      writer.ledger.apply(entries)
      taken.push(...entries)
      return entries.map(({ id }) => id)
    },
  }
}

export function migrated(): Database {
  const db = openDatabase(':memory:')
  migrate(db)
  return db
}

const PATIENTS: readonly (readonly [string, string])[] = [
  ['patient_name', 'patient'],
  ['patient_identifier', 'patient'],
  ['visit', 'patient'],
  ['imaging_order', 'patient'],
]

/**
 * Everything derived, free of row numbers: two indexes that say the same give the same text. The list of decisions
 * itself, the change feed and the counters of object versions are not part of it.
 */
export function dump(db: Database): Record<string, readonly string[]> {
  const ids = new Map(
    db.all<{ key: number; id: string }>('select key, id from patient').map(({ key, id }) => [key, id]),
  )
  const uids = new Map(
    db.all<{ key: number; uid: string }>('select key, uid from study').map(({ key, uid }) => [key, uid]),
  )
  const id = (key: unknown) => (key === null ? null : (ids.get(Number(key)) ?? `no patient ${String(key)}`))
  const lines = (rows: readonly object[]) => rows.map((row) => JSON.stringify(row)).sort()
  const all = (sql: string) => db.all<Record<string, unknown>>(sql)
  const tables: Record<string, readonly string[]> = {
    patient: lines(
      all('select * from patient').map(({ key: _, ...row }) => ({
        ...row,
        merged_into: id(row['merged_into']),
        survivor: id(row['survivor']),
      })),
    ),
    study: lines(
      all('select * from study').map(({ key: _, ...row }) => ({
        ...row,
        patient: id(row['patient']),
        owner: id(row['owner']),
      })),
    ),
    series: lines(
      all('select * from series').map(({ key: _, ...row }) => ({ ...row, study: uids.get(Number(row['study'])) })),
    ),
    instance: lines(all('select uid, number, extra, arrived from instance')),
    word: lines(
      all('select word, study from study_word').map(({ word, study }) => ({ word, study: uids.get(Number(study)) })),
    ),
    lookup: lines(
      all('select attribute, value, ref from lookup where attribute < 100').map(({ ref, ...row }) => ({
        ...row,
        study: uids.get(Number(ref)),
      })),
    ),
    day: lines(all('select * from day_count where n <> 0')),
    total: lines(all('select * from total')),
    step: lines(
      all('select t.*, o.id as order_id from order_step t join imaging_order o on o.key = t.imaging_order'),
    ).map((line) => line.replace(/"imaging_order":\d+,/, '')),
    performed: lines(all('select * from performed_step')),
  }
  for (const [table, column] of PATIENTS) {
    tables[table] = lines(
      all(`select * from ${table}`).map(({ key: _, ...row }) => ({ ...row, [column]: id(row[column]) })),
    )
  }
  const found: string[] = []
  for (const text of ['FAM', 'NEW', 'ACC', 'Kne', 'FIX', 'ADT', 'id-']) {
    const rows = db.all<{ rowid: number }>('select rowid from study_text where study_text match ?', `"${text}"`)
    found.push(
      `${text} ${rows
        .map(({ rowid }) => uids.get(rowid))
        .sort()
        .join()}`,
    )
  }
  tables['text'] = found
  return tables
}

export const merge = (from: string, into: string, how: 'merge' | 'change-id' = 'merge'): LedgerDecision => ({
  do: 'merge',
  from: patientKey(from),
  into: patientKey(into),
  how,
})
export const assign = (study: string, patient: string, accession?: string): LedgerDecision => ({
  do: 'assign',
  studyInstanceUID: study,
  patient: patientKey(patient),
  orderId: null,
  changes: accession === undefined ? [] : [{ path: '00080050', vr: 'SH', values: [accession] }],
})
export const register = (patient: string, name: string): LedgerDecision => ({
  do: 'register',
  patient: patientKey(patient),
  demographics: { name },
  visit: null,
  authority: 'adt',
})
export const undo = (entry: string): LedgerDecision => ({ do: 'undo', entry })
export const fixName = (patient: string, name: string): LedgerDecision => ({
  do: 'overlay',
  scope: { of: 'patient', patient: patientKey(patient) },
  reason: 'CORRECT',
  changes: [{ path: '00100010', vr: 'PN', values: [name] }],
})

/** Three studies of three patients: `1.1` of FOREIGN|F1, `1.2` of LOCAL|L1, `1.3` of LOCAL|L2. */
export function smallLedger(): ReturnType<typeof ledgerArchive> {
  const made = ledgerArchive()
  made.store(
    { study: '1.1', patient: 'FOREIGN|F1', name: 'DOE^J', accession: 'FA' },
    { study: '1.2', patient: 'LOCAL|L1', name: 'ROE^RITA' },
    { study: '1.3', patient: 'LOCAL|L2', name: 'POE^PAT' },
  )
  return made
}
