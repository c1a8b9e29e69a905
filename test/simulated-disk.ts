/**
 * A disk in memory that keeps only what was flushed: a crash forgets un-flushed writes, any part of them and in any
 * order, tears them at sectors, and loses names that were not flushed with their directory. threats.md section 7.4.
 */
import type { Disk, DiskFile } from '#storage/disk.ts'

const SECTOR = 512

/** The process is dead: nothing after this call happens. */
export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash'
}

/** What goes wrong at one call. Calls are counted from 1, reads and closes do not count. */
export interface Fault {
  readonly at: number
  readonly is: 'crash' | 'ENOSPC' | 'EIO'
}

interface Inode {
  durable: Buffer
  current: Buffer
  /** Writes since the last flush, in order. */
  pending: ({ readonly at: number; readonly bytes: Buffer } | { readonly length: number })[]
}

type Names = Map<string, Inode>

/** Small, fast, good enough to replay a run exactly from its seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

export interface SimulatedDisk extends Disk {
  /** Calls that change or flush something so far. */
  readonly calls: number
  /** Names of the calls so far, for messages of a failing run. */
  readonly log: readonly string[]
  /** Next faults; replaces the old plan. Counted on from now. */
  plan(faults: readonly Fault[]): void
  /** Capacity in bytes; nothing above it is taken. */
  capacity: number
  /** Power is cut (unless a crash did already) and comes back: what is left is what was flushed, and some more. */
  reboot(): void
  /** Reads a file as it is now, for a model to compare with. */
  bytes(path: string): Buffer | undefined
}

export function simulatedDisk(seed: number): SimulatedDisk {
  const random = seeded(seed)
  let live: Names = new Map()
  let durable: Names = new Map()
  /** Changes of names since the last directory flush, in order: a journalling file system keeps a prefix of them. */
  let renames: { readonly apply: (names: Names) => void }[] = []
  let faults: readonly Fault[] = []
  let calls = 0
  let counted = 0
  let dead = false
  let life = 0
  const log: string[] = []

  const failure = (code: string) => Object.assign(new Error(`simulated ${code}`), { code })
  const alive = (born: number) => {
    if (dead || born !== life) throw new SimulatedCrash('the machine is down')
  }
  /** Counts a call; `half` runs when the crash comes in the middle of it. */
  const call = (name: string, born: number, half: () => void): Fault['is'] | undefined => {
    alive(born)
    calls++
    counted++
    log.push(name)
    const fault = faults.find(({ at }) => at === counted)
    if (fault?.is === 'crash') {
      half()
      dead = true
      throw new SimulatedCrash(`crash at call ${calls}: ${name}`)
    }
    return fault?.is
  }
  const used = () => [...new Set(live.values())].reduce((sum, { current }) => sum + current.byteLength, 0)
  const found = (path: string): Inode => {
    const inode = live.get(path)
    if (inode === undefined) throw failure('ENOENT')
    return inode
  }
  const name = (apply: (names: Names) => void) => {
    apply(live)
    renames.push({ apply })
  }

  const fileOf = (inode: Inode, path: string, writable: boolean): DiskFile => {
    const born = life
    let open = true
    const mustBeOpen = () => {
      if (!open) throw failure('EBADF')
    }
    return {
      async read(into, at) {
        alive(born)
        mustBeOpen()
        const part = inode.current.subarray(at, at + into.byteLength)
        into.set(part)
        return part.byteLength
      },
      write(pieces, at) {
        mustBeOpen()
        if (!writable) throw failure('EBADF')
        const bytes = Buffer.concat(pieces)
        const some = () => writeInto(inode, at, bytes.subarray(0, Math.floor(random() * bytes.byteLength)))
        const fault = call(`write ${path} ${at}+${bytes.byteLength}`, born, some)
        const grows = Math.max(0, at + bytes.byteLength - inode.current.byteLength)
        const full = fault === 'ENOSPC' || used() + grows > disk.capacity
        if (full || fault !== undefined) {
          some()
          throw failure(full ? 'ENOSPC' : 'EIO')
        }
        writeInto(inode, at, bytes)
      },
      async flush() {
        mustBeOpen()
        const fault = call(`flush ${path}`, born, () => settle(inode, random))
        if (fault !== undefined) {
          // As Linux does: the dirty pages are marked clean, a second flush would succeed and mean nothing.
          const seen = inode.current
          settle(inode, random)
          inode.durable = inode.current
          inode.current = seen
          throw failure(fault)
        }
        inode.durable = Buffer.from(inode.current)
        inode.pending = []
      },
      truncate(length) {
        mustBeOpen()
        const fault = call(`truncate ${path} ${length}`, born, () => undefined)
        if (fault !== undefined) throw failure(fault)
        inode.current = resized(inode.current, length)
        inode.pending.push({ length })
      },
      length() {
        alive(born)
        return inode.current.byteLength
      },
      close() {
        open = false
      },
    }
  }

  const disk: SimulatedDisk = {
    capacity: Number.POSITIVE_INFINITY,
    get calls() {
      return calls
    },
    log,
    plan(next) {
      faults = next
      counted = 0
    },
    open(path, how) {
      alive(life)
      if (how !== 'create') return fileOf(found(path), path, how === 'change')
      if (live.has(path)) throw failure('EEXIST')
      const inode: Inode = { durable: Buffer.alloc(0), current: Buffer.alloc(0), pending: [] }
      const create = () => name((names) => names.set(path, inode))
      const fault = call(`create ${path}`, life, create)
      if (fault !== undefined) throw failure(fault)
      create()
      return fileOf(inode, path, true)
    },
    async flushDirectory(path) {
      const half = () => settleNames()
      const fault = call(`flush directory ${path}`, life, half)
      if (fault !== undefined) throw failure(fault)
      durable = new Map(live)
      renames = []
    },
    makeDirectory: () => alive(life),
    rename(from, to) {
      const inode = found(from)
      const change = () =>
        name((names) => {
          names.delete(from)
          names.set(to, inode)
        })
      const fault = call(`rename ${from} ${to}`, life, change)
      if (fault !== undefined) throw failure(fault)
      change()
    },
    unlink(path) {
      found(path)
      const change = () => name((names) => names.delete(path))
      const fault = call(`unlink ${path}`, life, change)
      if (fault !== undefined) throw failure(fault)
      change()
    },
    list(path) {
      alive(life)
      const prefix = path.endsWith('/') ? path : `${path}/`
      return [...live.keys()]
        .filter((file) => file.startsWith(prefix) && !file.slice(prefix.length).includes('/'))
        .map((file) => file.slice(prefix.length))
        .sort()
    },
    length(path) {
      alive(life)
      return found(path).current.byteLength
    },
    free: () => disk.capacity - used(),
    reboot() {
      settleNames()
      for (const inode of new Set(durable.values())) settle(inode, random)
      live = new Map(durable)
      renames = []
      faults = []
      dead = false
      life++
    },
    bytes: (path) => live.get(path)?.current,
  }

  function settleNames(): void {
    const kept = Math.floor(random() * (renames.length + 1))
    for (const { apply } of renames.slice(0, kept)) apply(durable)
    renames = renames.slice(kept)
  }

  return disk
}

