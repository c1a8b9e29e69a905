import { once } from 'node:events'
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { ArchiveError } from '#errors.ts'
import type { Archive } from '../app.ts'
import { type ArchiveCommand, type Emit, type ExitStatus, type Given, UsageError } from './command.ts'
import { type Answered, type Asked, jsonLines, socketAddress } from './socket-protocol.ts'

/** The socket through which other commands reach the process that owns a data directory. */
export interface OwnerSocket {
  /** Stops taking commands; resolves when those under way have ended. */
  close(): Promise<void>
}

/**
 * Listens on `<data>/socket`, for the owner of the directory only (mode 0600): whoever may open it may do all.
 * Call with the data lock held: a socket left by a killed owner is replaced.
 * @param commands what may be asked for; asked with the first command
 */
export async function listenForCommands(
  dataDirectory: string,
  archive: Archive,
  commands: () => Promise<readonly ArchiveCommand[]>,
): Promise<OwnerSocket> {
  const underWay = new Set<Promise<void>>()
  const server = createServer((socket) => {
    const serving = serve(socket, archive, commands).finally(() => underWay.delete(serving))
    underWay.add(serving)
  })
  const address = socketAddress(dataDirectory)
  const file = join(dataDirectory, 'socket')
  rmSync(file, { force: true })
  const mask = process.umask(0o177)
  try {
    server.listen(address.path)
    await once(server, 'listening')
  } finally {
    process.umask(mask)
  }
  chmodSync(file, 0o600)
  return {
    async close() {
      const closed = once(server, 'close')
      server.close()
      await Promise.allSettled(underWay)
      await closed
      address.close()
    },
  }
}

async function serve(
  socket: Socket,
  archive: Archive,
  commands: () => Promise<readonly ArchiveCommand[]>,
): Promise<void> {
  const stop = new AbortController()
  socket.on('error', () => stop.abort()) // the caller is gone; its command stops as if interrupted
  socket.on('close', () => stop.abort())
  const answer = async (what: Answered): Promise<void> => {
    if (socket.destroyed || socket.write(`${JSON.stringify(what)}\n`)) return
    await Promise.race([once(socket, 'drain'), once(socket, 'close')])
  }
  try {
    const lines = jsonLines(socket)
    const first = await lines.next()
    if (first.done) return
    const asked = first.value as Asked
    if (!('command' in asked)) throw new UsageError('a command was expected')
    void awaitInterrupt(lines, stop)
    const command = (await commands()).find(({ name }) => name === asked.command)
    if (command === undefined) throw new UsageError(`the owner of the data directory has no command ${asked.command}`)
    await answer({ exit: await runCommand(command, archive, asked.given, (line) => answer({ line }), stop.signal) })
  } catch (error) {
    await answer({ failed: toldFailure(error) })
  } finally {
    socket.end()
  }
}

/** Reads what the caller says while its command runs: an interrupt, or the end of the line. */
async function awaitInterrupt(lines: AsyncGenerator<unknown>, stop: AbortController): Promise<void> {
  try {
    for await (const asked of lines) if ((asked as Asked) !== null && 'interrupt' in (asked as Asked)) stop.abort()
  } catch {
    stop.abort() // the connection broke or said nonsense: either way nobody waits for the command any more
  }
}

/** Runs one command in this process. */
export async function runCommand(
  command: ArchiveCommand,
  archive: Archive,
  given: Given,
  emit: Emit,
  signal: AbortSignal,
): Promise<ExitStatus> {
  return command.run(archive, given, emit, signal)
}

/** What a failed command tells its caller: never a stack. */
export function toldFailure(error: unknown): Extract<Answered, { failed: unknown }>['failed'] {
  if (error instanceof ArchiveError) return { name: error.code, message: error.message, hint: error.hint ?? null }
  if (error instanceof Error) return { name: error.name, message: error.message, hint: null }
  return { name: 'Error', message: String(error), hint: null }
}
