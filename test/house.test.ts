/** House rules that a program can check. CONTRIBUTING.md explains them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..')
const sources = globSync('src/**/*.ts', { cwd: root }).filter((file) => !file.includes('/generated/'))
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const isTest = (file: string) => file.endsWith('.test.ts')

/** Rooms from the roof down; a room imports only from rooms of a higher number. Same number: side by side, never. */
const FLOORS: readonly (readonly string[])[] = [
  [
    'main.ts',
    'cli',
    'app.ts',
    'app-captures.ts',
    'app-documents.ts',
    'app-document-export.ts',
    'app-document-routes.ts',
    'app-maintenance.ts',
    'app-notices.ts',
    'app-losses.ts',
    'app-server.ts',
    'app-start.ts',
    'app-dimse.ts',
    'app-exchange.ts',
    'app-faces.ts',
    'app-fhir.ts',
    'app-hl7.ts',
    'app-leaving.ts',
    'app-limits.ts',
    'app-placement.ts',
    'app-placement-converters.ts',
    'app-replay.ts',
    'app-reconciliation.ts',
    'app-settings.ts',
    'app-syslog.ts',
    'app-words.ts',
    'app-writer.ts',
  ],
  ['access'],
  ['arrival'],
  ['operations'],
  ['intake.ts'],
  ['intake'],
  ['screening', 'reconciliation', 'placement', 'quarantine', 'federation'],
  ['storage', 'index', 'jobs'],
  ['security'],
  ['config.ts', 'errors.ts', 'remote.ts'],
  ['model'],
  ['standards'],
]
const floorOf = new Map(FLOORS.flatMap((rooms, floor) => rooms.map((room) => [room, floor] as const)))
const roomOf = (file: string) => file.split('/')[1] ?? ''

function importsOf(file: string): string[] {
  return [...read(file).matchAll(/(?:from|import\()\s*'([^']+)'/g)].map((match) => match[1] ?? '')
}

/** The file an import names, relative to the project, or undefined for packages. */
function target(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return `src/${specifier.slice(1)}`
  if (specifier.startsWith('.')) return relative(root, resolve(root, dirname(file), specifier))
  return undefined
}

test('imports across rooms point only downwards', () => {
  const wrong: string[] = []
  for (const file of sources.filter((f) => !isTest(f))) {
    const from = roomOf(file)
    const fromFloor = floorOf.get(from)
    if (fromFloor === undefined) wrong.push(`${file}: no such room`)
    for (const specifier of importsOf(file)) {
      const to = target(file, specifier)
      if (to === undefined || !to.startsWith('src/')) continue
      const toRoom = roomOf(to)
      if (toRoom === from || toRoom === 'errors.ts') continue
      const toFloor = floorOf.get(toRoom)
      const sameFloorOfApp = fromFloor === 0 && toFloor === 0
      if (toFloor === undefined || fromFloor === undefined || (toFloor <= fromFloor && !sameFloorOfApp)) {
        wrong.push(`${file} imports ${specifier}`)
      }
    }
  }
  assert.deepEqual(wrong, [])
})

test('standards import nothing of ours', () => {
  const wrong = sources
    .filter((file) => roomOf(file) === 'standards' && !isTest(file))
    .flatMap((file) => importsOf(file).map((specifier) => ({ file, to: target(file, specifier) })))
    .filter(({ to }) => to?.startsWith('src/') && !to.startsWith('src/standards/'))
  assert.deepEqual(wrong, [])
})

test('every import names a file that exists', () => {
  const all = [...sources, ...globSync('{test,tools}/**/*.ts', { cwd: root })]
  const wrong = all.flatMap((file) =>
    importsOf(file)
      .flatMap((specifier) => target(file, specifier) ?? [])
      .filter((to) => to.endsWith('.ts') && !existsSync(join(root, to)))
      .map((to) => `${file} -> ${to}`),
  )
  assert.deepEqual(wrong, [])
})

test('no file is imported by nobody', () => {
  const everything = [...globSync('src/**/*.ts', { cwd: root }), ...globSync('{test,tools}/**/*.ts', { cwd: root })]
  const used = new Set(everything.flatMap((file) => importsOf(file).map((s) => target(file, s) ?? '')))
  const named = everything.map(read).join('\n')
  const roots = new Set(['src/main.ts', 'src/app-writer.ts'])
  const orphans = sources.filter(
    (file) =>
      !isTest(file) && !roots.has(file) && !used.has(file) && !named.includes(file.slice(file.lastIndexOf('/') + 1)),
  )
  assert.deepEqual(orphans, [])
})

test('no file is longer than one reading', () => {
  const long = sources
    .map((file) => ({ file, lines: read(file).split('\n').length }))
    .filter(({ file, lines }) => lines > 400 && !isTest(file) && !file.endsWith('-table.ts'))
  assert.deepEqual(long, [])
})

test('no utils, no barrels, no any, no silenced checks', () => {
  const wrong: string[] = []
  for (const file of sources) {
    if (/(^|\/)(utils?|helpers?|index)\.ts$/.test(file)) wrong.push(`${file}: name says nothing`)
    const text = read(file)
    if (/@ts-(ignore|nocheck|expect-error)|biome-ignore|\bas any\b|: any\b|<any>/.test(text))
      wrong.push(`${file}: silenced check`)
    if (/catch\s*(\([^)]*\))?\s*\{\s*\}/.test(text)) wrong.push(`${file}: swallowed error`)
    if (/^\s*enum |^\s*namespace /m.test(text)) wrong.push(`${file}: not erasable`)
  }
  assert.deepEqual(wrong, [])
})

test('only the app names adapters', () => {
  const adapters = /'#(storage\/file-segments|storage\/memory-segments|index\/sqlite)\b/
  const wrong = sources.filter(
    (file) =>
      !isTest(file) && !FLOORS[0]?.includes(roomOf(file)) && roomOf(file) !== 'cli' && adapters.test(read(file)),
  )
  assert.deepEqual(wrong, [])
})

test('the error catalogue and its reference page agree', async () => {
  const { failures } = await import('../src/errors.ts')
  const page = read('docs/reference/errors.md')
  const documented = new Set([...page.matchAll(/`([a-z]+\.[a-z-]+)`/g)].map((match) => match[1]))
  assert.deepEqual([...documented].sort(), Object.keys(failures).sort())
})

test('dependencies are pinned exactly', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>
  const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
  )
  assert.deepEqual(loose, [])
})

test('nothing in the repository is large, a sample, or particular to one machine', () => {
  const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean)
  const eicar = ['X5O!P%@AP[4', 'PZX54(P^)7CC)7}$'].join('\\')
  const wrong: string[] = []
  for (const file of tracked) {
    const path = join(root, file)
    if (!existsSync(path)) continue
    if (statSync(path).size > 512 * 1024) wrong.push(`${file}: larger than 512 KiB`)
    if (/\.(dcm|dicom|zip|pdf|hl7)$/.test(file)) wrong.push(`${file}: fixtures are built by code`)
    const text = readFileSync(path, 'latin1')
    if (text.includes(eicar)) wrong.push(`${file}: holds the EICAR string`)
    if (file !== 'test/house.test.ts' && /\/work\/(main|shared)|\/root\/|registry\.npmjs\.org/.test(text))
      wrong.push(`${file}: names a machine or a registry`)
  }
  assert.deepEqual(wrong, [])
})