function resized(bytes: Buffer, length: number): Buffer {
  if (length <= bytes.byteLength) return Buffer.from(bytes.subarray(0, length))
  return Buffer.concat([bytes, Buffer.alloc(length - bytes.byteLength)])
}

function writeInto(inode: Inode, at: number, bytes: Buffer): void {
  const copy = Buffer.from(bytes)
  inode.current = written(inode.current, at, copy)
  inode.pending.push({ at, bytes: copy })
}

function written(into: Buffer, at: number, bytes: Buffer): Buffer {
  const result = resized(into, Math.max(into.byteLength, at + bytes.byteLength))
  bytes.copy(result, at)
  return result
}

/** What of the un-flushed writes reached the platter: each sector or not, as it happens; lengths too. */
function settle(inode: Inode, random: () => number): void {
  let bytes = inode.durable
  const mood = random()
  for (const change of inode.pending) {
    if ('length' in change) {
      if (random() < 0.7) bytes = resized(bytes, change.length)
      continue
    }
    if (mood < 0.15) continue // nothing at all
    for (let at = 0; at < change.bytes.byteLength; ) {
      const step = Math.min(SECTOR - ((change.at + at) % SECTOR), change.bytes.byteLength - at)
      const sector = change.bytes.subarray(at, at + step)
      if (mood > 0.85 || random() < 0.6) bytes = written(bytes, change.at + at, sector)
      else if (random() < 0.3) bytes = resized(bytes, Math.max(bytes.byteLength, change.at + at + step)) // length, no data
      at += step
    }
  }
  inode.durable = bytes
  inode.current = Buffer.from(bytes)
  inode.pending = []
}
