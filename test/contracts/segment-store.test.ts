import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import type { Location } from '#model/archive-object.ts'
import { type Disk, nodeDisk } from '#storage/disk.ts'
import { openFileSegments } from '#storage/file-segments.ts'
import { openMemorySegments } from '#storage/memory-segments.ts'
import { openSegmentReader } from '#storage/segment-files.ts'
import { type SimulatedDisk, simulatedDisk } from '../simulated-disk.ts'
import { all, entry, type StoreOptions, segmentStoreContract } from './segment-store.ts'

function folder(): string {
  return mkdtempSync(join(tmpdir(), 'diptych-segments-'))
}

/** Reports only so many bytes free as are left of `bytesMax`. */
function small(bytesMax: number | undefined): Disk {
  if (bytesMax === undefined) return nodeDisk
  const used = (path: string) => nodeDisk.list(path).reduce((sum, file) => sum + nodeDisk.length(join(path, file)), 0)
  return { ...nodeDisk, free: (path) => bytesMax - used(path) }
}

segmentStoreContract('files', async (options: StoreOptions = {}) => {
  const directory = folder()
  const store = openFileSegments(join(directory, 'segments'), { ...options, disk: small(options.bytesMax) })
  await store.recover([])
  return {
    store,
    spool(contentStart, bytes) {
      const path = join(directory, 'spooled')
      writeFileSync(path, Buffer.concat([Buffer.alloc(contentStart), bytes]))
      return path
    },
    async done() {
      await store.close()
      rmSync(directory, { recursive: true })
    },
  }
})

segmentStoreContract('memory', async (options: StoreOptions = {}) => {
  const directory = folder()
  return {
    store: openMemorySegments(options),
    spool(contentStart, bytes) {
      const path = join(directory, 'spooled')
      writeFileSync(path, Buffer.concat([Buffer.alloc(contentStart), bytes]))
      return path
    },
    done: async () => rmSync(directory, { recursive: true }),
  }
})

function spoolOn(disk: SimulatedDisk, path: string, contentStart: number, bytes: Uint8Array): string {
  const file = disk.open(path, 'create')
  file.write([Buffer.alloc(contentStart), bytes], 0)
  file.close()
  return path
}

segmentStoreContract('simulated disk', async (options: StoreOptions = {}) => {
  const disk = simulatedDisk(1)
  if (options.bytesMax !== undefined) disk.capacity = options.bytesMax
  const store = openFileSegments('/segments', { ...options, disk })
  await store.recover([])
  return {
    store,
    spool: (contentStart, bytes) => spoolOn(disk, '/spooled', contentStart, bytes),
    done: () => store.close(),
  }
})

// The way out of the archive: an ordinary tar reads what we wrote, also names that need the prefix field.
test('files: tar reads open, sealed and taken-over segments', async (t) => {
  const directory = folder()
  t.after(() => rmSync(directory, { recursive: true }))
  const store = openFileSegments(join(directory, 'segments'), { segmentBytesMax: 4096 })
  await store.append([entry('1'.repeat(60), 1500, 65), entry('2', 0)], 'default')
  await store.append([entry('3', 1500, 66)], 'default')
  const path = join(directory, 'spooled')
  writeFileSync(path, Buffer.concat([Buffer.alloc(1024), Buffer.alloc(700, 67)]))
  await store.adopt(
    { name: entry('4', 0).name, path, contentStart: 1024, contentLength: 700, followedBy: [] },
    'default',
  )
  for (const { name } of await store.segments()) {
    const file = join(directory, 'segments', name)
    const listed = execFileSync('tar', ['tf', file], { encoding: 'utf8' }).trim().split('\n')
    const ours = (await all(store.entries(name))).map((each) => each.name)
    assert.deepEqual(listed, ours)
    execFileSync('tar', ['xf', file, '-C', directory])
  }
  assert.deepEqual(readFileSync(join(directory, entry('1'.repeat(60), 0).name)), Buffer.alloc(1500, 65))
  assert.deepEqual(readFileSync(join(directory, entry('4', 0).name)), Buffer.alloc(700, 67))
  await store.close()
})

