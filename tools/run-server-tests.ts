/** `npm run test:servers`: installs and starts real counterparts, and runs the suites that need them. */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { run } from 'node:test'
import { installCounterparts } from './install-counterparts.ts'

const root = join(import.meta.dirname, '..')
process.chdir(root)
delete process.env['NODE_TEST_CONTEXT']

const missing = installCounterparts((command, args) => {
  const { status } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], timeout: 600_000 })
  return status ?? 1
})
for (const { name, packages } of missing) {
  process.stdout.write(`MISSING ${name}: install the Debian packages ${packages.join(' ')} and run again\n`)
}

const files = globSync('test/servers/**/*.test.ts').sort()
let [passed, failed, skipped] = [0, missing.length, 0]
if (files.length === 0) failed++
const stream = run({ files, concurrency: 1, timeout: 600_000, isolation: 'process' })
stream.on('test:pass', ({ name, nesting, skip }) => {
  if (skip !== undefined && skip !== false) {
    skipped++
    process.stdout.write(`skipped ${name}\n`)
  } else if (nesting === 0) {
    passed++
    process.stdout.write(`ok      ${name}\n`)
  }
})
stream.on('test:fail', ({ name, file, details }) => {
  failed++
  const { error } = details
  process.stdout.write(
    `not ok  ${file ?? ''} ${name}\n${error.cause instanceof Error ? error.cause.stack : error.message}\n`,
  )
})
await new Promise((resolve, reject) => {
  stream.on('error', reject)
  stream.on('end', resolve)
  stream.resume()
})
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`)
process.exitCode = failed === 0 ? 0 : 1
