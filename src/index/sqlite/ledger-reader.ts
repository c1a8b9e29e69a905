import { cursorKeys, cursorText, keyBehind } from '#model/cursor.ts'
import type { ImportItem, LedgerPatient, Order, PatientKey, PerformedStep } from '#model/identity.ts'
import type { IdentityReader } from '#model/identity-ledger.ts'
import { fold, prefixEnd } from '../fold.ts'
import type { Database, SqlParam } from './database.ts'
import { createEntryStore, patientSubject, publicEntry, studySubject } from './ledger-entries.ts'
import { createLedgerPatients } from './ledger-patients.ts'
import { all, type Condition } from './visible.ts'

/** Rows of one page of any list. */
const PAGE_MAX = 1000
const LAST = Number.MAX_SAFE_INTEGER

/** Reads of the identity ledger, on a read-only connection or on the writer's. */
export function createIdentityReader(db: Database): IdentityReader {
  const store = createEntryStore(db)
  const patients = createLedgerPatients(db, store)

  function bodyOf<T>(sql: string, ...params: SqlParam[]): T | undefined {
    const row = db.get<{ body: string }>(sql, ...params)
    return row === undefined ? undefined : (JSON.parse(row.body) as T)
  }

  /** Keys of a patient and of all that was folded into the same survivor. */
  function family(key: PatientKey): readonly number[] {
    const state = patients.find(key)
    return state === undefined ? [] : patients.tree(state.survivor)
  }

  function similar(person: { id?: string; name?: string; birthDate?: string }, limit: number): LedgerPatient[] {
    const found: number[] = []
    const add = (sql: string, ...params: SqlParam[]) => {
      for (const { key } of db.all<{ key: number }>(`${sql} limit ?`, ...params, limit)) found.push(key)
    }
    if (person.id !== undefined && person.id !== '') {
      add('select key from patient where identifier = ?', person.id)
      add('select patient as key from patient_identifier where identifier = ?', person.id)
    }
    const family = fold(person.name?.split('=')[0]?.split('^')[0] ?? '')
    const end = prefixEnd(family)
    // Both together first: a common family name alone would fill the list with strangers.
    if (family !== '' && end !== undefined && person.birthDate) {
      add(
        `select p.key from patient_name n cross join patient p on p.key = n.patient
         where n.name_key >= ? and n.name_key < ? and p.birth_date = ?`,
        ...[family, end, person.birthDate],
      )
    }
    if (family !== '' && end !== undefined) {
      const full = fold(person.name?.split('=')[0] ?? '').replace(/\^+$/, '')
      add('select patient as key from patient_name where name_key = ?', full)
      add('select patient as key from patient_name where name_key >= ? and name_key < ?', family, end)
    }
    if (person.birthDate) add('select key from patient where birth_date = ?', person.birthDate)
    return [...new Set(found)]
      .slice(0, limit)
      .map((key) => patients.byKey(key))
      .filter((state) => state !== undefined)
      .map(patients.toLedger)
  }

  function orders(filter: Parameters<IdentityReader['orders']>[0]): ReturnType<IdentityReader['orders']> {
    const step = (sql: string, params: readonly SqlParam[]): Condition => ({
      sql: `exists (select 1 from order_step t where t.imaging_order = o.key and ${sql})`,
      params,
    })
    const { patient, accessionNumber, studyInstanceUID, status, from, to, modality, stationAeTitle } = filter
    const narrow: Condition[] = []
    if (from !== undefined || to !== undefined || modality !== undefined || stationAeTitle !== undefined) {
      // One step must meet all of it.
      const parts: Condition[] = []
      if (from !== undefined) parts.push({ sql: 't.date >= ?', params: [from] })
      if (to !== undefined) parts.push({ sql: "t.date <= ? and t.date <> ''", params: [to] })
      if (modality !== undefined) parts.push({ sql: 't.modality = ?', params: [modality] })
      if (stationAeTitle !== undefined) parts.push({ sql: 't.station = ?', params: [stationAeTitle] })
      const both = all(parts)
      narrow.push(step(both.sql, both.params))
    }
    const cursor = filter.cursor === undefined ? undefined : cursorKeys('orders', filter.cursor, ['', 0] as const)
    const where = all([
      patient === undefined
        ? undefined
        : { sql: 'o.patient in (select value from json_each(?))', params: [JSON.stringify(family(patient))] },
      accessionNumber === undefined || accessionNumber === ''
        ? undefined
        : { sql: "o.accession = ? and o.accession <> ''", params: [accessionNumber] },
      studyInstanceUID === undefined ? undefined : { sql: 'o.study = ?', params: [studyInstanceUID] },
      status === undefined ? undefined : { sql: 'o.status = ?', params: [status] },
      cursor === undefined ? undefined : { sql: '(o.start, o.key) > (?, ?)', params: cursor },
      ...narrow,
    ])
    const limit = Math.min(filter.limit, PAGE_MAX)
    const rows = db.all<{ key: number; start: string; body: string }>(
      `select o.key, o.start, o.body from imaging_order o where ${where.sql} order by o.start, o.key limit ?`,
      ...where.params,
      limit + 1,
    )
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    return {
      items: page.map(({ body }) => JSON.parse(body) as Order),
      next: rows.length > limit && last !== undefined ? cursorText('orders', [last.start, last.key]) : null,
    }
  }

  function entries(filter: Parameters<IdentityReader['entries']>[0]): ReturnType<IdentityReader['entries']> {
    const limit = Math.min(filter.limit, PAGE_MAX)
    const before = keyBehind('ledger', filter.cursor) ?? LAST
    const subjects: string[] = []
    if (filter.patient !== undefined) {
      const state = patients.find(filter.patient)
      subjects.push(patientSubject(state?.id ?? ''))
    }
    if (filter.studyInstanceUID !== undefined) subjects.push(studySubject(filter.studyInstanceUID))
    const where = subjects.map(() => 'e.key in (select entry from ledger_subject where subject = ?)')
    const rows = db.all<{ key: number }>(
      `select e.key from ledger_entry e where ${['e.key < ?', ...where].join(' and ')} order by e.key desc limit ?`,
      ...[before, ...subjects, limit + 1],
    )
    const items = rows
      .slice(0, limit)
      .map(({ key }) => store.byKey(key))
      .filter((entry) => entry !== undefined)
    const last = items.at(-1)
    const more = rows.length > limit && last !== undefined
    return { items: items.map(publicEntry), next: more ? cursorText('ledger', [last.key]) : null }
  }

  return {
    patient(key) {
      const state = patients.find(key)
      return state === undefined ? undefined : patients.toLedger(state)
    },
    patientById(patientId) {
      const state = patients.byId(patientId)
      return state === undefined ? undefined : patients.toLedger(state)
    },
    similar,
    entry(id) {
      const entry = store.get(id)
      return entry === undefined ? undefined : publicEntry(entry)
    },
    entries,
    order: (id) => bodyOf<Order>('select body from imaging_order where id = ?', id),
    orders,
    performedStep: (uid) => bodyOf<PerformedStep>('select body from performed_step where uid = ?', uid),
    performedSteps: (orderId) =>
      db
        .all<{ body: string }>('select body from performed_step where imaging_order = ? order by uid', orderId)
        .map(({ body }) => JSON.parse(body) as PerformedStep),
    importItem: (id) => bodyOf<ImportItem>('select body from import_item where id = ?', id),
    importItemOf: (uid) =>
      bodyOf<ImportItem>('select body from import_item where study = ? order by key desc limit 1', uid),
    importItems(filter) {
      const limit = Math.min(filter.limit, PAGE_MAX)
      const behind = keyBehind('import worklist', filter.cursor)
      const where = all([
        filter.state === undefined ? undefined : { sql: 'state = ?', params: [filter.state] },
        filter.reconciliation === undefined
          ? undefined
          : { sql: 'reconciliation = ?', params: [filter.reconciliation] },
        behind === undefined ? undefined : { sql: 'key < ?', params: [behind] },
      ])
      const rows = db.all<{ key: number; body: string }>(
        `select key, body from import_item where ${where.sql} order by key desc limit ?`,
        ...where.params,
        limit + 1,
      )
      const last = rows[limit - 1]
      return {
        items: rows.slice(0, limit).map(({ body }) => JSON.parse(body) as ImportItem),
        next: rows.length > limit && last !== undefined ? cursorText('import worklist', [last.key]) : null,
      }
    },
  }
}
