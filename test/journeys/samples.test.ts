/** Every sample through import, STOW-RS and browser upload: one verdict, and what toolkits expect is what is served. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import http from 'node:http'
import { join, relative } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { tagOf } from '#standards/dicom/dictionary.ts'
import { zip } from '../fixtures/programs.ts'
import { type LiveServer, startServer, temporaryDirectory } from '../live/server.ts'
import { request } from '../live/stow-client.ts'
import { importAll, isConflict, rulesOf, type Said, stowOne, uploadAll } from './doors.ts'

const root = process.env['DIPTYCH_SAMPLES'] ?? join(import.meta.dirname, '../../../shared/data')
const present = existsSync(join(root, 'EXPECTED-DICOM.tsv'))

interface JsonElement {
  readonly vr: string
  readonly Value?: readonly unknown[]
  readonly InlineBinary?: string
  readonly BulkDataURI?: string
}
type Json = Readonly<Record<string, JsonElement>>

/** A line of the error log among what the server prints when it starts. */
const FAULT = /^\{.*"level"/m

const files = present
  ? readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
      .sort()
  : []
const read = (path: string) => readFileSync(join(root, path))

function rowsOf(file: string): Readonly<Record<string, string>>[] {
  const [head = '', ...lines] = read(file).toString().trimEnd().split('\n')
  const names = head.split('\t')
  return lines.map((line) => {
    const cells = line.split('\t')
    return Object.fromEntries(names.map((name, index) => [name, cells[index] ?? '']))
  })
}

describe('samples at every door', { timeout: 120_000 }, () => {
  const folders = [1, 2, 3].map((n) => temporaryDirectory(`samples-${n}`))
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  let servers: LiveServer[] = []
  const stowed = new Map<string, Said>()
  /** Metadata as served, by the path of the sample. */
  const served = new Map<string, Json>()

  before(async () => {
    if (present) servers = await Promise.all(folders.map(({ path }) => startServer({ dataDirectory: path })))
  })
  after(async () => {
    agent.destroy()
    await Promise.all(servers.map((server) => server.stop()))
    for (const folder of folders) folder.remove()
  })

  /** A test that says so when there is nothing to test with. */
  function sample(name: string, run: (say: (line: string) => void) => Promise<void>): void {
    test(name, async (t) => {
      if (!present) {
        t.diagnostic(`no samples at ${root}: set DIPTYCH_SAMPLES`)
        t.skip('no samples')
        return
      }
      await run((line) => t.diagnostic(line))
    })
  }

  // Many samples share their SOP Instance UID: what came in is deleted again, so that no conflict hides anything.
  sample('STOW-RS takes or refuses each, serves its metadata, and forgets it again', async (say) => {
    const server = servers[0]!
    const counts: Record<string, number> = {}
    for (const path of files) {
      const { answer, said, instance } = await stowOne(agent, server, read(path))
      stowed.set(path, said)
      counts[said.verdict] = (counts[said.verdict] ?? 0) + 1
      assert.ok(!isConflict(said), `${path} meets what was deleted`)
      if (instance === null) {
        assert.ok(['quarantine', 'reject'].includes(said.verdict), `${path}: ${said.verdict}, yet not stored`)
        assert.equal(answer.status, 409, path)
        assert.ok(String(answer.headers.warning ?? '').startsWith('299 diptych'), path)
        continue
      }
      const metadata = await request(agent, `${instance}/metadata`, { headers: { accept: 'application/dicom+json' } })
      assert.equal(metadata.status, 200, path)
      const [json] = JSON.parse(metadata.body.toString()) as Json[]
      served.set(path, json!)
      const removed = await request(agent, instance, { method: 'DELETE' })
      assert.equal(removed.status, 204, `${path}: ${removed.body}`)
      assert.equal((await request(agent, `${instance}/metadata`)).status, 404, path)
    }
    assert.doesNotMatch(server.errors(), FAULT)
    say(`${files.length} files: ${JSON.stringify(counts)}`)
    assert.ok(served.size > 200, `${served.size} were stored`)
  })

  // One rule for what is no Part 10 file: STOW-RS was promised DICOM and refuses it (P0). A disc or a folder holds
  // other things too: they are passed over (`skip`), or refused where they are dangerous or unknown.
  sample('import and upload say what STOW-RS says', async (say) => {
    const imported = await importAll(servers[1]!, root)
    const members = files.map((path) => ({ name: path, content: read(path) }))
    const uploaded = await uploadAll(agent, servers[2]!, 'samples.zip', zip(members))
    const wrong: string[] = []
    let compared = 0
    for (const path of files) {
      if (path.endsWith('.zip')) continue // its members have lines, itself has none
      const stow = stowed.get(path)!
      const media = imported.get(`${root}/${path}`)
      const web = uploaded.get(`samples.zip!/${path}`)
      if (media === undefined || web === undefined) {
        wrong.push(`${path}: no line`)
        continue
      }
      if (path.startsWith('hl7v2/')) {
        // A message is no object: import and upload file it (test/journeys/hl7v2.test.ts), the other doors pass it over.
        if (web.verdict !== media.verdict) wrong.push(`${path}: ${media.verdict} by import, ${web.verdict} by upload`)
        if (stow.verdict !== 'reject') wrong.push(`${path}: STOW-RS says ${stow.verdict}`)
        continue
      }
      if (rulesOf(media) !== rulesOf(web)) wrong.push(`${path}: media ${rulesOf(media)}; web ${rulesOf(web)}`)
      const notAnObject = stow.findings.some(({ rule }) => rule === 'P0' || rule === 'dicomdir')
      for (const said of [media, web]) {
        if (notAnObject) {
          if (stow.verdict !== 'reject') wrong.push(`${path}: STOW-RS says ${stow.verdict}`)
          // A document is kept as one, or held as one; anything else is passed over.
          const kept = said.verdict === 'accept' && said.stored
          if (!kept && !['skip', 'reject', 'quarantine'].includes(said.verdict)) wrong.push(`${path}: ${said.verdict}`)
          continue
        }
        compared++
        if (rulesOf(said) !== rulesOf(stow)) wrong.push(`${path}: ${rulesOf(said)}; STOW-RS ${rulesOf(stow)}`)
        if (!isConflict(said) && said.verdict !== stow.verdict)
          wrong.push(`${path}: ${said.verdict}, STOW-RS ${stow.verdict}`)
        if (isConflict(said)) assert.equal(said.verdict, 'quarantine', path)
      }
    }
    for (const server of servers) assert.doesNotMatch(server.errors(), FAULT)
    say(`${compared} verdicts compared`)
    assert.deepEqual(wrong, [])
  })

  sample('identifiers and names are served as two toolkits read them', async (say) => {
    const columns =
      'SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID PatientID PatientName Modality AccessionNumber'
    const wrong: string[] = []
    let rows = 0
    for (const row of rowsOf('EXPECTED-DICOM.tsv')) {
      const { path = '' } = row
      const json = served.get(path)
      if (json === undefined) continue
      rows++
      for (const column of [...columns.split(' '), 'NumberOfFrames', 'Rows', 'Columns', 'BitsAllocated']) {
        const tag = (tagOf(column) ?? 0).toString(16).toUpperCase().padStart(8, '0')
        const [ours, theirs] = [textOf(json[tag]), expectedText(row[column] ?? '')]
        if (ours !== theirs) wrong.push(`${path} ${column}: ${JSON.stringify(ours)}, not ${JSON.stringify(theirs)}`)
      }
    }
    say(`${rows} rows`)
    assert.deepEqual(wrong, [])
    assert.ok(rows > 200)
  })

  sample('metadata is the DICOM JSON that is expected', async (say) => {
    const wrong: string[] = []
    let documents = 0
    for (const { source = '', expected_json: expected = '' } of rowsOf('dicom-json/EXPECTED.tsv')) {
      const ours = served.get(source)
      if (expected === '' || ours === undefined) continue
      documents++
      const parsed = JSON.parse(read(`dicom-json/${expected}`).toString()) as Json | Json[]
      const theirs = Array.isArray(parsed) ? parsed[0]! : parsed
      for (const path of differences(ours, theirs)) {
        if (!decidedByTheStandard(path, ours)) wrong.push(`${source} ${path}`)
      }
    }
    say(`${documents} documents`)
    assert.deepEqual(wrong, [])
    assert.ok(documents > 40)
  })
})

/**
 * Values as the table writes them. Two files say UN of every attribute: pydicom reads those by its dictionary, while the
 * DICOM JSON Model has the VR the object has (PS3.18 section F.2.2), and UN is binary (section F.2.7).
 */
function textOf(element: JsonElement | undefined): string {
  if (element?.vr === 'UN' && element.InlineBinary !== undefined)
    return Buffer.from(element.InlineBinary, 'base64')
      .toString('latin1')
      .replace(/[ \0]+$/, '')
  const texts = (element?.Value ?? []).map((value) => {
    if (value === null) return ''
    if (typeof value !== 'object') return String(value)
    const { Alphabetic = '', Ideographic = '', Phonetic = '' } = value as Record<string, string>
    return `${Alphabetic}=${Ideographic}=${Phonetic}`.replace(/=+$/, '')
  })
  return texts.join('\\')
}

/** pydicom shows several values as a list of Python. */
function expectedText(cell: string): string {
  if (!cell.startsWith('[')) return cell
  const values = cell.slice(1, -1).split(', ')
  return values.map((value) => (value.startsWith("'") ? value.slice(1, -1) : value)).join('\\')
}

/**
 * Where toolkits and we differ and PS3.5 allows or asks for ours: dcmtk takes trailing `^` off a name (6.2.1.1 allows
 * both, and we keep what was sent).
 */
function decidedByTheStandard(path: string, ours: Json): boolean {
  const element = ours[path.slice(1, 9)]
  return element?.vr === 'PN' && /\^+"/.test(JSON.stringify(element.Value))
}

/** Paths at which two objects of the JSON model differ. What is given by its address is compared by its presence. */
function differences(ours: Json, theirs: Json, above = ''): string[] {
  const found: string[] = []
  for (const tag of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    const [a, b] = [ours[tag], theirs[tag]]
    const path = `${above}/${tag}`
    if (a === undefined || b === undefined || a.vr !== b.vr) found.push(path)
    else if (a.BulkDataURI !== undefined) {
      if (b.InlineBinary === undefined && b.BulkDataURI === undefined && b.Value === undefined) found.push(path)
    } else if (a.vr === 'SQ') {
      const items = Math.max(a.Value?.length ?? 0, b.Value?.length ?? 0)
      for (let i = 0; i < items; i++) {
        const item = (element: JsonElement) => (element.Value?.[i] ?? {}) as Json
        found.push(...differences(item(a), item(b), `${path}/Value[${i}]`))
      }
    } else if (JSON.stringify(comparable(a)) !== JSON.stringify(comparable(b))) found.push(path)
  }
  return found
}

/** Numbers as numbers, whichever of the two forms of PS3.18 F.2.3.1 is used; FL as the float it is. */
function comparable({ vr, Value = [], InlineBinary }: JsonElement): unknown[] {
  const values = Value.map((value) => {
    if (vr === 'DS' || vr === 'IS') return value === null ? null : Number(value)
    return vr === 'FL' ? Math.fround(Number(value)) : value
  })
  return InlineBinary === undefined ? values : [...values, InlineBinary]
}
