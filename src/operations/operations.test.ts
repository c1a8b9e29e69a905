import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDatabase } from '#index/sqlite/database.ts'
import { createKeptObjects } from '#index/sqlite/kept-objects.ts'
import { openSegmentSource } from '#storage/file-source.ts'
import {
  check,
  compactNow,
  deletionOf,
  everything,
  isError,
  withArchive,
} from '../../test/support/operations-archive.ts'
import { ctFiles, reindex, type SmallArchive, smallArchive } from '../../test/support/small-archive.ts'
import { aboutKeys, backup } from './backup.ts'
import { createDeletions } from './deletion.ts'
import { rebuildIndex, swapDatabase } from './rebuild-index.ts'
import { restore } from './restore.ts'

test('verify: a sound archive has nothing to tell', async () => {
  await withArchive(async (archive) => {
    await archive.store(ctFiles(5))
    await archive.journal.append([{ kind: 'note', payload: 1 }])
    const { summary, findings } = await check(archive)
    assert.deepEqual(summary, { objects: 5, damaged: 0, missing: 0, orphans: 0, journal: 1 })
    assert.deepEqual(findings, [])
  })
})

test('verify: one flipped bit, one lost segment and one unknown object are each told by name', async () => {
  await withArchive(async (archive) => {
    for (const file of ctFiles(9)) await archive.store([file])
    const [first, ...others] = await everything(archive)
    assert.ok(first)
    const path = join(archive.directory, 'segments', first.location.segment)
    const bytes = fs.readFileSync(path)
    bytes[first.location.offset + 1200] = (bytes[first.location.offset + 1200] ?? 0) ^ 1
    fs.writeFileSync(path, bytes)
    const elsewhere = others.find(({ location }) => location.segment !== first.location.segment)
    assert.ok(elsewhere)
    fs.renameSync(join(archive.directory, 'segments', elsewhere.location.segment), join(archive.directory, 'gone'))
    const lost = others.filter(({ location }) => location.segment === elsewhere.location.segment)
    const [unknown] = await archive.segments.append(
      [{ name: `objects/1.2/${'0'.repeat(64)}.dcm`, content: [Buffer.from('never committed')] }],
      'default',
    )
    const { findings } = await check(archive)
    assert.deepEqual(
      findings.filter(({ is }) => is === 'damaged').map(({ sopInstanceUid }) => sopInstanceUid),
      [first.sopInstanceUID, null],
    )
    assert.deepEqual(
      new Set(findings.filter(({ is }) => is === 'missing').map(({ sopInstanceUid }) => sopInstanceUid)),
      new Set(lost.map(({ sopInstanceUID }) => sopInstanceUID)),
    )
    assert.deepEqual(
      findings.filter(({ is }) => is === 'orphan').map(({ segment, offset }) => ({ segment, offset })),
      [{ segment: unknown?.segment, offset: unknown?.offset }],
    )
  })
})

// A place that two objects name holds the bytes of one: the other's are lost, and counting entries would not tell.
test('verify: an object whose place holds another object is missing', async () => {
  await withArchive(async (archive) => {
    await archive.store(ctFiles(3))
    const [first, second] = await everything(archive)
    assert.ok(first !== undefined && second !== undefined)
    archive.db.run(
      'update object set offset = ?, length = ? where id = ?',
      ...[second.location.offset, second.location.length, first.objectId],
    )
    const { summary, findings } = await check(archive)
    assert.deepEqual(summary, { objects: 3, damaged: 0, missing: 1, orphans: 1, journal: 0 })
    assert.equal(findings.find(({ is }) => is === 'missing')?.objectId, first.objectId)
  })
})

