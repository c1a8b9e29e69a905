import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import { openDatabase } from '#index/sqlite/database.ts'
import { createJournalNumbers } from '#index/sqlite/kept-objects.ts'
import { migrate } from '#index/sqlite/migrate.ts'
import { createQuarantineStore } from '#index/sqlite/quarantine-store.ts'
import type { Arrival, Provenance, Receipt } from '#model/arrival.ts'
import type { HeldRow, QuarantineStore } from '#model/quarantine.ts'
import { memorySource } from '#standards/byte-source.ts'
import { openJournal, replayJournal } from '#storage/journal.ts'
import { openKeyRing } from '#storage/key-ring.ts'
import { openMemorySegments } from '#storage/memory-segments.ts'
import { openSpooled } from '#storage/spool.ts'
import { temporaryFolder } from '../../test/support/small-archive.ts'
import { createDesk } from './desk.ts'
import { memoryQuarantineStore } from './memory-store.ts'
import { openVault } from './vault.ts'

const isError = (code: string) => (error: unknown) => error instanceof ArchiveError && error.code === code
const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const NOW = new Date('2026-03-01T00:00:00.000Z')
const provenance: Provenance = {
  door: 'stow',
  peer: 'CT1',
  originator: 'radiology',
  user: 'token-1',
  address: '10.0.0.1',
  medium: null,
  path: null,
  time: '2026-02-28T12:00:00.000Z',
}

function heldRow(bytes: Uint8Array, more: Partial<HeldRow> = {}): HeldRow {
  return {
    id: randomUUID(),
    state: 'held',
    sha256: sha(bytes),
    size: bytes.byteLength,
    sopInstanceUid: '1.2.3',
    arrivedAt: provenance.time,
    door: 'stow',
    peer: 'CT1',
    findings: [{ rule: 'P2', severity: 'quarantine', detail: 'MZ', offset: 0, tag: null }],
    preambleHex: '4d5a',
    scan: { status: 'clean', engine: 'ClamAV', signatures: '1', coverage: null },
    patient: { name: 'A^B', id: '1', birthDate: null },
    decision: null,
    provenance,
    ...more,
  }
}

const receiptOf = (more: Partial<Receipt>): Receipt => ({
  arrivalId: 'a',
  sha256: '',
  size: 0,
  verdict: 'accept',
  stored: true,
  duplicate: false,
  sopClassUID: null,
  sopInstanceUID: null,
  seriesInstanceUID: null,
  studyInstanceUID: null,
  objectId: 'object-1',
  quarantineId: null,
  reason: 'released by a person',
  findings: [],
  scan: { status: 'clean', engine: null, signatures: null, coverage: null },
  failure: null,
  elementsDiscarded: false,
  ...more,
})

const stores: { name: string; open(): QuarantineStore }[] = [
  { name: 'memory', open: memoryQuarantineStore },
  {
    name: 'SQLite',
    open() {
      const db = openDatabase(':memory:')
      migrate(db)
      return createQuarantineStore(db)
    },
  },
]

