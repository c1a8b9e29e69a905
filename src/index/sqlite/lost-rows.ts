import { existsSync } from 'node:fs'
import { ArchiveError } from '#errors.ts'
import type { Database } from './database.ts'
import { SLOTS } from './tree.ts'

/** An object that an older index promised and a newer one has not. */
export interface LostObject {
  readonly objectId: string
  readonly sopInstanceUID: string
  /** Null for what is in no study. */
  readonly studyInstanceUID: string | null
  /** Who it is of, as `issuer` and `id`. */
  readonly patient: { readonly issuer: string; readonly id: string }
}

export interface LostRows {
  readonly objects: readonly LostObject[]
  /** Entries of the identity ledger and messages that are not in the newer one, by number. */
  readonly decisions: number
  readonly messages: number
}

/**
 * Compares an index with the one it is to replace. What somebody deleted is no loss.
 * @param old path of a database nobody has open
 * @returns null when the old one cannot be read: nothing can be said then
 */
export function lostRows(db: Database, old: string): LostRows | null {
  return withOld(db, old, () => {
    const rows = db.all<{ id: string; uid: string; study: string | null; issuer: string; identifier: string }>(
      `select o.id, o.uid, s.uid as study, p.issuer, p.identifier from old.object o
       left join old.series r on r.key = o.instance / ${SLOTS} left join old.study s on s.key = r.study
       left join old.patient p on p.key = coalesce(nullif(s.owner, 0), o.patient)
       where o.state = 0 and not exists (select 1 from main.object n where n.id = o.id) order by o.key`,
    )
    return {
      objects: rows.map(({ id, uid, study, issuer, identifier }) => ({
        objectId: id,
        sopInstanceUID: uid,
        studyInstanceUID: study,
        patient: { issuer, id: identifier },
      })),
      decisions: count(db, 'ledger_entry', 'id'),
      messages: count(db, 'message', 'sequence'),
    }
  })
}

/** The highest segment name and journal number that an index ever knew: neither is used twice. */
export function highestNumbers(
  db: Database,
  old: string,
): { readonly segment: string | null; readonly journal: number } {
  const found = withOld(db, old, () => ({
    segment: db.get<{ name: string }>('select name from old.segment order by length(name) desc, name desc limit 1'),
    journal: db.get<{ sequence: number }>('select sequence from old.journal'),
  }))
  return { segment: found?.segment?.name ?? null, journal: found?.journal?.sequence ?? 0 }
}

function count(db: Database, table: 'ledger_entry' | 'message', key: string): number {
  const row = db.get<{ n: number }>(
    `select count(*) as n from old.${table} o where not exists (select 1 from main.${table} n where n.${key} = o.${key})`,
  )
  return row?.n ?? 0
}

function withOld<T>(db: Database, old: string, fn: () => T): T | null {
  if (!existsSync(old)) return null // attaching would make it
  try {
    db.run('attach database ? as old', old)
  } catch (error) {
    if (error instanceof ArchiveError && error.code === 'storage.damaged') return null
    throw error
  }
  try {
    return fn()
  } catch (error) {
    // A damaged or very old index is a reason to rebuild, not to fail.
    if (error instanceof ArchiveError && error.code === 'storage.damaged') return null
    if (error instanceof Error && /no such (table|column)/.test(error.message)) return null
    throw error
  } finally {
    db.exec('detach database old')
  }
}
