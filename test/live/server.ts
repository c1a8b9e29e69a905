/** The real server as a child process: started, asked, drained or killed by its own process id. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface LiveServer {
  readonly pid: number
  readonly url: string
  /** The DICOM door; null unless `--dimse-port` was given. */
  readonly dimse: { readonly port: number; readonly aeTitle: string } | null
  /** The HL7 v2 door; null unless `--hl7-port` was given. */
  readonly hl7: { readonly port: number } | null
  readonly dataDirectory: string
  /** SIGTERM, and waits for the end. @returns exit status */
  stop(): Promise<number | null>
  /** SIGKILL to the one process that matters, and waits for its end. */
  kill(): Promise<void>
  readonly exited: Promise<number | null>
  /** What it said on stderr so far. */
  errors(): string
  /** Lines of its log that tell a fault of ours (pino level 50 and above). */
  faults(): string
}

const root = join(import.meta.dirname, '../..')

const FROM_SOURCES = { DIPTYCH_BUILD: 'off' }

export function temporaryDirectory(name: string): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `diptych-${name}-`))
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) }
}

/** Starts `serve` on a free loopback port and waits (at most 30 s) for its ready line. */
export async function startServer(options: {
  readonly dataDirectory: string
  readonly open?: boolean
  readonly env?: NodeJS.ProcessEnv
  /** Run from the build, which must be there; else the sources themselves are run. */
  readonly built?: boolean
  readonly args?: readonly string[]
}): Promise<LiveServer> {
  const args = [
    'bin/diptych.js',
    'serve',
    '--data',
    options.dataDirectory,
    '--http-port',
    '0',
    '--dimse-port',
    'off',
    '--hl7-port',
    'off',
    '--json',
  ]
  if (options.open ?? true) args.push('--open')
  const child: ChildProcess = spawn(process.execPath, [...args, ...(options.args ?? [])], {
    cwd: root,
    env: { ...process.env, ...(options.built === true ? {} : FROM_SOURCES), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-20_000)
  })
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const ready = await firstLine(child, exited, () => errors)
  return {
    pid: ready.pid,
    url: ready.http,
    dimse: ready.dimse,
    hl7: ready.hl7,
    dataDirectory: options.dataDirectory,
    exited,
    errors: () => errors,
    faults: () =>
      errors
        .split('\n')
        .filter((line) => /"level":[56]0/.test(line))
        .join('\n'),
    async stop() {
      child.kill('SIGTERM')
      return await exited
    },
    async kill() {
      process.kill(ready.pid, 'SIGKILL')
      await exited
    },
  }
}

interface Ready {
  readonly pid: number
  readonly http: string
  readonly dimse: LiveServer['dimse']
  readonly hl7: LiveServer['hl7']
}

function firstLine(child: ChildProcess, exited: Promise<number | null>, errors: () => string): Promise<Ready> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`the server was not ready within 30 s: ${errors()}`))
    }, 30_000)
    if (child.stdout === null) return reject(new Error('no stdout'))
    const lines = createInterface({ input: child.stdout })
    lines.on('line', (line) => {
      const told: unknown = JSON.parse(line)
      if (typeof told !== 'object' || told === null || !('event' in told) || told.event !== 'ready') return
      clearTimeout(limit)
      resolve(told as unknown as Ready)
    })
    exited.then((code) => {
      clearTimeout(limit)
      reject(new Error(`the server ended with ${code} before it was ready: ${errors()}`))
    })
  })
}

/** Runs a command of `diptych` and gives its JSON lines, exit status and stderr. */
export function runCommand(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ lines: unknown[]; status: number | null; stderr: string; stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['bin/diptych.js', ...args], {
      cwd: root,
      env: { ...process.env, ...FROM_SOURCES, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.once('error', reject)
    child.once('close', (status) => {
      const lines = stdout.split('\n').flatMap((line) => {
        if (!line.startsWith('{')) return []
        return [JSON.parse(line) as unknown]
      })
      resolve({ lines, status, stderr, stdout })
    })
  })
}
