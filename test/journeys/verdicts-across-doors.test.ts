/**
 * Hostile, odd and contradictory files through every door: one verdict; what is held is nowhere to be found; and a person's
 * decision over HTTP does what contract.md says.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { memorySource } from '#standards/byte-source.ts'
import { readDataSet, string } from '#standards/dicom/data-set.ts'
import { DicomError } from '#standards/dicom/errors.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { part10 } from '../fixtures/dicom-builder.ts'
import { CONTRADICTORY, HARMLESS, HOSTILE } from '../fixtures/hostile.ts'
import { pdfObject } from '../fixtures/objects.ts'
import { PDFS } from '../fixtures/pdf.ts'
import { zip } from '../fixtures/programs.ts'
import { staleTiffPreamble, tiffSlide } from '../fixtures/slides.ts'
import { type LiveServer, startServer, temporaryDirectory } from '../live/server.ts'
import { type Answer, request } from '../live/stow-client.ts'
import { cStoreOne, importAll, isConflict, rulesOf, type Said, stowOne, uploadAll } from './doors.ts'

const FILES = new Map<string, Buffer>([
  ...files('hostile', HOSTILE),
  ...files('harmless', HARMLESS),
  ...files('contradictory', CONTRADICTORY),
  ...files(
    'pdf',
    Object.fromEntries(
      Object.entries(PDFS).map(([name, make]) => [name, () => part10({ elements: pdfObject(make()) })]),
    ),
  ),
  ...files('slide', {
    classic: () => tiffSlide(),
    big: () => tiffSlide({ big: true, byteOrder: 'MM' }),
    jpeg: () => tiffSlide({ tiles: 'jpeg' }),
    'two-sizes': () => tiffSlide({ mutate: (tiff) => ({ ...tiff, width: tiff.width + 1 }) }),
    stale: () => part10({ elements: pdfObject(), preamble: staleTiffPreamble() }),
  }),
])

function files(group: string, makers: { readonly [name: string]: () => Buffer }): [string, Buffer][] {
  return Object.entries(makers).map(([name, make]) => [`${group}/${name}`, make()])
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Rules about preamble and File Meta, which a data set that comes alone does not have. */
const OF_THE_HEAD = /^(P\d|M[1-6]$|TIFF)/

const withoutHead = (said: Said): Said => ({
  ...said,
  findings: said.findings.filter(({ rule }) => !OF_THE_HEAD.test(rule)),
})

/** Files that cannot come by C-STORE, and why; every other one is sent. */
const NOT_BY_DIMSE: { readonly [path: string]: string } = {
  'contradictory/no-prefix': 'the fault is the prefix, which does not travel',
  'contradictory/too-short': 'there is no data set',
  'contradictory/bare-data-set': 'a data set alone is what every C-STORE sends',
  'contradictory/meta-too-large': 'the fault is group 0002, which does not travel',
  'contradictory/unknown-transfer-syntax': 'no presentation context is accepted for it',
  'contradictory/letters-in-uid': 'a command with such a SOP Instance UID is answered 0117',
  'contradictory/path-in-uid': 'a command with such a SOP Instance UID is answered 0117',
}

/** Files whose data set alone is something else than behind its head. */
const OTHER_ALONE: { readonly [path: string]: string } = {
  'hostile/pe-out-of-order': 'tags out of order are held beside the header of a program and noted without one (M10)',
  'slide/classic': 'without the TIFF header its trailing padding is padding, which is removed (B3)',
  'slide/big': 'without the TIFF header its trailing padding is padding, which is removed (B3)',
  'slide/jpeg': 'without the TIFF header its trailing padding is padding, which is removed (B3)',
}

/** B5 is noted where anybody may come, which is not at a door of registered peers. */
const withoutDoorRules = (said: Said): Said => ({
  ...said,
  findings: said.findings.filter(({ rule }) => rule !== 'B5'),
})

/** Found by the virus scanner only, which these servers do not have: test/servers/clamd.test.ts. */
const needsScanner = (path: string) => path.includes('eicar')

