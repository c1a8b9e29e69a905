import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { part10 } from '../fixtures/dicom-builder.ts'
import { HOSTILE } from '../fixtures/hostile.ts'
import { ctSeries } from '../fixtures/objects.ts'
import { peFile, zip } from '../fixtures/programs.ts'
import { runCommand, startServer, temporaryDirectory } from '../live/server.ts'

type Line = {
  path: string
  verdict: string
  stored: boolean
  duplicate: boolean
  sopInstanceUid: string | null
  id: string | null
  quarantineId: string | null
  reason: string
  findings: { rule: string; severity: string; detail: string; offset: number | null; tag: string | null }[]
}
type Summary = { [count: string]: number }

const LINE_KEYS = 'path verdict stored duplicate sopInstanceUid id quarantineId reason findings'.split(' ').toSorted()
const SUMMARY_KEYS = 'files stored duplicates sanitised quarantined rejected skipped failed bytes seconds'
  .split(' ')
  .toSorted()

async function imported(
  args: readonly string[],
): Promise<{ lines: Map<string, Line>; summary: Summary; status: number | null }> {
  const { lines, status, stderr } = await runCommand([...args, '--json'])
  const last = lines.at(-1) as { summary?: Summary } | undefined
  assert.ok(last?.summary !== undefined, `no summary: ${stderr}`)
  const { reconciliation, ...counts } = last.summary
  assert.deepEqual(Object.keys(counts).toSorted(), SUMMARY_KEYS)
  assert.equal(reconciliation === undefined, args[0] === 'screen', 'how studies stand is told by import alone')
  const byPath = new Map<string, Line>()
  for (const line of lines.slice(0, -1) as Line[]) {
    assert.deepEqual(Object.keys(line).toSorted(), LINE_KEYS)
    assert.ok(!byPath.has(line.path), `${line.path} has two lines`)
    byPath.set(line.path, line)
  }
  assert.equal(last.summary['files'], byPath.size)
  return { lines: byPath, summary: last.summary, status }
}

/** A ZIP whose one member unpacks to 64 MiB of zeros: far beyond 200 to 1. */
function bomb(): Buffer {
  const content = Buffer.alloc(64 * 1024 * 1024)
  const packed = deflateRawSync(content, { level: 9 })
  const built = zip([{ name: 'bomb', content: packed }])
  const crc = 0xa738ea1c // of 64 MiB of zeros; the ratio is met before it matters
  for (const [signature, method, at] of [
    ['PK\x03\x04', 8, 14],
    ['PK\x01\x02', 10, 16],
  ] as const) {
    const start = built.indexOf(signature, 0, 'latin1')
    built.writeUInt16LE(8, start + method)
    built.writeUInt32LE(crc, start + at)
    built.writeUInt32LE(content.length, start + at + 8)
  }
  return built
}

/** A disc as it comes: two series, a ZIP, programs, links, a name that is not UTF-8, one hostile file. */
function makeDisc(root: string): void {
  const files = ctSeries(8).map((elements) => part10({ elements }))
  const [a, b, c, d, e, f, g, h] = files as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer]
  mkdirSync(join(root, 'DICOM'), { recursive: true })
  writeFileSync(join(root, 'DICOM/I1'), a)
  writeFileSync(join(root, 'DICOM/I2.exe'), b) // what it is decides, not what it is called
  writeFileSync(join(root, 'DICOM/AGAIN'), a)
  writeFileSync(Buffer.concat([Buffer.from(`${root}/DICOM/M`), Buffer.from([0xfc])]), c)
  writeFileSync(join(root, 'viewer.exe'), peFile())
  writeFileSync(join(root, 'AUTORUN.INF'), '[autorun]\r\nopen=viewer.exe\r\n')
  writeFileSync(join(root, 'empty'), '')
  const hostile = HOSTILE[Object.keys(HOSTILE)[0]!]!
  writeFileSync(join(root, 'hostile.dcm'), hostile())
  symlinkSync('/etc/passwd', join(root, 'link'))
  execFileSync('mkfifo', [join(root, 'pipe')])
  const inner = zip([{ name: 'I6', content: f }])
  const deepest = zip([{ name: 'deep.zip', content: zip([{ name: 'deeper.zip', content: inner }]) }])
  writeFileSync(
    join(root, 'more.zip'),
    zip([
      { name: 'DICOM/I4', content: d },
      { name: '../../outside/I5', content: e },
      { name: 'inner.zip', content: inner },
      { name: 'notes.txt', content: Buffer.from('nothing to see\n') },
    ]),
  )
  writeFileSync(join(root, 'deep.zip'), deepest)
  writeFileSync(join(root, 'hollow.zip'), zip([]))
  writeFileSync(join(root, 'bomb.zip'), bomb())
  const torn = zip([
    { name: 'I7', content: g },
    { name: 'I8', content: h },
  ])
  writeFileSync(join(root, 'torn.zip'), torn.subarray(0, torn.length - 30))
}

