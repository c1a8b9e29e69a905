/** The same first seeds in every test run; the long runs are in docs/reference/fuzzing.md. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeCase, TARGETS } from './target.ts'

const CASES: { readonly [target: string]: number } = {
  part10: 1500,
  json: 3000,
  tiff: 400,
  zip: 800,
  hl7: 2000,
  dimse: 1000,
}

for (const [name, target] of Object.entries(TARGETS)) {
  test(`fuzz: ${name}, ${CASES[name]} cases`, async () => {
    for (let seed = 1; seed <= CASES[name]!; seed++) {
      const failure = await judgeCase(target, target.make(seed))
      assert.equal(failure, null, `seed ${seed}: ${failure?.why}`)
    }
  })
}

test('fuzz: a seed makes the same case twice', () => {
  for (const [name, target] of Object.entries(TARGETS)) {
    for (const seed of [1, 77]) assert.deepEqual(target.make(seed), target.make(seed), `${name} ${seed}`)
  }
})
