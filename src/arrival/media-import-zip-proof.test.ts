import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Arrival, Receipt } from '#model/arrival.ts'
import { zip } from '../../test/fixtures/programs.ts'
import { importPaths } from './media-import.ts'
import type { BadZip } from './media-import-zip.ts'

const text = (content: string) => Buffer.from(content)

/** A ZIP whose member `name` does not match its checksum. */
function spoilt(built: Buffer, content: string): Buffer {
  const at = built.indexOf(content)
  assert.ok(at > 0)
  built[at] = built[at]! ^ 1
  return built
}

async function imported(
  context: TestContext,
  container: Buffer,
  badZip: BadZip,
  signal = new AbortController().signal,
) {
  const directory = mkdtempSync(join(tmpdir(), 'diptych-proof-'))
  context.after(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'disc.zip')
  writeFileSync(path, container)
  const delivered: string[] = []
  const receive = async ({ provenance, bytes }: Arrival): Promise<Receipt> => {
    delivered.push(provenance.path ?? '')
    return {
      arrivalId: 'x',
      sha256: '',
      size: bytes.in === 'memory' ? bytes.bytes.byteLength : bytes.size,
      verdict: 'accept',
      stored: true,
      duplicate: false,
      sopClassUID: null,
      sopInstanceUID: null,
      seriesInstanceUID: null,
      studyInstanceUID: null,
      objectId: 'o',
      quarantineId: null,
      reason: '',
      findings: [],
      scan: { status: 'not-scanned', engine: null, signatures: null, coverage: null },
      failure: null,
      elementsDiscarded: false,
    }
  }
  const lines: { path: string; verdict: string; rule: string; reason: string }[] = []
  for await (const event of importPaths([{ given: 'disc.zip', absolute: path }], {
    intake: { receive, judge: receive },
    door: 'media',
    originator: null,
    medium: null,
    user: null,
    peer: null,
    address: null,
    bareDataSets: false,
    judgeOnly: false,
    spool: { directory },
    signal,
    badZip,
  })) {
    if ('summary' in event) continue
    const { path: told, verdict, findings, reason } = event.line
    lines.push({ path: told, verdict, rule: findings[0]?.rule ?? '', reason })
  }
  const left = readdirSync(directory).filter((name) => name !== 'disc.zip')
  return { lines, delivered: delivered.toSorted(), left }
}

const good = () => [
  { name: 'A', content: text('first') },
  { name: 'B', content: text('second') },
]
const nested = (inner: Buffer) => zip([...good(), { name: 'inner.zip', content: inner }])
const last = () => [...good(), { name: 'C', content: text('spoilt member') }]

// One bad member must not leave half a disc behind where the site said so, and must cost nothing else where it did not.
const cases: { name: string; container: () => Buffer; keeps: string[]; at: string; rule: string }[] = [
  {
    name: 'the last member does not match its checksum',
    container: () => spoilt(zip(last()), 'spoilt member'),
    keeps: ['A', 'B'],
    at: 'disc.zip!/C: ',
    rule: 'E2',
  },
  {
    name: 'a member of a container inside does not',
    container: () => nested(spoilt(zip(last()), 'spoilt member')),
    keeps: ['A', 'B', 'inner.zip!/A', 'inner.zip!/B'],
    at: 'disc.zip!/inner.zip!/C: ',
    rule: 'E2',
  },
  {
    name: 'containers lie too deep',
    container: () => nested(nested(nested(zip(good())))),
    keeps: ['A', 'B', 'inner.zip!/A', 'inner.zip!/B'],
    at: 'archives are opened',
    rule: 'E2',
  },
]

for (const { name, container, keeps, at, rule } of cases) {
  test(`badZip: ${name}`, async (context) => {
    const kept = await imported(context, container(), 'keep-good')
    for (const member of keeps) assert.ok(kept.delivered.includes(`disc.zip!/${member}`), `${member} is good`)
    const refused = await imported(context, container(), 'refuse')
    assert.deepEqual(refused.delivered, [], 'nothing is handed over')
    assert.deepEqual(
      refused.lines.map(({ path, verdict, rule }) => [path, verdict, rule]),
      [['disc.zip', 'reject', rule]],
    )
    assert.match(refused.lines[0]?.reason ?? '', new RegExp(`^nothing of it is taken: .*${at.replaceAll('.', '\\.')}`))
    assert.deepEqual(refused.left, [], 'no container is left behind')
  })
}

test('badZip: a good container is taken whole under either, its bounds counted once', async (context) => {
  const container = nested(zip(good()))
  const kept = await imported(context, container, 'keep-good')
  const proven = await imported(context, container, 'refuse')
  assert.equal(kept.delivered.length, 4)
  assert.deepEqual(proven.delivered, kept.delivered)
  assert.deepEqual(proven.left, [])
})

test('badZip: an interrupted proof takes nothing and refuses nothing', async (context) => {
  const stopped = new AbortController()
  stopped.abort()
  const { lines, delivered, left } = await imported(context, zip(good()), 'refuse', stopped.signal)
  assert.deepEqual([lines, delivered, left], [[], [], []])
})
