import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { lockDataDirectory } from './data-lock.ts'

function directory(context: { after(done: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'diptych-lock-'))
  context.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const OWNED = { name: 'ArchiveError', code: 'archive.owned' }
const module = JSON.stringify(new URL('./data-lock.ts', import.meta.url).href)
const holder = `import { lockDataDirectory } from ${module}
globalThis.lock = lockDataDirectory(process.argv[1])
process.stdout.write('held')
setInterval(() => {}, 1000)`

async function hold(path: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', holder, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return child
}

test('data lock: the same process cannot take a directory twice, and can after release', (context) => {
  const path = directory(context)
  const lock = lockDataDirectory(path)
  assert.throws(() => lockDataDirectory(path), OWNED)
  lock.release()
  lockDataDirectory(path).release()
})

test('data lock: another process is refused and told the owner', async (context) => {
  const path = directory(context)
  const child = await hold(path)
  context.after(() => child.kill('SIGKILL'))
  assert.throws(() => lockDataDirectory(path), { ...OWNED, message: new RegExp(`Process ${child.pid} `) })
})

// A lock that outlives its owner is the commonest way for an archive not to come up after a crash.
test('data lock: a killed owner leaves nothing behind', async (context) => {
  const path = directory(context)
  const child = await hold(path)
  child.kill('SIGKILL')
  await once(child, 'exit')
  lockDataDirectory(path).release()
})

test('data lock: half a restore is no archive yet; only the restore itself may go on', (context) => {
  const path = directory(context)
  writeFileSync(join(path, 'restoring'), '')
  assert.throws(() => lockDataDirectory(path), { code: 'archive.restoring' })
  lockDataDirectory(path, { forRestore: true }).release()
})

test('data lock: a torn lock file is replaced', (context) => {
  const path = directory(context)
  writeFileSync(join(path, 'lock'), 'x'.repeat(4096))
  lockDataDirectory(path).release()
})

// A place where nothing can be made must end in a sentence: Node's own way of making directories never ends below /proc.
test('data lock: an impossible directory is told as one', { timeout: 10_000 }, (context) => {
  const path = directory(context)
  writeFileSync(join(path, 'file'), '')
  const impossible = { name: 'ArchiveError', code: 'configuration.invalid', message: /cannot be a data directory/ }
  for (const place of ['/proc/diptych', '/proc/diptych/data', join(path, 'file'), join(path, 'file/data')]) {
    assert.throws(() => lockDataDirectory(place), impossible, place)
  }
  lockDataDirectory(join(path, 'a/b/c')).release()
})
