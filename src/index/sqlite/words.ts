import { ArchiveError } from '#errors.ts'
import { cursorKeys, cursorText } from '#model/cursor.ts'
import type { DocumentReader, TextHit } from '#model/document-desk.ts'
import type { Visibility } from '#model/visibility.ts'
import type { Database, SqlParam } from './database.ts'
import { personKeys, visibleDocuments } from './document-rows.ts'
import { SLOTS } from './tree.ts'
import { all, type Condition, visible } from './visible.ts'
import { wordsBeginning } from './words-beginnings.ts'

/** Marks around what was found in a snippet: private use, so that no text contains them by itself. */
export const FOUND_START = '\ue000'
export const FOUND_END = '\ue001'

/** Words of one query that are looked at; more are a mistake or an attack. */
const WORDS_MAX = 20
/** Up to so many finds are looked up one by one; more are told by walking through what is asked for. */
const FEW_FINDS = 4000

/** How the last word is meant: whole, or as the beginning of one, as of somebody who is typing still. */
export type Meant = 'whole' | 'beginning'

/**
 * What a person typed as an FTS5 expression: every word must occur, words in double quotes stand together. Nothing typed
 * is an operator.
 * @param scope keys of patients whose words alone count; null for all
 * @throws ArchiveError 'request.malformed' when there is no word in it
 */
export function matchOf(db: Database, text: string, scope: readonly number[] | null, meant: Meant): string {
  const parts = [...text.matchAll(/"([^"]+)"|(\S+)/g)].slice(0, WORDS_MAX)
  const terms = parts.flatMap(([, phrase, word], i) => {
    const clean = (phrase ?? word ?? '').replaceAll('"', ' ').trim()
    if (!/[\p{L}\p{N}]/u.test(clean)) return []
    const beginning = meant === 'beginning' && phrase === undefined && i === parts.length - 1
    return [beginning ? beginningOf(db, clean) : `"${clean}"`]
  })
  if (terms.length === 0) throw new ArchiveError('request.malformed', 'no word to look for')
  const said = `{title body} : (${terms.join(' AND ')})`
  if (scope === null) return said
  return `${said} AND scope : (${scope.map((key) => `"p${key}"`).join(' OR ') || '"p0"'})`
}

function beginningOf(db: Database, clean: string): string {
  const words = wordsBeginning(db, clean)
  return words === null ? `"${clean}"*` : `(${words.map((word) => `"${word}"`).join(' OR ')})`
}

/**
 * Documents of alias `d` that hold these words. Few finds are a list; many are asked document by document, in the order in
 * which the others of the query find them, so that a page of a common word costs a page and not the archive.
 */
export function holdsWords(db: Database, match: string): Condition {
  const few = db.get<{ n: number }>(
    `select count(*) as n from (select 1 from words where words match ? limit ${FEW_FINDS})`,
    match,
  )
  return (few?.n ?? 0) < FEW_FINDS
    ? { sql: 'd.key in (select rowid from words where words match ?)', params: [match] }
    : { sql: 'exists (select 1 from words where words match ? and words.rowid = d.key)', params: [match] }
}

/** Keys of those whose words may be found: the patients asked for among those who may be seen; null for all. */
export function wordScope(
  db: Database,
  patientIds: readonly string[] | undefined,
  visibility: Visibility,
): readonly number[] | null {
  const asked = patientIds === undefined ? null : personKeys(db, patientIds)
  const seen = visibility.sees === 'patients' ? personKeys(db, visibility.patientIds) : null
  if (asked === null) return seen
  return seen === null ? asked : asked.filter((key) => seen.includes(key))
}

export interface WordsReader {
  search: (
    query: Parameters<DocumentReader['searchText']>[0],
    visibility: Visibility,
  ) => Awaited<ReturnType<DocumentReader['searchText']>>
  snippet(key: number, match: string): string | null
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

/**
 * Whole words first; where the caller would see nothing the last one is taken for a beginning. What the caller may not see
 * does not decide which.
 */
export function wholeOrBeginning<T>(run: (meant: Meant) => T, isNothing: (found: T) => boolean): T {
  const whole = run('whole')
  return isNothing(whole) ? run('beginning') : whole
}

/** Words inside documents and structured reports: newest first, so that a common word costs no more than a rare one. */
export function createWordsReader(db: Database): WordsReader {
  function page(
    query: Parameters<WordsReader['search']>[0],
    visibility: Visibility,
    meant: Meant,
    cursor: string | undefined,
    limit: number,
  ): Row[] {
    const scope = wordScope(db, query.patientIds, visibility)
    const conditions: Condition[] = [{ sql: 'words match ?', params: [matchOf(db, query.text, scope, meant)] }]
    if (cursor !== undefined) {
      conditions.push({ sql: 'words.rowid < ?', params: [...cursorKeys('words', cursor, [0] as const)] })
    }
    const reports = query.reports === undefined ? visibility : query.reports
    const documents = visibleDocuments(db, visibility, 'd.patient', 'd.restricted') ?? { sql: '1', params: [] }
    const images = (reports === null ? { sql: '0', params: [] } : visible(reports, 's.owner')) ?? EVERY
    const where = all(conditions)
    const params: SqlParam[] = [...where.params, ...documents.params, ...images.params, limit]
    return db.all<Row>(
      `select words.rowid as key, o.id, d.key as document, coalesce(dsp.id, dp.id, ssp.id, sp.id) as patient,
         words.title, ${SNIPPET} as snippet, coalesce(d.time, s.instant, s.date) as time, coalesce(d.study, s.uid) as study
       from words cross join object o on o.key = words.rowid
       left join document d on d.key = o.key and d.hidden = 0
       left join patient dp on dp.key = d.patient left join patient dsp on dsp.key = dp.survivor
       left join series r on d.key is null and r.key = o.instance / ${SLOTS} left join study s on s.key = r.study
       left join patient sp on sp.key = s.owner left join patient ssp on ssp.key = sp.survivor
       where ${where.sql} and o.state = 0 and (d.key is null or d.status = 0)
         and case when d.key is not null then (${documents.sql}) when s.key is not null then (${images.sql}) else 0 end
       order by words.rowid desc limit ?`,
      ...params,
    )
  }

  return {
    search(query, visibility) {
      const rows = wholeOrBeginning(
        (meant) => page(query, visibility, meant, query.cursor, query.limit + 1),
        // A later page of whole words may be empty; that is its end.
        (found) =>
          found.length === 0 &&
          (query.cursor === undefined || page(query, visibility, 'whole', undefined, 1).length === 0),
      )
      const shown = rows.slice(0, query.limit)
      const last = shown.at(-1)
      return {
        items: shown.map(hitOf),
        next: rows.length > query.limit && last !== undefined ? cursorText('words', [last.key]) : null,
      }
    },
    snippet(key, match) {
      const row = db.get<{ snippet: string }>(
        `select ${SNIPPET} as snippet from words where words match ? and rowid = ?`,
        match,
        key,
      )
      return row?.snippet ?? null
    },
  }
}

const EVERY: Condition = { sql: '1', params: [] }

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
