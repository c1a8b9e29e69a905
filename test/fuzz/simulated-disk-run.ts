/**
 * A model checker for segments: a random life of a store on a disk that forgets, tears and refuses, compared with a
 * ledger of what was acknowledged. Properties K1 and K2 of threats.md section 6.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { Location } from '#model/archive-object.ts'
import type { Entry } from '#model/segment-store.ts'
import { type FileSegments, openFileSegments } from '#storage/file-segments.ts'
import { TRAILER_BYTES } from '#storage/tar.ts'
import { type Fault, SimulatedCrash, type SimulatedDisk, seeded, simulatedDisk } from '../simulated-disk.ts'

interface Kept {
  readonly at: Location
  readonly sha256: string
  readonly name: string
}

/** What the index knows: it is a database of its own, whose commit either happened or did not. */
interface Ledger {
  readonly kept: Map<string, Kept>
  readonly flushed: Map<string, number>
  /** Segments that were removed: what was deleted never comes back. */
  readonly removed: Set<string>
}

export interface RunResult {
  readonly crashes: number
  readonly acknowledged: number
  readonly refused: number
}

const isCrash = (error: unknown) => error instanceof SimulatedCrash

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** @throws AssertionError naming the seed when a promise is broken */
export async function simulatedLife(seed: number, lives = 4): Promise<RunResult> {
  const random = seeded(seed)
  const disk = simulatedDisk(seed ^ 0x5bd1e995)
  const ledger: Ledger = { kept: new Map(), flushed: new Map(), removed: new Set() }
  let crashes = 0
  let refused = 0
  try {
    for (let life = 0; life < lives; life++) {
      disk.plan(faultPlan(random))
      disk.capacity = random() < 0.3 ? 20_000 + Math.floor(random() * 60_000) : Number.POSITIVE_INFINITY
      try {
        refused += await oneLife(random, disk, ledger, life)
        if (random() < 0.5) continue // goes on without a power cut: an ordinary restart
      } catch (error) {
        if (!isCrash(error)) throw error
      }
      crashes++
      disk.reboot()
    }
    disk.plan([])
    disk.capacity = Number.POSITIVE_INFINITY
    const store = await reopened(disk, ledger)
    await compare(store, disk, ledger)
    await store.close()
  } catch (error) {
    throw new Error(`seed ${seed}, after ${disk.calls} calls (last: ${disk.log.slice(-6).join('; ')})`, {
      cause: error,
    })
  }
  return { crashes, acknowledged: ledger.kept.size, refused }
}

function faultPlan(random: () => number): readonly Fault[] {
  const faults: Fault[] = []
  if (random() < 0.7) faults.push({ at: 1 + Math.floor(random() * 60), is: 'crash' })
  for (let i = Math.floor(random() * 4); i > 0; i--) {
    faults.push({ at: 1 + Math.floor(random() * 60), is: random() < 0.7 ? 'ENOSPC' : 'EIO' })
  }
  return faults
}

async function reopened(disk: SimulatedDisk, ledger: Ledger): Promise<FileSegments> {
  const store = openFileSegments('/segments', { disk, segmentBytesMax: 12_288 })
  const { missing } = await store.recover([...ledger.flushed].map(([segment, offset]) => ({ segment, offset })))
  assert.deepEqual(missing, [], 'a segment lost what was acknowledged')
  return store
}

/** One process from start to its end; throws SimulatedCrash when the power goes. @returns number of refusals */
async function oneLife(random: () => number, disk: SimulatedDisk, ledger: Ledger, life: number): Promise<number> {
  let refused = 0
  let store: FileSegments
  try {
    store = await reopened(disk, ledger)
  } catch (error) {
    if (error instanceof ArchiveError && isCrash(error.cause)) throw error.cause
    if (error instanceof ArchiveError) return 1
    throw error
  }
  await compare(store, disk, ledger)
  const steps = 3 + Math.floor(random() * 25)
  for (let step = 0; step < steps; step++) {
    const group = entries(random, `${life}.${step}`)
    const kind = random()
    try {
      if (kind < 0.12) await adoptOne(random, store, disk, ledger, `${life}.${step}`)
      else if (kind < 0.18) await removeOne(random, store, ledger)
      else {
        const locations = await store.append(group, 'default')
        // Between the flush and the index commit the power may go too, or the commit may fail.
        if (random() < 0.9) commit(store, ledger, group, locations)
      }
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error
      refused++
      if (isCrash(error.cause)) throw error.cause
      if (store.isReadOnly && kind >= 0.12) assert.equal(error.code, 'storage.read-only')
    }
    if (random() < 0.2) await compare(store, disk, ledger)
  }
  await compare(store, disk, ledger)
  await store.close()
  return refused
}

