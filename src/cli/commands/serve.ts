import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DimseServer } from '#access/dimse/dimse-server.ts'
import type { Hl7Server } from '#arrival/hl7v2-server.ts'
import type { Archive } from '../../app.ts'
import { type StartedWriter, startWriter } from '../../app-start.ts'
import type { Config } from '../../config.ts'
import { type Emit, type Flag, type Given, isSet, type OwnCommand, text, UsageError } from '../command.ts'
import { configurationFor } from '../configuration.ts'
import { lockDataDirectory } from '../data-lock.ts'
import { listenForCommands } from '../socket-server.ts'
import { auditStart, auditStop } from '../start-audit.ts'

/** Longest time requests under way have to end, in milliseconds. */
const DRAIN_MS = 8_000

const PORTS: { readonly [flag: string]: Flag } = {
  'http-port': { type: 'string', value: 'N', about: 'port of the web door; 0 any free one, off none (8080)' },
  'dimse-port': { type: 'string', value: 'N', about: 'port of the DICOM door; 0 any free one, off none (11112)' },
  'hl7-port': { type: 'string', value: 'N', about: 'port of the HL7 v2 door; 0 any free one, off none (2575)' },
}

export const serveCommand: OwnCommand = {
  runs: 'here',
  name: 'serve',
  summary: 'Run the archive',
  operands: '',
  flags: {
    ...PORTS,
    open: { type: 'boolean', about: 'no login; loopback only; for trying things out' },
    browse: { type: 'boolean', about: 'open the page in a browser' },
  },
  operandCount: [0, 0],
  more: 'Configuration: diptych.config.json and DIPTYCH_* in the environment. SIGTERM ends it within 10 s.',
  async run(dataDirectory, given, emit, signal) {
    const config = configurationFor(dataDirectory, {
      http: port(given, 'http-port'),
      dimse: port(given, 'dimse-port'),
      hl7: port(given, 'hl7-port'),
    })
    const lock = lockDataDirectory(dataDirectory)
    try {
      const writer = startWriter({ dataDirectory: lock.dataDirectory, config })
      const archive = await openBeside(writer, lock.dataDirectory, config)
      try {
        await run(archive, config, dataDirectory, given, emit, signal)
      } finally {
        await archive.close()
      }
    } finally {
      lock.release()
    }
    return 0
  },
}

/** Loads what this thread needs while the writer loads, migrates and recovers on its own. */
async function openBeside(writer: Promise<StartedWriter>, dataDirectory: string, config: Config): Promise<Archive> {
  const loaded = Promise.all([import('../../app.ts'), loadDoors()])
  // Whichever fails first is told; a writer that came up nevertheless is not left behind.
  const [[{ openArchive }]] = await Promise.all([loaded, writer]).catch(async (error: unknown) => {
    const [started] = await Promise.allSettled([writer])
    if (started.status === 'fulfilled') await started.value.worker.terminate()
    throw error
  })
  return openArchive({ dataDirectory, config, writer })
}

const loadDoors = () =>
  Promise.all([import('pino'), import('../../app-server.ts'), import('../../app-dimse.ts'), import('../../app-hl7.ts')])

async function run(
  archive: Archive,
  config: Config,
  dataDirectory: string,
  given: Given,
  emit: Emit,
  signal: AbortSignal,
): Promise<void> {
  const open = isSet(given, 'open')
  const [{ pino }, { serve }, { serveDimse }, { serveHl7 }] = await loadDoors()
  const log = pino({ level: config.log.level }, pino.destination({ dest: 2, sync: true }))
  const served = config.http.port === 'off' ? null : await serve(archive, { open, log })
  let dimse: Awaited<ReturnType<typeof serveDimse>> = null
  let hl7: Hl7Server | null = null
  const forwarder =
    archive.config.audit.syslog === undefined ? null : (await import('../../app-syslog.ts')).forwardAudit(archive, log)
  try {
    dimse = await serveDimse(archive, log)
    hl7 = await serveHl7(archive, log)
    const socket = await listenForCommands(archive.dataDirectory, archive, allCommands)
    try {
      const url = served?.http.url ?? null
      const base = config.http.publicBaseUrl ?? url
      const door = dimse === null ? null : { port: dimse.port, aeTitle: dimse.aeTitle }
      const ready = {
        event: 'ready',
        pid: process.pid,
        http: url,
        dimse: door,
        hl7: hl7 && { port: hl7.port },
        dataDirectory,
      }
      await auditStart(archive.auditor, config, open)
      await emit({ text: await greeting(archive, base, { dimse, hl7 }, open, dataDirectory) }) // with --json to stderr
      await emit({ json: ready })
      if (isSet(given, 'browse') && base !== null) browse(base)
      await untilStopped(archive, signal)
      await auditStop(archive.auditor)
      await emit({ note: 'Stopping: requests under way may end.' })
    } finally {
      await socket.close()
    }
  } finally {
    await Promise.all([served?.close(DRAIN_MS), dimse?.close(DRAIN_MS), hl7?.close(DRAIN_MS)])
    // Last: what was audited until now still goes out, if the server takes it.
    await archive.auditor.flush(true)
    await forwarder?.close(SYSLOG_DRAIN_MS)
  }
}

