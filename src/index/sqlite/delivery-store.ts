import { cursorText, keyBehind } from '#model/cursor.ts'
import type { Delivery, DeliveryBody, DeliveryStore, Holding } from '#model/delivery.ts'
import type { SourcePatient } from '#model/document.ts'
import type { Database, SqlParam } from './database.ts'

const LIST = 'deliveries'
/** Deliveries of one journal entry. */
const POSITIONS = 2 ** 20

interface Row {
  readonly key: number
  readonly destination: string
  readonly object: string
  readonly version: number
  readonly event: Delivery['event']
  readonly control_id: string
  readonly state: Delivery['state']
  readonly attempts: number
  readonly made: string
  readonly tried: string | null
  readonly settled: string | null
  readonly answer: string | null
  readonly error: string | null
  readonly rule: string | null
  readonly body: string
}

const HELD = "state in ('acknowledged', 'waiting')"

export function createDeliveryStore(db: Database): DeliveryStore {
  const one = (sql: string, ...params: SqlParam[]) => {
    const row = db.get<Row>(sql, ...params)
    return row === undefined ? undefined : { ...deliveryOf(row), body: bodyOf(row) }
  }
  return {
    add(sequence, time, deliveries) {
      return deliveries.map((made, i) => {
        const key = sequence * POSITIONS + i
        const failed = made.failed ?? null
        db.run(
          `insert or ignore into delivery (key, destination, object, version, event, control_id, state, made, settled,
             error, rule, body) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          ...[key, made.destination, made.objectId, made.version, made.event, made.controlId],
          ...[failed === null ? 'waiting' : 'failed', time, failed === null ? null : time, failed, made.rule],
          JSON.stringify(made.body),
        )
        return String(key)
      })
    },
    settle({ id, state, answer, error }, time) {
      db.run(
        "update delivery set state = ?, answer = ?, error = ?, settled = ? where key = ? and state = 'waiting'",
        ...[state, answer, error, time, Number(id)],
      )
    },
    tried(id, error, time) {
      db.run(
        "update delivery set attempts = attempts + 1, error = ?, tried = ? where key = ? and state = 'waiting'",
        ...[error, time, Number(id)],
      )
    },
    last: (destination, objectId) =>
      one(
        `select * from delivery where object = ? and destination = ? and ${HELD} order by key desc limit 1`,
        objectId,
        destination,
      ),
    waiting: (destination) =>
      db.get<{ n: number }>(
        "select count(*) as n from delivery where destination = ? and state = 'waiting'",
        destination,
      )?.n ?? 0,
    patient(patientId) {
      return db.get<SourcePatient>(
        `select coalesce(s.issuer, p.issuer) as issuer, coalesce(s.identifier, p.identifier) as id,
           nullif(coalesce(s.name, p.name), '') as name, nullif(coalesce(s.birth_date, p.birth_date), '') as birthDate,
           nullif(coalesce(s.sex, p.sex), '') as sex
         from patient p left join patient s on s.key = p.survivor where p.id = ?`,
        patientId,
      )
    },
    deliveries({ objectId, destination, state, controlId, limit, cursor }) {
      const where: string[] = ['1']
      const params: SqlParam[] = []
      const also = (sql: string, value: SqlParam | undefined) => {
        if (value === undefined) return
        where.push(sql)
        params.push(value)
      }
      also('object = ?', objectId)
      also('destination = ?', destination)
      also('state = ?', state)
      also('control_id = ?', controlId)
      also('key < ?', keyBehind(LIST, cursor))
      const rows = db.all<Row>(
        `select * from delivery where ${where.join(' and ')} order by key desc limit ?`,
        ...[...params, limit + 1],
      )
      const last = rows[limit - 1]
      return {
        items: rows.slice(0, limit).map(deliveryOf),
        next: rows.length > limit && last !== undefined ? cursorText(LIST, [last.key]) : null,
      }
    },
    delivery: (id) => (/^\d{1,16}$/.test(id) ? one('select * from delivery where key = ?', Number(id)) : undefined),
    next: (destination) =>
      one("select * from delivery where destination = ? and state = 'waiting' order by key limit 1", destination),
    holdings({ objectId, destination, behind, limit }) {
      const rows = db.all<{ destination: string; object: string; version: number; state: string; status: number }>(
        `select d.destination, d.object, d.version, d.state, coalesce(o.status, 2) as status
         from delivery d left join document o on o.id = d.object and o.hidden = 0
         where d.${HELD} and d.event <> 'withdrawn' and (? is null or d.object = ?) and (? is null or d.destination = ?)
           and (? = 0 or coalesce(o.status, 2) <> 0)
           and not exists (select 1 from delivery n where n.destination = d.destination and n.object = d.object
             and n.key > d.key and n.${HELD})
         order by d.key desc limit ?`,
        ...[objectId ?? null, objectId ?? null, destination ?? null, destination ?? null, behind === true ? 1 : 0],
        behind === true ? limit * 10 : limit,
      )
      const all = rows.map((row): Holding => {
        const current = row.status === 0 ? row.object : successorOf(db, row.object)
        const told =
          row.status === 0 ||
          (current === null
            ? laterOf(db, row.object).some((later) => lastEvent(db, row.destination, later) === 'withdrawn')
            : isTold(db, row.destination, current))
        return {
          ...{ destination: row.destination, objectId: row.object, version: row.version, current },
          ...{ state: row.state as Holding['state'], behind: !told },
        }
      })
      return all.filter((one) => behind !== true || one.behind).slice(0, limit)
    },
  }
}

/** Longest chain of versions that is followed. */
const CHAIN_MAX = 1000

const LATER = `with recursive later(id, n) as (select ?, 0 union
  select r.source, n + 1 from relation r join later l on r.target = l.id
  where r.kind in ('replaces', 'transform-replaces') and n < ${CHAIN_MAX})`

/** The document in force that took its place, however many stand between; null when nothing is in force. */
function successorOf(db: Database, objectId: string): string | null {
  const sql = `${LATER} select d.id from later join document d on d.id = later.id
    where d.hidden = 0 and d.status = 0 order by n desc limit 1`
  return db.get<{ id: string }>(sql, objectId)?.id ?? null
}

/** Versions that took its place. */
function laterOf(db: Database, objectId: string): readonly string[] {
  return db.all<{ id: string }>(`${LATER} select distinct id from later where n > 0`, objectId).map(({ id }) => id)
}

function lastEvent(db: Database, destination: string, objectId: string): string | undefined {
  const sql = `select event from delivery where object = ? and destination = ? and ${HELD} order by key desc limit 1`
  return db.get<{ event: string }>(sql, objectId, destination)?.event
}

function isTold(db: Database, destination: string, objectId: string): boolean {
  const last = lastEvent(db, destination, objectId)
  return last !== undefined && last !== 'withdrawn'
}

const bodyOf = (row: Row) => JSON.parse(row.body) as DeliveryBody

function deliveryOf(row: Row): Delivery {
  return {
    id: String(row.key),
    destination: row.destination,
    objectId: row.object,
    version: row.version,
    event: row.event,
    message: bodyOf(row).message,
    controlId: row.control_id,
    state: row.state,
    rule: row.rule,
    attempts: row.attempts,
    made: row.made,
    tried: row.tried,
    settled: row.settled,
    answer: row.answer,
    error: row.error,
  }
}

/** Documents that were not looked at yet. Part of the caller's transaction. */
export function createPendingNotices(db: Database) {
  return {
    add(objectIds: readonly string[]): void {
      for (const id of objectIds) db.run('insert or ignore into notice_pending (object) values (?)', id)
    },
    take: (limit: number): readonly string[] =>
      db.all<{ object: string }>('select object from notice_pending limit ?', limit).map(({ object }) => object),
    done(objectIds: readonly string[]): void {
      for (const id of objectIds) db.run('delete from notice_pending where object = ?', id)
    },
    originatorOf(objectId: string): string | null {
      const sql = `select t.value from object o join arrival a on a.object = o.key join text t on t.key = a.source
        where o.id = ? order by a.key limit 1`
      const source = db.get<{ value: string }>(sql, objectId)?.value
      return source === undefined ? null : ((JSON.parse(source) as readonly (string | null)[])[2] ?? null)
    },
  }
}
