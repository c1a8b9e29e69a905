/** Segments that are not there: the archive says so, stores nothing over them, and forgets nothing by itself. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, renameSync, truncateSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctSeries, STUDY } from '../fixtures/objects.ts'
import { runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { request, stow } from '../live/stow-client.ts'

const files = (name: string) =>
  ctSeries(3, 16, { ...STUDY, name, patientId: `P-${name}` }).map((elements) => part10({ elements }))

/** Three objects of ALICE in the first segment of a stopped archive. */
async function filled(context: TestContext, agent: http.Agent): Promise<string> {
  const directory = temporaryDirectory('lost')
  context.after(() => directory.remove())
  const server = await startServer({ dataDirectory: directory.path })
  try {
    assert.equal((await stow(agent, `${server.url}/dicom-web`, files('ALICE'))).status, 200)
  } finally {
    await server.stop()
  }
  return directory.path
}

interface Tried {
  readonly ready: number
  readonly reasons: readonly { readonly code: string; readonly blocking: boolean }[]
  readonly stored: number
}

/** Starts, asks for readiness, tries to store BOB, stops. */
async function tryToStore(data: string, agent: http.Agent): Promise<Tried> {
  const server = await startServer({ dataDirectory: data })
  try {
    const ready = await request(agent, `${server.url}/health/ready`)
    const { status } = await stow(agent, `${server.url}/dicom-web`, files('BOB'))
    const { reasons } = JSON.parse(ready.body.toString()) as Pick<Tried, 'reasons'>
    return { ready: ready.status, reasons, stored: status }
  } finally {
    await server.stop()
  }
}

async function told(...args: string[]) {
  const { lines, status } = await runCommand([...args, '--json'])
  const last = lines.at(-1) as { summary: { [key: string]: unknown } }
  return { status, lines: lines as readonly { [key: string]: unknown }[], summary: last.summary }
}

const losses: { name: string; lose(data: string): void }[] = [
  { name: 'gone', lose: (data) => renameSync(join(data, 'segments'), join(data, 'elsewhere')) },
  { name: 'cut short', lose: (data) => truncateSync(join(data, 'segments/000001.tar'), 4096) },
]

for (const { name, lose } of losses) {
  test(`segments ${name}: nothing is stored, verify counts, rebuild-index asks first`, {
    timeout: 120_000,
  }, async (context) => {
    const agent = new http.Agent({ keepAlive: true })
    context.after(() => agent.destroy())
    const data = await filled(context, agent)
    lose(data)

    const tried = await tryToStore(data, agent)
    assert.equal(tried.ready, 503)
    assert.deepEqual(
      tried.reasons.map(({ code, blocking }) => ({ code, blocking })),
      [{ code: 'storage-missing', blocking: true }],
    )
    assert.equal(tried.stored, 503, 'nothing is stored')

    const verified = await told('verify', '--data', data)
    assert.equal(verified.status, 2)
    const missing = Number(verified.summary['missing'])
    assert.ok(name === 'gone' ? missing === 3 : missing > 0, String(missing))

    const refused = await told('rebuild-index', '--data', data)
    assert.equal(refused.status, 2)
    assert.equal(refused.summary['replaced'], false)
    const lost = refused.lines.filter((line) => line['is'] === 'lost')
    assert.ok(
      lost.length >= missing,
      'an object whose record is cut off is there for verify, and nobody can say what it is',
    )
    assert.ok(
      lost.every(({ patient, studyInstanceUid }) => (patient as { id: string }).id === 'P-ALICE' && studyInstanceUid),
    )
    assert.equal((await told('verify', '--data', data)).summary['missing'], missing, 'the old index is in its place')

    const accepted = await told('rebuild-index', '--accept-loss', '--data', data)
    assert.equal(accepted.status, 2)
    assert.equal(accepted.summary['replaced'], true)
    const sound = await told('verify', '--data', data)
    assert.equal(sound.summary['missing'], 0)
    assert.equal(sound.summary['journal'], 1, 'the journal names what is lost')
    const trail = await runCommand(['audit', 'list', '--data', data, '--json'])
    assert.match(JSON.stringify(trail.lines), /bytes are lost, accepted/)

    const after = await tryToStore(data, agent)
    assert.deepEqual({ ready: after.ready, stored: after.stored }, { ready: 200, stored: 200 })
    const names = readdirSync(join(data, 'segments'))
    assert.ok(names.includes('000002.tar') && names.includes('000001.tar') === (name === 'cut short'), names.join())
    assert.equal((await told('rebuild-index', '--data', data)).status, 0, 'what was accepted is not asked again')
  })
}

test('segments back in their place: everything is there again', { timeout: 60_000 }, async (context) => {
  const agent = new http.Agent({ keepAlive: true })
  context.after(() => agent.destroy())
  const data = await filled(context, agent)
  renameSync(join(data, 'segments'), join(data, 'elsewhere'))
  assert.equal((await tryToStore(data, agent)).stored, 503)
  assert.equal(existsSync(join(data, 'segments/000001.tar')), false)
  renameSync(join(data, 'segments'), join(data, 'empty'))
  renameSync(join(data, 'elsewhere'), join(data, 'segments'))
  const { ready, stored } = await tryToStore(data, agent)
  assert.deepEqual({ ready, stored }, { ready: 200, stored: 200 })
  assert.deepEqual((await told('verify', '--data', data)).summary['objects'], 6)
})
