/** The document panel from the command line, and what backup, restore and verify make of it. */
import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { PDFS, plainPdf } from '../fixtures/pdf.ts'
import { runCommand, temporaryDirectory } from '../live/server.ts'

const place = temporaryDirectory('document-command')
const data = join(place.path, 'data')
const report = join(place.path, 'Befund Knie.pdf')
const note = join(place.path, 'note.txt')
writeFileSync(report, plainPdf(['Meniskusriss medial.']))
writeFileSync(note, 'Bitte um Kontrolle.\n')

after(() => place.remove())

interface Shown {
  readonly id: string
  readonly status: string
  readonly missing: readonly string[]
  readonly duplicate: boolean
  readonly metadata: { readonly title: string | null }
}

async function run(...args: string[]): Promise<{ lines: Shown[]; status: number | null; stderr: string }> {
  const { lines, status, stderr } = await runCommand([...args, '--data', data, '--json'])
  return { lines: lines as Shown[], status, stderr }
}

const SAID = ['--patient', '4711', '--issuer', 'HOSP', '--type', '18748-4', '--specialty', 'Radiology']

test('a file is added with what is said of it, found, read and completed', async () => {
  const added = await run('document', 'add', report, ...SAID)
  assert.equal(added.status, 0, added.stderr)
  const [one] = added.lines
  assert.deepEqual(one?.missing, ['facilityType', 'creationTime', 'language'])
  assert.equal(one.metadata.title, 'Befund Knie')

  const again = await run('document', 'add', report, ...SAID)
  assert.deepEqual([again.lines[0]?.duplicate, again.lines[0]?.id], [true, one.id])

  const waiting = await run('document', 'list', '--waiting')
  assert.deepEqual(
    waiting.lines.map(({ id }) => id),
    [one.id],
  )
  const said = ['--facility', 'Hospital', '--created', '2026-05-02', '--language', 'de-DE', '--reason', 'read it']
  const done = await run('document', 'complete', one.id, ...said)
  assert.deepEqual(done.lines[0]?.missing, [], done.stderr)
  assert.deepEqual((await run('document', 'list', '--waiting')).lines, [])
  assert.equal((await run('document', 'versions', one.id)).lines.length, 2)

  const out = join(place.path, 'out.pdf')
  assert.equal((await run('document', 'get', one.id, '--out', out)).status, 0)
  assert.deepEqual(readFileSync(out), readFileSync(report))
  assert.equal((await run('document', 'get', one.id, '--out', out)).status, 1, 'nothing is overwritten')
})

test('files of one add are kept together or not at all', async () => {
  const bad = join(place.path, 'bad.pdf')
  writeFileSync(bad, PDFS['javascript']?.() ?? new Uint8Array())
  const refused = await run('document', 'add', note, bad, '--patient', '4712')
  assert.equal(refused.status, 2)
  assert.deepEqual((await run('document', 'list', '--patient', '4712')).lines, [])
  assert.equal((await run('document', 'add', note, '--patient', '4712')).status, 0)
})

test('words are searched, a document is withdrawn, deleted; its words go with it', async () => {
  let found: Shown[] = []
  for (let i = 0; i < 40 && found.length === 0; i++) {
    found = (await run('document', 'search', 'meniskusriss')).lines
  }
  const [hit] = found as unknown as { objectId: string; snippet: string }[]
  assert.match(hit?.snippet ?? '', /Meniskusriss/)
  const id = hit?.objectId ?? ''
  assert.equal((await run('document', 'withdraw', id)).status, 1, 'a reason is needed')
  const withdrawn = await run('document', 'withdraw', id, '--reason', 'wrong knee')
  assert.equal(withdrawn.lines[0]?.status, 'entered-in-error')
  assert.equal((await run('document', 'delete', id, '--reason', 'asked for')).status, 0)
  assert.equal((await run('document', 'show', id)).status, 1)
  assert.deepEqual((await run('document', 'search', 'meniskusriss')).lines, [])
})

test('backup, verify and restore hold documents with all that was decided about them', async () => {
  const before = await run('document', 'list', '--status', 'any')
  assert.equal(before.lines.length, 1)
  const out = join(place.path, 'backup')
  const backup = await run('backup', '--out', out)
  assert.equal(backup.status, 0, backup.stderr)
  rmSync(data, { recursive: true })
  const restored = await run('restore', '--from', out)
  assert.equal(restored.status, 0, restored.stderr)
  const verified = await run('verify')
  const { summary } = verified.lines.at(-1) as unknown as {
    summary: { damaged: number; missing: number; orphans: number }
  }
  assert.deepEqual([summary.damaged, summary.missing, summary.orphans], [0, 0, 0])
  assert.deepEqual((await run('document', 'list', '--status', 'any')).lines, before.lines)
})
