import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { startServer, temporaryDirectory } from '../live/server.ts'

const folder = join(import.meta.dirname, '../../src/access/page/assets')
const assets = readdirSync(folder)
const text = (name: string): string => readFileSync(join(folder, name), 'utf8')

test('page: nothing inline, nothing from elsewhere, every name exists', () => {
  const html = text('index.html')
  assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|<style|\son[a-z]+=|\sstyle=|javascript:/i)
  for (const name of assets) {
    assert.doesNotMatch(
      text(name).replaceAll('http://www.w3.org/2000/svg', ''),
      /https?:\/\/|innerHTML|document\.write\(/,
      name,
    )
  }
  for (const [, name] of html.matchAll(/(?:src|href)="\/page\/([^"]+)"/g)) assert.ok(assets.includes(name!), name)
  for (const script of assets.filter((name) => name.endsWith('.js'))) {
    for (const [, name] of text(script).matchAll(/from '\.\/([^']+)'/g))
      assert.ok(assets.includes(name!), `${script}: ${name}`)
  }
})

/** One of the decisions that a script puts together with its path. */
const DECISIONS: { readonly [script: string]: string } = {
  'quarantine.js': 'release',
  'import-worklist.js': 'decide',
  'placement.js': 'accept',
}

test('page: served to anybody, with its headers; what it asks exists in the API', async (context) => {
  const place = temporaryDirectory('page')
  context.after(() => place.remove())
  const server = await startServer({ dataDirectory: place.path, open: false })
  context.after(() => server.stop())
  for (const path of ['/', ...assets.filter((name) => name !== 'index.html').map((name) => `/page/${name}`)]) {
    const answer = await fetch(`${server.url}${path}`)
    assert.equal(answer.status, 200, path)
    assert.match(answer.headers.get('content-security-policy') ?? '', /default-src 'self'/)
    assert.doesNotMatch(answer.headers.get('content-security-policy') ?? '', /unsafe/)
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
    assert.equal(await answer.text(), text(path === '/' ? 'index.html' : path.slice('/page/'.length)))
    const etag = answer.headers.get('etag')!
    assert.equal((await fetch(`${server.url}${path}`, { headers: { 'if-none-match': etag } })).status, 304)
  }
  assert.equal((await fetch(`${server.url}/page/..%2f..%2fpage-routes.ts`)).status, 401)
  const { paths } = (await (await fetch(`${server.url}/api/v1/openapi.json`)).json()) as { paths: object }
  const known = Object.keys(paths).map((path) => new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+')}$`))
  for (const script of assets.filter((name) => name.endsWith('.js'))) {
    for (const [, path] of text(script).matchAll(/['`](\/api\/v1\/[^'`?]*)/g)) {
      const example = path!.replace(/\$\{(?:[^{}]|\{[^}]*\})*\}/g, 'x')
      const decision = DECISIONS[script]
      const asked = decision === undefined ? example : example.replace(/\/x$/, `/${decision}`)
      const fits = [example, asked].some((each) => known.some((pattern) => pattern.test(each)))
      assert.ok(fits, `${script} asks ${path}, which the API does not have`)
    }
  }
})

test('page: its checksum is the one of ZIP', async () => {
  const own = (await import(join(folder, 'checksum.js'))) as { crc32(bytes: Uint8Array, before?: number): number }
  for (const length of [0, 1, 7, 8, 9, 1000]) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 131) & 255)
    assert.equal(own.crc32(bytes), crc32(bytes))
    assert.equal(own.crc32(bytes.subarray(3), own.crc32(bytes.subarray(0, 3))), crc32(bytes))
  }
})
