import type { StaleStudies } from '#model/archive-index.ts'
import type { Database } from './database.ts'

/**
 * Follows the change feed from now on. Missing a study costs time only: its metadata are then rendered whenever they are
 * read.
 */
export function createStaleStudies(db: Database): StaleStudies {
  const last = () => db.get<{ last: number | null }>('select max(sequence) as last from feed')?.last ?? 0
  let seen = last()
  return {
    take() {
      const newest = last()
      if (newest === seen) return []
      const rows = db.all<{ uid: string }>(
        `select s.uid from (select distinct study from feed where sequence > ?) f
         cross join study s indexed by study_uid on s.uid = f.study where s.overlay is not null`,
        // Numbers of a transaction that failed are given again.
        Math.min(seen, newest),
      )
      seen = newest
      return rows.map(({ uid }) => uid)
    },
  }
}

/** Studies with an overlay: after a rebuild none of their metadata are rendered. */
export function overlaidStudies(db: Database): readonly string[] {
  return db.all<{ uid: string }>('select uid from study where overlay is not null order by key').map(({ uid }) => uid)
}
