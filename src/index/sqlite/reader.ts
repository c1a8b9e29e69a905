import type { ArchiveReader, FeedEntry, PatientRow, TimelineRow } from '#model/archive-index.ts'
import type { Change, ObjectRecord, Placement } from '#model/archive-object.ts'
import { cursorKeys, cursorText } from '#model/cursor.ts'
import type { VerdictWord } from '#model/finding.ts'
import type { PatientKey } from '#model/identity.ts'
import type { Visibility } from '#model/visibility.ts'
import { fold, parsePattern, prefixEnd } from '../fold.ts'
import { type SearchableTable, standardSearchables } from '../searchable.ts'
import { arrivalsOfObject, firstArrival, listArrivals } from './arrivals.ts'
import type { Database } from './database.ts'
import { createSearch } from './search.ts'
import { createPatientSearch } from './search-patients.ts'
import { createStoredReader } from './stored.ts'
import { createTexts, hex, unpackTime } from './texts.ts'
import { all, type Condition, visible } from './visible.ts'

interface RecordRow {
  readonly key: number
  readonly id: string
  readonly version: number
  readonly uid: string
  readonly sha_arrived: Uint8Array
  readonly sha_data_set: Uint8Array
  readonly sha_kept: Uint8Array
  readonly data_set_offset: number
  readonly patient_id: string
  readonly issuer: string
  readonly identifier: string
  readonly issuer_assumed: number
  readonly head: Uint8Array | null
  readonly tail: string | null
  readonly verdict: VerdictWord
  readonly findings: string | null
  readonly scan: number
  readonly placement: number
  readonly time: number | string
}

/**
 * Reads of an index on SQLite: on a read-only connection of its own, or on the writer's.
 * @param db migrated
 * @param options.searchWindow index entries one step of a filtered walk looks at
 */
