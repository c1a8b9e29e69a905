import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LedgerDecision } from '#model/identity.ts'
import { patientIdOf } from '#model/patient-id.ts'
import { EVERYTHING, type Visibility } from '#model/visibility.ts'
import { matching, queryOf } from '../../../test/contracts/archive-index-fixtures.ts'
import {
  assign,
  dump,
  fixName,
  ledgerArchive,
  merge,
  patientKey,
  register,
  smallLedger,
  studyGroup,
  undo,
} from '../../../test/support/ledger-fixture.ts'
import { openDatabase } from './database.ts'
import { migrate } from './migrate.ts'
import { MIGRATIONS } from './migrations/list.ts'
import { createSqliteReader } from './reader.ts'
import { createSqliteWriter } from './writer.ts'

const KEYWORDS = { id: 0x00100020, issuer: 0x00100021, name: 0x00100010, accession: 0x00080050 }

async function found(
  { reader }: ReturnType<typeof ledgerArchive>,
  by: keyof typeof KEYWORDS,
  text: string,
  {
    level = 'study',
    visibility = EVERYTHING,
    fuzzy = false,
  }: { level?: 'study' | 'series' | 'instance'; visibility?: Visibility; fuzzy?: boolean } = {},
): Promise<string[]> {
  const query = queryOf(level, [matching(KEYWORDS[by], text)], { fuzzy })
  const { rows } = await reader.search(query, visibility)
  assert.equal(await reader.count(query, visibility), rows.length)
  return rows.map(({ studyInstanceUID }) => studyInstanceUID).sort()
}

const refused: readonly {
  name: string
  before?: readonly LedgerDecision[]
  decisions: readonly LedgerDecision[]
  code: string | null
}[] = [
  { name: 'a merge', decisions: [merge('FOREIGN|F1', 'LOCAL|L1')], code: null },
  { name: 'a merge of a number nobody heard of', decisions: [merge('LOCAL|L9', 'LOCAL|L1')], code: null },
  { name: 'a merge into nobody', decisions: [merge('LOCAL|L1', 'LOCAL|L9')], code: 'identity.unknown' },
  { name: 'a change to a new number', decisions: [merge('LOCAL|L1', 'LOCAL|L9', 'change-id')], code: null },
  { name: 'a merge with itself', decisions: [merge('LOCAL|L1', 'LOCAL|L1')], code: 'identity.cycle' },
  {
    name: 'a circle in one list',
    decisions: [merge('FOREIGN|F1', 'LOCAL|L1'), merge('LOCAL|L1', 'LOCAL|L2'), merge('LOCAL|L2', 'FOREIGN|F1')],
    code: 'identity.cycle',
  },
  {
    name: 'the same merge again',
    before: [merge('FOREIGN|F1', 'LOCAL|L1')],
    decisions: [merge('FOREIGN|F1', 'LOCAL|L1')],
    code: 'identity.merged', // a second entry would outlive the taking back of the first
  },
  {
    name: 'a merge into a number that is two values',
    decisions: [merge('FOREIGN|F1', 'LOCAL|L\\1')],
    code: 'request.malformed',
  },
  {
    name: 'a merge into another one',
    before: [merge('FOREIGN|F1', 'LOCAL|L1')],
    decisions: [merge('FOREIGN|F1', 'LOCAL|L2')],
    code: 'identity.merged',
  },
  {
    name: 'a merge into another one once the first is taken back',
    before: [merge('FOREIGN|F1', 'LOCAL|L1')],
    decisions: [undo('1.0'), merge('FOREIGN|F1', 'LOCAL|L2')],
    code: null,
  },
  { name: 'undoing what never was', decisions: [undo('7.0')], code: 'identity.unknown' },
  {
    name: 'undoing twice',
    before: [merge('FOREIGN|F1', 'LOCAL|L1')],
    decisions: [undo('1.0'), undo('1.0')],
    code: 'identity.undone',
  },
  { name: 'assigning to nobody', decisions: [assign('1.1', 'LOCAL|L9')], code: 'identity.unknown' },
  {
    name: 'assigning to somebody registered in the same list',
    decisions: [register('LOCAL|L9', 'NEW^N'), assign('1.1', 'LOCAL|L9')],
    code: null,
  },
  { name: 'assigning no study', decisions: [assign('9.9', 'LOCAL|L1')], code: 'identity.unknown' },
  {
    name: 'overlaying a UID',
    decisions: [
      {
        do: 'overlay',
        scope: { of: 'study', studyInstanceUID: '1.1' },
        reason: 'CORRECT',
        changes: [{ path: '0020000D', vr: 'UI', values: ['1.9'] }],
      },
    ],
    code: 'request.malformed',
  },
  { name: 'a patient without an issuer', decisions: [register('|L9', 'X')], code: 'request.malformed' },
]
for (const { name, before = [], decisions, code } of refused) {
  test(`ledger: ${name} is ${code === null ? 'allowed' : `refused as ${code}`}`, () => {
    const made = smallLedger()
    for (const one of before) made.decide(one)
    assert.equal(made.ledger.check(decisions)?.code ?? null, code)
    if (code === null) made.decide(...decisions)
  })
}

