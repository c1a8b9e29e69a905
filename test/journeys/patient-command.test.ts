import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import { type Archive, openArchive } from '../../src/app.ts'
import { type Given, type Line, UsageError } from '../../src/cli/command.ts'
import { demoCommand } from '../../src/cli/commands/demo.ts'
import { patientCommand } from '../../src/cli/commands/patient.ts'
import { loadConfig } from '../../src/config.ts'

const folder = mkdtempSync(join(tmpdir(), 'diptych-patient-'))
let archive: Archive
const never = new AbortController().signal

before(async () => {
  archive = await openArchive({ dataDirectory: folder, config: loadConfig({}) })
  await demoCommand.run(archive, given([]), () => {}, never)
})

after(async () => {
  await archive.close()
  rmSync(folder, { recursive: true, force: true })
})

function given(positionals: readonly string[], flags: Given['flags'] = {}): Given {
  return { positionals, flags, workingDirectory: folder }
}

interface Told {
  readonly json: { readonly [name: string]: unknown }
  readonly text: string
}

async function run(positionals: readonly string[], flags: Given['flags'] = {}): Promise<Told[]> {
  const lines: Line[] = []
  const status = await patientCommand.run(archive, given(positionals, flags), (line) => void lines.push(line), never)
  assert.equal(status, 0)
  return lines.flatMap(({ json, text = '' }) => (json === undefined ? [] : [{ json: json as Told['json'], text }]))
}

const DEMO = { issuer: 'DIPTYCH-DEMO', id: 'DEMO-0001' }
const OTHER = { issuer: 'HOSPITAL', id: 'H-1' }

test('diptych patient: see, rename, merge, link, and take all of it back', async () => {
  const demographics = { name: 'Haus^Hanna', birthDate: '19600606', sex: 'F' }
  const register = { do: 'register', patient: OTHER, demographics, visit: null, authority: 'person' } as const
  await archive.identity.decide([register], { by: 'test', rule: 'test', reference: null, reason: null }, null)

  const [listed] = await run(['list'], { identifier: DEMO.id })
  assert.equal(listed?.json['identifier'], DEMO.id)
  await assert.rejects(run(['merge', DEMO.id, OTHER.id]), UsageError, 'a decision needs a reason')
  await assert.rejects(
    run(['show', 'nobody']),
    (error) => error instanceof ArchiveError && error.code === 'request.not-found',
  )

  const reason = 'the same person'
  const [merged] = await run(['merge', DEMO.id, OTHER.id], { reason })
  assert.match(
    merged?.text ?? '',
    /DEMO-0001 \(DIPTYCH-DEMO\) merged into H-1 \(HOSPITAL\) by local, desk: the same person/,
  )
  const [shown] = await run(['show', DEMO.id], { issuer: DEMO.issuer })
  assert.match(shown?.text ?? '', /lives on as +H-1/)
  await run(['unmerge', DEMO.id], { issuer: DEMO.issuer, reason: 'another person after all' })
  const [apart] = await run(['show', DEMO.id], { issuer: DEMO.issuer })
  assert.match(apart?.text ?? '', /lives on as +DEMO-0001/)

  await run(['link', DEMO.id, OTHER.id], { reason, issuer: DEMO.issuer, 'other-issuer': OTHER.issuer })
  const [linked] = await run(['show', OTHER.id])
  assert.match(linked?.text ?? '', /linked with +DEMO-0001/)
  await run(['unlink', OTHER.id, DEMO.id], { reason, issuer: OTHER.issuer, 'other-issuer': DEMO.issuer })
  const [unlinked] = await run(['show', OTHER.id])
  assert.doesNotMatch(unlinked?.text ?? '', /linked with/)

  const [fixed] = await run(['fix-name', DEMO.id, 'Neu^Nora'], { reason })
  const [named] = await run(['show', DEMO.id])
  assert.match(named?.text ?? '', /Neu\^Nora/)
  await run(['undo', String(fixed?.json['id'])], { reason: 'a mistake' })
  await assert.rejects(
    run(['undo', String(fixed?.json['id'])], { reason: 'again' }),
    (error) => error instanceof ArchiveError && error.code === 'identity.undone',
  )
  const history = await run(['history', DEMO.id])
  assert.ok(history.length >= 4)
  assert.ok(history.some(({ text }) => text.includes('taken back by')))
  assert.ok(
    history.every(({ text }) => !text.includes('Nora')),
    'no names in what is printed of decisions',
  )
})
