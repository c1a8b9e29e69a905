import { closeSync, existsSync, mkdirSync, openSync, readSync, realpathSync, rmSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ArchiveError } from '#errors.ts'
import { RESTORING_NAME } from '#operations/backup.ts'

/** The right to write one data directory. It ends with the process, however that ends. */
export interface DataLock {
  readonly dataDirectory: string
  release(): void
}

/** Directories this process owns: opening the lock file a second time would drop the system's lock on it. */
const owned = new Set<string>()

/**
 * Takes the data directory for this process, or says who has it.
 *
 * The lock is SQLite's exclusive lock on the file `lock`: the operating system drops it when the process ends, so a
 * killed owner never blocks the next start and no process id has to be believed. The owner's process id stands in
 * the file's header (user_version) for the message only.
 *
 * @param forRestore also takes a directory in which a restore was begun; for anybody else it is none yet
 * @throws ArchiveError 'archive.owned' when another process, or this one, owns it; 'archive.restoring'
 */
export function lockDataDirectory(dataDirectory: string, { forRestore = false } = {}): DataLock {
  makeDirectory(dataDirectory)
  const directory = realpathSync(dataDirectory)
  if (owned.has(directory)) throw ownedBy(dataDirectory, process.pid)
  const file = join(directory, 'lock')
  const database = openLocked(file, dataDirectory)
  if (!forRestore && existsSync(join(directory, RESTORING_NAME))) {
    database.close()
    throw new ArchiveError('archive.restoring', `the restore into ${dataDirectory} was not finished`, {
      hint: 'Repeat diptych restore with the same --from: it goes on where it was. Or begin in an empty directory.',
    })
  }
  owned.add(directory)
  let released = false
  return {
    dataDirectory: directory,
    release() {
      if (released) return
      released = true
      owned.delete(directory)
      database.close()
    },
  }
}

/**
 * Makes a directory and those above it. One after the other: asked to make all of them at once, Node tries for ever where the
 * system says that an existing parent does not exist, as below /proc.
 * @throws ArchiveError 'configuration.invalid' for a place where no directory can be made
 */
function makeDirectory(path: string): void {
  const missing: string[] = []
  for (let at = resolve(path); !existsSync(at); at = dirname(at)) missing.push(at)
  for (const directory of missing.reverse()) {
    try {
      mkdirSync(directory, { mode: 0o700 })
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      if (code === 'EEXIST') continue // made by somebody else meanwhile
      throw new ArchiveError('configuration.invalid', `${path} cannot be a data directory: ${directory}: ${code}`, {
        cause: error,
      })
    }
  }
  if (!statSync(path).isDirectory()) {
    throw new ArchiveError('configuration.invalid', `${path} cannot be a data directory: it is a file`)
  }
}

function openLocked(file: string, named: string, again = true): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    database.exec('pragma locking_mode = exclusive')
    database.exec('pragma synchronous = off') // nothing in it has to outlive the process
    database.exec('pragma journal_mode = memory')
    database.exec('begin exclusive')
    database.exec(`pragma user_version = ${process.pid & 0x7fffffff}`)
    database.exec('commit') // locking_mode exclusive keeps the lock
    return database
  } catch (error) {
    database.close()
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
    if (code === SQLITE_BUSY) throw ownedBy(named, ownerOf(file))
    if (code === SQLITE_NOTADB && again) {
      rmSync(file) // torn by a crash; nobody can hold a lock on what is no database
      return openLocked(file, named, false)
    }
    throw new ArchiveError('archive.failed', `the lock of ${named} cannot be taken`, { cause: error })
  }
}

const SQLITE_BUSY = 5
const SQLITE_NOTADB = 26
/** Offset of user_version in a SQLite file, big-endian. sqlite.org/fileformat2.html section 1.3. */
const USER_VERSION_OFFSET = 60

function ownerOf(file: string): number {
  const header = Buffer.alloc(4)
  const descriptor = openSync(file, 'r')
  try {
    readSync(descriptor, header, 0, 4, USER_VERSION_OFFSET)
  } finally {
    closeSync(descriptor)
  }
  return header.readUInt32BE(0)
}

function ownedBy(dataDirectory: string, pid: number): ArchiveError {
  const who = pid === 0 ? 'Another process' : `Process ${pid}`
  return new ArchiveError('archive.owned', `${who} owns the data directory ${dataDirectory}`, {
    hint: 'Stop it first, or name another directory with --data. Other commands reach the owner by themselves.',
  })
}
