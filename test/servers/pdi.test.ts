/** Discs of `export --media`, judged by DCMTK, dicom3tools and isoinfo, and taken in again by ourselves. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { runCommand, temporaryDirectory } from '../live/server.ts'

const run = promisify(execFile)
const LARGE = { maxBuffer: 2 ** 28 }
const data = temporaryDirectory('pdi')
const out = temporaryDirectory('discs')
const disc = join(out.path, 'disc')
let objects: string[] = []

const archive = (...args: string[]) => runCommand([...args, '--data', data.path, '--json'])
const filesOf = (folder: string) =>
  globSync('**/*', { cwd: folder })
    .filter((file) => statSync(join(folder, file)).isFile())
    .sort()

before(async () => {
  const demo = await archive('demo')
  assert.equal(demo.status, 0, demo.stderr)
  const exported = await archive('export', '--out', disc, '--media', '--label', 'TESTDISC')
  assert.equal(exported.status, 0, exported.stderr)
  objects = globSync('DICOM/*/*/*', { cwd: disc }).sort()
  assert.ok(objects.length >= 20, `only ${objects.length} objects on the disc`)
})

after(() => {
  data.remove()
  out.remove()
})

test('dcmftest and dcmdump take every object and the DICOMDIR', async () => {
  const files = [...objects, 'DICOMDIR'].map((file) => join(disc, file))
  const { stdout } = await run('dcmftest', files)
  assert.equal(stdout.split('\n').filter((line) => line.startsWith('yes:')).length, files.length, stdout)
  for (const file of files) {
    const { stderr } = await run('dcmdump', ['-q', file], LARGE)
    assert.equal(stderr, '', `${file}: ${stderr}`)
  }
})

test('dciodvfy finds no error in the objects', async () => {
  for (const file of objects) {
    // It ends with 1 when it found errors; what it says is what counts.
    const ended = await run('dciodvfy', [join(disc, file)], LARGE).catch((error: { stderr: string }) => error)
    const errors = ended.stderr.split('\n').filter((line) => line.startsWith('Error'))
    assert.deepEqual(errors, [], file)
  }
})

/** Record types with what leads to them, as dcmdump tells them; offsets and the order of files do not count. */
async function records(directory: string): Promise<string[]> {
  const args = ['-q', '+P', '0004,1430', '+P', '0004,1500', '+P', '0004,1511', '+P', '0004,1512', directory]
  const { stdout } = await run('dcmdump', args, LARGE)
  const values = [...stdout.matchAll(/\(0004,(\w{4})\) \w\w [=[]?([^\]#]*?)\]?\s+#/g)]
  const found: string[] = []
  for (const [, tag, value = ''] of values) {
    if (tag === '1430') found.push(value.trim())
    else found.push(`${found.pop() ?? ''} ${value.trim()}`)
  }
  return found.sort()
}

test('dcmmkdir makes the same directory of the same files', async () => {
  const copy = join(out.path, 'copy')
  mkdirSync(copy)
  cpSync(join(disc, 'DICOM'), join(copy, 'DICOM'), { recursive: true })
  // Types that the general purpose profile of DCMTK 3.6 does not know are told by its exit status; -W -Nxc: no checks of ours.
  await run('dcmmkdir', ['-q', '-W', '-Nxc', '+I', '+F', 'TESTDISC', ...objects], { ...LARGE, cwd: copy })
  assert.deepEqual(await records(join(disc, 'DICOMDIR')), await records(join(copy, 'DICOMDIR')))
})

test('dcdirdmp of dicom3tools reads the directory', async () => {
  const ended = await run('dcdirdmp', [join(disc, 'DICOMDIR')], LARGE).catch((error: { stderr: string }) => error)
  const errors = ended.stderr.split('\n').filter((line) => line.startsWith('Error'))
  assert.deepEqual(errors, [])
})

test('isoinfo reads the image: names, label, and every byte', async () => {
  const image = join(out.path, 'disc.iso')
  const exported = await archive('export', '--out', image, '--iso', '--label', 'TESTDISC')
  assert.equal(exported.status, 0, exported.stderr)
  const { stdout: descriptor } = await run('isoinfo', ['-d', '-i', image])
  assert.match(descriptor, /Volume id: TESTDISC/)
  const { stdout: listed } = await run('isoinfo', ['-f', '-i', image], LARGE)
  const names = listed.split('\n').filter((line) => line !== '')
  const files = filesOf(disc)
  for (const file of files) {
    const name = `/${file}${file.includes('.') ? '' : '.'};1`
    assert.ok(names.includes(name), `${name} is not in the image`)
    if (file === 'DICOMDIR') continue // has a UID of its own
    const { stdout } = await run('isoinfo', ['-x', name, '-i', image], { ...LARGE, encoding: 'buffer' })
    assert.ok(stdout.equals(readFileSync(join(disc, file))), file)
  }
  assert.equal(names.filter((name) => name.includes(';1')).length, files.length)
})

// A whole slide image with a TIFF in its preamble leaves without the TIFF: it is known again as our own copy.
test('the disc and its ZIP come in again without anything being stored twice', async () => {
  const zip = join(out.path, 'disc.zip')
  const exported = await archive('export', '--out', zip, '--media', '--zip')
  assert.equal(exported.status, 0, exported.stderr)
  for (const path of [disc, zip]) {
    const { lines, stderr } = await archive('import', path)
    const held = (lines as { verdict?: string; reason?: string }[]).filter(
      ({ verdict }) => verdict === 'quarantine' || verdict === 'reject',
    )
    assert.deepEqual(held, [])
    const last = lines.at(-1) as { summary: Record<string, number> }
    assert.equal(last.summary['stored'], 0, stderr)
    assert.equal(last.summary['duplicates'], objects.length)
  }
})

test('another archive takes every object of the disc as it is', async () => {
  const other = temporaryDirectory('pdi-other')
  try {
    const { lines, status, stderr } = await runCommand(['import', disc, '--data', other.path, '--json'])
    assert.equal(status, 0, stderr)
    const last = lines.at(-1) as { summary: Record<string, number> }
    assert.deepEqual([last.summary['stored'], last.summary['sanitised']], [objects.length, 0])
  } finally {
    other.remove()
  }
})

test('an image or a disc that is there already is left alone', async () => {
  const mine = join(out.path, 'mine')
  writeFileSync(mine, 'mine')
  for (const args of [['--iso'], ['--media', '--zip']]) {
    const { status } = await archive('export', '--out', mine, ...args)
    assert.equal(status, 1)
    assert.equal(readFileSync(mine, 'utf8'), 'mine')
  }
  assert.equal((await archive('export', '--out', disc, '--media')).status, 1)
})