for (const { name, open } of stores) {
  test(`quarantine store (${name}): the same bytes are held once and counted`, () => {
    const store = open()
    const [a, b] = [heldRow(Buffer.from('a')), heldRow(Buffer.from('b'), { sopInstanceUid: null, patient: null })]
    assert.equal(store.hold(a), a.id)
    assert.equal(store.hold(b), b.id)
    assert.equal(store.hold(heldRow(Buffer.from('a'))), a.id)
    assert.deepEqual(store.get(a.id), { ...a, arrivals: 2 })
    assert.deepEqual(store.get(b.id), { ...b, arrivals: 1 })
    assert.equal(store.get('unknown'), undefined)
    assert.deepEqual(store.count(), { held: 2, released: 0, discarded: 0 })
  })

  test(`quarantine store (${name}): decided once; discarded bytes stay discarded, released ones are held anew`, () => {
    const store = open()
    const [a, b] = [heldRow(Buffer.from('a')), heldRow(Buffer.from('b'))]
    store.hold(a)
    store.hold(b)
    const decision = { reason: 'r', by: 'p', time: NOW.toISOString(), objectId: null }
    assert.equal(store.decide(a.id, { ...decision, action: 'discard' }), true)
    assert.equal(store.decide(a.id, { ...decision, action: 'release' }), false)
    assert.equal(store.decide('unknown', { ...decision, action: 'release' }), false)
    assert.equal(store.hold(heldRow(Buffer.from('a'))), a.id)
    assert.equal(store.get(a.id)?.state, 'discarded')
    assert.equal(store.decide(b.id, { ...decision, action: 'sanitise' }), true)
    assert.deepEqual([store.wasReleased(a.sha256), store.wasReleased(b.sha256)], [false, true])
    assert.notEqual(store.hold(heldRow(Buffer.from('b'))), b.id)
    assert.equal(store.needsOriginal(a.sha256, '2026-02-01T00:00:00.000Z'), true)
    assert.equal(store.needsOriginal(a.sha256, '2026-04-01T00:00:00.000Z'), false)
    assert.equal(store.needsOriginal(b.sha256, '2026-04-01T00:00:00.000Z'), true)
  })

  test(`quarantine store (${name}): newest first, filtered, in pages`, () => {
    const store = open()
    const rows = Array.from({ length: 7 }, (_, i) => heldRow(Buffer.from(`${i}`), { sopInstanceUid: `1.2.${i % 2}` }))
    for (const row of rows) store.hold(row)
    const ids: string[] = []
    let cursor: string | undefined
    do {
      const page = store.list({ limit: 3, ...(cursor === undefined ? {} : { cursor }) })
      ids.push(...page.items.map(({ id }) => id))
      cursor = page.next ?? undefined
    } while (cursor !== undefined)
    assert.deepEqual(ids, rows.map(({ id }) => id).reverse())
    assert.equal(store.list({ limit: 9, sopInstanceUid: '1.2.1' }).items.length, 3)
    assert.equal(store.list({ limit: 9, sha256: rows[0]?.sha256 ?? '' }).items[0]?.id, rows[0]?.id)
    assert.equal(store.list({ limit: 9, state: 'discarded' }).items.length, 0)
    assert.equal('provenance' in (store.list({ limit: 1 }).items[0] ?? {}), false)
  })
}

interface Scene {
  readonly folder: string
  readonly restored: { readonly arrival: Arrival; readonly bytes: Buffer; readonly how: string }[]
  readonly audited: string[]
}

async function scene(answer: Partial<Receipt>, run: (desk: ReturnType<typeof deskOf>, scene: Scene) => Promise<void>) {
  const it: Scene = { folder: temporaryFolder(), restored: [], audited: [] }
  try {
    await run(deskOf(it, answer), it)
  } finally {
    fs.rmSync(it.folder, { recursive: true })
  }
}

function deskOf({ folder, restored, audited }: Scene, answer: Partial<Receipt>) {
  const db = openDatabase(':memory:')
  migrate(db)
  const store = createQuarantineStore(db)
  const vault = openVault(join(folder, 'quarantine'), openKeyRing(join(folder, 'keys/key')))
  const segments = openMemorySegments()
  let time = NOW
  const retention = { days: 30 }
  const desk = createDesk({
    store,
    vault,
    journal: openJournal(segments, createJournalNumbers(db)),
    spoolDirectory: join(folder, 'spool'),
    async restore(arrival, how) {
      const source = openSpooled(arrival.bytes)
      restored.push({ arrival, how, bytes: Buffer.from(source.read(0, source.size)) })
      source.close()
      return receiptOf(answer)
    },
    commit: (fn) => db.transaction(fn),
    audit: (item, { action, by }) => audited.push(`${by} ${action} ${item.id}`),
    retentionDays: () => retention.days,
    now: () => time,
  })
  return {
    desk,
    retention,
    store,
    vault,
    segments,
    later: (days: number) => {
      time = new Date(time.getTime() + days * 24 * 3600 * 1000)
    },
    async hold(bytes: Uint8Array): Promise<string> {
      await vault.seal(sha(bytes), memorySource(bytes))
      return store.hold(heldRow(bytes))
    },
  }
}

