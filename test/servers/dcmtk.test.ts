/** What leaves by export and by WADO-RS, judged by dcmtk and dicom3tools. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { globSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { runCommand, temporaryDirectory } from '../live/server.ts'

const run = promisify(execFile)
const data = temporaryDirectory('dcmtk')
const out = temporaryDirectory('exported')
let files: string[] = []

before(async () => {
  const demo = await runCommand(['demo', '--data', data.path, '--json'])
  assert.equal(demo.status, 0, demo.stderr)
  const exported = await runCommand(['export', '--out', join(out.path, 'plain'), '--data', data.path, '--json'])
  assert.equal(exported.status, 0, exported.stderr)
  files = globSync('plain/**/*', { cwd: out.path })
    .map((file) => join(out.path, file))
    .filter((file) => statSync(file).isFile() && !file.endsWith('.json'))
  assert.ok(files.length >= 20, `only ${files.length} files were exported`)
})

after(() => {
  data.remove()
  out.remove()
})

test('dcmftest takes every exported file for a Part 10 file', async () => {
  const { stdout } = await run('dcmftest', files)
  assert.equal(stdout.split('\n').filter((line) => line.startsWith('yes:')).length, files.length, stdout)
})

test('dcmdump reads every exported file to its end without a complaint', async () => {
  for (const file of files) {
    const { stderr } = await run('dcmdump', ['-q', file], { maxBuffer: 2 ** 28 })
    assert.equal(stderr, '', `${file}: ${stderr}`)
  }
})

test('dciodvfy finds no error in the synthetic objects', async () => {
  const wrong: string[] = []
  for (const file of files) {
    // dciodvfy ends with 1 when it found errors; what it says is what counts.
    const { stderr } = await run('dciodvfy', [file], { maxBuffer: 2 ** 26 }).catch((error: { stderr: string }) => error)
    wrong.push(
      ...stderr
        .split('\n')
        .filter((line) => line.startsWith('Error'))
        .map((line) => `${file}: ${line}`),
    )
  }
  assert.deepEqual(wrong, [])
})

test('dcmdump reads the DICOMDIR of exported media and finds every file it names', async () => {
  const media = join(out.path, 'media')
  const exported = await runCommand(['export', '--out', media, '--media', '--data', data.path, '--json'])
  assert.equal(exported.status, 0, exported.stderr)
  const { stdout } = await run('dcmdump', ['-q', '+P', '0004,1500', join(media, 'DICOMDIR')])
  const named = [...stdout.matchAll(/\[([^\]]+)\]/g)].map((match) => (match[1] ?? '').trim().replaceAll('\\', '/'))
  assert.ok(named.length >= 20)
  for (const name of named) assert.ok(statSync(join(media, name)).isFile(), name)
})
