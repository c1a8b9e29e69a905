import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import { openDatabase } from '#index/sqlite/database.ts'
import { createKeptObjects } from '#index/sqlite/kept-objects.ts'
import type { Deletion, Scope } from '#model/archive-index.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { openSegmentSource } from '#storage/file-source.ts'
import { ctFiles, reindex, type SmallArchive, smallArchive, temporaryFolder } from '../../test/support/small-archive.ts'
import { aboutKeys, backup } from './backup.ts'
import { compact } from './compaction.ts'
import { createDeletions } from './deletion.ts'
import { collectOrphans } from './orphans.ts'
import { rebuildIndex, swapDatabase } from './rebuild-index.ts'
import { restore } from './restore.ts'
import { type VerifyFinding, verify } from './verify.ts'

const isError = (code: string) => (error: unknown) => error instanceof ArchiveError && error.code === code

async function withArchive(run: (archive: SmallArchive, folder: string) => Promise<void>): Promise<void> {
  const folder = temporaryFolder()
  const archive = await smallArchive(join(folder, 'data'), 24 * 1024)
  try {
    await run(archive, folder)
  } finally {
    await archive.close()
    fs.rmSync(folder, { recursive: true })
  }
}

async function everything(archive: SmallArchive): Promise<StoredInstance[]> {
  const studies = await archive.reader.search(
    {
      level: 'study',
      scope: {},
      match: [],
      include: [],
      fuzzy: false,
      order: null,
      limit: 100,
      offset: 0,
      after: null,
    },
    EVERYTHING,
  )
  const found: StoredInstance[] = []
  for (const { studyInstanceUID } of studies.rows) {
    for await (const instance of archive.reader.instances({ studyInstanceUID }, EVERYTHING)) found.push(instance)
  }
  return found.sort((a, b) => (a.sopInstanceUID < b.sopInstanceUID ? -1 : 1))
}

function deletionOf(scope: Scope, purgeAfter = '2026-02-01T00:00:00.000Z'): Deletion {
  return { scope, by: 'archivist', reason: 'wrong patient', time: '2026-01-10T00:00:00.000Z', purgeAfter }
}

async function check(archive: SmallArchive): Promise<{ summary: object; findings: VerifyFinding[] }> {
  const findings: VerifyFinding[] = []
  const { seconds: _, ...summary } = await verify({
    segments: archive.segments,
    kept: archive.kept,
    onFinding: (finding) => findings.push(finding),
  })
  return { summary, findings }
}

const compactNow = (archive: SmallArchive, now = '2026-03-01T00:00:00.000Z') =>
  compact({ ...archive, settleMs: 0, now: () => new Date(now) })

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

test('compaction: what was deleted is gone from the disk, what lives moves with its record', async () => {
  await withArchive(async (archive) => {
    await archive.journal.append([{ kind: 'note', payload: 'kept' }])
    for (const file of ctFiles(8)) await archive.store([file])
    const all = await everything(archive)
    const gone = all.slice(0, 3)
    for (const { studyInstanceUID, seriesInstanceUID, sopInstanceUID } of gone) {
      await createDeletions(archive).delete(deletionOf({ studyInstanceUID, seriesInstanceUID, sopInstanceUID }))
    }
    assert.deepEqual((await compactNow(archive, '2026-01-15T00:00:00.000Z')).removed, [], 'within its grace')

    const { removed, moved, purged, skipped } = await compactNow(archive)
    assert.deepEqual(skipped, [])
    assert.equal(purged, 3)
    assert.ok(removed.length > 0 && moved > 0)
    const left = await everything(archive)
    assert.deepEqual(
      left.map(({ objectId }) => objectId),
      all.slice(3).map(({ objectId }) => objectId),
    )
    const { summary } = await check(archive)
    assert.deepEqual(summary, { objects: 5, damaged: 0, missing: 0, orphans: 0, journal: 4 })
    const files = fs.readdirSync(join(archive.directory, 'segments'))
    for (const { sopInstanceUID } of gone) {
      for (const file of files) {
        const bytes = fs.readFileSync(join(archive.directory, 'segments', file))
        assert.equal(bytes.includes(`objects/${sopInstanceUID}/`), false, file)
      }
    }
    assert.deepEqual(await compactNow(archive), { removed: [], moved: 0, purged: 0, skipped: [] })
  })
})

