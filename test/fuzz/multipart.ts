/** `node test/fuzz/multipart.ts --cases 1000000 [--from 1]`: the multipart reader against bodies made to confuse it. */
import { parseArgs } from 'node:util'
import { runMultipartSeed } from './multipart-case.ts'

const { values } = parseArgs({
  options: { cases: { type: 'string', default: '1000000' }, from: { type: 'string', default: '1' } },
})
const from = Number(values.from)
const cases = Number(values.cases)
const failed: number[] = []
let slowestMs = 0
const started = performance.now()

for (let seed = from; seed < from + cases && failed.length < 10; seed++) {
  const began = performance.now()
  try {
    runMultipartSeed(seed)
  } catch (error) {
    failed.push(seed)
    process.stderr.write(`${error instanceof Error ? `${error.message}\n${String(error.cause)}` : String(error)}\n`)
  }
  slowestMs = Math.max(slowestMs, performance.now() - began)
}
const seconds = Number(((performance.now() - started) / 1000).toFixed(1))
const summary = { cases, failed, slowestMs: Number(slowestMs.toFixed(1)), seconds }
process.stdout.write(`${JSON.stringify({ summary })}\n`)
process.exitCode = failed.length === 0 ? 0 : 2
