import assert from 'node:assert/strict'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctImage, STUDY } from '../fixtures/objects.ts'
import { runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { uidOf } from '../support/placement-site.ts'
import { runProgram } from './dimse-programs.ts'

// Modalities and viewers ask by DIMSE: what is withheld on the pages must not be fetched there.
test('dcmtk neither finds nor gets a restricted record; restrict and break-glass say what is so', async (context) => {
  const place = temporaryDirectory('restricted-dimse')
  context.after(() => place.remove())
  const data = join(place.path, 'data')
  const server = await startServer({ dataDirectory: data, args: ['--dimse-port', '0'] })
  context.after(() => server.stop())
  const stored = await fetch(`${server.url}/dicom-web/studies`, {
    method: 'POST',
    headers: { 'content-type': 'application/dicom' },
    body: Buffer.from(part10({ elements: ctImage() })),
  })
  assert.equal(stored.status, 200, await stored.text())
  const call = ['-aec', server.dimse?.aeTitle ?? '', '127.0.0.1', String(server.dimse?.port)]
  const keys = ['-k', 'QueryRetrieveLevel=STUDY', '-k', `PatientID=${STUDY.patientId}`, '-k', 'StudyInstanceUID']
  const found = async () => {
    const { said } = await runProgram('findscu', ['-v', '-S', ...call, ...keys])
    assert.match(said, /Received Final Find Response \(Success\)/, said)
    return said.match(/Find Response: \d+ \(/g)?.length ?? 0
  }
  const got = async (name: string) => {
    const out = join(place.path, name)
    mkdirSync(out)
    const study = ['-k', 'QueryRetrieveLevel=STUDY', '-k', `StudyInstanceUID=${uidOf(STUDY.name)}`]
    await runProgram('getscu', ['-S', '-od', out, ...call, ...study])
    return readdirSync(out).length
  }
  const restrict = async (...args: string[]) => {
    const done = await runCommand(['restrict', ...args, '--data', data, '--json'])
    assert.equal(done.status, 0, done.stderr)
    return done.lines as { id: string; kind: string; ended: unknown }[]
  }
  assert.equal(await found(), 1)

  const named = [STUDY.patientId, '--issuer', STUDY.issuer]
  const [made] = await restrict('add', ...named, '--kind', 'restricted', '--reason', 'asked for it')
  assert.equal(await found(), 0, 'the next association sees it no longer')
  assert.equal(await got('withheld'), 0)
  assert.deepEqual(
    (await restrict('list', ...named)).map(({ kind }) => kind),
    ['restricted'],
  )
  const unknown = await runCommand(['restrict', 'add', 'nobody', '--kind', 'vip', '--reason', 'x', '--data', data])
  assert.equal(unknown.status, 1)

  const glass = await runCommand(['break-glass', 'list', '--data', data, '--json'])
  assert.deepEqual({ status: glass.status, lines: glass.lines }, { status: 0, lines: [] })
  await restrict('end', made?.id ?? '', '--reason', 'no longer')
  assert.equal(await found(), 1)
  assert.equal(await got('open'), 1)
})
