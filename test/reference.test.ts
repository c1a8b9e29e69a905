import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { PAGES } from '../tools/reference.ts'

// A page that says what the code no longer does is worse than none: `node tools/reference.ts` writes them anew.
for (const [path, page] of Object.entries(PAGES)) {
  test(`${path} says what the code says`, async () => {
    assert.equal(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'), await page())
  })
}