describe('verdicts across doors', { timeout: 120_000 }, () => {
  const folders = [1, 2, 3].map((n) => temporaryDirectory(`verdicts-${n}`))
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  const stowed = new Map<string, Said>()
  let servers: LiveServer[] = []

  before(async () => {
    servers = await Promise.all(folders.map(({ path }) => startServer({ dataDirectory: path })))
    for (const [path, bytes] of FILES) {
      const { said, instance } = await stowOne(agent, servers[0]!, bytes)
      stowed.set(path, said)
      // Most share one UID: what came in goes again, so that no conflict hides a verdict.
      if (instance !== null) assert.equal((await request(agent, instance, { method: 'DELETE' })).status, 204, path)
    }
  })
  after(async () => {
    agent.destroy()
    await Promise.all(servers.map((server) => server.stop()))
    for (const folder of folders) folder.remove()
  })

  const ask = (path: string, options: { method?: string; json?: unknown } = {}): Promise<Answer> =>
    request(agent, servers[0]!.url + path, {
      method: options.method ?? 'GET',
      headers: { accept: '*/*', ...(options.json === undefined ? {} : { 'content-type': 'application/json' }) },
      body: options.json === undefined ? [] : [Buffer.from(JSON.stringify(options.json))],
    })
  const decide = (path: string, how: string, json: unknown) =>
    ask(`/api/v1/quarantine/${stowed.get(path)?.quarantineId}/${how}`, { method: 'POST', json })

  test('import, STOW-RS and upload say the same', async (t) => {
    const disc = join(folders[1]!.path, 'disc')
    for (const [path, bytes] of FILES) {
      mkdirSync(join(disc, path, '..'), { recursive: true })
      writeFileSync(join(disc, path), bytes)
    }
    const imported = await importAll(servers[1]!, disc)
    const members = [...FILES].map(([name, content]) => ({ name, content }))
    const uploaded = await uploadAll(agent, servers[2]!, 'disc.zip', zip(members))
    const wrong: string[] = []
    const counts: Record<string, number> = {}
    for (const path of FILES.keys()) {
      const stow = stowed.get(path)!
      counts[stow.verdict] = (counts[stow.verdict] ?? 0) + 1
      for (const [door, said] of [
        ['import', imported.get(`${disc}/${path}`)],
        ['upload', uploaded.get(`disc.zip!/${path}`)],
      ] as const) {
        if (said === undefined) wrong.push(`${path}: no line from ${door}`)
        else if (rulesOf(said) !== rulesOf(stow)) wrong.push(`${path}: ${door} ${rulesOf(said)}; STOW ${rulesOf(stow)}`)
        else if (!isConflict(said) && said.verdict !== stow.verdict) wrong.push(`${path}: ${door} ${said.verdict}`)
      }
    }
    t.diagnostic(JSON.stringify(counts))
    assert.deepEqual(wrong, [])
  })

  test('C-STORE says the same of every data set: only what stood before it is not there', async (t) => {
    const folder = temporaryDirectory('verdicts-dimse')
    const server = await startServer({ dataDirectory: folder.path, args: ['--dimse-port', '0'] })
    const wrong: string[] = []
    const left: Record<string, string[]> = {}
    let [compared, behindHead] = [0, 0]
    try {
      for (const [path, bytes] of FILES) {
        const reason = NOT_BY_DIMSE[path]
        const sent = await cStoreOne(agent, server, bytes)
        if (sent === null) {
          if (reason === undefined) wrong.push(`${path}: does not travel, and nobody says why`)
          else left[reason] = [...(left[reason] ?? []), path]
          continue
        }
        if (reason !== undefined) wrong.push(`${path}: travels, and is said not to`)
        const stow = stowed.get(path)!
        if (sent.said.stored !== (sent.status === 0 || sent.status === 0xb006)) wrong.push(`${path}: ${sent.status}`)
        if (sent.instance !== null) await request(agent, sent.instance, { method: 'DELETE' })
        compared++
        const ofHead = stow.findings.some(({ rule }) => OF_THE_HEAD.test(rule))
        if (ofHead) behindHead++
        const [here, there] = [rulesOf(withoutHead(sent.said)), rulesOf(withoutHead(withoutDoorRules(stow)))]
        if ((here === there) === path in OTHER_ALONE) wrong.push(`${path}: ${here}; STOW ${there}`)
        // What the head alone was held for is not held without it: then the verdict is another, as it has to be.
        else if (!ofHead && !isConflict(sent.said) && !isConflict(stow) && sent.said.verdict !== stow.verdict)
          wrong.push(`${path}: C-STORE ${sent.said.verdict}, STOW ${stow.verdict}`)
      }
    } finally {
      await server.stop()
      folder.remove()
    }
    t.diagnostic(
      `${compared} of ${FILES.size} compared, ${behindHead} of them without their head: ${JSON.stringify(left)}`,
    )
    assert.deepEqual(wrong, [])
  })

  test('what is hostile is held, what is harmless comes in', () => {
    for (const [path, said] of stowed) {
      const bad = said.verdict === 'quarantine' || said.verdict === 'reject'
      if (path.startsWith('hostile/') && !needsScanner(path)) assert.ok(bad, `${path}: ${said.verdict}`)
      if (path.startsWith('harmless/') || path === 'pdf/plain') assert.ok(!bad, `${path}: ${rulesOf(said)}`)
      assert.equal(said.stored, !bad, path)
      assert.equal(said.quarantineId !== null, said.verdict === 'quarantine', path)
    }
  })

  test('what is held is not found by any way of asking', async () => {
    let asked = 0
    for (const [path, said] of stowed) {
      if (said.quarantineId === null) continue
      const bytes = FILES.get(path)!
      assert.equal((await ask(`/api/v1/objects/${sha256(bytes)}/provenance`)).status, 404, path)
      const uids = uidsOf(bytes)
      if (uids === null) continue
      const { study, series, instance } = uids
      const root = '/dicom-web'
      assert.equal((await ask(`${root}/studies?StudyInstanceUID=${study}`)).status, 204, path)
      assert.equal((await ask(`${root}/instances?SOPInstanceUID=${instance}`)).status, 204, path)
      for (const more of ['', `/series/${series}`, `/series/${series}/instances/${instance}`, '/metadata']) {
        assert.equal((await ask(`${root}/studies/${study}${more}`)).status, 404, `${path} ${more}`)
      }
      assert.equal((await ask(`/api/v1/objects/${instance}/provenance`)).status, 404, path)
      asked++
    }
    assert.ok(asked > 30, `${asked}`)
  })

  // From here on the held files are decided; the order matters, for most of them have one UID.
  test('decisions: no reason is 400, nobody is 404', async () => {
    for (const how of ['release', 'sanitise', 'discard']) {
      for (const json of [{}, { reason: '' }, { reason: 7 }]) {
        assert.equal((await decide('hostile/html-preamble', how, json)).status, 400, `${how} ${JSON.stringify(json)}`)
      }
      const nobody = await ask(`/api/v1/quarantine/00000000-0000-4000-8000-000000000000/${how}`, {
        method: 'POST',
        json: { reason: 'x' },
      })
      assert.equal(nobody.status, 404, how)
    }
    const item = await ask(`/api/v1/quarantine/${stowed.get('hostile/html-preamble')?.quarantineId}`)
    const { state, decision, preambleHex } = JSON.parse(item.body.toString())
    assert.deepEqual([state, decision], ['held', null])
    assert.ok(Buffer.from(preambleHex, 'hex').toString('latin1').startsWith('<html>'))
  })

  test('discard: gone for good, and decided', async () => {
    const path = 'hostile/elf-chain'
    const answer = await decide(path, 'discard', { reason: 'a program' })
    assert.equal(answer.status, 200, answer.body.toString())
    assert.equal(JSON.parse(answer.body.toString()).state, 'discarded')
    for (const how of ['release', 'sanitise', 'discard']) {
      assert.equal((await decide(path, how, { reason: 'again' })).status, 409, how)
    }
    assert.equal((await ask(`/api/v1/objects/${sha256(FILES.get(path)!)}/provenance`)).status, 404)
  })

  test('release: the clinical content as it was, the preamble zeroed; then found in every way', async () => {
    const path = 'hostile/html-preamble'
    const bytes = FILES.get(path)!
    const answer = await decide(path, 'release', { reason: 'looked at, an image' })
    assert.equal(answer.status, 200, answer.body.toString())
    assert.equal(JSON.parse(answer.body.toString()).state, 'released')
    const { study, series, instance } = uidsOf(bytes)!
    const url = `/dicom-web/studies/${study}/series/${series}/instances/${instance}`
    const back = await request(agent, servers[0]!.url + url, {
      headers: { accept: 'application/dicom; transfer-syntax=*' },
    })
    assert.equal(back.status, 200)
    assert.ok(back.body.subarray(0, 128).every((byte) => byte === 0))
    const start = (file: Buffer) => openPart10(memorySource(file)).dataSetStart
    assert.ok(back.body.subarray(start(back.body)).equals(bytes.subarray(start(bytes))))
    assert.equal((await ask(`/dicom-web/instances?SOPInstanceUID=${instance}`)).status, 200)
    assert.equal((await ask(`/api/v1/objects/${sha256(bytes)}/provenance`)).status, 200)
    assert.equal((await decide(path, 'discard', { reason: 'again' })).status, 409)
  })

  test('release of other content under the same UID: 409, and it stays held', async () => {
    const path = 'hostile/pe-chain'
    const answer = await decide(path, 'release', { reason: 'looked at' })
    assert.equal(answer.status, 409, answer.body.toString())
    const item = await ask(`/api/v1/quarantine/${stowed.get(path)?.quarantineId}`)
    assert.equal(JSON.parse(item.body.toString()).state, 'held')
  })

  test('sanitise: what was appended goes, the object is the one that is kept', async () => {
    const path = 'hostile/zip-behind'
    const bytes = FILES.get(path)!
    const answer = await decide(path, 'sanitise', { reason: 'the image is good' })
    assert.equal(answer.status, 200, answer.body.toString())
    const { study, series, instance } = uidsOf(bytes)!
    const url = `/dicom-web/studies/${study}/series/${series}/instances/${instance}`
    const back = await request(agent, servers[0]!.url + url, {
      headers: { accept: 'application/dicom; transfer-syntax=*' },
    })
    assert.equal(back.status, 200)
    assert.ok(!back.body.includes('PK\x03\x04', 0, 'latin1'))
  })
})

function uidsOf(bytes: Buffer): { study: string; series: string; instance: string } | null {
  try {
    const opened = openPart10(memorySource(bytes))
    const dataSet = readDataSet(opened.dataSet, opened.encoding)
    const [study, series, instance] = [0x0020000d, 0x0020000e, 0x00080018].map((tag) => string(dataSet, tag))
    return study && series && instance && /^[\d.]+$/.test(study + series + instance)
      ? { study, series, instance }
      : null
  } catch (error) {
    if (error instanceof DicomError) return null
    throw error
  }
}
