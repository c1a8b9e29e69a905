/** `npm test`: types, lint and every suite that needs no system package, with progress, and what was left out. */
import { spawn } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { run } from 'node:test'

const root = join(import.meta.dirname, '..')
process.chdir(root)
// `node --test` marks its children; a run from inside another run must not report to it.
delete process.env['NODE_TEST_CONTEXT']

const suites = [
  { name: 'units and house rules', globs: ['src/**/*.test.ts', 'test/*.test.ts'] },
  { name: 'contracts', globs: ['test/contracts/**/*.test.ts'] },
  { name: 'fuzz, short', globs: ['test/fuzz/**/*.test.ts'] },
  { name: 'journeys', globs: ['test/journeys/**/*.test.ts'] },
]

const began = Date.now()
let failed = 0
let passed = 0
let skipped = 0

for (const [name, command, args] of [
  ['types', 'tsc', ['--noEmit']],
  ['lint', 'biome', ['check', '--error-on-warnings', '.']],
] as const) {
  const status = await new Promise<number>((resolve) => {
    const child = spawn(join(root, 'node_modules/.bin', command), args, { stdio: 'inherit' })
    child.once('exit', (code) => resolve(code ?? 1))
    child.once('error', () => resolve(1))
  })
  if (status === 0) passed++
  else failed++
  say(`${status === 0 ? 'ok    ' : 'FAILED'} ${name}`)
}

for (const { name, globs } of suites) {
  const files = globs.flatMap((glob) => globSync(glob)).sort()
  if (files.length === 0) {
    failed++
    say(`FAILED ${name}: no test file found`)
    continue
  }
  const counts = await runFiles(files)
  passed += counts.passed
  failed += counts.failed
  skipped += counts.skipped
  say(
    `${counts.failed === 0 ? 'ok    ' : 'FAILED'} ${name}: ${files.length} files, ${counts.passed} passed, ${counts.failed} failed`,
  )
}

const samples = process.env['DIPTYCH_SAMPLES'] ?? join(root, '../shared/data')
say('')
say('Left out of this run:')
say('  - the suites against real counterparts (dcmtk, clamd, Chromium, Orthanc): npm run test:servers')
say('  - long fuzz runs, the 100-cycle kill loop, the 2,000-seed disk simulation: see docs/reference/fuzzing.md')
if (!existsSync(samples))
  say(`  - everything that reads the sample collection: DIPTYCH_SAMPLES is not set and ${samples} is not there`)
say(`Took ${Math.round((Date.now() - began) / 1000)} s`)
say(`${passed} passed, ${failed} failed, ${skipped} skipped`)
process.exitCode = failed === 0 ? 0 : 1

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function runFiles(files: readonly string[]): Promise<{ passed: number; failed: number; skipped: number }> {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  return new Promise((resolve, reject) => {
    const stream = run({ files: [...files], concurrency: 2, timeout: 240_000, isolation: 'process' })
    stream.on('test:pass', ({ skip, name, nesting }) => {
      if (skip !== undefined && skip !== false) {
        counts.skipped++
        say(`       skipped: ${name}${typeof skip === 'string' ? ` (${skip})` : ''}`)
      } else if (nesting === 0) counts.passed++
    })
    stream.on('test:fail', ({ name, file, details }) => {
      counts.failed++
      const { error } = details
      say(
        `  not ok ${file ?? ''} ${name}\n${indented(error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : error.message)}`,
      )
    })
    stream.on('error', reject)
    stream.on('end', () => resolve(counts))
    stream.resume()
  })
}

function indented(text: string): string {
  return text
    .split('\n')
    .slice(0, 25)
    .map((line) => `      ${line}`)
    .join('\n')
}
