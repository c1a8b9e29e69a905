import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import { openJournal, type PlacedEntry, readJournalEntry, replayJournal } from './journal.ts'
import { openMemorySegments } from './memory-segments.ts'

async function all(entries: AsyncIterable<PlacedEntry>): Promise<PlacedEntry[]> {
  const collected: PlacedEntry[] = []
  for await (const entry of entries) collected.push(entry)
  return collected
}

test('journal: decisions come back in the order they were taken, copies once', async () => {
  const segments = openMemorySegments({ segmentBytesMax: 4096 })
  let last = 0
  const numbers = {
    take(count: number) {
      last += count
      return last - count + 1
    },
  }
  const journal = openJournal(segments, numbers, () => new Date(0))
  assert.deepEqual(await journal.append([]), [])
  const made = [
    ...(await journal.append([
      { kind: 'delete', payload: { a: 1 } },
      { kind: 'merge', payload: 'ü' },
    ])),
    ...(await journal.append([{ kind: 'delete', payload: null }])),
  ]
  assert.deepEqual(
    made.map(({ sequence }) => sequence),
    [1, 2, 3],
  )
  const [first] = await segments.segments()
  assert.ok(first)
  // What an interrupted compaction leaves: an old decision once more, behind the newer ones.
  for await (const { name, location } of segments.entries(first.name)) {
    const content = await segments.read(location)
    if (content !== undefined) await segments.append([{ name, content: [content] }], 'default')
    break
  }
  const replayed = await all(replayJournal(segments))
  // The copy's place may be the one that is told: both hold the same bytes.
  const decisions = (list: typeof made) => list.map(({ location: _, ...entry }) => entry)
  assert.deepEqual(decisions(replayed), decisions(made))
  for (const { location, ...entry } of replayed) assert.deepEqual(await readJournalEntry(segments, location), entry)
})

const broken: { name: string; content: string }[] = [
  { name: 'no JSON', content: '{' },
  { name: 'no object', content: '1' },
  { name: 'another format', content: '{"format":2,"sequence":1,"kind":"x","time":"t"}' },
]

for (const { name, content } of broken) {
  test(`journal: an entry that is ${name} is told, not skipped`, async () => {
    const segments = openMemorySegments()
    await segments.append([{ name: 'journal/000000000001-x.json', content: [Buffer.from(content)] }], 'default')
    await assert.rejects(
      all(replayJournal(segments)),
      (error) => error instanceof ArchiveError && error.code === 'storage.damaged',
    )
  })
}
