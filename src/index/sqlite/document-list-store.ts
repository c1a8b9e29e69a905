import { isDeepStrictEqual } from 'node:util'
import type { DocumentList, DocumentOwner } from '#model/document.ts'
import type { Database } from './database.ts'
import { authorWords } from './document-codes.ts'
import { LIST_SELECT, type ListRow, listOf } from './document-rows.ts'

/** Submission sets and folders in the index of the writer. Part of the caller's transaction. */
export function createListStore(db: Database, patientKey: (owner: DocumentOwner | null) => number | null) {
  function findList(identifier: string): DocumentList | undefined {
    const row = db.get<ListRow>(`${LIST_SELECT} where l.id = ?1 or l.unique_id = ?1`, identifier)
    return row === undefined ? undefined : listOf(row)
  }

  /** A new list, or the next version of one that is kept. */
  function putList(list: DocumentList, owner: DocumentOwner | null): void {
    const { patientId, version: _version, lastUpdated, ...body } = list
    const kept = db.get<ListRow & { patient: number | null }>(
      'select key, body, version, patient from document_list where id = ?',
      list.id,
    )
    let key: number
    if (kept === undefined) {
      const byId =
        patientId === null
          ? null
          : (db.get<{ key: number }>('select key from patient where id = ?', patientId)?.key ?? null)
      key = db.run(
        `insert into document_list (id, unique_id, kind, status, patient, source_id, time, version, updated, body)
         values (?, ?, ?, ?, ?, ?, ?, 1, ?, ?)`,
        ...[list.id, list.uniqueId, list.kind, list.status, owner === null ? byId : patientKey(owner)],
        ...[list.sourceId, list.time, lastUpdated, JSON.stringify(body)],
      ).rowid
    } else {
      // Said again as it is: no new state.
      if (isDeepStrictEqual(JSON.parse(kept.body), JSON.parse(JSON.stringify(body)))) return
      key = kept.key
      const former = findList(list.id)
      db.run(
        'insert into list_version (list, version, body) values (?, ?, ?)',
        ...[key, kept.version, JSON.stringify(former)],
      )
      db.run(
        'update document_list set status = ?, time = ?, version = version + 1, updated = ?, body = ? where key = ?',
        ...[list.status, list.time, lastUpdated, JSON.stringify(body), key],
      )
    }
    for (const table of ['list_item', 'list_code', 'list_author']) db.run(`delete from ${table} where list = ?`, key)
    for (const [position, { is, id }] of list.items.entries()) {
      db.run(
        'insert into list_item (list, position, item, is_list) values (?, ?, ?, ?)',
        ...[key, position, id, is === 'list' ? 1 : 0],
      )
    }
    for (const { code, system } of list.codes) {
      db.run('insert or ignore into list_code (code, system, list) values (?, ?, ?)', code, system, key)
    }
    for (const { part, word } of authorWords(list.authors)) {
      db.run('insert or ignore into list_author (part, word, list) values (?, ?, ?)', part, word, key)
    }
  }

  return { findList, putList }
}