test('rebuild: segments and journal alone give an equal index', async () => {
  await withArchive(async (archive, folder) => {
    await archive.store(ctFiles(4))
    await archive.store(ctFiles(3, 'deleted'))
    await archive.store(ctFiles(2, 'again'))
    const deletions = createDeletions(archive)
    const study = async (name: string) => {
      const all = await everything(archive)
      const uid = all.find(({ patientId }) => patientId === `FIX|P-${name}`)?.studyInstanceUID
      assert.ok(uid)
      return uid
    }
    assert.equal(await deletions.delete(deletionOf({ studyInstanceUID: await study('deleted') })), 3)
    // Deleted and stored again: the new version lives, the old one stays deleted.
    assert.equal(await deletions.delete(deletionOf({ studyInstanceUID: await study('again') })), 2)
    await archive.store(ctFiles(2, 'again'))
    await archive.journal.append([{ kind: 'quarantine.release', payload: { id: 'q1' } }])
    assert.equal(await deletions.delete(deletionOf({ studyInstanceUID: '1.2.3.unknown' })), 0)
    const before = await everything(archive)
    assert.equal(before.length, 6)

    const fresh = await smallArchive(join(folder, 'fresh'))
    const applied: string[] = []
    const summary = await rebuildIndex({
      segments: archive.segments,
      writer: fresh.writer,
      kept: fresh.kept,
      index: reindex,
      open: (at) => openSegmentSource(join(archive.directory, 'segments'), at),
      addDocuments: () => assert.fail('there are no documents'),
      deleteDocument: () => assert.fail('there are no documents'),
      apply: ({ kind }) => applied.push(kind),
    })
    assert.deepEqual(
      { ...summary, seconds: 0 },
      { objects: 6, deleted: 5, journal: 3, lastSequence: 3, damaged: 0, seconds: 0 },
    )
    assert.deepEqual(applied, ['quarantine.release'])
    assert.deepEqual(await everything(fresh), before)
    assert.deepEqual(await fresh.reader.counts(), await archive.reader.counts())
    for (const { objectId } of before) {
      assert.deepEqual(await fresh.reader.record(objectId), await archive.reader.record(objectId))
    }
    const { summary: verified } = await check({ ...archive, kept: fresh.kept })
    assert.deepEqual(verified, { objects: 11, damaged: 0, missing: 0, orphans: 0, journal: 3 })
    const due = '2026-03-01T00:00:00.000Z'
    assert.equal(fresh.writer.purgeable(due, 100).length, archive.writer.purgeable(due, 100).length)
    await fresh.close()
  })
})

test('rebuild: the new database takes the place of the old one, which stays', async () => {
  await withArchive(async (_archive, folder) => {
    const [live, fresh] = [join(folder, 'live.db'), join(folder, 'fresh.db')]
    fs.writeFileSync(live, 'old')
    fs.writeFileSync(fresh, 'new')
    fs.writeFileSync(`${live}-wal`, 'unwritten')
    await assert.rejects(swapDatabase(fresh, live), isError('archive.busy'))
    fs.rmSync(`${live}-wal`)
    const old = await swapDatabase(fresh, live)
    assert.equal(fs.readFileSync(live, 'utf8'), 'new')
    assert.equal(fs.readFileSync(old ?? '', 'utf8'), 'old')
    assert.equal(fs.existsSync(fresh), false)
  })
})

function backupOf(archive: SmallArchive) {
  return {
    dataDirectory: archive.directory,
    snapshot: (path: string) => archive.db.exec(`vacuum into '${path}'`),
    readSnapshot(path: string) {
      const db = openDatabase(path, { readOnly: true })
      const flushed = db.all<{ segment: string; offset: number }>(
        'select name as segment, flushed as offset from segment where flushed is not null and removed = 0',
      )
      const segments = createKeptObjects(db).segments()
      db.close()
      return { flushed, segments }
    },
  }
}

