import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { createClamd } from '#screening/scanner/clamd.ts'
import { eicar } from '../fixtures/programs.ts'

/** A ClamAV daemon of this test's own, with one signature: the EICAR string at any offset. */
export interface ClamdServer {
  readonly address: string
  /** Ends the daemon; its folder goes too. */
  stop(): Promise<void>
}

export interface ClamdServerOptions {
  /** A free one when absent. */
  readonly port?: number
  /** Longest stream it takes, in bytes. */
  readonly streamMaxLength?: number
  /** Longest file it looks into; above it alerts (AlertExceedsMax). */
  readonly maxFileSize?: number
}

const PROGRAM = '/usr/sbin/clamd'

export function hasClamd(): boolean {
  return existsSync(PROGRAM)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Starts clamd on a free port. Debian package clamav-daemon; no public signatures are needed. */
export async function startClamd(options: ClamdServerOptions = {}): Promise<ClamdServer> {
  const { streamMaxLength = 512 * 1024 * 1024, maxFileSize = 512 * 1024 * 1024 } = options
  const folder = await mkdtemp(join(tmpdir(), 'diptych-clamd-'))
  const port = options.port ?? (await freePort())
  await writeFile(join(folder, 'test.ndb'), `Diptych.Test.EICAR:0:*:${eicar().toString('hex')}\n`)
  const settings = [
    `DatabaseDirectory ${folder}`,
    `TCPSocket ${port}`,
    'TCPAddr 127.0.0.1',
    'Foreground yes',
    `StreamMaxLength ${streamMaxLength}`,
    `MaxScanSize ${Math.max(maxFileSize, streamMaxLength)}`,
    `MaxFileSize ${maxFileSize}`,
    'AlertExceedsMax yes',
    `TemporaryDirectory ${folder}`,
    `LogFile ${join(folder, 'log')}`,
  ]
  await writeFile(join(folder, 'clamd.conf'), `${settings.join('\n')}\n`)
  const child = spawn(PROGRAM, ['-c', join(folder, 'clamd.conf')], { stdio: 'ignore' })
  const address = `127.0.0.1:${port}`
  const client = createClamd(address)
  for (let tries = 0; ; tries++) {
    if ((await client.identity()) !== null) break
    if (child.exitCode !== null || tries > 300) {
      child.kill()
      throw new Error('clamd does not start')
    }
    await wait(100)
  }
  await client.close()
  return { address, stop: () => stop(child, folder) }
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null) {
    child.kill()
    await once(child, 'exit')
  }
  await rm(folder, { recursive: true, force: true })
}
