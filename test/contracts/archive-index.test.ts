import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { ArchiveReader, ArchiveWriter } from '#model/archive-index.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import { EVERYTHING, type Visibility } from '#model/visibility.ts'
import { type Database, openDatabase } from '../../src/index/sqlite/database.ts'
import { migrate } from '../../src/index/sqlite/migrate.ts'
import { createSqliteReader } from '../../src/index/sqlite/reader.ts'
import { createSqliteWriter } from '../../src/index/sqlite/writer.ts'
import { arrivalOf, groupOf, instanceOf, matching, queryOf, sha, TIME } from './archive-index-fixtures.ts'

interface Index {
  readonly writer: ArchiveWriter
  readonly reader: ArchiveReader
  readonly db: Database
}

const opened: (() => void)[] = []

/** Every adapter answers alike: one connection in memory, and a writer beside a read-only reader on a file. */
const adapters: { name: string; open: () => Index }[] = [
  {
    name: 'SQLite in memory',
    open() {
      const db = openDatabase(':memory:')
      migrate(db)
      opened.push(() => db.close())
      return { db, writer: createSqliteWriter(db), reader: createSqliteReader(db) }
    },
  },
  {
    name: 'SQLite file, reader apart',
    open() {
      const directory = mkdtempSync(join(tmpdir(), 'archive-index-'))
      const path = join(directory, 'diptych.db')
      const db = openDatabase(path)
      migrate(db)
      const readDb = openDatabase(path, { readOnly: true })
      opened.push(() => {
        readDb.close()
        db.close()
        rmSync(directory, { recursive: true, force: true })
      })
      return { db, writer: createSqliteWriter(db), reader: createSqliteReader(readDb) }
    },
  },
]

after(() => {
  for (const close of opened) close()
})

const NAME = 0x00100010
const MODALITIES = 0x00080061

async function collect(instances: AsyncIterable<StoredInstance>): Promise<string[]> {
  const uids: string[] = []
  for await (const { sopInstanceUID } of instances) uids.push(sopInstanceUID)
  return uids
}

async function studies(reader: ArchiveReader, visibility: Visibility = EVERYTHING): Promise<string[]> {
  return (await reader.search(queryOf('study'), visibility)).rows.map(({ studyInstanceUID }) => studyInstanceUID)
}

function dump(db: Database): string {
  const tables = db.all<{ name: string }>(
    "select name from sqlite_schema where type = 'table' and sql not like '%virtual%' and name not like 'sqlite_%' order by name",
  )
  return JSON.stringify(tables.map(({ name }) => [name, db.arrays(`select * from "${name}"`)]))
}

