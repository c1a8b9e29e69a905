import assert from 'node:assert/strict'
import { test } from 'node:test'
import { killLoop } from '../kill-loop/run.ts'

// An archive that loses what it acknowledged is worse than none: the sender has deleted its copy.
test('what was acknowledged survives kill -9 (4 cycles; 100 by node test/kill-loop/run.ts)', {
  timeout: 180_000,
}, async (t) => {
  const report = await killLoop({ cycles: 4, seed: 7, say: (line) => t.diagnostic(line) })
  assert.ok(report.acknowledged > 0, 'nothing was stored at all')
  assert.ok(report.byCStore > 0, 'nothing was stored by C-STORE')
  assert.deepEqual({ lost: report.lost, damaged: report.damaged }, { lost: [], damaged: [] })
})
