import { test } from 'node:test'
import { simulatedLife } from '../fuzz/simulated-disk-run.ts'

// A power cut at any call, torn writes, a full disk, failing flushes: 200 lives here, more by test/fuzz/simulated-disk.ts.
test('segments survive a disk that forgets, tears and refuses', async (t) => {
  const total = { crashes: 0, acknowledged: 0, refused: 0 }
  for (let seed = 1; seed <= 200; seed++) {
    const { crashes, acknowledged, refused } = await simulatedLife(seed)
    total.crashes += crashes
    total.acknowledged += acknowledged
    total.refused += refused
  }
  t.diagnostic(`${total.crashes} crashes, ${total.acknowledged} kept entries, ${total.refused} refusals`)
  if (total.crashes < 100 || total.acknowledged < 2000 || total.refused < 100)
    throw new Error('the lives were too easy')
})