for (const size of [10, 5 * 1024 * 1024]) {
  test(`desk: a released object of ${size} bytes walks again as it came, with its own provenance`, async () => {
    await scene({}, async ({ desk, hold, segments }, { restored, audited }) => {
      const bytes = Buffer.alloc(size, 'held ')
      const id = await hold(bytes)
      const item = await desk.decide(id, 'release', ' it is a training file ', 'archivist')
      assert.equal(item.state, 'released')
      assert.deepEqual(item.decision, {
        action: 'release',
        reason: 'it is a training file',
        by: 'archivist',
        time: NOW.toISOString(),
        objectId: 'object-1',
      })
      assert.equal(restored.length, 1)
      assert.deepEqual(restored[0]?.bytes, bytes)
      assert.deepEqual(restored[0]?.arrival.provenance, provenance)
      assert.equal(restored[0]?.how, 'release')
      assert.deepEqual(audited, [`archivist release ${id}`])
      const entries = []
      for await (const { kind, sequence } of replayJournal(segments)) entries.push({ kind, sequence })
      assert.deepEqual(entries, [{ kind: 'quarantine.release', sequence: 1 }])
      await assert.rejects(desk.decide(id, 'discard', 'again', 'archivist'), isError('quarantine.decided'))
    })
  })
}

const refused: { name: string; answer: Partial<Receipt>; code: string }[] = [
  {
    name: 'another content is kept under the UID',
    answer: { stored: false, failure: 'identity.conflict' },
    code: 'identity.conflict',
  },
  { name: 'the disk is full', answer: { stored: false, failure: 'storage.full' }, code: 'storage.full' },
  { name: 'it would be held again', answer: { stored: false, verdict: 'quarantine' }, code: 'screening.held' },
]

for (const { name, answer, code } of refused) {
  test(`desk: a release that cannot be stays held: ${name}`, async () => {
    await scene(answer, async ({ desk, hold, store, segments }) => {
      const id = await hold(Buffer.from('x'))
      await assert.rejects(desk.decide(id, 'release', 'why', 'me'), isError(code))
      assert.equal(store.get(id)?.state, 'held')
      assert.deepEqual(await segments.segments(), [])
      assert.equal((await desk.decide(id, 'discard', 'why', 'me')).state, 'discarded')
    })
  })
}

test('desk: a decision needs a reason, an item, and is taken once even by two at once', async () => {
  await scene({}, async ({ desk, hold }, { restored }) => {
    const id = await hold(Buffer.from('x'))
    for (const reason of ['', '  \n', 'x'.repeat(3000)]) {
      await assert.rejects(desk.decide(id, 'discard', reason, 'me'), isError('request.malformed'))
    }
    await assert.rejects(desk.decide('unknown', 'discard', 'why', 'me'), isError('request.not-found'))
    const both = await Promise.allSettled([
      desk.decide(id, 'release', 'why', 'one'),
      desk.decide(id, 'release', 'why', 'two'),
    ])
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    assert.equal(restored.length, 1)
  })
})

test('desk: originals go when the site says after the decision, held ones never', async () => {
  await scene({}, async ({ desk, hold, vault, later, retention }, { folder }) => {
    const [kept, gone] = [Buffer.from('kept'), Buffer.from('gone')]
    await hold(kept)
    const id = await hold(gone)
    const unknown = Buffer.from('of a register that was lost')
    await vault.seal(sha(unknown), memorySource(unknown))
    for (const bytes of [kept, gone, unknown]) {
      fs.utimesSync(join(folder, 'quarantine', `${sha(bytes)}.enc`), NOW, NOW)
    }
    await desk.decide(id, 'discard', 'malware', 'me')
    later(29)
    assert.deepEqual(await desk.purge(), [])
    later(2)
    retention.days = 60
    assert.deepEqual(await desk.purge(), [])
    retention.days = 30
    assert.deepEqual(await desk.purge(), [sha(gone)])
    assert.equal(await vault.size(sha(kept)), 4)
    assert.equal(await vault.size(sha(unknown)), unknown.byteLength)
    await assert.rejects(desk.original(id), isError('request.not-found'))
    assert.equal((await desk.item(id))?.state, 'discarded')
  })
})
