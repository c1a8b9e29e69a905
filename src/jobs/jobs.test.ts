import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Database, openDatabase } from '#index/sqlite/database.ts'
import { createSqliteJobQueue } from '#index/sqlite/job-queue.ts'
import { migrate } from '#index/sqlite/migrate.ts'
import type { JobQueue, Lease } from '#model/job-queue.ts'
import { startJobRunner } from './job-runner.ts'

function open(): { db: Database; queue: JobQueue } {
  const db = openDatabase(':memory:')
  migrate(db)
  return { db, queue: createSqliteJobQueue(db) }
}

function leased(lease: Lease | undefined): Lease {
  assert.ok(lease !== undefined)
  return lease
}

test('the same work asked for twice is one job, until it is done', () => {
  const { queue } = open()
  const id = queue.enqueue({ kind: 'thumbnail', subject: 'a' }, 0)
  assert.equal(queue.enqueue({ kind: 'thumbnail', subject: 'a' }, 0), id)
  const lease = leased(queue.lease(['thumbnail'], 'w', 0, 1000))
  assert.equal(queue.enqueue({ kind: 'thumbnail', subject: 'a' }, 0), id)
  assert.equal(queue.complete(lease, 1), true)
  assert.notEqual(queue.enqueue({ kind: 'thumbnail', subject: 'a' }, 2), id)
})

test('a job asked for in a transaction that fails was never asked for', () => {
  const { db, queue } = open()
  assert.throws(() =>
    db.transaction(() => {
      queue.enqueue({ kind: 'k', subject: 's' }, 0)
      throw new Error('undone')
    }),
  )
  assert.equal(queue.openJobs(), 0)
  assert.equal(queue.lease(['k'], 'w', 0, 1000), undefined)
})

// Two workers must never both finish: the one whose lease ran out has lost, whatever it did meanwhile.
test('a worker that was too slow cannot finish, extend or fail the job', () => {
  const { queue } = open()
  queue.enqueue({ kind: 'k', subject: 's' }, 0)
  const slow = leased(queue.lease(['k'], 'slow', 0, 1000))
  assert.equal(queue.lease(['k'], 'other', 999, 1000), undefined)
  const fast = leased(queue.lease(['k'], 'fast', 1000, 1000))
  assert.equal(fast.job.id, slow.job.id)
  const effects: string[] = []
  const effect = (who: string) => ({ key: 'once', apply: () => void effects.push(who) })
  assert.equal(queue.complete(slow, 1500, effect('slow')), false)
  assert.equal(queue.extend(slow, 1500, 1000), false)
  assert.equal(queue.fail(slow, 'late', 1500), 'lost')
  assert.equal(queue.complete(fast, 1500, effect('fast')), true)
  assert.equal(queue.complete(fast, 1500, effect('fast')), false)
  assert.deepEqual(effects, ['fast'])
})

test('an effect happens once per key, and not at all when finishing fails', () => {
  const { queue } = open()
  let applied = 0
  for (const subject of ['a', 'b']) {
    queue.enqueue({ kind: 'k', subject }, 0)
    const lease = leased(queue.lease(['k'], 'w', 0, 1000))
    queue.complete(lease, 1, { key: 'same', apply: () => void applied++ })
  }
  assert.equal(applied, 1)
  queue.enqueue({ kind: 'k', subject: 'c' }, 0)
  const lease = leased(queue.lease(['k'], 'w', 0, 1000))
  const broken = {
    key: 'broken',
    apply: () => {
      throw new Error('no')
    },
  }
  assert.throws(() => queue.complete(lease, 1, broken))
  assert.equal(queue.list({ state: 'leased', limit: 10 }).items.length, 1)
  assert.equal(queue.complete(lease, 1, { key: 'broken', apply: () => void applied++ }), true)
  assert.equal(applied, 2)
})

test('tries come later and later, then the job is parked until a person retries it', () => {
  const { queue } = open()
  const id = queue.enqueue({ kind: 'k', subject: 's', attemptsMax: 3 }, 0)
  let now = 0
  const pauses: number[] = []
  for (const expected of ['waiting', 'waiting', 'parked']) {
    const lease = leased(queue.lease(['k'], 'w', now, 1000))
    assert.equal(queue.fail(lease, `try at ${now}`, now), expected)
    const due = queue.nextDue()
    if (due !== undefined) {
      pauses.push(due - now)
      assert.equal(queue.lease(['k'], 'w', due - 1, 1000), undefined)
      now = due
    }
  }
  assert.deepEqual(pauses, [1000, 2000])
  const [parked] = queue.list({ state: 'open', limit: 10 }).items
  assert.deepEqual([parked?.state, parked?.error, parked?.attempts], ['parked', 'try at 3000', 3])
  assert.equal(queue.openJobs(), 0)
  assert.equal(queue.retry(id, now), true)
  assert.equal(queue.retry(id, now), false)
  assert.equal(queue.openJobs(), 1)
})

test('a job that kills its worker every time is parked', () => {
  const { queue } = open()
  queue.enqueue({ kind: 'k', subject: 's', attemptsMax: 2 }, 0)
  leased(queue.lease(['k'], 'w', 0, 10))
  leased(queue.lease(['k'], 'w', 10, 10))
  assert.equal(queue.lease(['k'], 'w', 20, 10), undefined)
  assert.equal(queue.list({ state: 'parked', limit: 1 }).items[0]?.error, 'its worker went away')
})

test('lists are paged newest first; finished jobs are forgotten in time', () => {
  const { queue } = open()
  for (const subject of ['a', 'b', 'c']) queue.enqueue({ kind: 'k', subject, payload: { subject } }, 0)
  const first = queue.list({ limit: 2 })
  assert.deepEqual(
    first.items.map(({ payload }) => payload),
    [{ subject: 'c' }, { subject: 'b' }],
  )
  const second = queue.list({ limit: 2, cursor: first.next ?? '' })
  assert.deepEqual([second.items.map(({ subject }) => subject), second.next], [['a'], null])
  queue.complete(leased(queue.lease(['k'], 'w', 0, 10)), 5)
  assert.equal(queue.prune(new Date(5).toISOString()), 0)
  assert.equal(queue.prune(new Date(6).toISOString()), 1)
})

test('the runner works off what is due, retries, and applies effects once', async () => {
  const { queue } = open()
  const done: string[] = []
  let tries = 0
  let clock = 0
  queue.enqueue({ kind: 'fine', subject: 'a' }, 0)
  queue.enqueue({ kind: 'flaky', subject: 'b' }, 0)
  const failures: string[] = []
  const runner = startJobRunner(queue, {
    worker: 'w',
    now: () => clock,
    onFailure: (job) => failures.push(job.kind),
    handlers: {
      fine: async (job) => () => void done.push(job.subject),
      flaky: async (job) => {
        if (tries++ === 0) throw new Error('first time')
        return () => void done.push(job.subject)
      },
    },
  })
  await runner.idle()
  assert.deepEqual([done, failures], [['a'], ['flaky']])
  clock = 5000
  runner.wake()
  await runner.idle()
  assert.deepEqual(done, ['a', 'b'])
  await runner.stop()
})

test('a runner does not start while a job has nobody to do it', () => {
  const { queue } = open()
  queue.enqueue({ kind: 'unknown', subject: 'a' }, 0)
  assert.throws(() => startJobRunner(queue, { worker: 'w', handlers: {} }), RangeError)
})