function entries(random: () => number, label: string): readonly Entry[] {
  return Array.from({ length: 1 + Math.floor(random() * 4) }, (_, i) => {
    const size = random() < 0.1 ? Math.floor(random() * 9000) : Math.floor(random() * 1500)
    const bytes = Buffer.alloc(size, random() < 0.2 ? 0 : `${label}.${i} `)
    return { name: `objects/${label}.${i}/${sha(bytes)}.dcm`, content: [bytes] }
  })
}

function commit(store: FileSegments, ledger: Ledger, group: readonly Entry[], locations: readonly Location[]): void {
  for (const [i, at] of locations.entries()) {
    const { name, content } = group[i] as Entry
    ledger.kept.set(name, { at, name, sha256: sha(Buffer.concat(content)) })
  }
  const position = store.flushed()
  if (position !== null) ledger.flushed.set(position.segment, position.offset)
}

async function adoptOne(
  random: () => number,
  store: FileSegments,
  disk: SimulatedDisk,
  ledger: Ledger,
  label: string,
): Promise<void> {
  const bytes = Buffer.alloc(Math.floor(random() * 6000), `spooled ${label} `)
  const path = `/spool/${label}`
  try {
    const file = disk.open(path, 'create')
    file.write([Buffer.alloc(512), bytes, Buffer.from('not kept')], 0)
    file.close()
  } catch (error) {
    if (isCrash(error)) throw error
    throw new ArchiveError('archive.failed', 'the spool failed', { cause: error })
  }
  const name = `objects/${label}/${sha(bytes)}.dcm`
  const record: Entry = { name: name.replace(/dcm$/, 'json'), content: [Buffer.from(`{"of":"${label}"}`)] }
  const followedBy = [record]
  const locations = await store.adopt(
    { name, path, contentStart: 512, contentLength: bytes.length, followedBy },
    'default',
  )
  if (random() < 0.9) commit(store, ledger, [{ name, content: [bytes] }, record], locations)
}

/** What compaction does at its end: a segment nothing lives in any more goes. */
async function removeOne(random: () => number, store: FileSegments, ledger: Ledger): Promise<void> {
  const sealed = (await store.segments()).filter((segment) => segment.sealed)
  const chosen = sealed[Math.floor(random() * sealed.length)]
  if (chosen === undefined) return
  for (const [name, { at }] of ledger.kept) if (at.segment === chosen.name) ledger.kept.delete(name)
  ledger.flushed.delete(chosen.name)
  await store.remove(chosen.name)
  ledger.removed.add(chosen.name)
}

/** Everything acknowledged is there and equal; every segment is a sound tar; nothing is half. */
async function compare(store: FileSegments, disk: SimulatedDisk, ledger: Ledger): Promise<void> {
  for (const { at, sha256, name } of ledger.kept.values()) {
    const bytes = await store.read(at)
    assert.ok(bytes, `${name} is gone`)
    assert.equal(sha(bytes), sha256, `${name} is damaged`)
  }
  for (const { name, length, sealed } of await store.segments()) {
    assert.ok(!ledger.removed.has(name), `${name} was removed and is back, or its number was used again`)
    let end = 0
    for await (const { location } of store.entries(name)) end = location.offset + Math.ceil(location.length / 512) * 512
    // Of the two zero blocks a part may be missing after a failed flush: nothing is behind them.
    const tail = disk.bytes(`/segments/${name}`)?.subarray(end, length)
    assert.ok(length - end <= (sealed ? TRAILER_BYTES : 0), `${name} has a hole or a torn tail`)
    assert.ok(
      tail?.every((byte) => byte === 0),
      `${name} does not end in zeros`,
    )
  }
}
