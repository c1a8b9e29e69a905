import { cursorText, keyBehind } from '#model/cursor.ts'
import type { HeldItem, QuarantineItem, QuarantineStore } from '#model/quarantine.ts'
import type { Database, SqlParam } from './database.ts'

/** Of cursors. */
const LIST = 'quarantine'

interface Row {
  readonly key: number
  readonly id: string
  readonly state: HeldItem['state']
  readonly sha256: string
  readonly size: number
  readonly uid: string | null
  readonly arrived_at: string
  readonly arrivals: number
  readonly door: HeldItem['door']
  readonly peer: string | null
  readonly preamble: string
  readonly findings: string
  readonly scan: string
  readonly patient: string | null
  readonly provenance: string
  readonly decision: string | null
}

/** Held rows in the index database, outside of every table of the archive. */
export function createQuarantineStore(db: Database): QuarantineStore {
  return {
    hold(row) {
      const known = db.get<{ key: number; id: string }>(
        "select key, id from quarantine where sha256 = ? and state <> 'released' order by key desc limit 1",
        row.sha256,
      )
      if (known !== undefined) {
        db.run('update quarantine set arrivals = arrivals + 1 where key = ?', known.key)
        return known.id
      }
      db.run(
        `insert into quarantine (id, state, sha256, size, uid, arrived_at, door, peer, preamble, findings, scan,
           patient, provenance) values (?, 'held', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[row.id, row.sha256, row.size, row.sopInstanceUid, row.arrivedAt, row.door, row.peer, row.preambleHex],
        ...[JSON.stringify(row.findings), JSON.stringify(row.scan)],
        ...[row.patient === null ? null : JSON.stringify(row.patient), JSON.stringify(row.provenance)],
      )
      return row.id
    },
    get(id) {
      const row = db.get<Row>('select * from quarantine where id = ?', id)
      return row === undefined ? undefined : held(row)
    },
    list({ state, sha256, sopInstanceUid, limit, cursor }) {
      const where: string[] = ['1 = 1']
      const params: SqlParam[] = []
      const also = (sql: string, value: SqlParam | undefined) => {
        if (value === undefined) return
        where.push(sql)
        params.push(value)
      }
      also('state = ?', state)
      also('sha256 = ?', sha256)
      also('uid = ?', sopInstanceUid)
      also('key < ?', keyBehind(LIST, cursor))
      const rows = db.all<Row>(
        `select * from quarantine where ${where.join(' and ')} order by key desc limit ?`,
        ...params,
        limit + 1,
      )
      const page = rows.slice(0, limit)
      const last = page.at(-1)
      return {
        items: page.map((row): QuarantineItem => {
          const { provenance: _, ...item } = held(row)
          return item
        }),
        next: rows.length > limit && last !== undefined ? cursorText(LIST, [last.key]) : null,
      }
    },
    decide(id, decision) {
      const { changes } = db.run(
        "update quarantine set state = ?, decision = ?, decided_at = ? where id = ? and state = 'held'",
        decision.action === 'discard' ? 'discarded' : 'released',
        JSON.stringify(decision),
        decision.time,
        id,
      )
      return changes === 1
    },
    reassess(id, findings, scan) {
      const sql = "update quarantine set findings = ?, scan = ? where id = ? and state = 'held'"
      db.run(sql, JSON.stringify(findings), JSON.stringify(scan), id)
    },
    wasReleased(sha256) {
      const sql = `select 1 from quarantine where sha256 = ? and state = 'released'
        and decision ->> '$.by' not like 'rule:%'`
      return db.get(sql, sha256) !== undefined
    },
    needsOriginal(sha256, after) {
      const sql = 'select 1 from quarantine where sha256 = ? and (decided_at is null or decided_at >= ?)'
      return db.get(sql, sha256, after) !== undefined
    },
    count() {
      const counts = { held: 0, released: 0, discarded: 0 }
      const rows = db.all<{ state: keyof typeof counts; n: number }>(
        'select state, count(*) as n from quarantine group by state',
      )
      for (const { state, n } of rows) counts[state] = n
      return counts
    },
  }
}

function held(row: Row): HeldItem {
  return {
    id: row.id,
    state: row.state,
    sha256: row.sha256,
    size: row.size,
    sopInstanceUid: row.uid,
    arrivedAt: row.arrived_at,
    door: row.door,
    peer: row.peer,
    arrivals: row.arrivals,
    findings: JSON.parse(row.findings) as HeldItem['findings'],
    preambleHex: row.preamble,
    scan: JSON.parse(row.scan) as HeldItem['scan'],
    patient: row.patient === null ? null : (JSON.parse(row.patient) as HeldItem['patient']),
    decision: row.decision === null ? null : (JSON.parse(row.decision) as HeldItem['decision']),
    provenance: JSON.parse(row.provenance) as HeldItem['provenance'],
  }
}
