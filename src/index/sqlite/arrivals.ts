import type { ArrivalRecord, Door } from '#model/arrival.ts'
import { cursorText, keyBehind } from '#model/cursor.ts'
import type { Finding, ScanReport } from '#model/finding.ts'
import type { Database, SqlParam } from './database.ts'
import { hex, packTime, type Texts, unpackTime } from './texts.ts'

/** Of cursors. */
const LIST = 'arrivals'

/** Parts of a record that repeat from one arrival to the next. */
type Source = readonly [
  door: Door,
  peer: string | null,
  originator: string | null,
  user: string | null,
  address: string | null,
  medium: string | null,
]

const INSERT = `insert into arrival (id, sha256, size, source, path, time, verdict, reason, findings, scan, uid, object,
  quarantine) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

/**
 * Writes the record of one arrival.
 * @param object key of the object it led to, or null
 */
export function writeArrival(db: Database, texts: Texts, arrival: ArrivalRecord, object: number | null): void {
  const { door, peer, originator, user, address, medium } = arrival
  const source: Source = [door, peer, originator, user, address, medium]
  db.run(
    INSERT,
    arrival.id,
    Buffer.from(arrival.sha256, 'hex'),
    arrival.size,
    texts.keyOf(JSON.stringify(source)),
    arrival.path,
    packTime(arrival.time),
    arrival.verdict,
    arrival.reason,
    arrival.findings.length === 0 ? null : JSON.stringify(arrival.findings),
    texts.keyOf(JSON.stringify(arrival.scan)),
    // An arrival that led to an object is found by the object's UID.
    object === null ? arrival.sopInstanceUid : null,
    object,
    arrival.quarantineId,
  )
}

interface Row {
  readonly key: number
  readonly id: string
  readonly sha256: Uint8Array
  readonly size: number
  readonly source: number
  readonly path: string | null
  readonly time: number | string
  readonly verdict: ArrivalRecord['verdict']
  readonly reason: string
  readonly findings: string | null
  readonly scan: number
  readonly uid: string | null
  readonly object_id: string | null
  readonly object_uid: string | null
  readonly quarantine: string | null
}

const COLUMNS = `a.key, a.id, a.sha256, a.size, a.source, a.path, a.time, a.verdict, a.reason, a.findings, a.scan, a.uid,
  o.id as object_id, o.uid as object_uid, a.quarantine`
const FROM = 'arrival a left join object o on o.key = a.object'

function fromRow(texts: Texts, row: Row): ArrivalRecord {
  const [door, peer, originator, user, address, medium] = JSON.parse(texts.valueOf(row.source)) as Source
  return {
    id: row.id,
    sha256: hex(row.sha256),
    size: row.size,
    door,
    peer,
    originator,
    user,
    address,
    medium,
    path: row.path,
    time: unpackTime(row.time),
    verdict: row.verdict,
    reason: row.reason,
    findings: row.findings === null ? [] : (JSON.parse(row.findings) as Finding[]),
    scan: JSON.parse(texts.valueOf(row.scan)) as ScanReport,
    sopInstanceUid: row.object_uid ?? row.uid,
    objectId: row.object_id,
    quarantineId: row.quarantine,
  }
}

/** The arrival that brought an object: its first. */
export function firstArrival(db: Database, texts: Texts, object: number): ArrivalRecord | undefined {
  const row = db.get<Row>(`select ${COLUMNS} from ${FROM} where a.object = ? order by a.key limit 1`, object)
  return row === undefined ? undefined : fromRow(texts, row)
}

/** Arrivals that led to an object, oldest first. */
export function arrivalsOfObject(db: Database, texts: Texts, objectId: string): ArrivalRecord[] {
  return db
    .all<Row>(
      // Also those of the same bytes that were held before a person released them.
      `select ${COLUMNS} from ${FROM} where a.key in (
         select b.key from object o join arrival b on b.object = o.key where o.id = ?
         union select b.key from object o join arrival b on substr(b.sha256, 1, 8) = substr(o.sha_arrived, 1, 8)
           and b.sha256 = o.sha_arrived where o.id = ?)
       order by a.key`,
      objectId,
      objectId,
    )
    .map((row) => fromRow(texts, row))
}

export interface ArrivalFilter {
  readonly sha256?: string
  readonly sopInstanceUid?: string
  readonly verdict?: string
  readonly since?: string
  readonly limit: number
  readonly cursor?: string
}

/**
 * Arrivals of any verdict, newest first.
 * @throws ArchiveError 'request.malformed' for a cursor that nobody handed out
 */
export function listArrivals(
  db: Database,
  texts: Texts,
  filter: ArrivalFilter,
): { items: ArrivalRecord[]; next: string | null } {
  const where: string[] = []
  const params: SqlParam[] = []
  if (filter.sha256 !== undefined) {
    if (!/^[0-9a-f]{64}$/i.test(filter.sha256)) return { items: [], next: null }
    const digest = Buffer.from(filter.sha256, 'hex')
    where.push('substr(a.sha256, 1, 8) = ? and a.sha256 = ?')
    params.push(digest.subarray(0, 8), digest)
  }
  if (filter.sopInstanceUid !== undefined) {
    where.push(
      `a.key in (select key from arrival where uid = ? union all
       select b.key from object p join arrival b on b.object = p.key where p.uid = ?)`,
    )
    params.push(filter.sopInstanceUid, filter.sopInstanceUid)
  }
  if (filter.verdict !== undefined) {
    where.push('a.verdict = ?')
    params.push(filter.verdict)
  }
  if (filter.since !== undefined) {
    where.push('a.time >= ?')
    params.push(packTime(new Date(filter.since).toISOString()))
  }
  const behind = keyBehind(LIST, filter.cursor)
  if (behind !== undefined) {
    where.push('a.key < ?')
    params.push(behind)
  }
  const rows = db.all<Row>(
    `select ${COLUMNS} from ${FROM} ${where.length === 0 ? '' : `where ${where.join(' and ')}`}
     order by a.key desc limit ?`,
    ...params,
    filter.limit + 1,
  )
  const items = rows.slice(0, filter.limit)
  const last = items.at(-1)
  return {
    items: items.map((row) => fromRow(texts, row)),
    next: rows.length > filter.limit && last !== undefined ? cursorText(LIST, [last.key]) : null,
  }
}