test('a merged patient: found by old and new identifiers, answers are current, unmerge restores all of it', async () => {
  const made = smallLedger()
  const before = dump(made.db)
  const [entry = ''] = made.decide(merge('FOREIGN|F1', 'LOCAL|L1'))
  for (const level of ['study', 'series', 'instance'] as const) {
    assert.deepEqual(await found(made, 'id', 'F1', { level }), ['1.1'])
    assert.deepEqual(await found(made, 'id', 'L1', { level }), ['1.1', '1.2'])
    assert.deepEqual(await found(made, 'id', '*1', { level }), ['1.1', '1.2'])
    assert.deepEqual(await found(made, 'name', 'doe*', { level }), ['1.1'])
    assert.deepEqual(await found(made, 'name', 'ROE^RITA', { level }), ['1.1', '1.2'])
    assert.deepEqual(await found(made, 'issuer', 'FOREIGN', { level }), ['1.1'])
    assert.deepEqual(await found(made, 'issuer', 'LOCAL', { level }), ['1.1', '1.2', '1.3'])
    assert.deepEqual(await found(made, 'name', 'doe', { level, fuzzy: true }), ['1.1'])
  }
  const { rows } = await made.reader.search(queryOf('study', [matching(0x0020000d, '1.1')]), EVERYTHING)
  const row = JSON.parse(rows[0]?.json ?? '') as Record<string, { Value: unknown[] }>
  assert.deepEqual(row['00100020']?.Value, ['L1'])
  assert.deepEqual(row['00100010']?.Value, [{ Alphabetic: 'ROE^RITA' }])
  made.decide(undo(entry))
  assert.deepEqual(dump(made.db), before)
  assert.deepEqual(await found(made, 'id', 'L1'), ['1.2'])
})

test('who may see a patient sees what was folded into it, and nobody else does; unmerged it is as before', async () => {
  const made = smallLedger()
  const only = (patient: string): Visibility => {
    const { issuer, id } = patientKey(patient)
    return { sees: 'patients', patientIds: [patientIdOf(issuer, id)] }
  }
  const sees = async (patient: string) => {
    const { rows } = await made.reader.search(queryOf('study'), only(patient))
    const studies = rows.map(({ studyInstanceUID }) => studyInstanceUID).sort()
    for (const study of ['1.1', '1.2', '1.3']) {
      const visible = (await made.reader.metadata({ studyInstanceUID: study }, only(patient))) !== undefined
      assert.equal(visible, studies.includes(study))
    }
    const timeline = await made.reader.timeline(patientIdOf(...own(patient)), only(patient), 10)
    assert.deepEqual(timeline.map(({ studyInstanceUID }) => studyInstanceUID).sort(), studies)
    return studies
  }
  const own = (patient: string): [string, string] => [patientKey(patient).issuer, patientKey(patient).id]
  const [merged = ''] = made.decide(merge('FOREIGN|F1', 'LOCAL|L1'))
  assert.deepEqual(await sees('LOCAL|L1'), ['1.1', '1.2'])
  assert.deepEqual(await sees('FOREIGN|F1'), ['1.1', '1.2'])
  made.decide(undo(merged))
  assert.deepEqual([await sees('LOCAL|L1'), await sees('FOREIGN|F1')], [['1.2'], ['1.1']])
  made.decide(assign('1.1', 'LOCAL|L1'))
  assert.deepEqual([await sees('LOCAL|L1'), await sees('FOREIGN|F1')], [['1.1', '1.2'], []])
  const { items } = await made.reader.patients({ limit: 10 }, EVERYTHING)
  assert.deepEqual(
    items.map(({ identifier, studies }) => [identifier, studies]),
    [
      ['L2', 1],
      ['L1', 2],
    ],
  )
})

