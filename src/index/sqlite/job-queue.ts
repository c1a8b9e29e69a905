import { cursorText, keyBehind } from '#model/cursor.ts'
import type { Job, JobQueue, JobState, Lease } from '#model/job-queue.ts'
import type { Database, SqlParam } from './database.ts'

/** Of cursors. */
const LIST = 'jobs'

const ATTEMPTS_MAX = 5
/** Pause after the first failure, in milliseconds; doubles with every further one. */
const BACKOFF_MS = 1000
const BACKOFF_MAX_MS = 3_600_000
/** Longest error text kept, in characters. */
const ERROR_MAX = 2000

interface Row {
  readonly key: number
  readonly kind: string
  readonly subject: string
  readonly payload: string
  readonly state: JobState
  readonly attempts: number
  readonly attempts_max: number
  readonly run_after: number
  readonly fence: number
  readonly worker: string | null
  readonly error: string | null
  readonly created: string
  readonly finished: string | null
}

const COLUMNS =
  'key, kind, subject, payload, state, attempts, attempts_max, run_after, fence, worker, error, created, finished'
const MINE = "key = ? and fence = ? and state = 'leased'"

function jobOf(row: Row): Job {
  return {
    id: row.key,
    kind: row.kind,
    subject: row.subject,
    payload: JSON.parse(row.payload),
    state: row.state,
    attempts: row.attempts,
    attemptsMax: row.attempts_max,
    runAfter: row.run_after,
    worker: row.worker,
    error: row.error,
    created: row.created,
    finished: row.finished,
  }
}

/**
 * Jobs in the index database, so that a change and the work it asks for commit together.
 * @param db the write connection, migrated
 */
export function createSqliteJobQueue(db: Database): JobQueue {
  function iso(now: number): string {
    return new Date(now).toISOString()
  }

  return {
    enqueue({ kind, subject, payload = null, attemptsMax = ATTEMPTS_MAX, runAfter }, now) {
      const made = db.run(
        `insert into job (kind, subject, payload, state, attempts, attempts_max, run_after, fence, created)
         values (?, ?, ?, 'waiting', 0, ?, ?, 0, ?)
         on conflict (kind, subject) where state in ('waiting', 'leased') do nothing`,
        ...[kind, subject, JSON.stringify(payload), attemptsMax, runAfter ?? now, iso(now)],
      )
      if (made.changes === 1) return made.rowid
      const open = db.get<{ key: number }>(
        "select key from job where kind = ? and subject = ? and state in ('waiting', 'leased')",
        kind,
        subject,
      )
      if (open === undefined) throw new RangeError(`job ${kind} of ${subject} is neither new nor open`)
      return open.key
    },

    lease(kinds, worker, now, leaseMs): Lease | undefined {
      return db.transaction(() => {
        const asked = JSON.stringify(kinds)
        const row =
          db.get<Row>(
            `select ${COLUMNS} from job indexed by job_lease where state = 'leased' and leased_until <= ?
             and kind in (select value from json_each(?)) order by leased_until limit 1`,
            ...[now, asked],
          ) ??
          db.get<Row>(
            `select ${COLUMNS} from job indexed by job_due where state = 'waiting' and run_after <= ?
             and kind in (select value from json_each(?)) order by run_after, key limit 1`,
            ...[now, asked],
          )
        if (row === undefined) return undefined
        if (row.state === 'leased' && row.attempts >= row.attempts_max) {
          // Its worker died with it every time: somebody has to look.
          db.run(
            "update job set state = 'parked', error = coalesce(error, 'its worker went away'), finished = ? where key = ?",
            ...[iso(now), row.key],
          )
          return undefined
        }
        const fence = row.fence + 1
        db.run(
          `update job set state = 'leased', fence = ?, worker = ?, leased_until = ?, attempts = attempts + 1
           where key = ?`,
          ...[fence, worker, now + leaseMs, row.key],
        )
        return { job: jobOf({ ...row, state: 'leased', worker, attempts: row.attempts + 1 }), fence }
      })
    },

    together: (fn) => db.transaction(fn),

    extend({ job, fence }, now, leaseMs) {
      return db.run(`update job set leased_until = ? where ${MINE}`, now + leaseMs, job.id, fence).changes === 1
    },

    complete({ job, fence }, now, effect) {
      return db.transaction(() => {
        const { changes } = db.run(
          `update job set state = 'done', finished = ?, leased_until = null, error = null where ${MINE}`,
          ...[iso(now), job.id, fence],
        )
        if (changes === 0) return false
        if (effect !== undefined) {
          const first = db.run('insert or ignore into job_effect (effect, time) values (?, ?)', effect.key, iso(now))
          if (first.changes === 1) effect.apply()
        }
        return true
      })
    },

    fail({ job, fence }, error, now) {
      const park = job.attempts >= job.attemptsMax
      const pause = Math.min(BACKOFF_MS * 2 ** (job.attempts - 1), BACKOFF_MAX_MS)
      const { changes } = db.run(
        `update job set state = ?, error = ?, run_after = ?, leased_until = null, finished = ? where ${MINE}`,
        ...[park ? 'parked' : 'waiting', error.slice(0, ERROR_MAX), now + pause, park ? iso(now) : null],
        ...[job.id, fence],
      )
      if (changes === 0) return 'lost'
      return park ? 'parked' : 'waiting'
    },

    retry(id, now) {
      return db.transaction(() => {
        const { changes } = db.run(
          `update job set state = 'waiting', attempts = 0, run_after = ?, finished = null
           where key = ? and state = 'parked' and not exists (select 1 from job o
             where o.kind = job.kind and o.subject = job.subject and o.state in ('waiting', 'leased'))`,
          ...[now, id],
        )
        return changes === 1
      })
    },

    list({ state, kind, limit, cursor }) {
      const where: string[] = []
      const params: SqlParam[] = []
      if (state === 'open') where.push("state in ('waiting', 'leased', 'parked')")
      else if (state !== undefined) {
        where.push('state = ?')
        params.push(state)
      }
      if (kind !== undefined) {
        where.push('kind = ?')
        params.push(kind)
      }
      const behind = keyBehind(LIST, cursor)
      if (behind !== undefined) {
        where.push('key < ?')
        params.push(behind)
      }
      const rows = db.all<Row>(
        `select ${COLUMNS} from job ${where.length === 0 ? '' : `where ${where.join(' and ')}`} order by key desc limit ?`,
        ...params,
        limit + 1,
      )
      const items = rows.slice(0, limit).map(jobOf)
      const last = items.at(-1)
      return { items, next: rows.length > limit && last !== undefined ? cursorText(LIST, [last.id]) : null }
    },

    endLeases(now) {
      return db.run("update job set leased_until = ? where state = 'leased' and leased_until > ?", now, now).changes
    },

    openJobs() {
      return db.get<{ n: number }>("select count(*) as n from job where state in ('waiting', 'leased')")?.n ?? 0
    },

    openKinds() {
      return db
        .all<{ kind: string }>("select distinct kind from job where state in ('waiting', 'leased') order by kind")
        .map(({ kind }) => kind)
    },

    nextDue() {
      const row = db.get<{ due: number | null; ends: number | null }>(
        `select (select min(run_after) from job where state = 'waiting') as due,
         (select min(leased_until) from job where state = 'leased') as ends`,
      )
      const times = [row?.due, row?.ends].filter((time) => typeof time === 'number')
      return times.length === 0 ? undefined : Math.min(...times)
    },

    prune(before) {
      return db.transaction(() => {
        db.run('delete from job_effect where time < ?', before)
        return db.run("delete from job where state = 'done' and finished < ?", before).changes
      })
    },
  }
}