for (const { name, open } of adapters) {
  describe(`archive index: ${name}`, () => {
    test('what was committed is found by every identifier, bit for bit as it was said', async () => {
      const { writer, reader } = open()
      writer.commit(groupOf({ uid: '1.9' }))
      const expected = instanceOf({ uid: '1.9' })
      const scope = { studyInstanceUID: '1.2.3', seriesInstanceUID: '1.2.3.1', sopInstanceUID: '1.9' }
      const stored = await reader.instance(scope, EVERYTHING)
      assert.deepEqual(stored, {
        objectId: 'object-1.9',
        sopInstanceUID: '1.9',
        sopClassUID: expected.sopClassUID,
        transferSyntaxUID: expected.transferSyntaxUID,
        studyInstanceUID: '1.2.3',
        seriesInstanceUID: '1.2.3.1',
        patientId: 'HOSPITAL|P1',
        location: expected.location,
        dataSetOffset: 334,
        digests: expected.record.digests,
        frames: null,
        overlayVersion: 0,
        overlay: [],
        version: 1,
      })
      for (const identifier of ['object-1.9', '1.9', ...Object.values(expected.record.digests)]) {
        assert.equal((await reader.find(identifier, EVERYTHING))?.objectId, 'object-1.9', identifier)
      }
      assert.deepEqual(await reader.record('object-1.9'), expected.record)
      assert.deepEqual(await reader.arrivalsOf('object-1.9'), [expected.record.arrival])
      assert.deepEqual(await reader.placementOf('object-1.9'), expected.record.placement)
      assert.deepEqual(writer.known('1.9')?.digests, expected.record.digests)
      assert.equal(writer.known('1.8'), undefined)
      assert.equal(writer.studyPatient('1.2.3')?.id, 'P1')
      assert.equal(await reader.instance({ ...scope, seriesInstanceUID: '1.2.3.2' }, EVERYTHING), undefined)
    })

    test('the first instance speaks for its study; what it left empty is filled', async () => {
      const { writer, reader } = open()
      writer.commit(groupOf({ uid: '1.1', attributes: { '00081030': ['HEAD'], '00080020': [] } }))
      writer.commit(
        groupOf({ uid: '1.2', attributes: { '00081030': ['OTHER'], '00080020': ['20260102'], '00080050': ['A1'] } }),
      )
      writer.commit(groupOf({ uid: '1.3', series: '1.2.3.2', attributes: { '00080060': ['PT'] } }))
      const page = await reader.search(queryOf('study', [matching(0x00080050, 'A1')]), EVERYTHING)
      const row = JSON.parse(page.rows[0]?.json ?? '{}')
      assert.deepEqual(row['00081030'].Value, ['HEAD'])
      assert.deepEqual(row['00080020'].Value, ['20260102'])
      assert.deepEqual(row['00080061'].Value, ['CT', 'PT'])
      assert.deepEqual(row['00201206'].Value, [2])
      assert.deepEqual(row['00201208'].Value, [3])
      const series = await reader.search(queryOf('series', [], { scope: { studyInstanceUID: '1.2.3' } }), EVERYTHING)
      assert.deepEqual(
        series.rows.map(({ json }) => JSON.parse(json)['00201209'].Value[0]),
        [2, 1],
      )
      assert.deepEqual(await reader.counts(), { patients: 1, studies: 1, series: 2, instances: 3, bytes: 3000 })
    })

    test('instances and metadata come in order of series number, instance number, UID', async () => {
      const { writer, reader } = open()
      const sketch = (uid: string, series: string, seriesNumber: string, number: string) => ({
        uid,
        series,
        attributes: { '00200011': [seriesNumber], '00200013': number === '' ? [] : [number] },
      })
      writer.commit(
        groupOf(
          sketch('1.5', 's2', '2', '1'),
          sketch('1.4', 's1', '1', ''),
          sketch('1.3', 's1', '1', '10'),
          sketch('1.2', 's1', '1', '9'),
          sketch('1.1', 's1', '1', '9'),
        ),
      )
      const scope = { studyInstanceUID: '1.2.3' }
      assert.deepEqual(await collect(reader.instances(scope, EVERYTHING)), ['1.1', '1.2', '1.3', '1.4', '1.5'])
      const metadata = await reader.metadata({ ...scope, seriesInstanceUID: 's1' }, EVERYTHING)
      assert.equal(metadata?.chunks.length, 4)
      const { crc32, rawLength, deflated } = instanceOf({ uid: '1.1' }).metadata
      assert.deepEqual(metadata?.chunks[0], { crc32, rawLength, deflated: new Uint8Array(deflated) })
      assert.equal(await reader.metadata({ studyInstanceUID: 'none' }, EVERYTHING), undefined)
    })

    test('what a caller may not see does not exist, in any read', async () => {
      const { writer, reader } = open()
      writer.commit(groupOf({ uid: '1.1', study: 's1', patient: 'P1' }, { uid: '1.2', study: 's2', patient: 'P2' }))
      const onlyP2: Visibility = { sees: 'patients', patientIds: ['HOSPITAL|P2'] }
      const scope = { studyInstanceUID: 's1', seriesInstanceUID: 's1.1', sopInstanceUID: '1.1' }
      for (const visibility of [onlyP2, { sees: 'nothing' }, { sees: 'patients', patientIds: [] }] as Visibility[]) {
        assert.equal(await reader.instance(scope, visibility), undefined)
        assert.equal(await reader.metadata(scope, visibility), undefined)
        assert.deepEqual(await collect(reader.instances({ studyInstanceUID: 's1' }, visibility)), [])
        for (const identifier of ['1.1', 'object-1.1', sha('kept 1.1'), sha('arrived 1.1')]) {
          assert.equal(await reader.find(identifier, visibility), undefined)
        }
        const seen: number = visibility === onlyP2 ? 1 : 0
        for (const level of ['study', 'series', 'instance'] as const) {
          for (const match of [[], [matching(0x0020000d, ['s1', 's2'])], [matching(MODALITIES, 'CT')]]) {
            const { rows } = await reader.search(queryOf(level, match), visibility)
            assert.equal(rows.length, seen, `${level} rows`)
            assert.equal(await reader.count(queryOf(level, match), visibility), seen, `${level} count`)
          }
        }
        assert.equal((await reader.patients({ limit: 10 }, visibility)).items.length, seen)
        assert.equal((await reader.timeline('HOSPITAL|P1', visibility, 10)).length, 0)
        assert.equal(await reader.isPatient('HOSPITAL|P1', visibility), false)
      }
    })

    test('a deleted object is gone at once, its history stays, its UID may be stored again', async () => {
      const { writer, reader } = open()
      writer.commit(groupOf({ uid: '1.1', attributes: { '00100010': ['DOE^J'] } }, { uid: '1.2', series: 'other' }))
      const deletion = { by: 'archivist', reason: 'wrong patient', time: TIME, purgeAfter: '2026-02-01T00:00:00.000Z' }
      const gone = writer.delete({ ...deletion, scope: { studyInstanceUID: '1.2.3', seriesInstanceUID: '1.2.3.1' } })
      assert.deepEqual(gone, ['object-1.1'])
      assert.equal(await reader.find('1.1', EVERYTHING), undefined)
      assert.equal(writer.known('1.1'), undefined)
      assert.equal((await reader.arrivalsOf('object-1.1')).length, 1)
      const [row] = (await reader.search(queryOf('study'), EVERYTHING)).rows
      assert.deepEqual(JSON.parse(row?.json ?? '')['00201208'].Value, [1])
      assert.deepEqual(writer.delete({ ...deletion, scope: { studyInstanceUID: '1.2.3' } }), ['object-1.2'])
      assert.deepEqual(await studies(reader), [])
      assert.deepEqual(writer.delete({ ...deletion, scope: { studyInstanceUID: '1.2.3' } }), [])
      assert.deepEqual(await reader.counts(), { patients: 1, studies: 0, series: 0, instances: 0, bytes: 0 })

      assert.equal(writer.nextVersion('1.1'), 2)
      const again = instanceOf({ uid: '1.1', attributes: { '00100010': ['DOE^J'] } })
      writer.commit({
        instances: [{ ...again, record: { ...again.record, objectId: 'second', version: 2 } }],
        arrivals: [{ ...arrivalOf({ uid: '1.1' }), id: 'a2', objectId: 'second' }],
        flushed: null,
      })
      assert.equal((await reader.find('1.1', EVERYTHING))?.version, 2)
      assert.deepEqual(await studies(reader), ['1.2.3'])
      const named = await reader.search(queryOf('study', [matching(NAME, '*OE^*')]), EVERYTHING)
      assert.equal(named.rows.length, 1)
      assert.deepEqual(
        (await reader.feed(0, 10)).map(({ kind, objectId }) => `${kind} ${objectId}`),
        ['stored object-1.1', 'stored object-1.2', 'deleted object-1.1', 'deleted object-1.2', 'stored second'],
      )

      assert.deepEqual(writer.purgeable('2026-01-31T00:00:00.000Z', 10), [])
      const due = writer.purgeable('2026-02-01T00:00:00.000Z', 10).map(({ objectId }) => objectId)
      assert.deepEqual(due, ['object-1.1', 'object-1.2'])
      assert.deepEqual(writer.liveBytes(), [{ segment: '000001.tar', bytes: 3000, objects: 3 }])
      writer.forget(due)
      assert.deepEqual(writer.purgeable('2027-01-01T00:00:00.000Z', 10), [])
      writer.relocate([{ objectId: 'second', to: { segment: '000002.tar', offset: 0, length: 1000 } }])
      assert.deepEqual(writer.liveBytes(), [
        { segment: '000001.tar', bytes: 0, objects: 0 },
        { segment: '000002.tar', bytes: 1000, objects: 1 },
      ])
      assert.equal((await reader.find('second', EVERYTHING))?.location.segment, '000002.tar')
    })

    test('the same UID twice is refused, also within one group', () => {
      const { writer } = open()
      writer.commit(groupOf({ uid: '1.1' }))
      assert.throws(() => writer.commit(groupOf({ uid: '1.1' })), { code: 'identity.conflict' })
      assert.throws(() => writer.commit(groupOf({ uid: '1.2' }, { uid: '1.2' })))
      writer.commit(groupOf({ uid: '1.2' }))
    })

    test('a duplicate or refused arrival is a record without a second object', async () => {
      const { writer, reader } = open()
      writer.commit(groupOf({ uid: '1.1' }))
      const again = { ...arrivalOf({ uid: '1.1' }), id: 'again', door: 'media' as const, path: 'DICOM/I1' }
      const refused = { ...arrivalOf({ uid: '1.7' }), id: 'no', objectId: null, verdict: 'reject' as const }
      const finding = { rule: 'P2', severity: 'reject' as const, detail: 'MZ', offset: 0, tag: null }
      writer.commit({ instances: [], arrivals: [again, { ...refused, findings: [finding] }], flushed: null })
      const ids = async (filter: object): Promise<string[]> =>
        (await reader.arrivals({ limit: 10, ...filter })).items.map(({ id }) => id)
      assert.deepEqual(await ids({}), ['no', 'again', 'arrival-1.1'])
      assert.deepEqual(await ids({ sha256: sha('arrived 1.1') }), ['again', 'arrival-1.1'])
      assert.deepEqual(await ids({ sopInstanceUid: '1.1' }), ['again', 'arrival-1.1'])
      assert.deepEqual(await ids({ sopInstanceUid: '1.7', verdict: 'reject' }), ['no'])
      assert.deepEqual(await ids({ since: '2026-01-02T03:04:05.679Z' }), [])
      assert.deepEqual((await reader.arrivals({ verdict: 'reject', limit: 1 })).items[0]?.findings, [finding])
      const first = await reader.arrivals({ limit: 2 })
      assert.equal(first.items.length, 2)
      const second = await reader.arrivals({ limit: 2, cursor: first.next ?? '' })
      assert.deepEqual([second.items.map(({ id }) => id), second.next], [['arrival-1.1'], null])
    })

    test('a change is told, kept, and makes the ETag another', async () => {
      const { writer, reader } = open()
      writer.commit(groupOf({ uid: '1.1' }))
      const before = await reader.metadata({ studyInstanceUID: '1.2.3' }, EVERYTHING)
      const change = {
        tag: '00091001',
        before: 'x',
        after: null,
        rule: 'B4',
        by: 'site',
        time: TIME,
        undone: false,
      }
      assert.equal(writer.changed('object-1.1', [change]), true)
      assert.equal(writer.changed('unknown', [change]), false)
      assert.deepEqual(await reader.changesOf('object-1.1'), [change])
      assert.equal((await reader.find('1.1', EVERYTHING))?.overlayVersion, 1)
      assert.notEqual((await reader.metadata({ studyInstanceUID: '1.2.3' }, EVERYTHING))?.etag, before?.etag)
    })

    test('two issuers make two patients of one number; names are found in every script', async () => {
      const { writer, reader } = open()
      const japanese = { '00100010': ['Yamada^Tarou=山田^太郎=やまだ^たろう'] }
      writer.commit(
        groupOf(
          { uid: '1.1', study: 'a', patient: '1', issuer: 'A', attributes: { '00100010': ['Müller^Jörg'] } },
          { uid: '1.2', study: 'b', patient: '1', issuer: 'B', attributes: japanese },
        ),
      )
      assert.deepEqual(await reader.patientIds('1'), ['A|1', 'B|1'])
      assert.deepEqual(await reader.patientIds('1', 'B'), ['B|1'])
      const named = async (text: string): Promise<string[]> =>
        (await reader.patients({ name: text, limit: 10 }, EVERYTHING)).items.map(({ id }) => id)
      assert.deepEqual(await named('muller'), ['A|1'])
      assert.deepEqual(await named('müller, j'), ['A|1'])
      assert.deepEqual(await named('山田'), ['B|1'])
      assert.deepEqual(await named('tarou'), [])
      const page = await reader.patients({ limit: 1 }, EVERYTHING)
      const rest = await reader.patients({ limit: 1, cursor: page.next ?? '' }, EVERYTHING)
      assert.deepEqual([page.items[0]?.id, rest.items[0]?.id, rest.next], ['A|1', 'B|1', null])
      assert.deepEqual(
        [await reader.isPatient('B|1', EVERYTHING), await reader.isPatient('B|9', EVERYTHING)],
        [true, false],
      )
      const [row] = await reader.timeline('B|1', EVERYTHING, 10)
      assert.deepEqual(row, {
        kind: 'study',
        studyInstanceUID: 'b',
        date: null,
        time: null,
        description: null,
        modalities: ['CT'],
        accessionNumber: null,
        series: 1,
        instances: 1,
      })
    })

    test('the flushed position commits with its group', () => {
      const { writer } = open()
      writer.commit({ ...groupOf({ uid: '1.1' }), flushed: { segment: '000001.tar', offset: 4096 } })
      writer.commit({ instances: [], arrivals: [], flushed: { segment: '000002.tar', offset: 512 } })
      assert.deepEqual(writer.flushed(), [
        { segment: '000001.tar', offset: 4096 },
        { segment: '000002.tar', offset: 512 },
      ])
    })
  })
}

