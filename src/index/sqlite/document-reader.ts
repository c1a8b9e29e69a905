import { cursorKeys, cursorText } from '#model/cursor.ts'
import type { Code, DocumentList, StoredDocument } from '#model/document.ts'
import type { DocumentHit, DocumentQuery, DocumentReader, DocumentVersion, TimeRange } from '#model/document-desk.ts'
import type { Visibility } from '#model/visibility.ts'
import type { Database, SqlParam } from './database.ts'
import { CODE_FIELDS, type CodeField, foldWord, STATUSES } from './document-codes.ts'
import {
  type DocumentRow,
  documentSelect,
  documentsOf,
  LIST_SELECT,
  type ListRow,
  listOf,
  personKeys,
  visibleDocuments,
} from './document-rows.ts'
import { all, type Condition } from './visible.ts'
import { createWordsReader, holdsWords, type Meant, matchOf, wholeOrBeginning, wordScope } from './words.ts'

/** One document by any of its identifiers: object id, uniqueId with or without a URN, entryUUID, SHA-256. */
export function findDocument(db: Database, identifier: string, visibility: Visibility): StoredDocument | undefined {
  const bare = identifier.replace(/^urn:(uuid|oid):/i, '')
  const sees = visibleDocuments(db, visibility, 'd.patient', 'd.restricted')
  const ways: Condition[] = [
    { sql: 'd.id = ?', params: [identifier] },
    { sql: 'd.entry_uuid = ?', params: [bare.toLowerCase()] },
    { sql: 'd.unique_id in (?, ?, ?, ?)', params: [identifier, bare, `urn:oid:${bare}`, `urn:uuid:${bare}`] },
  ]
  if (/^[0-9a-f]{64}$/i.test(identifier)) {
    const sha = Buffer.from(identifier, 'hex')
    ways.push({
      sql: 'd.key in (select object from digest where prefix = ?) and o.sha_arrived = ?',
      params: [sha.subarray(0, 8), sha],
    })
  }
  for (const way of ways) {
    const where = all([way, sees])
    const row = db.get<DocumentRow>(
      documentSelect('document d', where.sql, 'order by d.key desc limit 1'),
      ...where.params,
    )
    if (row !== undefined) return documentsOf(db, [row])[0]
  }
  return undefined
}

const ORDERS = {
  newest: { column: 'd.time', direction: 'desc', compare: '<' },
  oldest: { column: 'd.time', direction: 'asc', compare: '>' },
  updated: { column: 'd.updated', direction: 'desc', compare: '<' },
} as const

/** Conditions of a query on alias `d`, visibility included. */
function conditionsOf(
  db: Database,
  query: DocumentQuery,
  visibility: Visibility,
  meant: Meant,
): (Condition | undefined)[] {
  const among = (column: string, values: readonly SqlParam[] | undefined): Condition | undefined =>
    values === undefined
      ? undefined
      : { sql: `${column} in (select value from json_each(?))`, params: [JSON.stringify(values)] }
  const patients = query.patientIds === undefined ? undefined : personKeys(db, query.patientIds)
  const few = [patients, query.objectIds, query.uniqueIds, query.entryUuids, query.references].some(
    (narrow) => narrow !== undefined,
  )
  return [
    visibleDocuments(db, visibility, 'd.patient', 'd.restricted'),
    // One person is nearly always one key: an equality keeps the order of the index.
    patients?.length === 1 ? { sql: 'd.patient = ?', params: patients } : among('d.patient', patients),
    query.unowned === true ? { sql: 'd.patient is null', params: [] } : undefined,
    among('d.id', query.objectIds),
    among(
      'd.unique_id',
      query.uniqueIds?.flatMap((id) => spellings(id)),
    ),
    among(
      'd.entry_uuid',
      query.entryUuids?.map((id) => id.replace(/^urn:uuid:/i, '').toLowerCase()),
    ),
    among(
      'd.status',
      query.statuses?.map((status) => STATUSES.indexOf(status)),
    ),
    among('d.kind', query.kinds),
    among('d.media_type', query.mediaTypes),
    among('d.department', query.departments),
    among('d.study', query.studyInstanceUIDs),
    query.aboutStudies === undefined
      ? undefined
      : {
          sql: `d.study in (select value from json_each(?)) or d.key in (select document from document_reference
            where type = 'study' and id in (select value from json_each(?)))`,
          params: [JSON.stringify(query.aboutStudies), JSON.stringify(query.aboutStudies)],
        },
    codes('classCode', query.classCodes, few),
    codes('typeCode', query.typeCodes, few),
    codes('formatCode', query.formatCodes, few),
    codes('practiceSetting', query.practiceSettings, few),
    codes('facilityType', query.facilityTypes, few),
    codes('eventCodes', query.eventCodes, few),
    codes('confidentiality', query.confidentiality, few),
    author(0, query.author?.family, few),
    author(1, query.author?.given, few),
    references(query.references),
    ...within('d.creation', query.creation),
    ...overlapping(query.service),
    ...within('d.updated', query.lastUpdated),
    query.title === undefined
      ? undefined
      : { sql: "d.title like ? escape '\\'", params: [`%${query.title.replace(/[\\%_]/g, '\\$&')}%`] },
    query.incomplete === true ? { sql: 'd.missing > 0', params: [] } : undefined,
    query.text === undefined ? undefined : holdsWords(db, matchFor(db, query, query.text, visibility, meant)),
  ]
}