test('the patient list names the other numbers of a patient and finds it by them', async () => {
  const made = smallLedger()
  made.decide(merge('FOREIGN|F1', 'LOCAL|L1'))
  for (const identifier of ['F1', 'L1']) {
    const { items } = await made.reader.patients({ identifier, limit: 10 }, EVERYTHING)
    assert.deepEqual(
      items.map(({ identifier: id, identifiers }) => [id, identifiers]),
      [['L1', [{ issuer: 'FOREIGN', id: 'F1' }]]],
    )
  }
  const { items } = await made.reader.patients({ name: 'doe', limit: 10 }, EVERYTHING)
  assert.deepEqual(
    items.map(({ identifier }) => identifier),
    ['L1'],
  )
})

test('a name fix holds for every study of a patient, also those that come later, and for nobody else', async () => {
  const made = smallLedger()
  const [entry = ''] = made.decide(fixName('LOCAL|L1', 'ROE^MARGARITA'))
  made.store({ study: '1.4', patient: 'LOCAL|L1', name: 'ROE^RITA' })
  assert.deepEqual(await found(made, 'name', 'ROE^MARGARITA'), ['1.2', '1.4'])
  assert.deepEqual(await found(made, 'name', 'ROE^RITA'), ['1.2', '1.4'])
  assert.equal(made.identities.patient(patientKey('LOCAL|L1'))?.demographics.name, 'ROE^MARGARITA')
  made.decide(undo(entry))
  assert.deepEqual(await found(made, 'name', 'ROE^MARGARITA'), [])
  const untouched = smallLedger()
  untouched.store({ study: '1.4', patient: 'LOCAL|L1', name: 'ROE^RITA' })
  assert.deepEqual(dump(made.db), dump(untouched.db))
})

test('more of an assigned study comes in under what it says, and is served under what was decided', async () => {
  const made = smallLedger()
  made.decide(assign('1.1', 'LOCAL|L1', 'LA'))
  assert.equal(made.writer.studyPatient('1.1')?.id, 'F1')
  made.store({ study: '1.1', patient: 'FOREIGN|F1', uid: '1.1.1.2', accession: 'FA' })
  const ids: string[] = []
  for await (const instance of made.reader.instances({ studyInstanceUID: '1.1' }, EVERYTHING)) {
    ids.push(instance.patientId)
    assert.equal(instance.overlay.length, 1)
    assert.notEqual(instance.overlayVersion, 0)
    assert.ok(instance.overlay[0]?.changes.some(({ path, values }) => path === '00080050' && values?.[0] === 'LA'))
  }
  assert.deepEqual(ids, [patientIdOf('LOCAL', 'L1'), patientIdOf('LOCAL', 'L1')])
  assert.deepEqual(await found(made, 'accession', 'LA'), ['1.1'])
  assert.deepEqual(await found(made, 'accession', 'FA'), ['1.1'])
})