test('import: a disc with everything on it, twice, and beside a running server', async (context) => {
  const place = temporaryDirectory('import')
  context.after(() => place.remove())
  const disc = join(place.path, 'disc')
  const data = join(place.path, 'data')
  makeDisc(disc)
  const first = await imported(['import', `${disc}/`, join(place.path, 'none'), '--data', data, '--medium', 'CD 7'])
  const line = (name: string): Line => {
    const found = first.lines.get(`${disc}/${name}`)
    assert.ok(found, `no line for ${name} among ${[...first.lines.keys()].join(', ')}`)
    return found
  }
  const rules = (name: string): string[] => line(name).findings.map(({ rule }) => rule)

  for (const name of [
    'DICOM/I2.exe',
    'DICOM/M%FC',
    'more.zip!/DICOM/I4',
    'more.zip!/../../outside/I5',
    'more.zip!/inner.zip!/I6',
    'more.zip!/notes.txt', // a document beside images
  ]) {
    assert.equal(line(name).stored, true, `${name}: ${line(name).reason}`)
    assert.ok(line(name).id, name)
  }
  const twice = [line('DICOM/I1'), line('DICOM/AGAIN')]
  assert.deepEqual(
    twice.map(({ stored }) => stored),
    [true, true],
  )
  assert.deepEqual(twice.map(({ duplicate }) => duplicate).toSorted(), [false, true])
  assert.equal(twice[0]?.id, twice[1]?.id)

  assert.ok(rules('more.zip!/../../outside/I5').includes('E1'))
  assert.equal(existsSync(join(place.path, 'outside')), false)
  for (const name of ['viewer.exe', 'AUTORUN.INF', 'link', 'pipe', 'hollow.zip', 'empty']) {
    assert.equal(line(name).verdict, 'skip', `${name}: ${line(name).reason}`)
    assert.ok(rules(name).length > 0, `${name} says nothing`)
  }
  assert.equal(line('hostile.dcm').verdict, 'quarantine')
  assert.ok(line('hostile.dcm').quarantineId)
  assert.equal(line('hostile.dcm').stored, false)
  assert.equal(line('bomb.zip!/bomb').verdict, 'reject')
  assert.ok(rules('bomb.zip!/bomb').includes('E2'))
  assert.equal(line('torn.zip').verdict, 'reject')
  assert.equal(line('deep.zip!/deep.zip!/deeper.zip').verdict, 'reject')
  const missing = first.lines.get(join(place.path, 'none'))
  assert.equal(missing?.findings[0]?.rule, 'unreadable')

  const { summary } = first
  assert.equal(first.status, 1)
  assert.equal(summary['stored'], 7)
  assert.equal(summary['duplicates'], 1)
  assert.equal(summary['quarantined'], 1)
  assert.equal(summary['failed'], 1)
  const counted = ['stored', 'duplicates', 'quarantined', 'rejected', 'skipped', 'failed']
  assert.equal(
    counted.reduce((sum, name) => sum + summary[name]!, 0),
    summary['files'],
  )

  const server = await startServer({ dataDirectory: data })
  context.after(() => server.stop())
  const again = await imported(['import', disc, '--data', data])
  assert.equal(again.summary['stored'], 0)
  assert.equal(again.summary['duplicates'], 8)
  assert.equal(again.lines.get(`${disc}/hostile.dcm`)?.quarantineId, line('hostile.dcm').quarantineId)

  const provenance = await fetch(`${server.url}/api/v1/objects/${line('DICOM/I1').id}/provenance`)
  const { arrivals } = (await provenance.json()) as { arrivals: { door: string; medium: string | null }[] }
  assert.equal(arrivals.length, 4)
  assert.ok(arrivals.some(({ door, medium }) => door === 'media' && medium === 'CD 7'))
  const skipped = await fetch(`${server.url}/api/v1/arrivals?verdict=skip`)
  const { items } = (await skipped.json()) as { items: { sha256: string }[] }
  assert.ok(items.length >= 6, 'a skip is an arrival with a record too')
  assert.equal(await server.stop(), 0)
})