test('files: a reader of its own sees what was committed, and lets go of what was removed', async (t) => {
  const directory = folder()
  t.after(() => rmSync(directory, { recursive: true }))
  const store = openFileSegments(directory, { segmentBytesMax: 2048 })
  const reader = openSegmentReader(directory)
  const [at] = await store.append([entry('1', 1000, 7)], 'default')
  await store.append([entry('2', 1000, 8)], 'default')
  assert.ok(at)
  assert.deepEqual(Buffer.from((await reader.read(at, { start: 10, end: 20 })) ?? []), Buffer.alloc(10, 7))
  await assert.rejects(
    reader.read({ ...at, length: 5000 }),
    (error) => error instanceof ArchiveError && error.code === 'storage.damaged',
  )
  await store.remove(at.segment)
  reader.forget(at.segment)
  assert.equal(await reader.read(at), undefined)
  reader.close()
  await store.close()
})

// A number that comes back would let an old location name new bytes.
test('files: segment numbers are never used twice, also across a restart', async (t) => {
  const directory = folder()
  t.after(() => rmSync(directory, { recursive: true }))
  const first = openFileSegments(directory, {})
  const [at] = await first.append([entry('1', 10)], 'default')
  await first.close()
  const second = openFileSegments(directory, {})
  assert.ok(at)
  await second.remove(at.segment)
  await second.close()
  const third = openFileSegments(directory, {})
  await third.recover([])
  const [later] = await third.append([entry('2', 10)], 'default')
  assert.notEqual(later?.segment, at.segment)
  await third.close()
})

interface Tail {
  readonly name: string
  /** What the file looks like after the last committed position. */
  readonly tail: (length: number) => Buffer
}

// After kill -9 the file goes on behind the committed position with anything.
const tails: Tail[] = [
  { name: 'nothing', tail: () => Buffer.alloc(0) },
  { name: 'half a header', tail: () => Buffer.alloc(100, 1) },
  { name: 'zeros where an entry should be', tail: () => Buffer.alloc(4096) },
  { name: 'one zero block', tail: () => Buffer.alloc(512) },
  { name: 'noise', tail: (length) => Buffer.alloc(3000, length & 0xff) },
]

for (const { name, tail } of tails) {
  test(`files: recovery drops ${name} and goes on`, async (t) => {
    const directory = folder()
    t.after(() => rmSync(directory, { recursive: true }))
    const before = openFileSegments(directory, {})
    const [at] = await before.append([entry('1', 1000, 5)], 'default')
    const flushed = before.flushed()
    assert.ok(at && flushed)
    await before.append([entry('2', 1000, 6)], 'default') // flushed, never committed
    await before.close()
    const file = join(directory, at.segment)
    const kept = readFileSync(file).subarray(0, name === 'nothing' ? undefined : flushed.offset)
    writeFileSync(file, Buffer.concat([kept, tail(kept.byteLength)]))

    const after = openFileSegments(directory, {})
    const { dropped, missing, unlisted } = await after.recover([flushed])
    assert.deepEqual({ missing, unlisted }, { missing: [], unlisted: [] })
    assert.equal(dropped[0]?.from, flushed.offset)
    assert.equal((await all(after.entries(at.segment))).length, 1)
    const [next] = await after.append([entry('3', 10, 7)], 'default')
    assert.ok(next)
    assert.deepEqual([next.segment, next.offset], [at.segment, flushed.offset + 512])
    assert.deepEqual(Buffer.from((await after.read(at)) ?? []), Buffer.alloc(1000, 5))
    execFileSync('tar', ['tf', file])
    await after.close()
  })
}