test('what arrives for a patient already merged or registered is overlaid at once', async () => {
  const made = ledgerArchive()
  made.decide(register('LOCAL|L1', 'ROE^RITA'))
  made.decide(merge('FOREIGN|F1', 'LOCAL|L1'))
  made.store({ study: '1.1', patient: 'FOREIGN|F1', name: 'DOE^J' })
  made.store({ study: '1.2', patient: 'LOCAL|L1', name: 'ROW^RITA' })
  assert.deepEqual(await found(made, 'id', 'L1'), ['1.1', '1.2'])
  assert.deepEqual(await found(made, 'name', 'ROE^RITA'), ['1.1', '1.2'])
  assert.deepEqual(await found(made, 'id', 'F1'), ['1.1'])
  const scope = { studyInstanceUID: '1.2', seriesInstanceUID: '1.2.1', sopInstanceUID: '1.2.1.1' }
  const first = await made.reader.instance(scope, EVERYTHING)
  assert.deepEqual(
    first?.overlay.map(({ changes }) => changes.map(({ path }) => path)),
    [['00100010']],
  )
})

test('a study with an overlay goes as a whole when it is deleted', async () => {
  const made = smallLedger()
  made.decide(assign('1.1', 'LOCAL|L1', 'LA'))
  const scope = { studyInstanceUID: '1.1' }
  made.writer.delete({
    scope,
    by: 'me',
    reason: 'test',
    time: '2026-01-02T00:00:00Z',
    purgeAfter: '2026-02-01T00:00:00Z',
  })
  for (const id of ['F1', 'LA', 'FA']) {
    assert.deepEqual(await found(made, 'id', id), [])
    assert.deepEqual(await found(made, 'accession', id), [])
  }
  assert.deepEqual(
    made.db.all(
      'select * from lookup l where l.attribute < 100 and not exists (select 1 from study where key = l.ref)',
    ),
    [],
  )
  assert.deepEqual(
    made.db.all('select * from study_word w where not exists (select 1 from study where key = w.study)'),
    [],
  )
  assert.equal(made.db.get<{ studies: number }>("select studies from patient where identifier = 'L1'")?.studies, 1)
})

test('a change is told in the feed', async () => {
  const made = smallLedger()
  const last = (await made.reader.feed(0, 100)).at(-1)?.sequence ?? 0
  made.decide(assign('1.1', 'LOCAL|L1'))
  assert.deepEqual(
    (await made.reader.feed(last, 10)).map(({ kind, studyInstanceUID }) => [kind, studyInstanceUID]),
    [['changed', '1.1']],
  )
})

test('an index of before the ledger is brought up to date where it stands', async () => {
  const db = openDatabase(':memory:')
  migrate(db, MIGRATIONS.slice(0, 3))
  const id = patientIdOf('LOCAL', 'L1')
  db.run(
    `insert into patient (key, id, issuer, identifier, issuer_assumed, name, name_key, birth_date, sex, studies)
     values (1, ?, 'LOCAL', 'L1', 0, 'ROE^RITA', 'ROE^RITA', '19700101', 'F', 1)`,
    id,
  )
  db.run("insert into patient_name values ('ROE^RITA', 1)")
  db.run(
    `insert into study (key, uid, patient, date, time, mods, name_key, modalities, pid, accession, study_id, description,
       referring, name, birth_date, sex, zone, zone_assumed, series, instances, bytes)
     values (1, '1.2', 1, '20260101', '', 0, 'ROE^RITA', '', 'L1', '', '', '', '', 'ROE^RITA', '19700101', 'F', '', 1, 0, 0, 0)`,
  )
  db.run("insert into day_count values ('20260101', 1)")
  db.run("insert into study_text (rowid, name, pid, accession, description) values (1, 'ROE^RITA', 'L1', '', '')")
  migrate(db)
  const reader = createSqliteReader(db)
  const visibility: Visibility = { sees: 'patients', patientIds: [id] }
  assert.equal(await reader.count(queryOf('study', [matching(0x00100020, 'L1')]), visibility), 1)
  const writer = createSqliteWriter(db)
  writer.commit(studyGroup({ study: '1.1', patient: 'FOREIGN|F1' }))
  const made = { ...ledgerArchive(db), db }
  const [entry = ''] = made.decide(merge('FOREIGN|F1', 'LOCAL|L1'))
  assert.equal((await reader.search(queryOf('study'), visibility)).rows.length, 2)
  made.decide(undo(entry))
  assert.equal((await reader.search(queryOf('study'), visibility)).rows.length, 1)
})
