/** `node test/fuzz/simulated-disk.ts --seeds 2000 [--from 1]`: the model checker over many seeds. */
import { parseArgs } from 'node:util'
import { simulatedLife } from './simulated-disk-run.ts'

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '2000' }, from: { type: 'string', default: '1' } },
})
const from = Number(values.from)
const seeds = Number(values.seeds)
const total = { crashes: 0, acknowledged: 0, refused: 0 }
const failed: number[] = []
const started = performance.now()

for (let seed = from; seed < from + seeds; seed++) {
  try {
    const { crashes, acknowledged, refused } = await simulatedLife(seed)
    total.crashes += crashes
    total.acknowledged += acknowledged
    total.refused += refused
  } catch (error) {
    failed.push(seed)
    process.stderr.write(`${error instanceof Error ? `${error.message}\n${String(error.cause)}` : String(error)}\n`)
  }
}
const seconds = Number(((performance.now() - started) / 1000).toFixed(1))
process.stdout.write(`${JSON.stringify({ summary: { seeds, failed, ...total, seconds } })}\n`)
process.exitCode = failed.length === 0 ? 0 : 2
