/** A small archive of memory adapters behind the real HTTP server: for tests of the DICOMweb doors. */
import { createHash, randomUUID } from 'node:crypto'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { retrieveRoutes } from '#access/dicomweb/retrieve-routes.ts'
import type { Damage } from '#access/dicomweb/stored-files.ts'
import { RenderPool } from '#access/rendering/render-pool.ts'
import { loadConfig } from '#config.ts'
import { openDatabase } from '#index/sqlite/database.ts'
import { migrate } from '#index/sqlite/migrate.ts'
import { createSqliteReader } from '#index/sqlite/reader.ts'
import { createSqliteWriter } from '#index/sqlite/writer.ts'
import type { NewInstance } from '#model/archive-object.ts'
import type { ArrivalRecord } from '#model/arrival.ts'
import type { Deletions } from '#model/intake.ts'
import type { Route } from '#model/route.ts'
import { OPEN } from '#security/authenticate.ts'
import { memorySource } from '#standards/byte-source.ts'
import { readDataSet, string } from '#standards/dicom/data-set.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { openMemorySegments } from '#storage/memory-segments.ts'
import { buildHttp } from '../../src/access/http-server.ts'
import { extract } from '../../src/intake/extract.ts'

/** An answer with its body. */
export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

export interface Kept {
  readonly study: string
  readonly series: string
  readonly instance: string
  /** Path of the instance below the host. */
  readonly path: string
  readonly sha256: string
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** @param more further routes, made once the archive is there */
export async function memoryArchive(more: (keep: (file: Uint8Array) => Promise<Kept>) => readonly Route[] = () => []) {
  const db = openDatabase(':memory:')
  migrate(db)
  const writer = createSqliteWriter(db)
  const reader = createSqliteReader(db)
  const segments = openMemorySegments()
  const damages: Damage[] = []
  const audited: { kind: string; studyInstanceUID?: string | undefined; count?: number | undefined }[] = []
  const deletions: Deletions = { delete: async (deletion) => writer.delete(deletion).length }
  const logged: string[] = []
  /** Objects whose stored bytes read wrong. */
  const rotten = new Set<string>()

  async function keep(file: Uint8Array): Promise<Kept> {
    const opened = openPart10(memorySource(file))
    const dataSet = readDataSet(opened.dataSet, opened.encoding)
    const uid = (tag: number) => string(dataSet, tag) ?? ''
    const uids = {
      sopClassUID: uid(0x00080016),
      sopInstanceUID: uid(0x00080018),
      studyInstanceUID: uid(0x0020000d),
      seriesInstanceUID: uid(0x0020000e),
    }
    const extracted = extract(opened, uids, { zone: null, siteZone: 'UTC' })
    const kept = sha256(file)
    const [location] = await segments.append([{ name: `${kept}.dcm`, content: [file] }], 'default')
    const scan = { status: 'not-scanned', engine: null, signatures: null, coverage: null } as const
    const time = new Date().toISOString()
    const arrival: ArrivalRecord = {
      id: randomUUID(),
      sha256: kept,
      size: file.byteLength,
      door: 'stow',
      peer: null,
      originator: null,
      user: null,
      address: null,
      medium: null,
      path: null,
      time,
      verdict: 'accept',
      reason: 'kept',
      findings: [],
      scan,
      sopInstanceUid: uids.sopInstanceUID,
      objectId: kept.slice(0, 32),
      quarantineId: null,
    }
    const instance: NewInstance = {
      ...extracted,
      ...uids,
      location: location!,
      record: {
        format: 1,
        objectId: kept.slice(0, 32),
        version: 1,
        sopInstanceUID: uids.sopInstanceUID,
        digests: { arrived: kept, dataSet: sha256(file.subarray(opened.dataSetStart)), kept },
        dataSetOffset: opened.dataSetStart,
        patient: { patientId: 'p1', issuer: 'TEST', id: '1', issuerAssumed: false },
        arrival,
        arrivedHead: null,
        arrivedTail: null,
        verdict: 'accept',
        findings: [],
        scan,
        placement: { rule: 'test', ruleVersion: 1, panel: 'image', form: 'as-received', facts: {}, alternatives: [] },
        time,
      },
    }
    writer.commit({ instances: [instance], arrivals: [arrival], flushed: null })
    const { studyInstanceUID: study, seriesInstanceUID: series, sopInstanceUID } = uids
    const path = `/dicom-web/studies/${study}/series/${series}/instances/${sopInstanceUID}`
    return { study, series, instance: sopInstanceUID, path, sha256: kept }
  }

  const rendering = new RenderPool({ threads: 1 })
  const routes: Route[] = [
    ...retrieveRoutes({
      reader,
      rendering,
      segments: {
        async read(at, range) {
          const bytes = await segments.read(at, range)
          const [first] = bytes ?? []
          if (bytes === undefined || first === undefined || !rotten.has(`${at.segment}:${at.offset}`)) return bytes
          const copy = Uint8Array.from(bytes)
          copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1
          return copy
        },
      },
      deletions,
      deletionGraceDays: () => 30,
      damaged: (damage) => damages.push(damage),
    }),
    ...more(keep),
  ]
  const { app, stop } = buildHttp({
    config: loadConfig({}),
    routes,
    authenticate: async () => ({ is: 'subject', subject: OPEN, by: 'open' }),
    auditor: {
      async record(_subject, { kind, studyInstanceUID, count }) {
        audited.push({ kind, studyInstanceUID: studyInstanceUID ?? undefined, count })
      },
    },
    log: { error: (_about, message) => logged.push(message) },
    open: true,
    authenticationReady: true,
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const root = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  const agent = new http.Agent({ keepAlive: true })

  return {
    root,
    keep,
    reader,
    damages,
    audited,
    logged,
    /** From now on one bit of what is read of this object is wrong. */
    async rot({ study, series, instance }: Kept) {
      const scope = { studyInstanceUID: study, seriesInstanceUID: series, sopInstanceUID: instance }
      const found = await reader.instance(scope, { sees: 'all' })
      rotten.add(`${found?.location.segment}:${found?.location.offset}`)
    },
    get: (path: string, headers: http.OutgoingHttpHeaders = {}) => ask(agent, root + path, { headers }),
    ask: (path: string, options: Parameters<typeof ask>[2]) => ask(agent, root + path, options),
    async close() {
      agent.destroy()
      await app.close()
      await rendering.close()
      stop()
      db.close()
    },
  }
}

/** One request with nothing in between: no redirects, no decoding. */
export function ask(
  agent: http.Agent,
  url: string,
  options: { method?: string; headers?: http.OutgoingHttpHeaders; body?: readonly Uint8Array[] },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {} } = options
    const request = http.request(url, { agent, method, headers }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
      )
      answer.on('error', reject)
      answer.on('aborted', () => reject(new Error('the answer was cut')))
    })
    request.on('error', reject)
    for (const piece of options.body ?? []) request.write(piece)
    request.end()
  })
}

/** Parts of a multipart answer, read by a few lines that share nothing with the reader in src. */
export function partsOf(answer: Answer): { headers: { [name: string]: string }; body: Buffer }[] {
  const boundary = /boundary=([^;]+)/.exec(answer.headers['content-type'] ?? '')?.[1] ?? ''
  const text = answer.body.toString('latin1')
  if (!text.endsWith(`\r\n--${boundary}--\r\n`)) throw new Error('no closing boundary')
  return `\r\n${text}`
    .split(`\r\n--${boundary}`)
    .slice(1, -1)
    .map((part) => {
      const end = part.indexOf('\r\n\r\n')
      const headers = part
        .slice(2, end)
        .split('\r\n')
        .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)])
      return { headers: Object.fromEntries(headers), body: Buffer.from(part.slice(end + 4), 'latin1') }
    })
}