export function createSqliteReader(
  db: Database,
  table: SearchableTable = standardSearchables(),
  options?: { readonly searchWindow?: number },
): ArchiveReader {
  const texts = createTexts(db)
  const stored = createStoredReader(db, texts)
  const { search, count } = createSearch(db, texts, table, options?.searchWindow)

  function json<T>(key: number): T {
    return JSON.parse(texts.valueOf(key)) as T
  }

  return {
    ...stored,
    search,
    searchPatients: createPatientSearch(db, options?.searchWindow),
    count,

    async record(objectId): Promise<ObjectRecord | undefined> {
      const row = db.get<RecordRow>(
        `select o.*, p.id as patient_id, p.issuer, p.identifier, p.issuer_assumed
         from object o join patient p on p.key = o.patient where o.id = ?`,
        objectId,
      )
      if (row === undefined) return undefined
      const arrival = firstArrival(db, texts, row.key)
      if (arrival === undefined) throw new RangeError(`object ${objectId} has no arrival in the index`)
      return {
        format: 1,
        objectId: row.id,
        version: row.version,
        sopInstanceUID: row.uid,
        digests: { arrived: hex(row.sha_arrived), dataSet: hex(row.sha_data_set), kept: hex(row.sha_kept) },
        dataSetOffset: row.data_set_offset,
        patient: {
          patientId: row.patient_id,
          issuer: row.issuer,
          id: row.identifier,
          issuerAssumed: row.issuer_assumed === 1,
        },
        arrival,
        arrivedHead: row.head === null ? null : Buffer.from(row.head).toString('base64'),
        arrivedTail: row.tail,
        verdict: row.verdict,
        findings: row.findings === null ? arrival.findings : JSON.parse(row.findings),
        scan: json(row.scan),
        placement: json(row.placement),
        time: unpackTime(row.time),
      }
    },

    arrivalsOf: async (objectId) => arrivalsOfObject(db, texts, objectId),
    arrivals: async (filter) => listArrivals(db, texts, filter),

    async changesOf(objectId) {
      return db
        .all<Omit<Change, 'undone'> & { undone: number }>(
          `select c.tag, c.before, c.after, c.rule, c.by, c.time, c.undone from change c
           where c.object = (select key from object where id = ?) order by c.key`,
          objectId,
        )
        .map((row) => ({ ...row, undone: row.undone === 1 }))
    },

    async placementOf(objectId) {
      const row = db.get<{ placement: number }>('select placement from object where id = ?', objectId)
      return row === undefined ? undefined : json<Placement>(row.placement)
    },

    patients: async (filter, visibility) =>
      listPatients(db, filter, visible(visibility, 'p.key'), seesDocuments(visibility)),

    async isPatient(patientId, visibility) {
      const where = all([{ sql: 'p.id = ?', params: [patientId] }, visible(visibility, 'p.key')])
      return db.get(`select 1 as one from patient p where ${where.sql}`, ...where.params) !== undefined
    },

    async timeline(patientId, visibility, limit) {
      const where = all([{ sql: 'p.id = ?', params: [patientId] }, visible(visibility, 's.owner')])
      return db
        .all<TimelineSql>(
          `select s.uid, s.date, s.time, s.description, s.modalities, s.accession, s.series, s.instances
           from patient p cross join study s indexed by study_owner on s.owner = coalesce(p.survivor, p.key)
           where ${where.sql} order by s.date desc, s.time desc, s.key desc limit ?`,
          ...where.params,
          limit,
        )
        .map(timelineRow)
    },

    async patientIds(id, issuer) {
      const rows =
        issuer === undefined
          ? db.all<{ id: string }>('select id from patient where identifier = ? order by issuer', id)
          : db.all<{ id: string }>('select id from patient where identifier = ? and issuer = ?', id, issuer)
      return rows.map((row) => row.id)
    },

    async ownersOf(studyInstanceUIDs) {
      const rows = db.all<{ id: string }>(
        `select distinct coalesce(v.id, p.id) as id from study s join patient p on p.key = s.owner
         left join patient v on v.key = p.survivor where s.uid in (select value from json_each(?))`,
        JSON.stringify(studyInstanceUIDs),
      )
      return rows.map(({ id }) => id)
    },

    async counts() {
      const row = db.get<{ patients: number; studies: number; series: number; instances: number; bytes: number }>(
        'select patients, studies, series, instances, bytes from total',
      )
      return { ...(row ?? { patients: 0, studies: 0, series: 0, instances: 0, bytes: 0 }) }
    },

    async feed(after, limit) {
      return db
        .all<{ sequence: number; kind: FeedEntry['kind']; object: string; study: string; time: number | string }>(
          'select sequence, kind, object, study, time from feed where sequence > ? order by sequence limit ?',
          after,
          limit,
        )
        .map(({ sequence, kind, object, study, time }) => ({
          sequence,
          kind,
          objectId: object,
          studyInstanceUID: study,
          time: unpackTime(time),
        }))
    },
  }
}

interface TimelineSql {
  readonly uid: string
  readonly date: string
  readonly time: string
  readonly description: string
  readonly modalities: string
  readonly accession: string
  readonly series: number
  readonly instances: number
}

function orNull(text: string): string | null {
  return text === '' ? null : text
}

function timelineRow(row: TimelineSql): TimelineRow {
  return {
    kind: 'study',
    studyInstanceUID: row.uid,
    date: orNull(row.date),
    time: orNull(row.time),
    description: orNull(row.description),
    modalities: row.modalities === '' ? [] : row.modalities.split('\\'),
    accessionNumber: orNull(row.accession),
    series: row.series,
    instances: row.instances,
  }
}

interface PatientSql {
  readonly key: number
  readonly name_key: string
  readonly id: string
  readonly issuer: string
  readonly identifier: string
  readonly issuer_assumed: number
  readonly name: string
  readonly birth_date: string
  readonly sex: string
  readonly studies: number
}

const PATIENT = 'p.key, p.id, p.issuer, p.identifier, p.issuer_assumed, p.name, p.birth_date, p.sex, p.studies'

/** What was typed, as ranges of folded names: `smith john` finds `SMITH^JOHN` and `SMITH JOHN^`. */
function nameCondition(typed: string): Condition {
  const folded = fold(typed)
  const alternatives = [...new Set([folded, folded.replace(/[\s,]+/g, '^')])]
  const ranges = alternatives.map((text) => {
    const { prefix, prefixOnly, glob } = parsePattern(text.endsWith('*') ? text : `${text}*`)
    const end = prefixEnd(prefix)
    const sql = `n.name_key >= ?${end === undefined ? '' : ' and n.name_key < ?'}${prefixOnly ? '' : ' and n.name_key glob ?'}`
    const params = [prefix, ...(end === undefined ? [] : [end]), ...(prefixOnly ? [] : [glob])]
    return { sql: `(${sql})`, params }
  })
  return { sql: ranges.map(({ sql }) => sql).join(' or '), params: ranges.flatMap(({ params }) => params) }
}

