import type { KeptObject, KeptObjects } from '#model/archive-index.ts'
import type { Database } from './database.ts'

interface Row {
  readonly id: string
  readonly uid: string
  readonly segment: string
  readonly offset: number
  readonly length: number
  readonly sha_kept: Uint8Array
  readonly state: number
}

const COLUMNS = 'o.id, o.uid, g.name as segment, o.offset, o.length, o.sha_kept, o.state'

/** Which objects the index believes to be where; deleted ones too, while their bytes are kept. */
export function createKeptObjects(db: Database): KeptObjects {
  return {
    inSegment(segment) {
      return db
        .all<Row>(
          `select ${COLUMNS} from segment g cross join object o indexed by object_place on o.segment = g.key
           where g.name = ? order by o.offset`,
          segment,
        )
        .map(kept)
    },
    get(objectId) {
      const row = db.get<Row>(
        `select ${COLUMNS} from object o join segment g on g.key = o.segment where o.id = ?`,
        objectId,
      )
      return row === undefined ? undefined : kept(row)
    },
    segments() {
      return db.all<{ name: string }>('select name from segment where objects > 0 order by key').map(({ name }) => name)
    },
  }
}

/** Numbers reserved at once: one durable write serves many decisions, and a restart leaves a gap. */
const NUMBERS_RESERVED = 256

/** The last number of the journal, kept so that a number is never given twice. */
export function createJournalNumbers(db: Database) {
  let next = 1
  let last = 0
  return {
    /** @returns the first of `count` new numbers; they are taken, whatever becomes of them */
    take(count: number): number {
      if (last - next + 1 < count) {
        const reserved = Math.max(count, NUMBERS_RESERVED)
        const row = db.get<{ sequence: number }>(
          'update journal set sequence = sequence + ? where one = 1 returning sequence',
          reserved,
        )
        if (row === undefined) throw new TypeError('the journal has no numbers')
        last = row.sequence
        next = last - reserved + 1
      }
      next += count
      return next - count
    },
    /** After a rebuild: goes on behind the highest number found. */
    atLeast(sequence: number): void {
      db.run('update journal set sequence = max(sequence, ?) where one = 1', sequence)
    },
  }
}

function kept(row: Row): KeptObject {
  return {
    objectId: row.id,
    sopInstanceUID: row.uid,
    location: { segment: row.segment, offset: row.offset, length: row.length },
    keptSha256: Buffer.from(row.sha_kept).toString('hex'),
    deleted: row.state !== 0,
  }
}
