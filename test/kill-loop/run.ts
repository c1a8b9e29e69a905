/**
 * Kills the server at random moments while several senders store, and checks that what it acknowledged is there.
 *
 *     node test/kill-loop/run.ts --cycles 100 [--seed 1] [--json]
 *
 * Senders by STOW-RS, by import, and by C-STORE over four associations, one of them with an asynchronous window.
 * The ledger of acknowledgements lives in this process. After each restart every acknowledged object is found by
 * QIDO-RS and its bytes equal what was sent; nothing that was not acknowledged is there half. threats.md K1.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { StoreClient, StoreClientError } from '../live/store-client.ts'
import { request, stow } from '../live/stow-client.ts'
import { tinyObject } from '../live/tiny-object.ts'

export interface KillReport {
  readonly cycles: number
  readonly acknowledged: number
  /** Of these, by C-STORE. */
  readonly byCStore: number
  readonly unacknowledged: number
  readonly lost: readonly string[]
  readonly damaged: readonly string[]
  readonly verify: unknown
  readonly seconds: number
}

interface Sent {
  readonly study: string
  readonly series: string
  readonly instance: string
  /** Digest of the data set: everything after the head of the file. */
  readonly dataSet: string
  acknowledged: boolean
  byCStore: boolean
}

const SENDERS = 3
const ASSOCIATIONS = 4

export async function killLoop(options: {
  cycles: number
  seed: number
  say(line: string): void
}): Promise<KillReport> {
  const began = Date.now()
  const random = generator(options.seed)
  const folder = temporaryDirectory('kill')
  const ledger: Sent[] = []
  const lost: string[] = []
  const damaged: string[] = []
  let serial = 0
  const next = (): { bytes: Buffer; sent: Sent } => {
    serial++
    const study = `2.25.77${options.seed}${Math.floor(serial / 50)}`
    const sent = { study, series: `${study}.1`, instance: `2.25.88${options.seed}.${serial}` }
    const bytes = tinyObject({
      sopInstanceUID: sent.instance,
      studyInstanceUID: study,
      seriesInstanceUID: sent.series,
      number: serial,
      side: serial % 5 === 0 ? 128 : 0,
    })
    const entry: Sent = { ...sent, dataSet: dataSetDigest(bytes), acknowledged: false, byCStore: false }
    ledger.push(entry)
    return { bytes, sent: entry }
  }

  try {
    for (let cycle = 0; cycle < options.cycles; cycle++) {
      const server = await startServer({ dataDirectory: folder.path, args: ['--dimse-port', '0'] })
      const agent = new http.Agent({ keepAlive: true, maxSockets: SENDERS + 1 })
      const from = Math.max(0, ledger.length - 400)
      await check(agent, server.url, ledger.slice(from), lost, damaged)
      let over = false
      const senders = Array.from({ length: SENDERS }, async (_, sender) => {
        while (!over) {
          const batch = Array.from({ length: 1 + Math.floor(random() * 6) }, next)
          if (sender === 0 && cycle % 2 === 1) await importBatch(folder.path, cycle, batch)
          else await stowBatch(agent, server.url, batch)
        }
      })
      const port = server.dimse?.port ?? 0
      for (let n = 0; n < ASSOCIATIONS; n++) senders.push(cStoreUntil(() => over, port, n === 0 ? 8 : 1, next))
      await new Promise((resolve) => setTimeout(resolve, 80 + random() * 700))
      over = true
      await server.kill()
      await Promise.all(senders)
      agent.destroy()
      const kept = ledger.filter(({ acknowledged }) => acknowledged).length
      options.say(
        `cycle ${cycle + 1}/${options.cycles}: ${kept} of ${ledger.length} acknowledged, ${lost.length} lost, ${damaged.length} damaged`,
      )
    }
    const server = await startServer({ dataDirectory: folder.path })
    const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
    await check(agent, server.url, ledger, lost, damaged)
    agent.destroy()
    await server.stop()
    const verified = await runCommand(['verify', '--data', folder.path, '--json'])
    return {
      cycles: options.cycles,
      acknowledged: ledger.filter(({ acknowledged }) => acknowledged).length,
      byCStore: ledger.filter(({ acknowledged, byCStore }) => acknowledged && byCStore).length,
      unacknowledged: ledger.filter(({ acknowledged }) => !acknowledged).length,
      lost: [...new Set(lost)],
      damaged: [...new Set(damaged)],
      verify: verified.lines.at(-1) ?? null,
      seconds: Math.round((Date.now() - began) / 1000),
    }
  } finally {
    folder.remove()
  }
}

