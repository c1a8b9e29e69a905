/** Reports beside the images of a disc go to the document panel; what makes the disc work does not. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctSeries, STUDY } from '../fixtures/objects.ts'
import { plainPdf } from '../fixtures/pdf.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { request } from '../live/stow-client.ts'
import { uploadAll } from './doors.ts'

const place = temporaryDirectory('documents-disc')
const data = join(place.path, 'data')
const agent = new http.Agent({ keepAlive: true })
let server: LiveServer

before(async () => {
  server = await startServer({ dataDirectory: data })
})

after(async () => {
  await server.stop()
  agent.destroy()
  place.remove()
})

const ct = (name: string) =>
  ctSeries(2, 16, { ...STUDY, name, patientId: `P-${name}` }).map((elements) => part10({ elements }))

function disc(name: string, patients: readonly string[]): string {
  const root = join(place.path, name)
  const files: { [path: string]: Uint8Array | string } = {
    // Before the images in the order of names: it waits for them all the same.
    'A report.pdf': plainPdf([`Findings of ${name}.`]),
    'AUTORUN.INF': '[autorun]\nopen=viewer.exe\n',
    'INDEX.HTM': '<html><body>Welcome</body></html>',
    'README.TXT': 'How to use this disc.\n',
    'REPORTS/Brief.txt': `Letter of ${name}.\n`,
    'REPORTS/Bericht.rtf': `{\\rtf1 Befund ${name}}`,
    'IHE_PDI/FINDINGS.HTM': '<html><body>Rendered</body></html>',
    'VIEWER/manual.pdf': plainPdf(['Press any key.']),
    'VIEWER/viewer.exe': Buffer.from('MZ\0\0'),
    'config.xml': '<?xml version="1.0"?><config/>',
    'page.html': '<html><body>A page</body></html>',
  }
  for (const patient of patients) {
    for (const [i, file] of ct(`${name}-${patient}`).entries()) files[`DICOM/${patient}/I${i}`] = file
  }
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return root
}

interface Line {
  readonly path: string
  readonly verdict: string
  readonly stored: boolean
  readonly duplicate: boolean
  readonly id: string | null
}

async function importing(path: string): Promise<Map<string, Line>> {
  const { lines, status, stderr } = await runCommand(['import', path, '--data', data, '--json'])
  assert.equal(status, 0, stderr + JSON.stringify(lines))
  return new Map((lines.slice(0, -1) as Line[]).map((line) => [line.path.slice(path.length + 1), line]))
}

async function document(id: string | null | undefined): Promise<{ [key: string]: unknown }> {
  const answer = await request(agent, `${server.url}/api/v1/documents/${id}`)
  assert.equal(answer.status, 200, `${id}: ${answer.body.toString()}`)
  return JSON.parse(answer.body.toString()) as { [key: string]: unknown }
}

test('a disc of one patient: its reports belong to whoever owns its study', async () => {
  const path = disc('one', ['a'])
  const lines = await importing(path)
  const kept = [...lines.values()].filter(({ id, path: at }) => id !== null && !at.includes('DICOM'))
  assert.deepEqual(
    kept.map(({ path: at, verdict, stored }) => `${at.slice(path.length + 1)} ${verdict} ${stored}`).toSorted(),
    ['A report.pdf accept true', 'REPORTS/Bericht.rtf accept true', 'REPORTS/Brief.txt accept true'],
  )
  for (const name of [
    'AUTORUN.INF',
    'INDEX.HTM',
    'README.TXT',
    'VIEWER/manual.pdf',
    'VIEWER/viewer.exe',
    'config.xml',
    'page.html',
  ]) {
    assert.equal(lines.get(name)?.verdict, 'skip', name)
  }
  const report = await document(lines.get('A report.pdf')?.id)
  assert.match(String((report['metadata'] as { title: string }).title), /A report|Findings|./)
  const patients = await request(agent, `${server.url}/api/v1/patients?identifier=P-one-a`)
  const [owner] = (JSON.parse(patients.body.toString()) as { items: { id: string }[] }).items
  assert.equal(report['patientId'], owner?.id)
  assert.equal(typeof report['studyInstanceUid'], 'string')
  const references = (report['metadata'] as { references: { type: string }[] }).references
  assert.ok(references.some(({ type }) => type === 'study'))

  const again = await importing(path)
  assert.equal(again.get('A report.pdf')?.duplicate, true)
  assert.equal(again.get('A report.pdf')?.id, lines.get('A report.pdf')?.id)
})

test('a disc of two patients: nobody guesses whose the report is', async () => {
  const lines = await importing(disc('two', ['a', 'b']))
  const report = await document(lines.get('A report.pdf')?.id)
  assert.equal(report['patientId'], null)
  assert.ok((report['missing'] as string[]).includes('patient'))
})

test('an uploaded file alone is a document, whatever it is called', async () => {
  const said = await uploadAll(agent, server, 'README.TXT', Buffer.from('I am a letter.\n'))
  assert.equal(said.get('README.TXT')?.stored, true, JSON.stringify([...said]))
})

test('screen says accept and stores nothing', async () => {
  const path = disc('three', ['a'])
  const { lines } = await runCommand(['screen', path, '--data', data, '--json'])
  const report = (lines as Line[]).find(({ path: at }) => at?.endsWith('A report.pdf'))
  assert.deepEqual({ verdict: report?.verdict, stored: report?.stored }, { verdict: 'accept', stored: false })
})
