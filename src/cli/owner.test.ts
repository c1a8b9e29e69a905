import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { commands } from './commands.ts'
import { runInOwner } from './owner.ts'

// A mistyped --data must not give a clean bill of health of an archive that was made on the spot.
for (const name of ['verify', 'export', 'backup']) {
  test(`${name}: a data directory that is not there is told, not made`, async (context) => {
    const place = mkdtempSync(join(tmpdir(), 'diptych-owner-'))
    context.after(() => rmSync(place, { recursive: true, force: true }))
    const data = join(place, 'typo')
    const command = commands.find((one) => one.name === name)
    assert.ok(command?.runs === 'in-owner')
    const given = { flags: { out: join(place, 'out') }, positionals: [], workingDirectory: place }
    const ended = runInOwner(command, data, given, async () => {}, new AbortController().signal, [])
    await assert.rejects(ended, { code: 'request.not-found' })
    assert.equal(existsSync(data), false)
  })
}
