import { ArchiveError } from '#errors.ts'
import { cursorKeys, cursorText } from '#model/cursor.ts'
import type { DocumentReader, TextHit } from '#model/document-desk.ts'
import type { Visibility } from '#model/visibility.ts'
import type { Database, SqlParam } from './database.ts'
import { personKeys, visibleDocuments } from './document-rows.ts'
import { SLOTS } from './tree.ts'
import { all, type Condition, visible } from './visible.ts'

/** Marks around what was found in a snippet: private use, so that no text contains them by itself. */
export const FOUND_START = '\ue000'
export const FOUND_END = '\ue001'

/** Words of one query that are looked at; more are a mistake or an attack. */
const WORDS_MAX = 20

/**
 * What a person typed as an FTS5 expression: every word must occur, words in double quotes stand together. Nothing typed
 * is an operator.
 * @param beginning the last word may be the beginning of one: dear where many words begin so
 * @throws ArchiveError 'request.malformed' when there is no word in it
 */
export function matchOf(text: string, scope: readonly number[] | null = null, beginning = false): string {
  const parts = [...text.matchAll(/"([^"]+)"|(\S+)/g)].slice(0, WORDS_MAX)
  const terms = parts.flatMap(([, phrase, word], i) => {
    const clean = (phrase ?? word ?? '').replaceAll('"', ' ').trim()
    if (!/[\p{L}\p{N}]/u.test(clean)) return []
    return [`"${clean}"${beginning && phrase === undefined && i === parts.length - 1 ? '*' : ''}`]
  })
  if (terms.length === 0) throw new ArchiveError('request.malformed', 'no word to look for')
  const said = `{title body} : (${terms.join(' AND ')})`
  if (scope === null) return said
  return `${said} AND scope : (${scope.map((key) => `"p${key}"`).join(' OR ') || '"p0"'})`
}

export interface WordsReader {
  search: (
    query: Parameters<DocumentReader['searchText']>[0],
    visibility: Visibility,
  ) => Awaited<ReturnType<DocumentReader['searchText']>>
  snippet(key: number, text: string): string | null
}

interface Row {
  readonly key: number
  readonly id: string
  readonly document: number | null
  readonly patient: string | null
  readonly title: string
  readonly snippet: string
  readonly time: string | null
  readonly study: string | null
}

const SNIPPET = `snippet(words, 2, '${FOUND_START}', '${FOUND_END}', '…', 24)`

/** Whole words; where nothing has them the last one is taken for a beginning, as of somebody who is typing still. */
export function wordsOrBeginning(db: Database, text: string, scope: readonly number[] | null): string {
  const whole = matchOf(text, scope)
  const found = db.get('select 1 as one from words where words match ? limit 1', whole)
  return found === undefined ? matchOf(text, scope, true) : whole
}

/** Words inside documents and structured reports: newest first, so that a common word costs no more than a rare one. */
export function createWordsReader(db: Database): WordsReader {
  return {
    search(query, visibility) {
      const asked = query.patientIds === undefined ? null : personKeys(db, query.patientIds)
      const seen = visibility.sees === 'patients' ? personKeys(db, visibility.patientIds) : null
      const scope = asked === null ? seen : seen === null ? asked : asked.filter((key) => seen.includes(key))
      const conditions: Condition[] = [{ sql: 'words match ?', params: [wordsOrBeginning(db, query.text, scope)] }]
      if (query.cursor !== undefined) {
        conditions.push({ sql: 'words.rowid < ?', params: [...cursorKeys('words', query.cursor, [0] as const)] })
      }
      const documents = visibleDocuments(db, visibility, 'd.patient', 'd.restricted') ?? { sql: '1', params: [] }
      const images = visible(visibility, 's.owner') ?? { sql: '1', params: [] }
      const where = all(conditions)
      const params: SqlParam[] = [...where.params, ...documents.params, ...images.params, query.limit + 1]
      const rows = db.all<Row>(
        `select words.rowid as key, o.id, d.key as document, coalesce(dsp.id, dp.id, sp.id) as patient, words.title,
           ${SNIPPET} as snippet, coalesce(d.time, s.instant, s.date) as time, coalesce(d.study, s.uid) as study
         from words cross join object o on o.key = words.rowid
         left join document d on d.key = o.key and d.hidden = 0
         left join patient dp on dp.key = d.patient left join patient dsp on dsp.key = dp.survivor
         left join series r on d.key is null and r.key = o.instance / ${SLOTS} left join study s on s.key = r.study
         left join patient sp on sp.key = s.owner
         where ${where.sql} and o.state = 0
           and case when d.key is not null then (${documents.sql}) when s.key is not null then (${images.sql}) else 0 end
         order by words.rowid desc limit ?`,
        ...params,
      )
      const page = rows.slice(0, query.limit)
      const last = page.at(-1)
      return {
        items: page.map(hitOf),
        next: rows.length > query.limit && last !== undefined ? cursorText('words', [last.key]) : null,
      }
    },
    snippet(key, text) {
      const row = db.get<{ snippet: string }>(
        `select ${SNIPPET} as snippet from words where words match ? and rowid = ?`,
        wordsOrBeginning(db, text, null),
        key,
      )
      return row?.snippet ?? null
    },
  }
}

function hitOf(row: Row): TextHit {
  return {
    objectId: row.id,
    panel: row.document === null ? 'image' : 'document',
    patientId: row.patient,
    title: row.title,
    snippet: row.snippet,
    time: row.time,
    studyInstanceUID: row.study,
  }
}