// Number one must not begin anew beside an index that still speaks of the old one: the volume may just not be mounted.
test('files: a segment that is gone or too short stops all writing, changes nothing, and keeps its number', async (t) => {
  const directory = folder()
  t.after(() => rmSync(directory, { recursive: true }))
  const before = openFileSegments(directory, {})
  const [at] = await before.append([entry('1', 1000), entry('2', 1000)], 'default')
  const flushed = before.flushed()
  await before.close()
  assert.ok(at && flushed)
  writeFileSync(join(directory, at.segment), readFileSync(join(directory, at.segment)).subarray(0, 1600))
  const after = openFileSegments(directory, {})
  const { missing } = await after.recover([flushed])
  assert.deepEqual(missing, [{ segment: at.segment, length: 1600, needs: flushed.offset }])
  assert.equal((await all(after.entries(at.segment))).length, 1)
  await assert.rejects(after.append([entry('3', 10)], 'default'), { code: 'storage.read-only' })
  await after.close()

  rmSync(join(directory, at.segment))
  const empty = openFileSegments(directory, {})
  const promised = { segments: [{ segment: '000003.tar', length: 10 }], highest: '000007.tar' }
  assert.deepEqual((await empty.recover([flushed], promised)).missing, [
    { segment: '000003.tar', length: null, needs: 10 },
    { segment: at.segment, length: null, needs: flushed.offset },
  ])
  await assert.rejects(empty.append([entry('4', 10)], 'default'), { code: 'storage.read-only' })
  await empty.close()
  assert.deepEqual(readdirSync(directory), [])

  const behind = openFileSegments(directory, {})
  await behind.recover([], { segments: [], highest: '000007.tar' })
  assert.equal((await behind.append([entry('5', 10)], 'default'))[0]?.segment, '000008.tar')
  await behind.close()
})

interface Story {
  readonly kept: { readonly at: Location; readonly fill: number }[]
  readonly codes: string[]
}

/** A short life of a store; what fails is noted, what was acknowledged is kept. */
async function live(disk: SimulatedDisk, story: Story): Promise<void> {
  spoolOn(disk, `/spool/${story.kept.length}`, 512, Buffer.alloc(900, 200))
  const store = openFileSegments('/segments', { disk, segmentBytesMax: 4096 })
  const attempt = async (run: () => Promise<readonly Location[]>, fill: number) => {
    try {
      for (const at of await run()) story.kept.push({ at, fill })
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error
      story.codes.push(error.code)
    }
  }
  await store.recover([])
  for (let i = 1; i <= 4; i++) await attempt(() => store.append([entry(`${i}`, 1200, i)], 'default'), i)
  const adopted = { name: entry('9', 0).name, path: '/spool/0', contentStart: 512, contentLength: 900, followedBy: [] }
  await attempt(() => store.adopt(adopted, 'default'), 200)
  await attempt(() => store.append([entry('5', 10, 5), entry('6', 10, 5)], 'default'), 5)
  for (const { at, fill } of story.kept) {
    assert.deepEqual(Buffer.from((await store.read(at)) ?? []), Buffer.alloc(at.length, fill))
  }
  await store.close()
}

// The k-th call fails, for each k: what was acknowledged stays, a flush that failed ends all writing.
for (const is of ['ENOSPC', 'EIO'] as const) {
  test(`simulated disk: each call refused once with ${is}`, async () => {
    const counter = simulatedDisk(0)
    await live(counter, { kept: [], codes: [] })
    for (let at = 3; at <= counter.calls; at++) {
      const disk = simulatedDisk(at)
      disk.plan([{ at, is }])
      const story: Story = { kept: [], codes: [] }
      await live(disk, story)
      const failed = disk.log[at - 1] ?? ''
      assert.notDeepEqual(story.codes, [], failed)
      if (failed.startsWith('flush')) assert.equal(story.codes[0], 'storage.read-only', failed)
      else if (is === 'ENOSPC') assert.equal(story.codes.filter((code) => code !== 'storage.full').length, 0, failed)
      disk.reboot()
      const after = openFileSegments('/segments', { disk })
      await after.recover([])
      for (const { at: place, fill } of story.kept) {
        assert.deepEqual(Buffer.from((await after.read(place)) ?? []), Buffer.alloc(place.length, fill), failed)
      }
      await after.close()
    }
  })
}

test('simulated disk: after a failed flush nothing more is taken and the alarm rings once', async () => {
  const disk = simulatedDisk(3)
  const alarms: string[] = []
  const store = openFileSegments('/segments', { disk, alarm: ({ code }) => alarms.push(code) })
  const [kept] = await store.append([entry('1', 10)], 'default')
  disk.plan([{ at: 2, is: 'EIO' }])
  for (let i = 0; i < 3; i++) {
    await assert.rejects(
      store.append([entry('2', 10)], 'default'),
      (error) => error instanceof ArchiveError && error.code === 'storage.read-only',
    )
  }
  assert.deepEqual(alarms, ['storage.read-only'])
  assert.equal(store.isReadOnly, true)
  assert.ok(kept)
  assert.equal((await store.read(kept))?.byteLength, 10)
})
