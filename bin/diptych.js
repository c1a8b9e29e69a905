#!/usr/bin/env node
// Starts the archive. npx puts node_modules/.bin first, so the Node that reads this is usually the pinned one;
// under an older Node it is started again with the pinned one, signals and exit status passed on.
import { existsSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { BUILT_MAIN, buildFolder } from './build-folder.js'

const LEAST_MAJOR = 24
const major = Number(process.versions.node.split('.')[0])

if (major >= LEAST_MAJOR) {
  const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '')
  const folder = process.env.DIPTYCH_BUILD === 'off' ? undefined : buildFolder(root)
  delete process.env.DIPTYCH_BUILD // no setting of the archive
  const built = folder !== undefined && existsSync(join(folder, BUILT_MAIN))
  // Compiled once per version of the sources: halves the time to the first answer.
  const { directory } = nodeModule.enableCompileCache(built ? join(folder, 'compiled') : undefined)
  // The environment is how worker threads learn of it: the writer loads half of the sources.
  if (directory !== undefined) process.env.NODE_COMPILE_CACHE ??= directory
  const { main } = await import(built ? pathToFileURL(join(folder, BUILT_MAIN)).href : '../src/main.ts')
  await main(process.argv.slice(2))
} else {
  const { spawn } = await import('node:child_process')
  const candidates = ['../node_modules/node/bin/node', '../node_modules/.bin/node', '../../node/bin/node']
  const node = candidates.map((path) => fileURLToPath(new URL(path, import.meta.url))).find((path) => existsSync(path))
  if (node === undefined) {
    process.stderr.write(
      `diptych needs Node ${LEAST_MAJOR} or newer; this is ${process.versions.node}. Run npm ci first.\n`,
    )
    process.exit(1)
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' })
  child.on('error', (error) => {
    process.stderr.write(`diptych: the pinned Node could not be started: ${error.message}\n`)
    process.exit(1)
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name)
    process.kill(process.pid, signal)
  })
}
