import type { ArchiveWriter, CommitGroup } from '#model/archive-index.ts'
import type { Location } from '#model/archive-object.ts'
import type { Database } from './database.ts'

/** Which segments hold how much, how far each is flushed, and what may go. */
export interface SegmentLedger
  extends Pick<ArchiveWriter, 'purgeable' | 'forget' | 'retire' | 'liveBytes' | 'relocate' | 'flushed' | 'promised'> {
  /** Key of a segment, registered when it is new. */
  keyOf(segment: string): number
  /** Counts an object; written by `flush`. */
  add(location: Location): void
  flush(flushed: CommitGroup['flushed']): void
  clear(): void
}

export function createSegmentLedger(db: Database): SegmentLedger {
  const keys = new Map<string, number>()
  const added = new Map<number, { bytes: number; objects: number }>()

  function keyOf(segment: string): number {
    const cached = keys.get(segment)
    if (cached !== undefined) return cached
    const known = db.get<{ key: number }>('select key from segment where name = ?', segment)?.key
    const key = known ?? db.run('insert into segment (name) values (?)', segment).rowid
    if (keys.size >= 1024) keys.clear()
    keys.set(segment, key)
    return key
  }

  function count(segment: number, bytes: number, objects: number): void {
    db.run('update segment set bytes = bytes + ?, objects = objects + ? where key = ?', bytes, objects, segment)
  }

  return {
    keyOf,
    add({ segment, length }) {
      const key = keyOf(segment)
      const sum = added.get(key) ?? { bytes: 0, objects: 0 }
      sum.bytes += length
      sum.objects++
      added.set(key, sum)
    },
    flush(flushed) {
      for (const [key, { bytes, objects }] of added) count(key, bytes, objects)
      added.clear()
      if (flushed !== null)
        db.run(
          'update segment set flushed = max(ifnull(flushed, 0), ?) where key = ?',
          flushed.offset,
          keyOf(flushed.segment),
        )
    },
    clear() {
      keys.clear()
      added.clear()
    },
    purgeable(now, limit) {
      return db
        .all<{ id: string; segment: string; offset: number; length: number }>(
          `select o.id, g.name as segment, o.offset, o.length from deletion d
           cross join object o indexed by object_deleted on o.deletion = d.key and o.state = 1
           join segment g on g.key = o.segment where d.purge_after <= ? order by d.purge_after, o.key limit ?`,
          now,
          limit,
        )
        .map(({ id, segment, offset, length }) => ({ objectId: id, location: { segment, offset, length } }))
    },
    forget(objectIds) {
      for (const id of objectIds) {
        const row = db.get<{ key: number; segment: number; length: number }>(
          'select key, segment, length from object where id = ? and state = 1',
          id,
        )
        if (row === undefined) continue
        count(row.segment, -row.length, -1)
        db.run('update object set state = 2, segment = null, offset = null, length = null where key = ?', row.key)
      }
    },
    retire(segment) {
      db.run('update segment set removed = 1 where key = ?', keyOf(segment))
    },
    promised() {
      const present = db.all<{ segment: string; length: number }>(
        `select g.name as segment, max(ifnull(g.flushed, 0), ifnull((select o.offset + o.length from object o
           indexed by object_place where o.segment = g.key order by o.offset desc limit 1), 0)) as length
         from segment g where g.removed = 0 and (g.objects > 0 or g.flushed is not null) order by g.key`,
      )
      const highest = db.get<{ name: string }>('select name from segment order by length(name) desc, name desc limit 1')
      return { segments: present.map((row) => ({ ...row })), highest: highest?.name ?? null }
    },
    liveBytes() {
      return db
        .all<{ segment: string; bytes: number; objects: number }>(
          'select name as segment, bytes, objects from segment order by key',
        )
        .map((row) => ({ ...row }))
    },
    relocate(moves) {
      for (const { objectId, to } of moves) {
        const row = db.get<{ key: number; segment: number | null; length: number | null }>(
          'select key, segment, length from object where id = ?',
          objectId,
        )
        if (row === undefined || row.segment === null || row.length === null) continue
        const segment = keyOf(to.segment)
        count(row.segment, -row.length, -1)
        count(segment, to.length, 1)
        db.run(
          'update object set segment = ?, offset = ?, length = ? where key = ?',
          ...[segment, to.offset, to.length, row.key],
        )
      }
    },
    flushed() {
      return db
        .all<{ segment: string; offset: number }>(
          'select name as segment, flushed as offset from segment where flushed is not null and removed = 0 order by key',
        )
        .map((row) => ({ ...row }))
    },
  }
}