test('backup and restore: an equal archive of the instant it began, while storing goes on', async () => {
  await withArchive(async (archive, folder) => {
    fs.mkdirSync(join(archive.directory, 'quarantine'))
    fs.mkdirSync(join(archive.directory, 'keys'))
    fs.writeFileSync(join(archive.directory, 'quarantine', `${'a'.repeat(64)}.enc`), 'sealed')
    fs.writeFileSync(join(archive.directory, 'keys/key'), 'the key')
    for (const file of ctFiles(5)) await archive.store([file])
    const before = await everything(archive)
    const tools = backupOf(archive)
    const out = join(folder, 'backup')
    const manifest = await backup(
      {
        ...tools,
        // The index is copied, then more arrives in the same segment and in new ones: none of it belongs in.
        async snapshot(path) {
          tools.snapshot(path)
          for (const file of ctFiles(4, 'later')) await archive.store([file])
        },
      },
      { out, passphrase: 'correct horse' },
    )
    assert.equal(manifest.keys, 'encrypted')
    assert.equal(fs.existsSync(join(out, 'keys/key')), false)

    const data = join(folder, 'restored')
    const summary = await restore({ from: out, data, passphrase: 'correct horse' })
    assert.equal(summary.keyRestored, true)
    assert.equal(fs.readFileSync(join(data, 'keys/key'), 'utf8'), 'the key')
    const restored = await smallArchive(data, 8 * 1024)
    assert.deepEqual(await everything(restored), before)
    const { summary: verified } = await check(restored)
    assert.deepEqual(verified, { objects: 5, damaged: 0, missing: 0, orphans: 0, journal: 0 })
    await restored.store(ctFiles(1, 'after'))
    assert.equal((await everything(restored)).length, 6)
    await restored.close()
  })
})

test('backup: a segment that compaction takes away meanwhile is copied from its new place', async () => {
  await withArchive(async (archive, folder) => {
    for (const file of ctFiles(6)) await archive.store([file])
    const [first, ...others] = await everything(archive)
    assert.ok(first)
    const { studyInstanceUID, seriesInstanceUID, sopInstanceUID } = first
    await createDeletions(archive).delete(deletionOf({ studyInstanceUID, seriesInstanceUID, sopInstanceUID }))
    const tools = backupOf(archive)
    let snapshots = 0
    const out = join(folder, 'backup')
    await backup(
      {
        ...tools,
        async snapshot(path) {
          tools.snapshot(path)
          if (++snapshots === 1) await compactNow(archive)
        },
      },
      { out },
    )
    assert.equal(snapshots, 2)
    await restore({ from: out, data: join(folder, 'restored') })
    const restored = await smallArchive(join(folder, 'restored'), 24 * 1024)
    assert.deepEqual(
      (await everything(restored)).map(({ objectId }) => objectId),
      others.map(({ objectId }) => objectId),
    )
    const { summary } = await check(restored)
    assert.deepEqual(summary, { objects: 5, damaged: 0, missing: 0, orphans: 0, journal: 1 })
    await restored.close()
  })
})

test('backup: without a passphrase the key stays out, and it says so', async () => {
  await withArchive(async (archive, folder) => {
    await archive.store(ctFiles(1))
    const manifest = await backup(backupOf(archive), { out: join(folder, 'out'), link: true })
    assert.match(aboutKeys(manifest), /NOT in the backup/)
    const { keyRestored } = await restore({ from: join(folder, 'out'), data: join(folder, 'data2') })
    assert.equal(keyRestored, false)
    await assert.rejects(backup(backupOf(archive), { out: join(folder, 'out') }), isError('request.conflict'))
  })
})

test('restore: refuses a full directory, a changed file, an unfinished backup and a wrong passphrase', async () => {
  await withArchive(async (archive, folder) => {
    fs.mkdirSync(join(archive.directory, 'keys'))
    fs.writeFileSync(join(archive.directory, 'keys/key'), 'the key')
    await archive.store(ctFiles(2))
    const from = join(folder, 'out')
    await backup(backupOf(archive), { out: from, passphrase: 'right' })
    await assert.rejects(restore({ from, data: archive.directory }), isError('request.conflict'))
    await assert.rejects(restore({ from, data: join(folder, 'a'), passphrase: 'wrong' }), isError('request.malformed'))
    const segment = fs.readdirSync(join(from, 'segments'))[0] ?? ''
    fs.appendFileSync(join(from, 'segments', segment), 'x')
    await assert.rejects(restore({ from, data: join(folder, 'b') }), isError('storage.damaged'))
    fs.rmSync(join(from, 'backup.json'))
    await assert.rejects(restore({ from, data: join(folder, 'c') }), isError('storage.damaged'))
  })
})
