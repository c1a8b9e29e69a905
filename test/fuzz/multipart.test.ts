import { test } from 'node:test'
import { runMultipartSeed } from './multipart-case.ts'

// The long run is `node test/fuzz/multipart.ts`; these seeds keep its oracles in every test run.
test('multipart bodies made to confuse a reader: 20,000 seeds', () => {
  for (let seed = 1; seed <= 20_000; seed++) runMultipartSeed(seed)
})

// What the long run once found: a limit that depended on where the body was cut.
test('multipart seeds that once failed', () => {
  for (const seed of [10_218, 17_427, 21_109, 29_225, 878_508, 904_583]) runMultipartSeed(seed)
})
