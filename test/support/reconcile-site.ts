/** One site for one test file: an archive over HTTP in this process, discs from elsewhere, messages of its own hospital. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseKey } from '#access/dimse/scu/identifiers.ts'
import { find } from '#access/dimse/scu/query.ts'
import { loadConfig } from '#config.ts'
import type { ImportItem } from '#model/identity.ts'
import type { Peer } from '#model/peer.ts'
import type { StudyReconciliation } from '#model/reconciliation.ts'
import { memorySource } from '#standards/byte-source.ts'
import { readDataSet, string } from '#standards/dicom/data-set.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { type Archive, openArchive } from '../../src/app.ts'
import { serveDimse } from '../../src/app-dimse.ts'
import { type Served, serve } from '../../src/app-server.ts'
import { importCommand } from '../../src/cli/commands/import.ts'
import { type Elements, part10 } from '../fixtures/dicom-builder.ts'
import { ctSeries, STUDY } from '../fixtures/objects.ts'
import { temporaryDirectory } from '../live/server.ts'

export const place = temporaryDirectory('reconcile')
/** The archive of this test file; opened anew by start. */
export let archive: Archive
let served: Served
let dimse: Awaited<ReturnType<typeof serveDimse>>

export async function start(): Promise<void> {
  const config = loadConfig({ environment: {}, given: { http: { port: 0 }, dimse: { port: 0 } } })
  mkdirSync(join(place.path, 'data'), { recursive: true })
  archive = await openArchive({ dataDirectory: join(place.path, 'data'), config })
  served = await serve(archive, {
    open: true,
    log: { error: (about, text) => process.stderr.write(`${text} ${JSON.stringify(about)}\n`) },
  })
  dimse = await serveDimse(archive, {
    error: (about, text) => void process.stderr.write(`${text} ${JSON.stringify(about)}\n`),
  })
}

export async function stop(): Promise<void> {
  await dimse?.close(500)
  await served.close(1000)
  await archive.close()
}

/** The disc: another hospital's number, another spelling of the name, no issuer anywhere. */
export function disc(
  name: string,
  over: Partial<typeof STUDY> = {},
  more: Elements = {},
): { folder: string; files: Buffer[]; study: string } {
  const study = {
    ...STUDY,
    patientName: 'Müller^Anna',
    patientId: '000123',
    issuer: '',
    birthDate: '19710412',
    sex: 'F',
    accessionNumber: 'FOREIGN-7',
    description: 'CT Thorax',
    name,
    ...over,
  } as const
  const files = ctSeries(2, 16, study).map((elements) => Buffer.from(part10({ elements: { ...elements, ...more } })))
  const folder = join(place.path, name)
  mkdirSync(folder)
  files.forEach((file, at) => {
    writeFileSync(join(folder, `I${at}`), file)
  })
  const [first] = files
  assert.ok(first)
  return { folder, files, study: uidOf(first, 0x0020000d) }
}

export function dataSetOf(file: Uint8Array) {
  const opened = openPart10(memorySource(file))
  return readDataSet(opened.dataSet, opened.encoding)
}

export function uidOf(file: Uint8Array, tag: number): string {
  return string(dataSetOf(file), tag) ?? ''
}

/** What `import` says at its end. */
export interface ImportSummary {
  readonly stored: number
  readonly duplicates: number
  readonly quarantined: number
  readonly reconciliation: readonly StudyReconciliation[]
}

export async function importDisc(
  folder: string,
  flags: Record<string, string> = {},
): Promise<readonly StudyReconciliation[]> {
  return (await imported(folder, flags)).reconciliation
}

export async function imported(folder: string, flags: Record<string, string> = {}): Promise<ImportSummary> {
  const told: unknown[] = []
  const given = { flags: { medium: 'disc', ...flags }, positionals: [folder], workingDirectory: place.path }
  await importCommand.run(
    archive,
    given,
    ({ json }) => void (json === undefined || told.push(json)),
    new AbortController().signal,
  )
  return (told.at(-1) as { summary: ImportSummary }).summary
}

let messages = 0
export async function hl7(type: string, segments: readonly string[]): Promise<void> {
  messages += 1
  const head = `MSH|^~\\&|RIS|HOSP|DIPTYCH|HOSP|20261124080000||${type}|M${messages}|P|2.5.1|||AL|NE||UNICODE UTF-8`
  const bytes = new Uint8Array(Buffer.from(`${[head, ...segments].join('\r')}\r`))
  const answer = await archive.messageDesk.receive({
    bytes,
    door: 'mllp',
    address: '127.0.0.1',
    certificate: null,
    time: new Date().toISOString(),
  })
  assert.ok(['AA', 'CA'].includes(answer.record?.acknowledgement ?? ''), answer.record?.error ?? 'no record')
}