function matchFor(db: Database, query: DocumentQuery, text: string, visibility: Visibility, meant: Meant): string {
  return matchOf(db, text, wordScope(db, query.patientIds, visibility), meant)
}

function spellings(id: string): string[] {
  const bare = id.replace(/^urn:(uuid|oid):/i, '')
  return [id, bare, `urn:oid:${bare}`, `urn:uuid:${bare}`]
}

/** @param few the other conditions leave few documents: each is looked up, instead of all that have the code */
function codes(
  field: CodeField,
  wanted: readonly Pick<Code, 'code' | 'system'>[] | undefined,
  few: boolean,
): Condition | undefined {
  if (wanted === undefined) return undefined
  const holds = `field = ${CODE_FIELDS[field]} and code = ? and (? = '' or system = ?)`
  const one = few
    ? `exists (select 1 from document_code c indexed by document_code_of where c.document = d.key and ${holds})`
    : `d.key in (select document from document_code where ${holds})`
  return {
    sql: wanted.length === 0 ? '0' : wanted.map(() => one).join(' or '),
    params: wanted.flatMap(({ code, system }) => [code, system, system]),
  }
}

function author(part: 0 | 1, words: readonly string[] | undefined, few: boolean): Condition | undefined {
  if (words === undefined) return undefined
  const holds = `part = ${part} and word >= ? and word < ?`
  const one = few
    ? `exists (select 1 from document_author a indexed by document_author_of where a.document = d.key and ${holds})`
    : `d.key in (select document from document_author where ${holds})`
  return {
    sql: words.length === 0 ? '0' : words.map(() => one).join(' or '),
    params: words.map(foldWord).flatMap((word) => [word, `${word}\u{10ffff}`]),
  }
}

function references(wanted: DocumentQuery['references']): Condition | undefined {
  if (wanted === undefined) return undefined
  const one = `d.key in (select document from document_reference where id = ? and (? = '' or issuer = ?) and (? = '' or type = ?))`
  return {
    sql: wanted.length === 0 ? '0' : wanted.map(() => one).join(' or '),
    params: wanted.flatMap(({ id, issuer, type = '' }) => [id, issuer, issuer, type, type]),
  }
}

function within(column: string, range: TimeRange | undefined): Condition[] {
  const found: Condition[] = []
  if (range?.from !== undefined) found.push({ sql: `${column} >= ?`, params: [range.from] })
  if (range?.to !== undefined) found.push({ sql: `${column} < ?`, params: [range.to] })
  return found
}

/** Services that took place at any time in the range. */
function overlapping(range: TimeRange | undefined): Condition[] {
  const found: Condition[] = []
  if (range?.from !== undefined) {
    found.push({ sql: 'coalesce(d.service_stop, d.service_start) >= ?', params: [range.from] })
  }
  if (range?.to !== undefined) found.push({ sql: 'd.service_start < ?', params: [range.to] })
  return found
}

/** Behind a row of a list that is ordered by a text and the key. */
const behind = (list: string, cursor: string) => cursorKeys(list, cursor, ['', 0] as const)

