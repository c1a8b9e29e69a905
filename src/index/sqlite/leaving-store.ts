import type { LeavingForm, LeavingPiece, LeavingReader, LeavingStore } from '#model/leaving.ts'
import type { Database } from './database.ts'
import { hex } from './texts.ts'

interface Row {
  readonly reader: number
  readonly removed: number
  readonly doubt: string | null
  readonly size: number | null
  readonly sha1: Uint8Array | null
  readonly sha256: Uint8Array | null
  readonly pieces: string | null
}

/** `document_leaving.document` of no document: `size` is the key up to which a reader has seen all. */
const MARK = 0

/** The 128 bits of a UID below `2.25.`; undefined for any other. PS3.5 section B.2. */
function faceKey(uid: string): Uint8Array | undefined {
  const [, digits] = /^2\.25\.(0|[1-9]\d{0,38})$/.exec(uid) ?? []
  if (digits === undefined) return undefined
  const text = BigInt(digits).toString(16)
  return text.length > 32 ? undefined : Buffer.from(text.padStart(32, '0'), 'hex')
}

/** How documents leave; the connection may be read-only. */
export function createLeavingReader(db: Database): LeavingReader {
  return {
    form(objectId) {
      const row = db.get<Row>(
        `select l.reader, l.removed, l.doubt, l.size, l.sha1, l.sha256, l.pieces
         from document d join document_leaving l on l.document = d.key where d.id = ?`,
        objectId,
      )
      return row === undefined ? undefined : formOf(row)
    },
    documentsOfFace(sopInstanceUID) {
      const key = faceKey(sopInstanceUID)
      if (key === undefined) return []
      return db
        .all<{ id: string }>(
          `select d.id from document_face f join document d on d.key = f.document
           where f.uid = ? and d.hidden = 0 order by d.key desc limit 20`,
          key,
        )
        .map(({ id }) => id)
    },
  }
}

function formOf({ reader, removed, doubt, size, sha1, sha256, pieces }: Row): LeavingForm {
  if (size === null || sha1 === null || sha256 === null || pieces === null) {
    return { reader, removed, doubt, changed: null }
  }
  const list = JSON.parse(pieces) as (readonly [from: number, length: number] | string)[]
  return {
    ...{ reader, removed, doubt },
    changed: {
      ...{ size, sha1: hex(sha1), sha256: hex(sha256) },
      pieces: list.map((one) =>
        typeof one === 'string' ? { bytes: Buffer.from(one, 'base64') } : { from: one[0], length: one[1] },
      ),
    },
  }
}

function textOf(pieces: readonly LeavingPiece[]): string {
  return JSON.stringify(
    pieces.map((piece) =>
      'bytes' in piece ? Buffer.from(piece.bytes).toString('base64') : [piece.from, piece.length],
    ),
  )
}

/** The same, written. Part of the caller's transaction. */
export function createLeavingStore(db: Database): LeavingStore {
  return {
    ...createLeavingReader(db),
    put(objectId, { reader, removed, doubt, changed }) {
      db.run(
        `insert or replace into document_leaving (document, reader, removed, doubt, size, sha1, sha256, pieces)
         select key, ?, ?, ?, ?, ?, ?, ? from document where id = ?`,
        ...[reader, removed, doubt, changed?.size ?? null],
        ...[changed === null ? null : Buffer.from(changed.sha1, 'hex')],
        ...[changed === null ? null : Buffer.from(changed.sha256, 'hex')],
        ...[changed === null ? null : textOf(changed.pieces), objectId],
      )
    },
    putFaces(objectId, sopInstanceUIDs) {
      const row = db.get<{ key: number }>('select key from document where id = ?', objectId)
      if (row === undefined) return
      const wanted = sopInstanceUIDs.flatMap((uid) => faceKey(uid) ?? [])
      const had = db.all<{ uid: Uint8Array }>('select uid from document_face where document = ?', row.key)
      for (const { uid } of had) {
        if (wanted.some((one) => Buffer.compare(one, uid) === 0)) continue
        db.run('delete from document_face where document = ? and uid = ?', row.key, uid)
      }
      for (const uid of wanted)
        db.run('insert or ignore into document_face (uid, document) values (?, ?)', uid, row.key)
    },
    page(after, kinds, limit) {
      const rows = db.all<{ key: number; id: string; wanted: number }>(
        `select key, id, hidden = 0 and kind in (select value from json_each(?)) as wanted from document
         where key > ? order by key limit ?`,
        ...[JSON.stringify(kinds), after, limit],
      )
      return {
        objectIds: rows.filter(({ wanted }) => wanted === 1).map(({ id }) => id),
        last: rows.at(-1)?.key ?? null,
      }
    },
    seenUpTo(reader) {
      const row = db.get<{ size: number | null }>(
        'select size from document_leaving where document = ? and reader = ?',
        ...[MARK, reader],
      )
      return row?.size ?? 0
    },
    seen(key, reader) {
      db.run(
        'insert or replace into document_leaving (document, reader, removed, size) values (?, ?, 0, ?)',
        ...[MARK, reader, key],
      )
    },
  }
}
