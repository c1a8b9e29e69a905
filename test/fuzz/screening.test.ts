import assert from 'node:assert/strict'
import { test } from 'node:test'
import { screeningTarget } from './screening-target.ts'
import { judgeCase } from './target.ts'

const CASES = 1500

test(`fuzz: screening, ${CASES} cases`, async () => {
  for (let seed = 1; seed <= CASES; seed++) {
    const failure = await judgeCase(screeningTarget, screeningTarget.make(seed))
    assert.equal(failure, null, `seed ${seed}: ${failure?.why}`)
  }
})
