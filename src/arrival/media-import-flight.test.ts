import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type FlightLimits, flight, type Job, type Outcome } from './media-import-flight.ts'

const LIMITS: FlightLimits = { countMax: 4, bytesMax: 100, waitingMax: 8 }
const never = new AbortController().signal

async function* from<R>(jobs: Iterable<Job<R>>): AsyncGenerator<Job<R>> {
  yield* jobs
}

async function collect<R>(results: AsyncIterable<R>): Promise<R[]> {
  const all: R[] = []
  for await (const result of results) all.push(result)
  return all
}

/** Jobs that count how many run at once and how much memory they hold. */
function watched(count: number, costBytes: number) {
  const now = { running: 0, most: 0, bytes: 0, mostBytes: 0 }
  const jobs = Array.from({ length: count }, (_, index): Job<number> => {
    return {
      costBytes,
      async run(): Promise<Outcome<number>> {
        now.running += 1
        now.bytes += costBytes
        now.most = Math.max(now.most, now.running)
        now.mostBytes = Math.max(now.mostBytes, now.bytes)
        await turn()
        now.running -= 1
        now.bytes -= costBytes
        return { result: index }
      },
    }
  })
  return { now, jobs }
}

const bounds = [
  { name: 'by count', costBytes: 1, most: 4 },
  { name: 'by memory', costBytes: 40, most: 2 },
  { name: 'a job larger than all memory runs alone', costBytes: 1000, most: 1 },
]
for (const { name, costBytes, most } of bounds) {
  test(`flight is bounded: ${name}`, async () => {
    const { now, jobs } = watched(50, costBytes)
    const results = await collect(flight(from(jobs), never, LIMITS))
    assert.deepEqual(
      results.toSorted((a, b) => a - b),
      jobs.map((_, index) => index),
    )
    assert.equal(now.most, most)
  })
}

test('flight: work found inside a job is done, inside that too', async () => {
  const leaf = (name: string): Job<string> => ({ costBytes: 1, run: async () => ({ result: name }) })
  const box = (...inside: Job<string>[]): Job<string> => ({ costBytes: 1, run: async () => ({ more: from(inside) }) })
  const jobs = [leaf('a'), box(leaf('b'), box(leaf('c'), leaf('d'))), leaf('e'), box()]
  assert.deepEqual((await collect(flight(from(jobs), never, LIMITS))).toSorted(), ['a', 'b', 'c', 'd', 'e'])
})

test('flight: a slow reader holds the source back', async () => {
  let made = 0
  async function* source(): AsyncGenerator<Job<number>> {
    for (; made < 1000; made++) yield { costBytes: 1, run: async () => ({ result: 1 }) }
  }
  const results = flight(source(), never, LIMITS)
  await results.next()
  for (let i = 0; i < 200; i++) await turn()
  assert.ok(made <= LIMITS.waitingMax + LIMITS.countMax + 3, `${made} were made ahead`)
  await results.return(undefined)
})

test('flight: after an abort nothing new starts, and what ran is told', async () => {
  const stop = new AbortController()
  let started = 0
  const jobs = Array.from({ length: 100 }, (_, index): Job<number> => {
    return {
      costBytes: 1,
      async run() {
        started += 1
        if (index === 5) stop.abort()
        await turn()
        return { result: index }
      },
    }
  })
  const results = await collect(flight(from(jobs), stop.signal, LIMITS))
  assert.equal(results.length, started)
  assert.ok(started < 20, `${started} started`)
})

test('flight: a fault of a job ends it after the others have ended', async () => {
  const { now, jobs } = watched(10, 1)
  const broken: Job<number> = { costBytes: 1, run: () => Promise.reject(new Error('broken')) }
  await assert.rejects(collect(flight(from([...jobs.slice(0, 3), broken, ...jobs.slice(3)]), never, LIMITS)), {
    message: 'broken',
  })
  assert.equal(now.running, 0)
})