export const pid = (id: string, name: string, birth: string, sex: string) =>
  `PID|1||${id}^^^HOSP^MR||${name}||${birth}|${sex}`
export const order = (accession: string, uid = '') => [
  'ORC|NW|P-1^RIS|F-1^RIS||SC',
  `OBR|1|P-1^RIS|F-1^RIS|IMPCT^Import of foreign CT^99HOSP||||||||||||||${accession}|RP-1|S-1||||CT|||1^once^^20261124^^R`,
  ...(uid === '' ? [] : [`ZDS|${uid}^RIS^Application^DICOM`]),
]

export async function get(path: string): Promise<{ status: number; json: unknown }> {
  const answer = await fetch(`${served.http.url}${path}`, {
    headers: { accept: 'application/json, application/dicom+json' },
  })
  const text = await answer.text()
  return { status: answer.status, json: text === '' ? null : (JSON.parse(text) as unknown) }
}

export async function post<T>(path: string, body: object): Promise<{ status: number; json: T }> {
  const answer = await fetch(`${served.http.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: answer.status, json: (await answer.json()) as T }
}

export type Row = { readonly [tag: string]: { readonly Value?: readonly unknown[] } }

/** Study Instance UIDs that QIDO-RS finds. */
export async function found(query: string): Promise<string[]> {
  const { json } = await get(`/dicom-web/studies?${query}`)
  return ((json ?? []) as Row[]).map((row) => String(row['0020000D']?.Value?.[0]))
}

/** Studies that C-FIND finds, with what it says of each. */
export function cFind(...keys: readonly string[]): Promise<readonly Row[]> {
  return cFindAt('STUDY', ...keys)
}

/** What C-FIND answers at a level: patients in the Patient Root, the rest in the Study Root. */
export async function cFindAt(level: 'PATIENT' | 'STUDY', ...keys: readonly string[]): Promise<readonly Row[]> {
  const peer: Peer = {
    aeTitle: archive.config.dimse.aeTitle,
    host: '127.0.0.1',
    port: dimse?.port ?? 0,
    allow: [],
    originator: null,
    tls: false,
    certificates: [],
    addresses: [],
    callingAeTitle: null,
    sopClasses: null,
    moveDestinations: null,
    associationsMax: 4,
  }
  const question = {
    root: level === 'PATIENT' ? 'patient' : 'study',
    level,
    keys: keys.map(parseKey),
    relational: false,
    fuzzy: false,
    limit: 100,
  } as const
  const rows: Row[] = []
  for await (const row of find(archive.exchange.connector, peer, question, AbortSignal.timeout(20_000))) {
    rows.push(row as Row)
  }
  return rows
}

export async function metadata(study: string): Promise<readonly Row[]> {
  const { status, json } = await get(`/dicom-web/studies/${study}/metadata`)
  assert.equal(status, 200)
  return json as Row[]
}

/** Instances as WADO-RS sends them, by SOP Instance UID. */
export async function instances(study: string): Promise<Map<string, Buffer>> {
  const out = new Map<string, Buffer>()
  for (const row of await metadata(study)) {
    const [series, instance] = ['0020000E', '00080018'].map((tag) => String(row[tag]?.Value?.[0]))
    const path = `/dicom-web/studies/${study}/series/${series}/instances/${instance}`
    const answer = await fetch(`${served.http.url}${path}`, {
      headers: { accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' },
    })
    assert.equal(answer.status, 200)
    const body = Buffer.from(await answer.arrayBuffer())
    const start = body.indexOf('\r\n\r\n') + 4
    out.set(String(instance), body.subarray(start, body.lastIndexOf('\r\n--')))
  }
  return out
}

export async function settled(): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (archive.jobs.openKinds().every((kind) => !kind.startsWith('reconcile'))) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  assert.fail('reconciliation does not end')
}

export async function item(study: string, state: 'open' | 'decided'): Promise<ImportItem> {
  const { json } = await get(`/api/v1/import-worklist?state=${state}&limit=1000`)
  const one = (json as { items: ImportItem[] }).items.find(({ studyInstanceUID }) => studyInstanceUID === study)
  assert.ok(one, `no ${state} item of ${study}`)
  return one
}

export const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
export const bodyOf = (file: Uint8Array) => sha(file.subarray(openPart10(memorySource(file)).dataSetStart))

export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}
