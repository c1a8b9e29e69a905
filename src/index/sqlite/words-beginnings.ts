import type { Database } from './database.ts'

/** Words that one beginning stands for; where there are more, the index of words is asked for all of them at once. */
const WORDS_MAX = 300

/**
 * Which whole words begin so. Asked as a list of whole words, each a walk through its own sorted list that ends with the
 * page; FTS5 itself gathers everything that begins so before it gives the first row, which takes long where it is common.
 *
 * @returns folded words, or null when it cannot be said in few: then FTS5 has to gather
 */
export function wordsBeginning(db: Database, beginning: string): readonly string[] | null {
  const from = folded(beginning)
  if (!/^[\p{L}\p{N}]+$/u.test(from)) return null
  openTerms(db)
  const found: string[] = []
  let after = from
  for (;;) {
    const row = db.get<{ term: string }>('select term from temp.words_term where term >= ? limit 1', after)
    if (row === undefined || !row.term.startsWith(from)) break
    if (found.length === WORDS_MAX) return null
    found.push(row.term)
    after = `${row.term}\u0001`
  }
  return found.length === 0 ? null : found
}

const opened = new WeakSet<Database>()

/** A table of this connection only, over the words that are there: nothing is written to the archive. */
function openTerms(db: Database): void {
  if (opened.has(db)) return
  const held = db.get<{ query_only: number }>('pragma query_only')?.query_only === 1
  if (held) db.exec('pragma query_only = off')
  try {
    db.exec("create virtual table if not exists temp.words_term using fts5vocab(main, words, 'instance')")
  } finally {
    if (held) db.exec('pragma query_only = on')
  }
  opened.add(db)
}

/** As the tokenizer of the index does it: unicode61 with remove_diacritics 2. */
function folded(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').normalize('NFC').toLowerCase()
}
