import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hl7KillLoop } from '../kill-loop/hl7v2.ts'

// A sender that was told AA throws the message away; one that was told nothing sends it again.
test('HL7 v2: what was acknowledged survives kill -9, a resend has one effect (3 cycles)', {
  timeout: 180_000,
}, async (t) => {
  const report = await hl7KillLoop({ cycles: 3, seed: 7, say: (line) => t.diagnostic(line) })
  assert.ok(report.acknowledged > 0, 'nothing was acknowledged at all')
  const { lost, doubled, wrong, rebuilt } = report
  assert.deepEqual({ lost, doubled, wrong, rebuilt }, { lost: [], doubled: [], wrong: [], rebuilt: true })
})
