/** The walk of docs/reference/mhd.md, run as it is written: a page that does not work is worse than none. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type LiveServer, startServer, temporaryDirectory } from '../live/server.ts'

const place = temporaryDirectory('mhd-walk')
const hasTools = ['bash', 'curl'].every((tool) => spawnSync(tool, ['--version']).status === 0)
let server: LiveServer

before(async () => {
  if (hasTools) server = await startServer({ dataDirectory: join(place.path, 'data') })
})
after(async () => {
  if (hasTools) await server.stop()
  place.remove()
})

test('every request of the walk answers as the page says', { skip: !hasTools }, () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/reference/mhd.md'), 'utf8')
  const script = /```sh\n([\s\S]*?)```/.exec(page)?.[1]?.replaceAll('http://127.0.0.1:8080', server.url) ?? ''
  const ran = spawnSync('bash', ['-e'], { cwd: place.path, input: script, encoding: 'utf8', timeout: 60_000 })
  assert.equal(ran.status, 0, ran.stderr)
  const answers = ran.stdout.replaceAll('}{', '}\n{').replaceAll('}Hello', '}\nHello').replaceAll('World{', 'World\n{')
  const lines = answers.split('\n').filter((line) => line !== '')
  const told = lines.map((line) => {
    if (!line.startsWith('{')) return line
    const { resourceType, total, status, entry } = JSON.parse(line) as {
      resourceType: string
      total?: number
      status?: string
      entry?: { response?: { status: string } }[]
    }
    const statuses = entry?.flatMap(({ response }) => response?.status ?? []).join(' ')
    return [resourceType, total, status, statuses].filter((part) => part !== undefined && part !== '').join(' ')
  })
  assert.deepEqual(told, [
    'Patient',
    'Bundle 1',
    'Bundle 201 201 201',
    'Bundle 200 200 200',
    'Bundle 1',
    'Hello World',
    'DocumentReference current',
    'DocumentReference superseded',
    'Parameters',
    'Bundle 1',
  ])
})