async function stowBatch(
  agent: http.Agent,
  url: string,
  batch: readonly { bytes: Buffer; sent: Sent }[],
): Promise<void> {
  let answer: Awaited<ReturnType<typeof stow>>
  try {
    answer = await stow(
      agent,
      `${url}/dicom-web`,
      batch.map(({ bytes }) => bytes),
    )
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 10))
    return // the server was killed under this request: nothing was acknowledged
  }
  if (answer.status !== 200 && answer.status !== 202)
    throw new Error(`STOW-RS answered ${answer.status}: ${answer.body.toString()}`)
  const told = JSON.parse(answer.body.toString()) as { '00081199'?: { Value: { '00081155': { Value: string[] } }[] } }
  const stored = new Set((told['00081199']?.Value ?? []).map((item) => item['00081155'].Value[0]))
  for (const { sent } of batch) if (stored.has(sent.instance)) sent.acknowledged = true
}

const EXPLICIT_LE = '1.2.840.10008.1.2.1'
const CLASSES = ['1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.5.1.4.1.1.88.11']

/** One association, with so many C-STOREs under way, until the server is gone. */
async function cStoreUntil(
  over: () => boolean,
  port: number,
  window: number,
  next: () => { bytes: Buffer; sent: Sent },
): Promise<void> {
  try {
    const contexts = CLASSES.map((sopClass) => ({ sopClass, transferSyntaxes: [EXPLICIT_LE] }))
    const client = await StoreClient.open({ port, contexts, ...(window > 1 ? { invoked: window } : {}) })
    await Promise.all(
      Array.from({ length: window }, async () => {
        while (!over()) {
          const { bytes, sent } = next()
          sent.byCStore = true
          const start = dataSetStart(bytes)
          const sopClass = bytes.subarray(0, start).includes(CLASSES[1] ?? '') ? CLASSES[1] : CLASSES[0]
          const answer = await client.store(sopClass ?? '', EXPLICIT_LE, sent.instance, bytes.subarray(start))
          if (answer.status !== 0) throw new Error(`C-STORE answered ${answer.status.toString(16)}: ${answer.comment}`)
          sent.acknowledged = true
        }
      }),
    )
    client.destroy()
  } catch (error) {
    // The server was killed under this association: what was not answered was not acknowledged.
    if (!(error instanceof StoreClientError)) throw error
  }
}

async function importBatch(
  data: string,
  cycle: number,
  batch: readonly { bytes: Buffer; sent: Sent }[],
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), `diptych-kill-import-${cycle}-`))
  for (const { bytes, sent } of batch) writeFileSync(join(folder, sent.instance), bytes)
  const { stdout } = await runCommand(['import', folder, '--data', data, '--json'])
  rmSync(folder, { recursive: true, force: true })
  for (const line of stdout.split('\n')) {
    // The line under which the server died may be cut short: it acknowledges nothing.
    if (!line.startsWith('{') || !line.endsWith('}')) continue
    const told = JSON.parse(line) as { stored?: boolean; sopInstanceUid?: string }
    const match = batch.find(({ sent }) => sent.instance === told.sopInstanceUid)
    if (match !== undefined && told.stored === true) match.sent.acknowledged = true
  }
}

async function check(
  agent: http.Agent,
  url: string,
  ledger: readonly Sent[],
  lost: string[],
  damaged: string[],
): Promise<void> {
  for (const sent of ledger) {
    const path = `${url}/dicom-web/studies/${sent.study}/series/${sent.series}/instances/${sent.instance}`
    const answer = await request(agent, path, { headers: { Accept: 'application/dicom; transfer-syntax=*' } })
    if (answer.status === 404) {
      if (sent.acknowledged) lost.push(sent.instance)
      continue
    }
    if (answer.status !== 200 || dataSetDigest(answer.body) !== sent.dataSet)
      damaged.push(`${sent.instance} (${answer.status})`)
    const found = await request(agent, `${url}/dicom-web/instances?SOPInstanceUID=${sent.instance}`)
    if (found.status !== 200) damaged.push(`${sent.instance} is readable and not searchable`)
  }
}

/** Digest of what follows group 0002, whose length stands in its first element. */
function dataSetDigest(file: Buffer): string {
  return createHash('sha256')
    .update(file.subarray(dataSetStart(file)))
    .digest('hex')
}

function dataSetStart(file: Buffer): number {
  return 144 + file.readUInt32LE(140)
}

function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      cycles: { type: 'string', default: '100' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
    },
  })
  const report = await killLoop({
    cycles: Number(values.cycles),
    seed: Number(values.seed),
    say: (line) => process.stderr.write(`${line}\n`),
  })
  process.stdout.write(`${JSON.stringify(report, null, values.json ? 0 : 2)}\n`)
  process.exitCode = report.lost.length + report.damaged.length === 0 ? 0 : 1
}
