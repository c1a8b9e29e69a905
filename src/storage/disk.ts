import fs from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { ArchiveError } from '#errors.ts'

/**
 * An open file. Positions and lengths in bytes. Writing and renaming are synchronous, because they only touch the page
 * cache; reading and flushing wait for a device, so they are not (a worker flushes a quick one in place).
 */
export interface DiskFile {
  /** @returns bytes read; fewer than asked for only at the end of the file */
  read(into: Uint8Array, at: number): Promise<number>
  /** Writes all pieces one after the other, or throws with an unknown part of them written. */
  write(pieces: readonly Uint8Array[], at: number): void
  /** fdatasync: what was written survives a power cut once this resolves. */
  flush(): Promise<void>
  truncate(length: number): void
  length(): number
  close(): void
}

/** The few calls storage makes, so that a disk that forgets, tears and refuses can stand in. threats.md section 7.4. */
export interface Disk {
  /** `create` fails when the file exists, the others when it does not. */
  open(path: string, how: 'read' | 'change' | 'create'): DiskFile
  /** Makes creations, renames and removals inside a directory durable. */
  flushDirectory(path: string): Promise<void>
  makeDirectory(path: string): void
  rename(from: string, to: string): void
  unlink(path: string): void
  /** Names of the files in a directory, sorted. */
  list(path: string): readonly string[]
  /** Length of a file in bytes. */
  length(path: string): number
  /** Bytes free for us on the volume of this path. */
  free(path: string): number
}

const JOINED_BYTES = 64 * 1024

/** The real disk. */
export const nodeDisk: Disk = {
  open(path, how) {
    const fd = fs.openSync(path, how === 'read' ? 'r' : how === 'change' ? 'r+' : 'wx+', 0o600)
    return nodeFile(fd)
  },
  async flushDirectory(path) {
    const fd = fs.openSync(path, 'r')
    try {
      await new Promise<void>((resolve, reject) =>
        fs.fsync(fd, (error) => (error === null ? resolve() : reject(error))),
      )
    } finally {
      fs.closeSync(fd)
    }
  },
  makeDirectory: (path) => void fs.mkdirSync(path, { recursive: true, mode: 0o700 }),
  rename: (from, to) => fs.renameSync(from, to),
  unlink: (path) => fs.unlinkSync(path),
  list: (path) => fs.readdirSync(path).sort(),
  length: (path) => fs.statSync(path).size,
  free(path) {
    const { bavail, bsize } = fs.statfsSync(path)
    return bavail * bsize
  },
}

function nodeFile(fd: number): DiskFile {
  return {
    async read(into, at) {
      let done = 0
      while (done < into.byteLength) {
        const n = await readOnce(fd, into, done, at + done)
        if (n === 0) break
        done += n
      }
      return done
    },
    write(pieces, at) {
      let position = at
      for (const piece of joined(pieces)) {
        for (let done = 0; done < piece.byteLength; ) {
          const n = fs.writeSync(fd, piece, done, piece.byteLength - done, position)
          done += n
          position += n
        }
      }
    },
    flush: () => flushed(fd),
    truncate: (length) => fs.ftruncateSync(fd, length),
    length: () => fs.fstatSync(fd).size,
    close: () => fs.closeSync(fd),
  }
}

/** A flush that takes less than this is done in place: handing it to another thread and back takes longer. */
const QUICK_FLUSH_MS = 1
/** How long the last flush of this thread took. */
let lastFlushMs = Number.POSITIVE_INFINITY

/** In place on a worker thread and a quick disk; else others have their turn meanwhile. */
async function flushed(fd: number): Promise<void> {
  const began = performance.now()
  if (!isMainThread && lastFlushMs < QUICK_FLUSH_MS) fs.fdatasyncSync(fd)
  else {
    await new Promise<void>((resolve, reject) =>
      fs.fdatasync(fd, (error) => (error === null ? resolve() : reject(error))),
    )
  }
  lastFlushMs = performance.now() - began
}

function readOnce(fd: number, into: Uint8Array, offset: number, at: number): Promise<number> {
  return new Promise((resolve, reject) =>
    fs.read(fd, into, offset, into.byteLength - offset, at, (error, n) =>
      error === null ? resolve(n) : reject(error),
    ),
  )
}

/** Small pieces (headers, padding, records) are copied together: one system call instead of many. */
function* joined(pieces: readonly Uint8Array[]): Generator<Uint8Array> {
  let waiting: Uint8Array[] = []
  let bytes = 0
  for (const piece of pieces) {
    if (piece.byteLength < JOINED_BYTES) {
      waiting.push(piece)
      bytes += piece.byteLength
      if (bytes < 16 * JOINED_BYTES) continue
    }
    if (waiting.length > 0) yield waiting.length === 1 ? (waiting[0] as Uint8Array) : Buffer.concat(waiting)
    waiting = []
    bytes = 0
    if (piece.byteLength >= JOINED_BYTES) yield piece
  }
  if (waiting.length > 0) yield waiting.length === 1 ? (waiting[0] as Uint8Array) : Buffer.concat(waiting)
}

/** The system's word for a failure (`ENOSPC`, `EIO` ...), or an empty string. */
export function systemCode(error: unknown): string {
  if (error instanceof ArchiveError) return ''
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** True when the volume, a quota or the inodes are used up. */
export function isFull(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** What a refused write means to a sender. */
export function writeFailure(error: unknown, what: string): ArchiveError {
  if (error instanceof ArchiveError) return error
  if (isFull(error)) {
    return new ArchiveError('storage.full', `no room for ${what}`, {
      cause: error,
      hint: 'Free space on the volume; storing goes on by itself.',
    })
  }
  return new ArchiveError('archive.failed', `could not write ${what} (${systemCode(error) || 'unknown'})`, {
    cause: error,
  })
}
