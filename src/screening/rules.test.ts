import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { rules, rulesReference } from './rules.ts'

const page = new URL('../../docs/reference/screening.md', import.meta.url)

// A hospital switches rules off by what this page says of them: it must be what the code does.
test('rules: the reference page is equal to the code', () => {
  if (process.env['DIPTYCH_TEST_WRITE_REFERENCE'] === '1') writeFileSync(page, rulesReference())
  assert.ok(existsSync(page), 'docs/reference/screening.md is missing')
  assert.equal(readFileSync(page, 'utf8'), rulesReference())
})

test('rules: every id once, every default among what may be chosen', () => {
  const ids = rules.map(({ id }) => id)
  assert.equal(new Set(ids).size, ids.length)
  for (const { id, default: fallback, allowed, says, why } of rules) {
    if (fallback !== 'skip' && allowed.length > 0) assert.ok(allowed.includes(fallback), id)
    assert.ok(says.endsWith('.') && why.endsWith('.'), id)
  }
})
