import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createMessageReader, createMessageStore } from '#index/sqlite/message-store.ts'
import { MESSAGE_KIND } from '#model/message.ts'
import { check, compactNow, deletionOf, everything, withArchive } from '../../test/support/operations-archive.ts'
import { ctFiles } from '../../test/support/small-archive.ts'
import { compact } from './compaction.ts'
import { createDeletions } from './deletion.ts'
import { collectOrphans } from './orphans.ts'

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
    const collect = () =>
      collectOrphans({ ...archive, onRemove: () => undefined, now: () => new Date('2026-05-03T00:00:00.000Z') })
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

// The index notes where a message stands; a search through every segment for each look at one would grow with the archive.
test('compaction: a message that moves is read from where it stands now', async () => {
  await withArchive(async (archive) => {
    const messages = createMessageStore(archive.db)
    const bytes = Buffer.from('MSH|^~\\&|a message as it came')
    const record = {
      time: '2026-01-02T03:04:05.678Z',
      application: 'HIS',
      facility: 'HOSP',
      address: null,
      originator: null,
      controlId: 'C1',
      type: 'ADT^A08',
      sha256: '00'.repeat(32),
      size: bytes.byteLength,
      acknowledgement: 'AA',
      error: null,
      identifiers: [],
      zSegments: [],
      notes: [],
    } as const
    const payload = { record, bytes: bytes.toString('base64'), acknowledgements: [], decisions: [] }
    await archive.store(ctFiles(1))
    const [placed] = await archive.journal.append([{ kind: MESSAGE_KIND, payload }])
    assert.ok(placed)
    archive.commit(() => messages.add(placed.sequence, payload, [], placed.location))
    await archive.journal.append([{ kind: 'note', payload: 'no message' }])
    await createDeletions(archive).delete(deletionOf((await everything(archive))[0]!))
    await archive.segments.seal()
    const { removed } = await compact({
      ...archive,
      decisionsMoved: messages.moved,
      settleMs: 0,
      now: () => new Date('2026-03-01T00:00:00.000Z'),
    })
    assert.ok(removed.includes(placed.location.segment))
    const reader = createMessageReader(archive.db, {
      read: (at) => archive.segments.read(at),
      find: async () => assert.fail('nobody looks through the segments'),
    })
    assert.deepEqual(await reader.messageBytes(String(placed.sequence)), new Uint8Array(bytes))
  })
})
