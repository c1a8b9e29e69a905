import type { Unread, WordsRead, WordsStore } from '#model/words.ts'
import type { Database } from './database.ts'
import { FOUND_END, FOUND_START } from './words.ts'

/** SR Storage classes, PS3.4 section B.5: all of them begin so. */
const REPORTS = '1.2.840.10008.5.1.4.1.1.88.'
/** A list of images, without words. */
const KEY_OBJECTS = '1.2.840.10008.5.1.4.1.1.88.59'
/** `words_read.object` of no object: `characters` is the key up to which this reader has read everything. */
const MARK = 0

const SELECT = `select o.id as objectId, o.key, d.kind, coalesce(h.offset, o.offset) + coalesce(d.host_start, 0) as offset,
  coalesce(d.host_length, o.length) as length, g.name as segment, coalesce(d.title, '') as title
  from object o left join document d on d.key = o.key left join object h on h.key = d.host
  left join text c on c.key = o.sop_class
  join segment g on g.key = coalesce(h.segment, o.segment)
  where o.state = 0 and (d.key is not null or c.value like '${REPORTS}%')`

interface Row {
  readonly objectId: string
  readonly kind: string | null
  readonly segment: string
  readonly offset: number
  readonly length: number
  readonly title: string
}

/** Words of documents and structured reports, written. Part of the caller's transaction. */
export function createWordsStore(db: Database): WordsStore {
  return {
    unread(objectId, reader) {
      const row = db.get<Row>(
        `${SELECT} and o.id = ? and not exists (select 1 from words_read w where w.object = o.key and w.reader >= ?)`,
        objectId,
        reader,
      )
      return row === undefined ? undefined : unreadOf(row)
    },
    put(objectId, words) {
      const row = db.get<{ key: number; patient: number | null }>(
        `select o.key, coalesce(d.patient, s.owner) as patient from object o left join document d on d.key = o.key
         left join series r on r.key = o.instance / 16777216 left join study s on s.key = r.study
         where o.id = ? and o.state = 0`,
        objectId,
      )
      if (row !== undefined) write(db, row.key, `p${row.patient ?? 0}`, words)
    },
    readUpTo(reader) {
      const row = db.get<{ key: number }>(
        'select characters as key from words_read where object = ? and reader = ?',
        MARK,
        reader,
      )
      return row?.key ?? 0
    },
    readTo(key, reader) {
      db.run(
        'insert or replace into words_read (object, reader, characters, cut, problem) values (?, ?, ?, 0, null)',
        ...[MARK, reader, key],
      )
    },
    page(after, reader, limit) {
      const rows = db.all<{ key: number; id: string; wanted: number }>(
        `select o.key, o.id, o.state = 0 and (c.value = 'document' or (c.value like '${REPORTS}%' and c.value <> '${KEY_OBJECTS}'))
           and not exists (select 1 from words_read w where w.object = o.key and w.reader >= ?) as wanted
         from object o left join text c on c.key = o.sop_class where o.key > ? order by o.key limit ?`,
        ...[reader, after, limit],
      )
      const objectIds = rows.filter(({ wanted }) => wanted === 1).map(({ id }) => id)
      return { objectIds, last: rows.at(-1)?.key ?? null }
    },
    isReport: (sopClassUID) => sopClassUID.startsWith(REPORTS) && sopClassUID !== KEY_OBJECTS,
  }
}

function write(db: Database, key: number, scope: string, words: WordsRead): void {
  // The marks of snippets must not come from the text itself.
  const clean = words.text.replaceAll(FOUND_START, '').replaceAll(FOUND_END, '')
  db.run('delete from words where rowid = ?', key)
  if (clean !== '' || words.title !== '') {
    db.run('insert into words (rowid, scope, title, body) values (?, ?, ?, ?)', key, scope, words.title, clean)
  }
  db.run(
    'insert or replace into words_read (object, reader, characters, cut, problem) values (?, ?, ?, ?, ?)',
    ...[key, words.reader, clean.length, words.cut ? 1 : 0, words.problem],
  )
}

function unreadOf({ objectId, kind, title, segment, offset, length }: Row): Unread {
  return {
    objectId,
    kind: kind === null ? 'sr' : (kind as Unread['kind']),
    title,
    location: { segment, offset, length },
  }
}
