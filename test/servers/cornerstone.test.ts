/** Cornerstone's image loader in Chromium, from a page of another origin: what it shows is what was stored. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { after, before, test } from 'node:test'
import dicomParser from 'dicom-parser'
import { type Browser, chromium, type Page } from 'playwright-core'
import { build } from 'vite'
import { programPath } from '../../tools/install-counterparts.ts'
import { type Elements, part10 } from '../fixtures/dicom-builder.ts'
import { ctSeries, multiFrame, secondaryCapture } from '../fixtures/objects.ts'
import { type LiveServer, startServer, temporaryDirectory } from '../live/server.ts'
import { stow } from '../live/stow-client.ts'

interface Frame {
  readonly name: string
  readonly transferSyntax: string
  readonly rows: number
  readonly columns: number
  readonly pixels: readonly number[]
}

/** What page.js puts on its window. */
interface Loader {
  readonly ready?: boolean
  loadStudy(study: string): Promise<readonly Frame[]>
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
}
const JPEG_BASELINE = '1.2.840.10008.1.2.4.50'
const JPEG_LOSSLESS = '1.2.840.10008.1.2.4.70'
const JPEG_LS = '1.2.840.10008.1.2.4.80'
const RLE = '1.2.840.10008.1.2.5'
const NATIVE = '1.2.840.10008.1.2.1'

const place = temporaryDirectory('cornerstone')
const built = join(place.path, 'page')
const expected = new Map<string, Omit<Frame, 'name'>>()
const pages = http.createServer((request, response) => {
  const name = new URL(request.url ?? '/', 'http://page').pathname
  const file = name === '/' ? '/index.html' : name
  response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream')
  try {
    response.end(readFileSync(join(built, file)))
  } catch {
    response.writeHead(404).end()
  }
})
let port = 0
let study = ''
let server: LiveServer | undefined
let browser: Browser | undefined

/** Takes an object as a client would send it: encoded by a program of dcmtk, or native when none is named. */
function prepare(elements: Elements, transferSyntax: string, command: readonly string[] = []): Buffer {
  const name = `${expected.size}`
  const native = part10({ elements })
  const [plain, encoded, decoded] = ['native', 'encoded', 'decoded'].map((kind) => join(place.path, `${kind}${name}`))
  const [program = '', ...options] = command
  let [sent, shown] = [native, native]
  if (program !== '') {
    writeFileSync(plain!, native)
    execFileSync(program, [...options, plain!, encoded!])
    sent = readFileSync(encoded!)
  }
  if (transferSyntax === JPEG_BASELINE) {
    execFileSync('dcmdjpeg', [encoded!, decoded!])
    shown = readFileSync(decoded!)
  }
  const parsed = dicomParser.parseDicom(shown)
  const [rows, columns] = [parsed.uint16('x00280010') ?? 0, parsed.uint16('x00280011') ?? 0]
  const { dataOffset } = parsed.elements['x7fe00010'] ?? assert.fail('no pixels')
  const bytes = (parsed.uint16('x00280100') ?? 0) / 8
  for (let frame = 0; frame < Number(parsed.string('x00280008') ?? 1); frame++) {
    const start = dataOffset + frame * rows * columns * bytes
    const pixels = Array.from({ length: rows * columns }, (_, index) => shown.readUIntLE(start + index * bytes, bytes))
    expected.set(`${parsed.string('x00080018')} ${frame + 1}`, { transferSyntax, rows, columns, pixels })
  }
  return sent
}

async function open(origin: string): Promise<{ page: Page; complaints: string[] }> {
  if (browser === undefined) assert.fail('no browser')
  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  await page.goto(origin)
  await page.waitForFunction(() => (globalThis as unknown as Loader).ready)
  return { page, complaints }
}

const loadStudy = (page: Page) => page.evaluate((from) => (globalThis as unknown as Loader).loadStudy(from), study)

before(async () => {
  await build({
    root: join(import.meta.dirname, 'cornerstone'),
    base: './',
    configFile: false,
    logLevel: 'error',
    worker: { format: 'es' },
    build: { outDir: built, emptyOutDir: true, minify: false, reportCompressedSize: false, target: 'esnext' },
  })
  await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve))
  port = (pages.address() as AddressInfo).port
  server = await startServer({
    dataDirectory: join(place.path, 'data'),
    open: true,
    env: { DIPTYCH_HTTP_CORS_ORIGINS: `http://127.0.0.1:${port}` },
  })
  const slices = ctSeries(4, 64)
  const objects = [
    prepare(slices[0]!, NATIVE),
    prepare(slices[1]!, JPEG_LOSSLESS, ['dcmcjpeg', '+e1']),
    prepare(slices[2]!, JPEG_LS, ['dcmcjpls']),
    prepare(slices[3]!, RLE, ['dcmcrle']),
    prepare(multiFrame(3), NATIVE),
    prepare(secondaryCapture(), JPEG_BASELINE, ['dcmcjpeg', '+eb', '+q', '90', '+un']),
  ]
  const agent = new http.Agent({ keepAlive: false })
  const answer = await stow(agent, `${server.url}/dicom-web`, objects)
  assert.equal(answer.status, 200, answer.body.toString())
  study = `${server.url}/dicom-web/studies/${slices[0]?.['StudyInstanceUID']}`
  browser = await chromium.launch({
    executablePath: programPath('chromium') ?? 'chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
})

after(async () => {
  await browser?.close()
  await server?.stop()
  pages.close()
  place.remove()
})

test('Cornerstone in Chromium, from an origin we name: every frame arrives as it was stored', async () => {
  const { page, complaints } = await open(`http://127.0.0.1:${port}`)
  const frames = await loadStudy(page)
  assert.deepEqual(complaints, [])
  assert.deepEqual(frames.map(({ name }) => name).sort(), [...expected.keys()].sort())
  for (const { name, pixels, ...shape } of frames) {
    const { pixels: stored, ...want } = expected.get(name) ?? assert.fail(name)
    assert.deepEqual(shape, want, name)
    assert.ok(new Set(stored).size > 30, `${name}: too plain a picture to prove anything`)
    assert.equal(pixels.length, stored.length, name)
    // JPEG baseline leaves one grey level of rounding to the decoder (ISO/IEC 10918-2); the others leave nothing.
    const slack = want.transferSyntax === JPEG_BASELINE ? 1 : 0
    const wrong = pixels.findIndex((pixel, index) => Math.abs(pixel - stored[index]!) > slack)
    assert.equal(wrong, -1, `${name}: pixel ${wrong} is ${pixels[wrong]}, stored was ${stored[wrong]}`)
  }
})

test('Cornerstone in Chromium, from an origin nobody named: the browser gets nothing to show', async () => {
  const { page, complaints } = await open(`http://localhost:${port}`)
  await assert.rejects(loadStudy(page), /Failed to fetch/)
  assert.match(complaints.join('\n'), /blocked by CORS policy/)
})
