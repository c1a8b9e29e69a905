/** The joined gzip member read by programs nobody here wrote: curl, Python, Node's fetch and zlib, Chromium. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import http from 'node:http'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { chromium } from 'playwright-core'
import { programPath } from '../../tools/install-counterparts.ts'
import { type LiveServer, startServer, temporaryDirectory } from '../live/server.ts'
import { request, stow } from '../live/stow-client.ts'
import { tinyObject } from '../live/tiny-object.ts'

const run = promisify(execFile)
const SLICES = 120
const folder = temporaryDirectory('clients')
let server: LiveServer
let url: string

before(async () => {
  server = await startServer({ dataDirectory: folder.path })
  const agent = new http.Agent({ keepAlive: true })
  const objects = Array.from({ length: SLICES }, (_, i) =>
    tinyObject({
      sopInstanceUID: `2.25.9.${i + 1}`,
      studyInstanceUID: '2.25.91',
      seriesInstanceUID: '2.25.92',
      number: i + 1,
      side: 16,
    }),
  )
  const answer = await stow(agent, `${server.url}/dicom-web`, objects)
  agent.destroy()
  assert.equal(answer.status, 200, answer.body.toString())
  url = `${server.url}/dicom-web/studies/2.25.91/series/2.25.92/metadata`
})

after(async () => {
  await server?.stop()
  folder.remove()
})

/** As many instances as were stored, in order: a client that stops at a seam sees fewer. */
function complete(json: unknown): void {
  assert.ok(Array.isArray(json))
  assert.equal(json.length, SLICES)
  const numbers = json.map((one: { '00200013': { Value: number[] } }) => Number(one['00200013'].Value[0]))
  assert.deepEqual(
    numbers,
    Array.from({ length: SLICES }, (_, i) => i + 1),
  )
}

test('Node zlib and fetch read the whole member', async () => {
  const agent = new http.Agent()
  const raw = await request(agent, url, { headers: { 'Accept-Encoding': 'gzip', Accept: 'application/dicom+json' } })
  agent.destroy()
  assert.equal(raw.headers['content-encoding'], 'gzip')
  complete(JSON.parse(gunzipSync(raw.body).toString()))
  complete(await (await fetch(url)).json())
})

test('curl --compressed reads the whole member', async () => {
  const { stdout } = await run('curl', ['-sS', '--fail', '--compressed', url], { maxBuffer: 2 ** 26 })
  complete(JSON.parse(stdout))
})

test('Python gzip and zlib read the whole member', async () => {
  const script = [
    'import sys, urllib.request, gzip, zlib',
    'request = urllib.request.Request(sys.argv[1], headers={"Accept-Encoding": "gzip"})',
    'body = urllib.request.urlopen(request).read()',
    'one = gzip.decompress(body)',
    'assert one == zlib.decompress(body, 31)',
    'sys.stdout.buffer.write(one)',
  ].join('\n')
  const { stdout } = await run('python3', ['-c', script, url], { maxBuffer: 2 ** 26 })
  complete(JSON.parse(stdout))
})

test('Chromium reads the whole member', async () => {
  const executablePath = programPath('chromium')
  assert.ok(executablePath !== undefined)
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
  try {
    const page = await browser.newPage()
    page.setDefaultTimeout(15_000)
    await page.goto(`${server.url}/`)
    complete(await page.evaluate(`fetch(${JSON.stringify(new URL(url).pathname)}).then((answer) => answer.json())`))
  } finally {
    await browser.close()
  }
})