/** Documents that every reader of documents sees, of the patient or of somebody merged into it. */
const HAS_DOCUMENTS = `(p.survivor is null and (exists (select 1 from document d where d.patient = p.key and d.hidden = 0
  and d.restricted = 0) or exists (select 1 from patient m indexed by patient_survivor join document d on d.patient = m.key
  where m.survivor = p.key and d.hidden = 0 and d.restricted = 0)))`

function seesDocuments(visibility: Visibility): boolean {
  return visibility.sees !== 'nothing' && visibility.hidesDocuments !== true
}

function listPatients(
  db: Database,
  filter: { readonly identifier?: string; readonly name?: string; readonly limit: number; readonly cursor?: string },
  seen: Condition | undefined,
  papers: boolean,
): { items: PatientRow[]; next: string | null } {
  const byName = filter.name !== undefined && filter.name.trim() !== ''
  const nameKey = byName ? 'n.name_key' : 'p.name_key'
  const list = byName ? 'patients by name' : 'patients'
  const behind = filter.cursor === undefined ? undefined : cursorKeys(list, filter.cursor, ['', 0] as const)
  const where = all([
    // Somebody a hospital system registered is listed before the first study is there; whoever was merged is not.
    {
      sql: `p.studies > 0 or (p.authority <> 'object' and p.survivor is null)${papers ? ` or ${HAS_DOCUMENTS}` : ''}`,
      params: [],
    },
    filter.identifier === undefined ? undefined : identified(filter.identifier),
    byName ? nameCondition(filter.name ?? '') : undefined,
    behind === undefined ? undefined : { sql: `(${nameKey}, p.key) > (?, ?)`, params: behind },
    seen,
  ])
  const from = byName
    ? `patient_name n cross join patient q on q.key = n.patient
       cross join patient p on p.key = coalesce(q.survivor, q.key)`
    : 'patient p'
  const rows = db.all<PatientSql>(
    `select ${PATIENT}, ${nameKey} as name_key from ${from} where ${where.sql} order by ${nameKey}, p.key limit ?`,
    ...where.params,
    filter.limit + 1,
  )
  const page = rows.slice(0, filter.limit)
  const last = page.at(-1)
  const items = new Map(page.map((row) => [row.key, patientRow(row, identifiersOf(db, row.key))]))
  const more = rows.length > filter.limit && last !== undefined
  return {
    items: [...items.values()],
    next: more ? cursorText(list, [last.name_key, last.key]) : null,
  }
}

/** Patients by a number they have or had: of those merged since, who they live on as. */
function identified(id: string): Condition {
  return {
    sql: `p.key in (select coalesce(survivor, key) from patient where identifier = ?
      union select coalesce(q.survivor, q.key) from patient_identifier a cross join patient q on q.key = a.patient
      where a.identifier = ?)`,
    params: [id, id],
  }
}

/** Other numbers that lead to a patient: of those merged into it, and those a registration gave. */
function identifiersOf(db: Database, key: number): PatientKey[] {
  const rows = db.all<PatientKey>(
    `select issuer, identifier as id from patient indexed by patient_survivor where survivor = ?
     union select a.issuer, a.identifier from patient_identifier a indexed by patient_identifier_of where a.patient = ?
     order by 1, 2`,
    ...[key, key],
  )
  return rows.map(({ issuer, id }) => ({ issuer, id }))
}

function patientRow(row: PatientSql, identifiers: readonly PatientKey[]): PatientRow {
  return {
    id: row.id,
    issuer: row.issuer,
    identifier: row.identifier,
    issuerAssumed: row.issuer_assumed === 1,
    name: orNull(row.name),
    birthDate: orNull(row.birth_date),
    sex: orNull(row.sex),
    studies: row.studies,
    identifiers,
  }
}