// Whatever call fails, the living stay readable and the next run finishes the work.
test('compaction: interrupted at each step, nothing is lost and nothing comes back', async () => {
  let killed = 0
  for (let fail = 1; fail <= 12; fail++) {
    await withArchive(async (archive) => {
      for (const file of ctFiles(5)) await archive.store([file])
      const all = await everything(archive)
      const [first] = all
      assert.ok(first)
      const { studyInstanceUID, seriesInstanceUID, sopInstanceUID } = first
      await createDeletions(archive).delete(deletionOf({ studyInstanceUID, seriesInstanceUID, sopInstanceUID }))
      let calls = 0
      const failing = <A extends unknown[], R>(fn: (...given: A) => R) => {
        return (...given: A): R => {
          if (++calls === fail) throw new Error('killed here')
          return fn(...given)
        }
      }
      const { segments } = archive
      const interrupted = compact({
        ...archive,
        settleMs: 0,
        now: () => new Date('2026-03-01T00:00:00.000Z'),
        commit: failing(archive.commit),
        segments: {
          append: failing(segments.append.bind(segments)),
          adopt: segments.adopt.bind(segments),
          read: failing(segments.read.bind(segments)),
          flushed: () => segments.flushed(),
          seal: failing(segments.seal.bind(segments)),
          segments: () => segments.segments(),
          entries: (name) => segments.entries(name),
          truncate: segments.truncate.bind(segments),
          remove: failing(segments.remove.bind(segments)),
          close: segments.close.bind(segments),
        },
      })
      const outcome = await interrupted.then(
        () => 'finished',
        (error: Error) => error.message,
      )
      assert.equal(outcome, calls < fail ? 'finished' : 'killed here')
      killed += outcome === 'finished' ? 0 : 1
      const { skipped } = await compactNow(archive)
      assert.deepEqual(skipped, [])
      assert.deepEqual(
        (await everything(archive)).map(({ objectId }) => objectId),
        all.slice(1).map(({ objectId }) => objectId),
      )
      const { findings } = await check(archive)
      assert.deepEqual(
        findings.filter(({ is }) => is !== 'orphan'),
        [],
      )
    })
  }
  assert.ok(killed >= 6, `only ${killed} steps were interrupted`)
})

test('compaction: a segment with something nobody can account for stays', async () => {
  await withArchive(async (archive) => {
    await archive.store(ctFiles(1))
    const [instance] = await everything(archive)
    assert.ok(instance)
    await createDeletions(archive).delete(deletionOf({ studyInstanceUID: instance.studyInstanceUID }))
    await archive.segments.append(
      [{ name: `objects/1.2/${'0'.repeat(64)}.dcm`, content: [Buffer.from('no record')] }],
      'default',
    )
    const { removed, skipped } = await compactNow(archive)
    assert.deepEqual(removed, [])
    assert.equal(skipped[0]?.segment, instance.location.segment)
  })
})

function backupOf(archive: SmallArchive) {
  return {
    dataDirectory: archive.directory,
    snapshot: (path: string) => archive.db.exec(`vacuum into '${path}'`),
    readSnapshot(path: string) {
      const db = openDatabase(path, { readOnly: true })
      const flushed = db.all<{ segment: string; offset: number }>(
        'select name as segment, flushed as offset from segment where flushed is not null',
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

test('orphans: a segment nobody acknowledged goes after a day, and nothing else does', async () => {
  await withArchive(async (archive) => {
    const adopt = async (time: string) => {
      const path = join(archive.directory, 'spooled')
      fs.writeFileSync(path, Buffer.concat([Buffer.alloc(512), Buffer.from('never acknowledged')]))
      const base = `objects/1.2/${'e'.repeat(64)}`
      const record = { format: 1, objectId: 'x', version: 1, sopInstanceUID: '1.2', dataSetOffset: 0, digests: {} }
      const content = [Buffer.from(JSON.stringify({ ...record, patient: {}, arrival: {}, time }))]
      const followedBy = [{ name: `${base}.json`, content }]
      const spooled = { name: `${base}.dcm`, path, contentStart: 512, contentLength: 18, followedBy }
      const [at] = await archive.segments.adopt(spooled, 'default')
      return at?.segment
    }
    const collect = () => collectOrphans({ ...archive, now: () => new Date('2026-05-03T00:00:00.000Z') })
    const old = await adopt('2026-05-01T00:00:00.000Z')
    assert.deepEqual(await collect(), [], 'an empty index knows nothing at all')
    await archive.store(ctFiles(1))
    await archive.segments.seal()
    await archive.journal.append([{ kind: 'note', payload: 'a decision' }])
    await archive.segments.seal()
    await adopt('2026-05-02T12:00:00.000Z')
    assert.deepEqual(await collect(), [old])
    assert.deepEqual(await collect(), [])
    const { summary } = await check(archive)
    assert.deepEqual(summary, { objects: 2, damaged: 1, missing: 0, orphans: 1, journal: 1 })
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
