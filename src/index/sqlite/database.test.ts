import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDatabase } from './database.ts'
import { checkSchema, type Migration, migrate } from './migrate.ts'

const FIRST: Migration = { number: 1, name: 'first', sqlite: ['create table a (x integer)'] }
const SECOND: Migration = {
  number: 2,
  name: 'second',
  sqlite: ['create table b (x integer)', 'insert into b values (7)'],
}
const BROKEN: Migration = { number: 3, name: 'broken', sqlite: ['create table c (x integer)', 'create nonsense'] }

test('migrations run once, in order, and a broken one leaves nothing', () => {
  const db = openDatabase(':memory:')
  assert.deepEqual(migrate(db, [SECOND, FIRST]), [1, 2])
  assert.deepEqual(migrate(db, [FIRST, SECOND]), [])
  assert.throws(() => migrate(db, [FIRST, SECOND, BROKEN]))
  assert.equal(db.get("select 1 from sqlite_schema where name = 'c'"), undefined)
  assert.deepEqual(
    db.all<{ x: number }>('select x from b').map(({ x }) => x),
    [7],
  )
  db.close()
})

test('a schema from a newer version is refused and left alone', () => {
  const db = openDatabase(':memory:')
  migrate(db, [FIRST, SECOND])
  assert.throws(() => migrate(db, [FIRST]), { code: 'archive.newer' })
  assert.throws(() => checkSchema(db, [FIRST]), { code: 'archive.newer' })
  checkSchema(db, [FIRST, SECOND])
  db.close()
})

test('what a failed transaction wrote is gone, inner ones by themselves', () => {
  const db = openDatabase(':memory:')
  migrate(db, [FIRST])
  const values = (): number[] => db.all<{ x: number }>('select x from a order by x').map(({ x }) => x)
  db.transaction(() => {
    db.run('insert into a values (1)')
    assert.throws(() =>
      db.transaction(() => {
        db.run('insert into a values (2)')
        throw new Error('inner')
      }),
    )
    db.transaction(() => db.run('insert into a values (3)'))
  })
  assert.deepEqual(values(), [1, 3])
  assert.throws(() =>
    db.transaction(() => {
      db.run('insert into a values (4)')
      throw new Error('outer')
    }),
  )
  assert.deepEqual(values(), [1, 3])
  assert.equal(db.inTransaction, false)
  db.close()
})

test('a part of a transaction that failed takes the whole with it, unless a savepoint around it is undone', () => {
  const db = openDatabase(':memory:')
  migrate(db, [FIRST])
  const values = (): number[] => db.all<{ x: number }>('select x from a order by x').map(({ x }) => x)
  const failing = () =>
    db.within(() => {
      db.run('insert into a values (2)')
      throw new Error('part')
    })
  assert.throws(() =>
    db.transaction(() => {
      db.run('insert into a values (1)')
      assert.throws(failing)
    }),
  )
  assert.deepEqual(values(), [])
  db.transaction(() => {
    db.within(() => db.run('insert into a values (3)'))
    assert.throws(() => db.transaction(failing))
  })
  assert.deepEqual(values(), [3])
  assert.throws(failing)
  assert.equal(db.inTransaction, false)
  db.within(() => db.run('insert into a values (4)'))
  assert.deepEqual(values(), [3, 4])
  db.close()
})

test('a reader sees committed rows only and cannot write; the writer flushes at commit', () => {
  const directory = mkdtempSync(join(tmpdir(), 'index-'))
  try {
    const path = join(directory, 'diptych.db')
    const writer = openDatabase(path)
    migrate(writer, [FIRST])
    assert.equal(writer.get<{ synchronous: number }>('pragma synchronous')?.synchronous, 2)
    assert.equal(writer.get<{ journal_mode: string }>('pragma journal_mode')?.journal_mode, 'wal')
    const reader = openDatabase(path, { readOnly: true })
    const count = (): number | undefined => reader.get<{ n: number }>('select count(*) as n from a')?.n
    writer.transaction(() => {
      writer.run('insert into a values (1)')
      assert.equal(count(), 0)
    })
    assert.equal(count(), 1)
    assert.throws(() => reader.run('insert into a values (2)'), { code: 'storage.read-only' })
    reader.close()
    writer.close()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('a file that is no database is told as damaged', () => {
  assert.throws(() => openDatabase('/dev/null/none'))
  const db = openDatabase(':memory:')
  assert.throws(() => db.exec('select * from missing'))
  db.close()
})
