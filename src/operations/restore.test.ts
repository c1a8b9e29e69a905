import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDatabase } from '#index/sqlite/database.ts'
import { createKeptObjects } from '#index/sqlite/kept-objects.ts'
import { createSqliteWriter } from '#index/sqlite/writer.ts'
import { check, isError, withArchive } from '../../test/support/operations-archive.ts'
import { ctFiles, type SmallArchive, smallArchive } from '../../test/support/small-archive.ts'
import { backup } from './backup.ts'
import { restore } from './restore.ts'

async function backedUp(archive: SmallArchive, out: string): Promise<void> {
  await backup(
    {
      dataDirectory: archive.directory,
      snapshot: (path) => archive.db.exec(`vacuum into '${path}'`),
      readSnapshot(path) {
        const db = openDatabase(path, { readOnly: true })
        const said = { flushed: createSqliteWriter(db).flushed(), segments: createKeptObjects(db).segments() }
        db.close()
        return said
      },
    },
    { out },
  )
}

// Half an archive that looks like a whole one would be served, and its gaps taken for losses.
test('restore: interrupted after every file, it is marked, and goes on to the same end', async () => {
  await withArchive(async (archive, folder) => {
    for (const file of ctFiles(5)) await archive.store([file])
    const from = join(folder, 'backup')
    await backedUp(archive, from)
    const data = join(folder, 'restored')
    const stop = new Error('interrupted')
    let interruptions = 0
    for (let after = 1; ; after++) {
      const signal = new AbortController()
      const onProgress = ({ files }: { files: number }) => {
        if (files === after) signal.abort(stop)
      }
      try {
        await restore({ from, data, signal: signal.signal, onProgress })
        break
      } catch (error) {
        assert.equal(error, stop)
        interruptions++
        assert.ok(fs.existsSync(join(data, 'restoring')))
        if (after === 1) {
          assert.equal(fs.existsSync(join(data, 'diptych.db')), false, 'the index comes last')
          const segment = fs.readdirSync(join(data, 'segments'))[0] ?? ''
          fs.truncateSync(join(data, 'segments', segment), 700) // killed while it was written
        }
      }
    }
    assert.ok(interruptions > 1)
    assert.equal(fs.existsSync(join(data, 'restoring')), false)
    const restored = await smallArchive(data, 24 * 1024)
    const { summary } = await check(restored)
    assert.deepEqual(summary, { objects: 5, damaged: 0, missing: 0, orphans: 0, journal: 0 })
    await restored.close()
  })
})

test('restore: one that was begun is not taken over by another backup', async () => {
  await withArchive(async (archive, folder) => {
    await archive.store(ctFiles(2))
    await backedUp(archive, join(folder, 'one'))
    await archive.store(ctFiles(1, 'more'))
    await backedUp(archive, join(folder, 'two'))
    const data = join(folder, 'restored')
    await assert.rejects(restore({ from: join(folder, 'one'), data, signal: AbortSignal.abort() }))
    await assert.rejects(restore({ from: join(folder, 'two'), data }), isError('request.conflict'))
    await restore({ from: join(folder, 'one'), data })
  })
})

test('backup: only its owner can read it, and nothing lies there that it does not name', async () => {
  await withArchive(async (archive, folder) => {
    await archive.store(ctFiles(1))
    const out = join(folder, 'backup')
    await backedUp(archive, out)
    assert.deepEqual(fs.readdirSync(out).sort(), ['backup.json', 'diptych.db', 'quarantine', 'segments'])
    for (const name of ['backup.json', 'diptych.db'])
      assert.equal(fs.statSync(join(out, name)).mode & 0o777, 0o600, name)
  })
})