/** Commands that others may ask for: loaded with the first of them, not with the server. */
const allCommands = async () => (await import('../commands.ts')).archiveCommands

/** Time for the last audit messages at the end, in milliseconds; the rest is sent at the next start. */
const SYSLOG_DRAIN_MS = 2_000

/** How often the writer is asked whether it is there, in milliseconds. */
const WATCH_MS = 5_000

/**
 * Resolves when the process is told to stop.
 * @throws what ended the writer: nothing can be stored any more, so whoever supervises us should start us anew
 */
async function untilStopped(archive: Archive, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await archive.writer.status()
    await sleep(WATCH_MS, undefined, { signal }).catch((error: Error) => {
      if (error.name !== 'AbortError') throw error
    })
  }
}

async function greeting(
  archive: Archive,
  base: string | null,
  doors: { readonly dimse: DimseServer | null; readonly hl7: Hl7Server | null },
  open: boolean,
  data: string,
): Promise<string> {
  const lines: string[] = []
  if (base === null) lines.push('The web door is off.')
  else {
    if (open) lines.push('OPEN MODE: no login, loopback only. For trying things out, never for patients.')
    else if (archive.accounts.setupNeeded()) {
      const token = await archive.accounts.beginSetup()
      if (token !== undefined) lines.push(`Set-up:    ${base}/#/setup/${token}`)
    }
    lines.push(`Pages:     ${base}/`, `DICOMweb:  ${base}/dicom-web`, `FHIR:      ${base}/fhir`)
  }
  lines.push(
    `DIMSE:     ${dimseAddress(archive.config, doors.dimse)}`,
    `HL7 v2:    ${hl7Address(doors.hl7)}`,
    `Data:      ${data}`,
  )
  return lines.join('\n')
}

/** Where the HL7 v2 door is. */
function hl7Address(hl7: Hl7Server | null): string {
  if (hl7 === null) return 'off'
  const ports = [hl7.port ?? [], hl7.tlsPort === null ? [] : `${hl7.tlsPort} (TLS)`].flat()
  return ports.map((port) => `${hl7.host}:${port}`).join(' and ')
}

/** Where the DICOM door is and under which title. */
function dimseAddress({ dimse: { host } }: Config, dimse: DimseServer | null): string {
  if (dimse === null) return 'off'
  const ports = [dimse.port ?? [], dimse.tlsPort === null ? [] : `${dimse.tlsPort} (TLS)`].flat()
  return `${dimse.aeTitle} at ${ports.map((port) => `${host}:${port}`).join(' and ')}`
}

/** @throws UsageError for anything but a port number or `off` */
function port(given: Given, flag: string): { readonly port?: number | 'off' } {
  const value = text(given, flag)
  if (value === undefined) return {}
  if (value === 'off') return { port: 'off' }
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65535) {
    throw new UsageError(`--${flag} wants a port number or off, not ${value}`)
  }
  return { port: Number(value) }
}

/** The address is ours, and goes as an argument: no shell reads it. */
function browse(url: string): void {
  const program = process.platform === 'darwin' ? 'open' : process.platform === 'win32' ? 'explorer' : 'xdg-open'
  const child = spawn(program, [url], { stdio: 'ignore', detached: true })
  child.on('error', () => process.stderr.write(`Open ${url} in a browser.\n`))
  child.unref()
}
