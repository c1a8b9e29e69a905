/** Every case a long run once failed on, made small, must stay mended. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { judgeCase, TARGETS } from './target.ts'

const folder = join(import.meta.dirname, 'found')

for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
  test(`found: ${file}`, async () => {
    const { found } = (await import(join(folder, file))) as { found: { target: string; why: string; hex: string } }
    const target = TARGETS[found.target]
    assert.ok(target !== undefined, `${found.target} is fuzzed`)
    const failure = await judgeCase(target, Buffer.from(found.hex, 'hex'))
    assert.equal(failure, null, `again: ${failure?.why}; was ${found.why}`)
  })
}
