/** What every SegmentStore promises; run against each adapter. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import type { Entry, SegmentStore } from '#model/segment-store.ts'

export interface StoreUnderTest {
  readonly store: SegmentStore
  /** Makes a spooled file of `bytes` whose content starts at `contentStart`; returns its path. */
  spool(contentStart: number, bytes: Uint8Array): string
  done(): Promise<void>
}

export interface StoreOptions {
  readonly segmentBytesMax?: number
  readonly bytesMax?: number
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}

const DIGEST = 'ab'.repeat(32)

export function entry(name: string, size: number, fill = 1): Entry {
  return { name: `objects/1.2.${name}/${DIGEST}.dcm`, content: [Buffer.alloc(size, fill)] }
}

export function segmentStoreContract(adapter: string, open: (options?: StoreOptions) => Promise<StoreUnderTest>): void {
  const check = (name: string, options: StoreOptions, run: (tested: StoreUnderTest) => Promise<void>) =>
    test(`${adapter}: ${name}`, async () => {
      const tested = await open(options)
      try {
        await run(tested)
      } finally {
        await tested.done()
      }
    })

  // Location arithmetic is wrong first at the edges of a block.
  for (const size of [0, 1, 511, 512, 513, 1024, 70_000]) {
    check(`${size} bytes come back, whole and in part`, {}, async ({ store }) => {
      const bytes = Buffer.from(Array.from({ length: size }, (_, i) => (i * 7 + 1) & 0xff))
      const half = Math.floor(size / 2)
      const name = `objects/1/${DIGEST}.dcm`
      const [, at] = await store.append(
        [entry('0', 3), { name, content: [bytes.subarray(0, half), bytes.subarray(half)] }, entry('2', 700)],
        'default',
      )
      assert.ok(at)
      assert.equal(at.length, size)
      assert.deepEqual(Buffer.from((await store.read(at)) ?? []), bytes)
      const range = { start: Math.floor(size / 3), end: size }
      assert.deepEqual(Buffer.from((await store.read(at, range)) ?? []), bytes.subarray(range.start, range.end))
      assert.equal((await store.read(at, { start: size, end: size }))?.byteLength, 0)
    })
  }

  check('a range outside the entry is a mistake of the caller', {}, async ({ store }) => {
    const [at] = await store.append([entry('1', 100)], 'default')
    assert.ok(at)
    for (const range of [
      { start: -1, end: 5 },
      { start: 5, end: 4 },
      { start: 0, end: 101 },
      { start: Number.NaN, end: 5 },
    ]) {
      await assert.rejects(store.read(at, range), RangeError)
    }
  })

  check('a segment that is gone is an answer', {}, async ({ store }) => {
    assert.equal(await store.read({ segment: '999999.tar', offset: 512, length: 5 }), undefined)
    assert.equal(await store.read({ segment: '../key', offset: 0, length: 5 }), undefined)
  })

  check('entries come in order with their locations', {}, async ({ store }) => {
    const group = [entry('1', 10), entry('2', 600), entry('3', 0)]
    const locations = [...(await store.append(group, 'default')), ...(await store.append([entry('4', 9)], 'default'))]
    const [segment] = await store.segments()
    assert.ok(segment)
    const seen = await all(store.entries(segment.name))
    assert.deepEqual(
      seen.map(({ name }) => name),
      [...group, entry('4', 9)].map(({ name }) => name),
    )
    assert.deepEqual(
      seen.map(({ location }) => location),
      locations,
    )
    assert.equal(segment.sealed, false)
    assert.deepEqual(store.flushed(), { segment: segment.name, offset: segment.length })
  })

  check(
    'a full segment is sealed and a new one begun; a group is never split',
    { segmentBytesMax: 8192 },
    async (t) => {
      const locations = []
      for (let i = 0; i < 9; i++)
        locations.push(await t.store.append([entry(`${i}.1`, 900), entry(`${i}.2`, 900)], 'default'))
      for (const [first, second] of locations) assert.equal(first?.segment, second?.segment)
      const segments = await t.store.segments()
      assert.equal(segments.length, 5) // two groups of 2 x 1536 bytes and the end fit, three do not
      assert.deepEqual(
        segments.map(({ sealed }) => sealed),
        [true, true, true, true, false],
      )
      for (const at of locations.flat()) assert.equal((await t.store.read(at))?.byteLength, 900)
    },
  )

  check('groups appended at once do not mix', {}, async ({ store }) => {
    const groups = await Promise.all(
      Array.from({ length: 20 }, (_, i) => store.append([entry(`${i}.1`, 50, i), entry(`${i}.2`, 50, i)], 'default')),
    )
    for (const [i, locations] of groups.entries()) {
      for (const at of locations) assert.deepEqual(Buffer.from((await store.read(at)) ?? []), Buffer.alloc(50, i))
    }
    assert.equal(new Set(groups.flat().map(({ offset }) => offset)).size, 40)
  })

  check('an empty group keeps nothing', {}, async ({ store }) => {
    assert.deepEqual(await store.append([], 'default'), [])
    assert.deepEqual(await store.segments(), [])
  })

  check('names are ours: anything else is refused before a byte is written', {}, async ({ store }) => {
    for (const name of [
      '/etc/passwd',
      '../x',
      'a/../b',
      'a b',
      'ü',
      '',
      'x'.repeat(101),
      `a/${'x'.repeat(101)}`,
      'a//b',
    ]) {
      await assert.rejects(store.append([entry('1', 1), { name, content: [] }], 'default'), RangeError, name)
    }
    const [at] = await store.append([entry('2', 5)], 'default')
    assert.equal(at?.offset, 512)
  })

  for (const contentStart of [512, 1024, 2048]) {
    check(`a spooled file is taken over, content at ${contentStart}`, {}, async ({ store, spool }) => {
      const bytes = Buffer.alloc(5000, 9)
      const path = spool(contentStart, Buffer.concat([bytes, Buffer.from('bytes that are not kept')]))
      const before = await store.append([entry('1', 5)], 'default')
      const names = entry('7', 0).name
      const record: Entry = { name: `objects/1.2.7/${DIGEST}.json`, content: [Buffer.from('{}')] }
      const locations = await store.adopt(
        { name: names, path, contentStart, contentLength: 5000, followedBy: [record] },
        'default',
      )
      const [at, recordAt] = locations
      assert.ok(at && recordAt)
      assert.deepEqual(Buffer.from((await store.read(at)) ?? []), bytes)
      assert.equal(Buffer.from((await store.read(recordAt)) ?? []).toString(), '{}')
      const adopted = (await store.segments()).find(({ name }) => name === at.segment)
      assert.equal(adopted?.sealed, true)
      const seen = await all(store.entries(at.segment))
      assert.deepEqual(
        seen.map(({ name }) => name).filter((name) => name !== 'room'),
        [names, record.name],
      )
      const [after] = await store.append([entry('2', 5)], 'default')
      assert.equal(after?.segment, before[0]?.segment)
    })
  }

  check('a removed segment is gone, the others stay', { segmentBytesMax: 4096 }, async ({ store }) => {
    const [first] = await store.append([entry('1', 2000)], 'default')
    const [second] = await store.append([entry('2', 2000)], 'default')
    assert.ok(first && second)
    await store.remove(first.segment)
    assert.equal(await store.read(first), undefined)
    assert.equal((await store.read(second))?.byteLength, 2000)
    await assert.rejects(store.remove(second.segment), RangeError)
    assert.deepEqual(
      (await store.segments()).map(({ name }) => name),
      [second.segment],
    )
  })

  check('full: nothing of the group is kept, smaller ones and reads go on', { bytesMax: 40_000 }, async ({ store }) => {
    const [kept] = await store.append([entry('1', 1000)], 'default')
    const before = store.flushed()
    await assert.rejects(
      store.append([entry('2', 100), entry('3', 60_000)], 'default'),
      (error) => error instanceof ArchiveError && error.code === 'storage.full',
    )
    assert.deepEqual(store.flushed(), before)
    assert.ok(kept)
    assert.equal((await all(store.entries(kept.segment))).length, 1)
    const [next] = await store.append([entry('4', 1000)], 'default')
    assert.ok(next)
    assert.equal((await store.read(next))?.byteLength, 1000)
    assert.equal((await store.read(kept))?.byteLength, 1000)
  })
}
