import { ArchiveError } from '#errors.ts'
import type { Database } from './database.ts'
import { MIGRATIONS } from './migrations/list.ts'

/** One step of the schema. Numbers ascend without gaps and are the same for every database. */
export interface Migration {
  readonly number: number
  readonly name: string
  readonly sqlite: readonly string[]
}

function applied(db: Database): number {
  const table = db.get<{ name: string }>("select name from sqlite_schema where type = 'table' and name = 'migration'")
  if (table === undefined) return 0
  return db.get<{ number: number }>('select max(number) as number from migration')?.number ?? 0
}

function refuseNewer(have: number, known: number): void {
  if (have <= known) return
  throw new ArchiveError('archive.newer', `the index has schema ${have}, this version knows ${known}`, {
    hint: 'Start the version that wrote this archive, or a newer one.',
  })
}

/**
 * Brings the schema up to date, each migration in a transaction of its own.
 * @returns numbers of the migrations that were applied now
 * @throws ArchiveError 'archive.newer' when the schema is newer than this version; nothing is changed then
 */
export function migrate(db: Database, migrations: readonly Migration[] = MIGRATIONS): readonly number[] {
  const known = migrations.reduce((highest, { number }) => Math.max(highest, number), 0)
  refuseNewer(applied(db), known)
  const done: number[] = []
  for (const { number, name, sqlite } of migrations.toSorted((a, b) => a.number - b.number)) {
    const ran = db.transaction(() => {
      // Asked again inside: another process may have been faster.
      if (applied(db) >= number) return false
      db.exec(
        'create table if not exists migration (number integer primary key, name text not null, time text not null)',
      )
      for (const statement of sqlite) db.exec(statement)
      db.run('insert into migration (number, name, time) values (?, ?, ?)', number, name, new Date().toISOString())
      return true
    })
    if (ran) done.push(number)
  }
  return done
}

/**
 * For readers, which may not change the schema.
 * @throws ArchiveError 'archive.newer'
 */
export function checkSchema(db: Database, migrations: readonly Migration[] = MIGRATIONS): void {
  refuseNewer(
    applied(db),
    migrations.reduce((highest, { number }) => Math.max(highest, number), 0),
  )
}
