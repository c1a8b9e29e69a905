/**
 * `npm run build`, and part of `npm start`: joins the sources and what they need into a few files that load fast, once for
 * each state of the sources. Behaviour does not depend on it: whoever finds no build runs the sources.
 *
 * A build is a folder named by `bin/build-folder.js`. It is made beside its place and renamed, never changed, and a server
 * goes on with the one it was started from.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { BUILT_MAIN, buildFolder } from '../bin/build-folder.js'

/** Builds of earlier sources that stay for servers that still run from them. */
const EARLIER_KEPT = 3

/** Loaded from node_modules: they find files or programs of their own beside themselves, or are large and rarely needed. */
const APART = [/^node:/, 'sharp', /^pdfjs-dist/, /^dcmjs-codecs/, /^@medplum\//]

/** Entry points by the name of their file; threads and processes that are not here run from the sources. */
const ENTRIES = { main: 'src/main.ts', writer: 'src/app-writer.ts' }
const WRITER_AT = "new URL('./app-writer.ts', import.meta.url)"

/**
 * Makes the build unless it is there.
 * @returns its folder, and whether it was made now
 * @throws Error when it cannot be made: no bundler, no place to write, a source that needs to know where it is
 */
export async function build(root: string): Promise<{ readonly folder: string; readonly made: boolean }> {
  const folder = buildFolder(root)
  if (folder === undefined) throw new Error('there is no node_modules folder beside the sources')
  if (existsSync(join(folder, BUILT_MAIN))) return { folder, made: false }
  const { rolldown } = await import('rolldown')
  const making = `${folder}.${process.pid}`
  mkdirSync(making, { recursive: true })
  try {
    const joined = await rolldown({
      cwd: root,
      input: ENTRIES,
      platform: 'node',
      external: APART,
      tsconfig: false,
      plugins: [{ name: 'places', transform: { filter: { code: 'import.meta.' }, handler: placesOf } }],
      onLog(level, log) {
        // Dependencies warn of what they do themselves; ours must build without.
        if (level === 'warn' && !(log.id ?? '').includes('node_modules')) throw new Error(log.message)
      },
    })
    await joined.write({
      dir: making,
      format: 'esm',
      entryFileNames: '[name].mjs',
      chunkFileNames: '[name]-[hash].mjs',
      keepNames: true,
      minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
    })
    await joined.close()
    renameSync(making, folder)
  } catch (error) {
    rmSync(making, { recursive: true, force: true })
    // Somebody else was faster.
    if (!existsSync(join(folder, BUILT_MAIN))) throw error
    return { folder, made: false }
  }
  removeEarlier(folder)
  return { folder, made: true }
}

/** A source goes on finding files, threads and packages where it stands itself; only the writer's thread is built too. */
function placesOf(code: string, id: string): string | null {
  if (!id.endsWith('.ts')) return null
  const placed = code
    .replace(WRITER_AT, "new URL('./writer.mjs', import.meta['url'])")
    .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href))
    .replaceAll('import.meta.dirname', JSON.stringify(dirname(id)))
    .replaceAll('import.meta.main', 'false')
  const left = /import\.meta\.\w+/.exec(placed)
  if (left !== null) throw new Error(`${id}: ${left[0]} would mean something else in a build`)
  return placed
}

function removeEarlier(folder: string): void {
  const beside = dirname(folder)
  const all = readdirSync(beside)
    .map((name) => ({ path: join(beside, name), made: statSync(join(beside, name)).mtimeMs }))
    .sort((a, b) => b.made - a.made)
  for (const { path } of all.filter(({ path }) => path !== folder).slice(EARLIER_KEPT)) {
    rmSync(path, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const began = performance.now()
  try {
    const { made } = await build(fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, ''))
    if (made)
      process.stderr.write(`Built in ${((performance.now() - began) / 1000).toFixed(1)} s; later starts are faster.\n`)
  } catch (error) {
    process.stderr.write(`Not built, the sources are run: ${error instanceof Error ? error.message : String(error)}\n`)
  }
}
