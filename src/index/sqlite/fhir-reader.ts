import { cursorKeys, cursorText } from '#model/cursor.ts'
import type { FhirPatientRow, FhirReader, FhirStudyRow } from '#model/fhir-reader.ts'
import type { PatientKey, Visit } from '#model/identity.ts'
import { patientIdOf } from '#model/patient-id.ts'
import type { Visibility } from '#model/visibility.ts'
import { fold, prefixEnd } from '../fold.ts'
import type { Database, SqlParam } from './database.ts'
import { personKeys } from './document-rows.ts'
import { createEntryStore, patientSubject, studySubject } from './ledger-entries.ts'
import { createLedgerPatients, type PatientState } from './ledger-patients.ts'
import { unpackTime } from './texts.ts'
import { SLOTS } from './tree.ts'
import { all, type Condition, notWithheld, visible } from './visible.ts'

const list = (values: readonly SqlParam[]): string => JSON.stringify(values)

function among(column: string, values: readonly string[] | undefined): Condition | undefined {
  if (values === undefined) return undefined
  return { sql: `${column} in (select value from json_each(?))`, params: [list(values)] }
}

function days(column: string, range: { readonly from?: string; readonly to?: string } | undefined): Condition[] {
  const found: Condition[] = []
  if (range?.from !== undefined) found.push({ sql: `${column} >= ?`, params: [range.from] })
  if (range?.to !== undefined) found.push({ sql: `${column} <= ? and ${column} <> ''`, params: [range.to] })
  return found
}

/**
 * The patients a caller may see, as a condition on a key column: theirs, with all that was folded into them. A caller
 * limited to a patient sees its former records too, so that links to them lead somewhere.
 */
function seesPatients(db: Database, visibility: Visibility, column: string): Condition | undefined {
  const withholds = visibility.sees === 'nothing' ? undefined : visibility.withholds
  const open = withholds === undefined ? undefined : notWithheld(withholds, column)
  if (visibility.sees === 'all') return open
  const keys = visibility.sees === 'nothing' ? [] : personKeys(db, visibility.patientIds)
  return all([{ sql: `${column} in (select value from json_each(?))`, params: [list(keys)] }, open])
}

/** Beginnings of names, folded, on the table of all names in all scripts. */
function named(prefixes: readonly string[] | undefined, anywhere: boolean): Condition | undefined {
  if (prefixes === undefined) return undefined
  const parts: string[] = []
  const params: SqlParam[] = []
  for (const prefix of prefixes.map(fold)) {
    const end = prefixEnd(prefix)
    if (prefix === '' || end === undefined) continue
    parts.push('(n.name_key >= ? and n.name_key < ?)')
    params.push(prefix, end)
    if (!anywhere) continue
    parts.push("n.name_key like ? escape '\\'", "n.name_key like ? escape '\\'")
    const escaped = prefix.replace(/[\\%_]/g, '\\$&')
    params.push(`%^${escaped}%`, `% ${escaped}%`)
  }
  if (parts.length === 0) return { sql: '0', params: [] }
  return { sql: `p.key in (select n.patient from patient_name n where ${parts.join(' or ')})`, params }
}

/** An order by any of its numbers, each with an index of its own. */
function numbered(numbers: readonly string[] | undefined): Condition | undefined {
  if (numbers === undefined) return undefined
  const given = list(numbers)
  const each = (column: string) =>
    `select key from imaging_order where ${column} in (select value from json_each(?)) and ${column} <> ''`
  return {
    sql: `o.key in (${[each('accession'), each("body ->> '$.placerOrderNumber'"), each("body ->> '$.fillerOrderNumber'")].join(' union ')})`,
    params: [given, given, given],
  }
}

