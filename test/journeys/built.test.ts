import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { build } from '../../tools/build.ts'
import { startServer, temporaryDirectory } from '../live/server.ts'

const digest = (text: string) => hash('sha256', text)
const root = join(import.meta.dirname, '../..')

/** What a server tells about itself and keeps: asked of the build and of the sources. */
async function journey(built: boolean): Promise<object> {
  const place = temporaryDirectory('built')
  const server = await startServer({ dataDirectory: place.path, built, args: ['--dimse-port', '0', '--hl7-port', '0'] })
  const ask = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(server.url + path, init)
    return { status: answer.status, type: answer.headers.get('content-type'), body: await answer.text() }
  }
  try {
    const demo = await ask('/api/v1/demo', { method: 'POST' })
    const words = await ask('/dicom-web/studies?includefield=all')
    const fhir = await ask('/fhir/metadata')
    const page = await ask('/')
    const openApi = await ask('/api/v1/openapi.json')
    const missing = await ask('/dicom-web/studies/1.2.3/metadata')
    const wrong = await ask('/dicom-web/studies', { method: 'PATCH' })
    const restarted = await server.stop()
    assert.equal(server.faults(), '')
    return {
      demo: { status: demo.status, summary: { ...(JSON.parse(demo.body) as { summary: object }).summary, seconds: 0 } },
      words: [words.status, words.type, (JSON.parse(words.body) as unknown[]).length],
      fhir: [
        fhir.status,
        fhir.type,
        digest(fhir.body.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '').replaceAll(server.url, '')),
      ],
      page: [page.status, page.type, digest(page.body)],
      openApi: [openApi.status, digest(openApi.body.replaceAll(server.url, ''))],
      missing: [missing.status, missing.body],
      wrong: [wrong.status, wrong.body],
      restarted,
    }
  } finally {
    await server.stop()
    place.remove()
  }
}

test('a build does what the sources do', async () => {
  const { folder } = await build(root)
  assert.deepEqual(await build(root), { folder, made: false })
  assert.deepEqual(await journey(true), await journey(false))
  // Code compiled by a run that ended is kept beside the build: this is how we know that it ran from there.
  assert.notDeepEqual(readdirSync(join(folder, 'compiled')), [])
})
