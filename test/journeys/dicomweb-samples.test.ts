/** Every real sample through STOW-RS and back: what was stored leaves bit for bit, what was refused is told and harms nobody. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { memorySource } from '#standards/byte-source.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { type LiveServer, startServer, temporaryDirectory } from '../live/server.ts'
import { ask } from './dicomweb-archive.ts'

const samples = process.env['DIPTYCH_SAMPLES'] ?? join(import.meta.dirname, '../../../shared/data')
const FOLDERS = [
  'part10',
  'sr',
  'kos',
  'segmentation',
  'wsi',
  'waveform',
  'presentation',
  'enhanced-and-rt',
  'encapsulated',
]

interface Outcome {
  readonly name: string
  readonly status: number
  readonly bytes: Buffer
  /** Path of the instance, when it is stored. */
  readonly path: string | null
}

describe('samples over DICOMweb', { skip: !existsSync(samples) && `no samples at ${samples}` }, () => {
  const directory = temporaryDirectory('dicomweb-samples')
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  const outcomes: Outcome[] = []
  let server: LiveServer

  before(async () => {
    server = await startServer({ dataDirectory: directory.path })
    const names = FOLDERS.flatMap((folder) => {
      const path = join(samples, folder)
      if (!existsSync(path)) return []
      const found = readdirSync(path, { recursive: true, withFileTypes: true })
      return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    })
    for (const name of names.sort()) {
      const bytes = readFileSync(name)
      if (bytes.subarray(128, 132).toString('latin1') !== 'DICM' && !name.includes('malformed')) continue
      const headers = { 'content-type': 'application/dicom', 'content-length': bytes.length }
      const answer = await ask(agent, `${server.url}/dicom-web/studies`, { method: 'POST', headers, body: [bytes] })
      const told = JSON.parse(answer.body.toString())
      const url = told['00081199']?.Value[0]['00081190'].Value[0] ?? null
      outcomes.push({ name, status: answer.status, bytes, path: url === null ? null : new URL(url).pathname })
    }
  })
  after(async () => {
    agent.destroy()
    await server?.stop()
    directory.remove()
  })

  test('each is stored, or refused with a reason', (t) => {
    const counts = new Map<number, number>()
    for (const { name, status } of outcomes) {
      assert.ok([200, 202, 409].includes(status), `${name}: ${status}`)
      counts.set(status, (counts.get(status) ?? 0) + 1)
    }
    t.diagnostic(`${outcomes.length} files: ${JSON.stringify(Object.fromEntries(counts))}`)
    assert.ok((counts.get(200) ?? 0) > 100)
  })

  test('as stored: the data set leaves bit for bit', async () => {
    for (const { name, status, bytes, path } of outcomes) {
      if (path === null || status !== 200) continue
      const changes = await ask(agent, `${server.url}/api/v1/objects/${path.split('/').at(-1)}/provenance`, {})
      if (changes.status === 200 && JSON.parse(changes.body.toString()).changes.length > 0) continue
      const headers = { accept: 'application/dicom; transfer-syntax=*' }
      const answer = await ask(agent, server.url + path, { headers })
      assert.equal(answer.status, 200, name)
      const sent = openPart10(memorySource(bytes))
      const back = openPart10(memorySource(answer.body))
      const dataSet = answer.body.subarray(back.dataSetStart)
      // Bytes behind the data set are not carried over.
      assert.ok(bytes.subarray(sent.dataSetStart, sent.dataSetStart + dataSet.length).equals(dataSet), name)
    }
  })

  test('default, metadata, frames and bulk data of each are given or refused, never broken', async () => {
    const allowed = (status: number, ...others: number[]) => status === 200 || others.includes(status)
    for (const { name, path } of outcomes) {
      if (path === null) continue
      const get = (more: string, accept: string) => ask(agent, server.url + path + more, { headers: { accept } })
      const whole = await get('', 'application/dicom')
      assert.ok(allowed(whole.status), `${name}: ${whole.status} ${whole.body.toString('latin1', 0, 200)}`)
      openPart10(memorySource(whole.body))
      const metadata = await get('/metadata', 'application/dicom+json')
      assert.equal(metadata.status, 200, name)
      assert.equal(JSON.parse(metadata.body.toString()).length, 1)
      assert.equal((await get('/metadata', 'multipart/related; type="application/dicom+xml"')).status, 200, name)
      const frame = await get('/frames/1', 'multipart/related; type="application/octet-stream"; transfer-syntax=*')
      assert.ok(
        allowed(frame.status, 404, 409),
        `${name} frame: ${frame.status} ${frame.body.toString('latin1', 0, 200)}`,
      )
      const bulk = await get('/bulkdata', '*/*')
      assert.ok(
        allowed(bulk.status, 404, 409),
        `${name} bulk data: ${bulk.status} ${bulk.body.toString('latin1', 0, 200)}`,
      )
    }
    assert.equal(server.faults(), '')
  })
})