/** Lists of what FHIR serves, on a read-only connection or on the writer's. */
export function createFhirReader(db: Database): FhirReader {
  const entries = createEntryStore(db)
  const patients = createLedgerPatients(db, entries)

  /** Of the newest decision about a subject. */
  function decidedAt(subject: string): string | undefined {
    return db.get<{ time: string }>(
      `select e.time from ledger_subject l cross join ledger_entry e on e.key = l.entry where l.subject = ?
       order by l.entry desc limit 1`,
      subject,
    )?.time
  }

  /** When the last instance of a study came: the newest one of each series has the highest slot. */
  function arrivedAt(study: number): string | undefined {
    const row = db.get<{ time: number | string | null }>(
      `select max(o.time) as time from series r indexed by series_study cross join object o on o.key = (
         select i.object from instance i where i.key >= r.key * ${SLOTS} and i.key < (r.key + 1) * ${SLOTS}
         order by i.key desc limit 1) where r.study = ?`,
      study,
    )
    return row === undefined || row.time === null ? undefined : unpackTime(row.time)
  }

  function newest(...times: readonly (string | undefined)[]): string | null {
    return times.reduce<string | null>(
      (last, time) => (time !== undefined && (last === null || time > last) ? time : last),
      null,
    )
  }

  function patientRow(state: PatientState): FhirPatientRow {
    const patient = patients.toLedger(state)
    const study = db.get<{ key: number }>('select key from study where owner = ? order by key limit 1', state.key)
    const first = study === undefined ? undefined : arrivedAt(study.key)
    return {
      patient,
      mergedInto: patient.mergedInto === null ? null : idOf(patient.mergedInto),
      replaces: db
        .all<{ id: string }>('select id from patient where merged_into = ? order by key', state.key)
        .map(({ id }) => id),
      linked: patient.linked.map(idOf),
      lastUpdated: newest(decidedAt(patientSubject(state.id))) ?? newest(first),
    }
  }

  return {
    patients(filter, visibility) {
      const own = (keys: readonly PatientKey[]): Condition => {
        const parts: string[] = []
        const params: SqlParam[] = []
        for (const { id, issuer } of keys) {
          parts.push(`p.key in (select key from patient where identifier = ? and (? = '' or issuer = ?)
            union select patient from patient_identifier where identifier = ? and (? = '' or issuer = ?)
            union select survivor from patient where identifier = ? and (? = '' or issuer = ?) and survivor is not null)`)
          for (let i = 0; i < 3; i++) params.push(id, issuer, issuer)
        }
        return { sql: parts.length === 0 ? '0' : parts.join(' or '), params }
      }
      const where = all([
        seesPatients(db, visibility, 'p.key'),
        among('p.id', filter.ids),
        filter.identifiers === undefined ? undefined : own(filter.identifiers),
        filter.issuers === undefined
          ? undefined
          : {
              sql: `p.issuer in (select value from json_each(?)) or p.key in (select patient from patient_identifier
                where issuer in (select value from json_each(?)))`,
              params: [list(filter.issuers), list(filter.issuers)],
            },
        named(filter.family, false),
        named(filter.name, true),
        ...days('p.birth_date', filter.birthDate),
        filter.merged === undefined
          ? undefined
          : { sql: `p.merged_into is ${filter.merged ? 'not null' : 'null'}`, params: [] },
        filter.cursor === undefined
          ? undefined
          : { sql: 'p.key > ?', params: cursorKeys('fhir patients', filter.cursor, [0]) },
      ])
      const rows = db.all<{ key: number }>(
        `select p.key from patient p where ${where.sql} order by p.key limit ?`,
        ...where.params,
        filter.limit + 1,
      )
      const items = rows
        .slice(0, filter.limit)
        .map(({ key }) => patients.byKey(key))
        .filter((state) => state !== undefined)
      const last = items.at(-1)
      return {
        items: items.map(patientRow),
        next: rows.length > filter.limit && last !== undefined ? cursorText('fhir patients', [last.key]) : null,
      }
    },

    studies(filter, visibility) {
      const owners = filter.patientIds === undefined ? undefined : personKeys(db, filter.patientIds)
      const where = all([
        visible(visibility, 's.owner'),
        among('s.uid', filter.uids),
        owners === undefined
          ? undefined
          : owners.length === 1
            ? { sql: 's.owner = ?', params: owners }
            : { sql: 's.owner in (select value from json_each(?))', params: [list(owners)] },
        among('s.accession', filter.accessionNumbers),
        filter.modalities === undefined
          ? undefined
          : {
              sql: 'exists (select 1 from series r where r.study = s.key and r.modality in (select value from json_each(?)))',
              params: [list(filter.modalities)],
            },
        ...days('s.date', filter.date),
        filter.cursor === undefined
          ? undefined
          : {
              sql: '(s.date, s.time, s.key) < (?, ?, ?)',
              params: cursorKeys('fhir studies', filter.cursor, ['', '', 0]),
            },
      ])
      const rows = db.all<{
        key: number
        uid: string
        date: string
        time: string
        instant: string | null
        owner: string
      }>(
        `select s.key, s.uid, s.date, s.time, s.instant, p.id as owner from study s cross join patient p on p.key = s.owner
         where ${where.sql} order by s.date desc, s.time desc, s.key desc limit ?`,
        ...where.params,
        filter.limit + 1,
      )
      const page = rows.slice(0, filter.limit)
      const last = page.at(-1)
      return {
        items: page.map(
          ({ key, uid, instant, owner }): FhirStudyRow => ({
            studyInstanceUID: uid,
            patientId: owner,
            instant,
            lastUpdated: newest(arrivedAt(key), decidedAt(studySubject(uid))),
          }),
        ),
        next:
          rows.length > filter.limit && last !== undefined
            ? cursorText('fhir studies', [last.date, last.time, last.key])
            : null,
      }
    },

    visits(filter, visibility) {
      const keys = filter.patientIds === undefined ? undefined : personKeys(db, filter.patientIds)
      const where = all([
        seesPatients(db, visibility, 'v.patient'),
        keys === undefined ? undefined : { sql: 'v.patient in (select value from json_each(?))', params: [list(keys)] },
        among('v.admission', filter.admissionIds),
        filter.cursor === undefined
          ? undefined
          : {
              sql: '(v.patient, v.admission, v.issuer) > (?, ?, ?)',
              params: cursorKeys('fhir visits', filter.cursor, [0, '', '']),
            },
      ])
      const rows = db.all<{
        patient: number
        admission: string
        issuer: string
        body: string
        own: string
        id: string
      }>(
        `select v.patient, v.admission, v.issuer, v.body, p.id as own, coalesce(q.id, p.id) as id from visit v
         cross join patient p on p.key = v.patient left join patient q on q.key = p.survivor
         where ${where.sql} order by v.patient, v.admission, v.issuer limit ?`,
        ...where.params,
        filter.limit + 1,
      )
      const page = rows.slice(0, filter.limit)
      const last = page.at(-1)
      return {
        items: page.map(({ id, own, body }) => ({
          patientId: id,
          statedPatientId: own,
          visit: JSON.parse(body) as Visit,
        })),
        next:
          rows.length > filter.limit && last !== undefined
            ? cursorText('fhir visits', [last.patient, last.admission, last.issuer])
            : null,
      }
    },

    orders(filter, visibility) {
      const keys = filter.patientIds === undefined ? undefined : personKeys(db, filter.patientIds)
      const where = all([
        seesPatients(db, visibility, 'o.patient'),
        keys === undefined ? undefined : { sql: 'o.patient in (select value from json_each(?))', params: [list(keys)] },
        among('o.id', filter.ids),
        numbered(filter.numbers?.filter((number) => number !== '')),
        among('o.study', filter.studyInstanceUIDs),
        filter.cursor === undefined
          ? undefined
          : { sql: 'o.key < ?', params: cursorKeys('fhir orders', filter.cursor, [0]) },
      ])
      const rows = db.all<{ key: number; body: string; id: string; own: string }>(
        `select o.key, o.body, o.id as own, coalesce(q.id, p.id) as id from imaging_order o
         cross join patient p on p.key = o.patient left join patient q on q.key = p.survivor
         where ${where.sql} order by o.key desc limit ?`,
        ...where.params,
        filter.limit + 1,
      )
      const page = rows.slice(0, filter.limit)
      const last = page.at(-1)
      return {
        items: page.map(({ id, body }) => ({ patientId: id, order: JSON.parse(body) })),
        next: rows.length > filter.limit && last !== undefined ? cursorText('fhir orders', [last.key]) : null,
      }
    },
  }
}

function idOf({ issuer, id }: PatientKey): string {
  return patientIdOf(issuer, id)
}