/** A database whose k-th write fails. */
function failing(db: Database, at: number): { readonly db: Database; readonly reached: () => boolean } {
  let calls = 0
  const wrapped = new Proxy(db, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== 'function') return value
      const method = value.bind(target) as (...args: unknown[]) => unknown
      if (property !== 'run' && property !== 'get' && property !== 'all') return method
      return (...args: unknown[]): unknown => {
        if (calls++ === at) throw new Error(`call ${at} fails`)
        return method(...args)
      }
    },
  })
  return { db: wrapped, reached: () => calls > at }
}

// A group is all there or not there at all, and the writer goes on as if nothing had been tried.
test('a failure at any statement leaves nothing of the group', async () => {
  const db = openDatabase(':memory:')
  migrate(db)
  createSqliteWriter(db).commit(groupOf({ uid: '1.0', study: 'old' }))
  const before = dump(db)
  const group = groupOf(
    { uid: '1.1', study: 'new', attributes: { '00100010': ['A^B'], '00081030': ['HEAD'] } },
    { uid: '1.2', study: 'old', attributes: { '00081030': ['FILLED'] } },
    { uid: '1.3', study: 'old', series: 'second', attributes: { '00080060': ['MR'] } },
  )
  const deletion = { by: 'x', reason: 'y', time: TIME, purgeAfter: TIME, scope: { studyInstanceUID: 'old' } }
  for (const { act, steps } of [
    { act: (writer: ArchiveWriter) => void writer.commit(group), steps: 40 },
    { act: (writer: ArchiveWriter) => void writer.delete(deletion), steps: 10 },
  ]) {
    let at = 0
    for (; ; at++) {
      const fault = failing(db, at)
      const writer = createSqliteWriter(fault.db)
      try {
        db.transaction(() => {
          act(writer)
          if (!fault.reached()) throw new RangeError('done')
        })
      } catch (error) {
        if (error instanceof RangeError) break
      }
      assert.equal(dump(db), before, `after a failure at call ${at}`)
    }
    assert.ok(at >= steps, `only ${at} statements were tried`)
    assert.equal(dump(db), before)
  }
  // The same writer goes on after a failure that its caller's transaction undid.
  const writer = createSqliteWriter(db)
  assert.throws(() =>
    db.transaction(() => {
      writer.commit(group)
      throw new Error('audit failed')
    }),
  )
  assert.equal(dump(db), before)
  writer.commit(group)
  assert.equal(writer.known('1.3')?.objectId, 'object-1.3')
  const reader = createSqliteReader(db)
  assert.equal((await reader.search(queryOf('study'), EVERYTHING)).rows.length, 2)
  db.close()
})
