import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { ArchiveError, type ErrorCode, failures } from '#errors.ts'
import type { Archive } from '../app.ts'
import { type ArchiveCommand, type Emit, type ExitStatus, type Given, UsageError } from './command.ts'
import { configurationFor } from './configuration.ts'
import { type DataLock, lockDataDirectory } from './data-lock.ts'
import { type Answered, type Asked, jsonLines, socketAddress } from './socket-protocol.ts'
import { listenForCommands, type OwnerSocket, runCommand } from './socket-server.ts'

/** How long a command waits for an owner that is starting or stopping. */
const OWNER_WAIT_MS = 15_000
const RETRY_MS = 100

/**
 * Runs a command where the data is owned: in the owner through its socket, or here, owning the data meanwhile so
 * that others can reach this process the same way.
 *
 * @throws ArchiveError 'archive.owned' when somebody owns the data and does not answer; 'request.not-found' when the
 *   command is about what is kept and there is no such directory
 */
export async function runInOwner(
  command: ArchiveCommand,
  dataDirectory: string,
  given: Given,
  emit: Emit,
  signal: AbortSignal,
  others: readonly ArchiveCommand[],
): Promise<ExitStatus> {
  if (command.needsData === true && !existsSync(dataDirectory)) {
    throw new ArchiveError('request.not-found', `there is no data directory ${dataDirectory}`)
  }
  const giveUpAt = performance.now() + OWNER_WAIT_MS
  for (;;) {
    const socket = await connect(dataDirectory)
    if (socket !== null) return ask(socket, command, given, emit, signal)
    let lock: DataLock
    try {
      lock = lockDataDirectory(dataDirectory)
    } catch (error) {
      const owned = error instanceof ArchiveError && error.code === 'archive.owned'
      if (!owned || signal.aborted || performance.now() > giveUpAt) throw error
      await wait(RETRY_MS)
      continue
    }
    return runHere(command, lock, given, emit, signal, others)
  }
}

async function runHere(
  command: ArchiveCommand,
  lock: DataLock,
  given: Given,
  emit: Emit,
  signal: AbortSignal,
  others: readonly ArchiveCommand[],
): Promise<ExitStatus> {
  let archive: Archive | undefined
  let socket: OwnerSocket | undefined
  try {
    const { openArchive } = await import('../app.ts') // not needed, so not loaded, when another process owns the data
    archive = await openArchive({ dataDirectory: lock.dataDirectory, config: configurationFor(lock.dataDirectory, {}) })
    socket = await listenForCommands(lock.dataDirectory, archive, async () => others)
    return await runCommand(command, archive, given, emit, signal)
  } finally {
    await socket?.close()
    await archive?.close()
    lock.release()
  }
}

/** @returns null when nobody listens */
async function connect(dataDirectory: string): Promise<Socket | null> {
  let address: ReturnType<typeof socketAddress>
  try {
    address = socketAddress(dataDirectory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  const socket = createConnection(address.path)
  try {
    await once(socket, 'connect')
    return socket
  } catch (error) {
    socket.destroy()
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return null
    throw error
  } finally {
    address.close()
  }
}

async function ask(
  socket: Socket,
  command: ArchiveCommand,
  given: Given,
  emit: Emit,
  signal: AbortSignal,
): Promise<ExitStatus> {
  const say = (asked: Asked): boolean => socket.write(`${JSON.stringify(asked)}\n`)
  const interrupt = (): boolean => say({ interrupt: true })
  socket.on('error', () => {}) // the reader below meets the same end and tells it
  say({ command: command.name, given })
  if (signal.aborted) interrupt()
  signal.addEventListener('abort', interrupt)
  try {
    for await (const value of jsonLines(socket)) {
      const answered = value as Answered
      if ('line' in answered) await emit(answered.line)
      else if ('exit' in answered) return answered.exit
      else throw retold(answered.failed)
    }
    throw new ArchiveError('archive.failed', 'the process that owns the data ended before the command did', {
      hint: 'Run it again: nothing is stored twice.',
    })
  } finally {
    signal.removeEventListener('abort', interrupt)
    socket.destroy()
  }
}

function retold({ name, message, hint }: Extract<Answered, { failed: unknown }>['failed']): Error {
  if (name === 'UsageError') return new UsageError(message)
  if (name in failures) return new ArchiveError(name as ErrorCode, message, hint === null ? {} : { hint })
  return new Error(message)
}