test('screen: the same verdicts, and nothing is stored', async (context) => {
  const place = temporaryDirectory('screen')
  context.after(() => place.remove())
  const disc = join(place.path, 'disc')
  const data = join(place.path, 'data')
  makeDisc(disc)
  const screened = await imported(['screen', disc, '--data', data])
  assert.equal(screened.status, 2)
  assert.equal(screened.summary['stored'], 0)
  for (const line of screened.lines.values()) {
    assert.equal(line.stored, false)
    assert.equal(line.id, null)
  }
  const taken = await imported(['import', disc, '--data', data])
  for (const [path, line] of taken.lines) assert.equal(screened.lines.get(path)?.verdict, line.verdict, path)
  assert.equal(taken.summary['duplicates'], 1)
})

test('one owner: a second serve says why, a killed one is no obstacle, commands reach the owner', async (context) => {
  const place = temporaryDirectory('owner')
  context.after(() => place.remove())
  const server = await startServer({ dataDirectory: place.path, open: false })
  const second = await runCommand(['serve', '--data', place.path, '--http-port', '0', '--json'])
  assert.equal(second.status, 1)
  assert.match(second.stderr, new RegExp(`Process ${server.pid} owns`))
  const made = await runCommand(['token', 'create', '--role', 'administrator', '--data', place.path])
  assert.match(made.stdout, /^dpt_\S+\n$/)
  const authorization = `Bearer ${made.stdout.trim()}`
  assert.equal((await fetch(`${server.url}/api/v1/arrivals`)).status, 401)
  assert.equal((await fetch(`${server.url}/api/v1/arrivals`, { headers: { authorization } })).status, 200)
  const nobodys = await fetch(`${server.url}/api/v1/arrivals?cursor=zz`, { headers: { authorization } })
  assert.equal(nobodys.status, 400)
  await server.kill()
  const next = await startServer({ dataDirectory: place.path, open: false })
  assert.equal((await fetch(`${next.url}/api/v1/arrivals`, { headers: { authorization } })).status, 200)
  assert.equal(await next.stop(), 0)
  const beforeStart = await runCommand(['token', 'create', '--role', 'reader', '--data', join(place.path, 'fresh')])
  assert.equal(beforeStart.status, 0)
})

test('one owner: a data directory with a long name is served too', async (context) => {
  const place = temporaryDirectory('long')
  context.after(() => place.remove())
  const server = await startServer({ dataDirectory: join(place.path, 'x'.repeat(120)) })
  const told = await runCommand(['demo', '--data', server.dataDirectory, '--json'])
  assert.equal(told.status, 0, told.stderr)
  const { summary } = told.lines.at(-1) as { summary: Summary }
  assert.equal(summary['quarantined'], 1)
  assert.equal(await server.stop(), 0)
})
