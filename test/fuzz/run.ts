/**
 * `node test/fuzz/run.ts --target part10|json|multipart|tiff|zip|hl7 --cases 1000000 [--from 1] [--minutes N]`: cases made
 * from seeds, judged by oracles. A failing case is made small and written to test/fuzz/found/, which found.test.ts replays.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { runMultipartSeed } from './multipart-case.ts'
import { type Failure, judgeCase, RSS_BYTES_MAX, shrink, TARGETS } from './target.ts'

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: 'part10' },
    cases: { type: 'string', default: '100000' },
    from: { type: 'string' },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '600' },
  },
})
const name = values.target
const from = Number(values.from ?? values.seed)
const cases = Number(values.cases)
const end = Date.now() + Number(values.minutes) * 60_000
const FAILURES_MAX = 10

const target = TARGETS[name]
if (target === undefined && name !== 'multipart') {
  process.stderr.write(`no such target: ${name}; there are ${[...Object.keys(TARGETS), 'multipart'].join(', ')}\n`)
  process.exit(1)
}

const failed: number[] = []
let [done, slowestMs, rss] = [0, 0, 0]
const started = performance.now()
for (let seed = from; seed < from + cases && failed.length < FAILURES_MAX && Date.now() < end; seed++) {
  const began = performance.now()
  const failure = await one(seed)
  if (failure === null) slowestMs = Math.max(slowestMs, performance.now() - began)
  done++
  if (failure !== null) {
    failed.push(seed)
    process.stderr.write(`seed ${seed}: ${failure.why}\n${failure.error instanceof Error ? failure.error.stack : ''}\n`)
  }
  if (done % 1000 !== 0) continue
  await turn() // memory outside the heap is given back between turns of the event loop
  rss = Math.max(rss, process.memoryUsage.rss())
  if (rss > RSS_BYTES_MAX) throw new Error(`the process holds ${rss} bytes after seed ${seed}`)
  if (done % 50_000 === 0) process.stderr.write(`${done} cases\n`)
}
const seconds = Number(((performance.now() - started) / 1000).toFixed(1))
const summary = {
  target: name,
  from,
  cases: done,
  failed,
  slowestMs: Math.round(slowestMs),
  rssMiB: rss >> 20,
  seconds,
}
process.stdout.write(`${JSON.stringify({ summary })}\n`)
process.exitCode = failed.length === 0 ? 0 : 2

async function one(seed: number): Promise<Failure | null> {
  if (target === undefined) {
    try {
      runMultipartSeed(seed)
      return null
    } catch (error) {
      return { why: error instanceof Error ? error.message : String(error), error }
    }
  }
  const bytes = target.make(seed)
  const failure = await judgeCase(target, bytes)
  if (failure === null) return null
  const small = await shrink(target, bytes)
  const fixture = {
    target: name,
    seed,
    why: (await judgeCase(target, small))?.why ?? failure.why,
    hex: small.toString('hex'),
  }
  const path = join(import.meta.dirname, 'found', `${name}-${seed}.ts`)
  writeFileSync(path, `export const found = ${JSON.stringify(fixture, null, 2)}\n`)
  return failure
}