/** Reads of the document panel; any connection. */
export function createDocumentReader(db: Database): DocumentReader {
  const words = createWordsReader(db)

  /** One more than the limit: then there is a next page. */
  function page(query: DocumentQuery, visibility: Visibility, meant: Meant): DocumentRow[] {
    const { column, direction, compare } = ORDERS[query.order]
    const conditions = conditionsOf(db, query, visibility, meant)
    if (query.cursor !== undefined) {
      conditions.push({
        sql: `(${column}, d.key) ${compare} (?, ?)`,
        params: [...behind(`documents ${query.order}`, query.cursor)],
      })
    }
    const where = all(conditions)
    return db.all<DocumentRow>(
      documentSelect('document d', where.sql, `order by ${column} ${direction}, d.key ${direction} limit ?`),
      ...where.params,
      query.limit + 1,
    )
  }

  return {
    async documents(query, visibility) {
      const { rows, meant } = wholeOrBeginning(
        (meant) => ({ rows: page(query, visibility, meant), meant }),
        ({ rows }) => {
          const { cursor, ...first } = query
          if (query.text === undefined || rows.length > 0) return false
          return cursor === undefined || page({ ...first, limit: 1 }, visibility, 'whole').length === 0
        },
      )
      const shown = rows.slice(0, query.limit)
      const last = shown.at(-1)
      const match = query.text === undefined ? null : matchFor(db, query, query.text, visibility, meant)
      const items: DocumentHit[] = documentsOf(db, shown).map((document, i) => ({
        document,
        snippet: match === null ? null : words.snippet(shown[i]?.key ?? 0, match),
      }))
      const more = rows.length > query.limit && last !== undefined
      return {
        items,
        next: more
          ? cursorText(`documents ${query.order}`, [query.order === 'updated' ? last.updated : last.time, last.key])
          : null,
      }
    },

    async countDocuments(query, visibility) {
      const count = (meant: Meant): number => {
        const where = all(conditionsOf(db, query, visibility, meant))
        const row = db.get<{ n: number }>(
          `select count(*) as n from document d cross join object o on o.key = d.key where d.hidden = 0 and ${where.sql}`,
          ...where.params,
        )
        return row?.n ?? 0
      }
      return wholeOrBeginning(count, (n) => n === 0 && query.text !== undefined)
    },

    async document(identifier, visibility) {
      return findDocument(db, identifier, visibility)
    },

    async versions(objectId, visibility) {
      const now = findDocument(db, objectId, visibility)
      if (now === undefined) return undefined
      const former = db.all<{ version: number; time: string; by: string; reason: string; body: string }>(
        `select v.version, v.time, v.by, v.reason, v.body from document d join document_version v on v.document = d.key
         where d.id = ? and d.hidden = 0 order by v.version desc`,
        objectId,
      )
      return history(now, former)
    },

    async lists(query, visibility) {
      const patients = query.patientIds === undefined ? undefined : personKeys(db, query.patientIds)
      const among = (sql: string, values: readonly SqlParam[] | undefined): Condition | undefined =>
        values === undefined
          ? undefined
          : { sql: `${sql} in (select value from json_each(?))`, params: [JSON.stringify(values)] }
      const listCodes = query.codes?.map(
        () => "l.key in (select list from list_code where code = ? and (? = '' or system = ?))",
      )
      const conditions: (Condition | undefined)[] = [
        visibleDocuments(db, visibility, 'l.patient', null),
        query.kind === undefined ? undefined : { sql: 'l.kind = ?', params: [query.kind] },
        among('l.id', query.ids),
        among('l.unique_id', query.uniqueIds?.flatMap(spellings)),
        among('l.patient', patients),
        among('l.status', query.statuses),
        among('l.source_id', query.sourceIds),
        query.codes === undefined
          ? undefined
          : {
              sql: listCodes?.join(' or ') || '0',
              params: query.codes.flatMap(({ code, system }) => [code, system, system]),
            },
        listAuthor(0, query.author?.family),
        listAuthor(1, query.author?.given),
        ...within('l.time', query.time),
        query.holds === undefined
          ? undefined
          : { sql: 'l.key in (select list from list_item where item = ?)', params: [query.holds] },
      ]
      if (query.cursor !== undefined) {
        conditions.push({ sql: '(l.time, l.key) < (?, ?)', params: [...behind('lists', query.cursor)] })
      }
      const where = all(conditions)
      const rows = db.all<ListRow & { time: string }>(
        `${LIST_SELECT.replace('l.updated', 'l.updated, l.time')} where ${where.sql} order by l.time desc, l.key desc limit ?`,
        ...where.params,
        query.limit + 1,
      )
      const last = rows[query.limit - 1]
      return {
        items: rows.slice(0, query.limit).map(listOf),
        next: rows.length > query.limit && last !== undefined ? cursorText('lists', [last.time, last.key]) : null,
      }
    },

    async listVersions(id, visibility) {
      const where = all([visibleDocuments(db, visibility, 'l.patient', null), { sql: 'l.id = ?', params: [id] }])
      const row = db.get<ListRow>(`${LIST_SELECT} where ${where.sql}`, ...where.params)
      if (row === undefined) return undefined
      const former = db.all<{ body: string }>(
        'select body from list_version where list = ? order by version desc',
        row.key,
      )
      return [listOf(row), ...former.map(({ body }) => JSON.parse(body) as DocumentList)]
    },

    async searchText(query, visibility) {
      return words.search(query, visibility)
    },
  }
}

/** Each former state was valid until the decision that follows it; the cause stands with what it made. */
function history(
  now: StoredDocument,
  former: readonly { version: number; time: string; by: string; reason: string; body: string }[],
): DocumentVersion[] {
  const states = former.map(({ version, body }) => ({ version, document: JSON.parse(body) as StoredDocument }))
  const causes = former.map(({ time, by, reason }) => ({ time, by, reason }))
  const made = { time: now.created, by: now.placement.rule, reason: 'stored' }
  return [{ version: now.version, document: now }, ...states].map((state, i) => ({ ...state, ...(causes[i] ?? made) }))
}

function listAuthor(part: 0 | 1, words: readonly string[] | undefined): Condition | undefined {
  if (words === undefined) return undefined
  const one = `l.key in (select list from list_author where part = ${part} and word >= ? and word < ?)`
  return {
    sql: words.length === 0 ? '0' : words.map(() => one).join(' or '),
    params: words.map(foldWord).flatMap((word) => [word, `${word}\u{10ffff}`]),
  }
}
