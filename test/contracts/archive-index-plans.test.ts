import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSearch } from '#access/dicomweb/search-query.ts'
import { type Database, openDatabase, type SqlParam } from '#index/sqlite/database.ts'
import { migrate } from '#index/sqlite/migrate.ts'
import { createSqliteReader } from '#index/sqlite/reader.ts'
import { createSqliteWriter } from '#index/sqlite/writer.ts'
import type { Query } from '#model/search.ts'
import { EVERYTHING, type Visibility } from '#model/visibility.ts'
import { groupOf } from './archive-index-fixtures.ts'

const db = openDatabase(':memory:')
migrate(db)
createSqliteWriter(db).commit(
  groupOf({ uid: '1.1', attributes: { '00100010': ['DOE^JANE'], '00080020': ['20260101'], '00080050': ['A1'] } }),
)

/** What SQLite would do for every statement a search runs: one line per loop. */
async function plansOf(level: Query['level'], scope: Query['scope'], query: string, visibility: Visibility) {
  const plans: string[] = []
  const watch = (sql: string, params: SqlParam[]): void => {
    const rows = db.all<{ detail: string }>(`explain query plan ${sql}`, ...params)
    plans.push(rows.map(({ detail }) => detail).join('; '))
  }
  const watched: Database = new Proxy(db, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== 'function') return value
      return (sql: string, ...params: SqlParam[]): unknown => {
        if (property === 'arrays' || property === 'get' || property === 'all') watch(sql, params)
        return value.call(target, sql, ...params)
      }
    },
  })
  const parsed = parseSearch(level, scope, new URLSearchParams(query))
  const { rows } = await createSqliteReader(watched).search(parsed.query, visibility)
  return { plans, rows: rows.length }
}

// The planner may turn a query round when its statistics change; then a page costs a scan. Each must stay pinned.
const cases: {
  query: string
  uses: string
  level?: Query['level']
  scope?: Query['scope']
  visibility?: Visibility
  /** Sorting is allowed: few rows by then. */
  sorts?: true
}[] = [
  { query: '', uses: 'COVERING INDEX study_date' },
  { query: 'StudyDate=20250101-20270101', uses: 'COVERING INDEX study_date (date>? AND date<?)' },
  { query: 'StudyDate=20260101', uses: 'COVERING INDEX study_date (date=?)' },
  { query: 'ModalitiesInStudy=CT&StudyDate=20250101-', uses: 'COVERING INDEX study_date', sorts: true },
  { query: 'PatientName=DOE^JANE', uses: 'COVERING INDEX study_name (name_key=?)' },
  { query: 'PatientName=DO*', uses: 'COVERING INDEX study_name (name_key>? AND name_key<?)', sorts: true },
  { query: 'PatientID=P1', uses: 'COVERING INDEX study_pid (pid=?)' },
  { query: 'AccessionNumber=A1', uses: 'study_accession (accession=?)' },
  { query: 'StudyInstanceUID=1.2.3', uses: 'INDEX study_uid (uid=?)', sorts: true },
  { query: 'StudyInstanceUID=1.2.3,1.2.4', uses: 'INDEX study_uid (uid=?)', sorts: true },
  { query: 'PatientName=*OE^J*', uses: 'VIRTUAL TABLE INDEX', sorts: true },
  {
    query: 'PatientName=ja&fuzzymatching=true',
    uses: 'study_word USING PRIMARY KEY (word>? AND word<?)',
    sorts: true,
  },
  { query: 'orderby=PatientName', uses: 'COVERING INDEX study_name' },
  { query: 'orderby=-PatientName', uses: 'COVERING INDEX study_name' },
  { query: 'orderby=StudyDate', uses: 'COVERING INDEX study_date' },
  {
    query: '',
    uses: 'COVERING INDEX study_owner (owner=?)',
    visibility: { sees: 'patients', patientIds: ['HOSPITAL|P1'] },
    sorts: true,
  },
  {
    query: '',
    uses: 'INDEX series_study (study=?)',
    level: 'series',
    scope: { studyInstanceUID: '1.2.3' },
    sorts: true,
  },
  { query: '', uses: 'SCAN r', level: 'series' },
  { query: 'Modality=CT', uses: 'series_modality (modality=?)', level: 'series' },
  { query: 'SeriesInstanceUID=1.2.3.1', uses: 'series_uid (uid=?)', level: 'series', sorts: true },
  {
    query: '',
    uses: 'SEARCH i USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)',
    level: 'instance',
    scope: { studyInstanceUID: '1.2.3', seriesInstanceUID: '1.2.3.1' },
    sorts: true,
  },
  { query: 'SOPInstanceUID=1.1', uses: 'object_uid (uid=?)', level: 'instance', sorts: true },
  { query: 'SOPClassUID=1.2.840.10008.5.1.4.1.1.2', uses: 'instance_class (sop_class=?)', level: 'instance' },
]

for (const { query, uses, level = 'study', scope = {}, visibility = EVERYTHING, sorts } of cases) {
  const who = visibility.sees === 'all' ? '' : ' (some patients)'
  test(`plan of ${level}?${query}${scope.studyInstanceUID === undefined ? '' : ' in scope'}${who}`, async () => {
    const { plans, rows } = await plansOf(level, scope, query, visibility)
    const page = plans.at(-1) ?? ''
    assert.ok(rows > 0, 'the query must find what it is about')
    assert.ok(
      plans.some((plan) => plan.includes(uses)),
      `no ${uses} in\n${plans.join('\n')}`,
    )
    for (const plan of plans) {
      assert.ok(!/AUTOMATIC/.test(plan), `an index made on the fly: ${plan}`)
      assert.ok(!/SCAN (study|object|lookup|study_word)\b/.test(plan), `a scan: ${plan}`)
      assert.ok(!/SCAN s\b(?! USING COVERING INDEX)/.test(plan), `a scan of the table: ${plan}`)
    }
    if (sorts !== true) assert.ok(!page.includes('TEMP B-TREE FOR ORDER BY'), `sorts: ${page}`)
  })
}
