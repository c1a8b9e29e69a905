#!/usr/bin/env node
// Starts the archive. npx puts node_modules/.bin first, so the Node that reads this is usually the pinned one;
// under an older Node it is started again with the pinned one, signals and exit status passed on.
import { existsSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { fileURLToPath } from 'node:url'

const LEAST_MAJOR = 24
const major = Number(process.versions.node.split('.')[0])

if (major >= LEAST_MAJOR) {
  // Stripped and compiled once per version of the sources: halves the time to the first answer.
  const { directory } = nodeModule.enableCompileCache()
  // The environment is how worker threads learn of it: the writer loads half of the sources.
  if (directory !== undefined) process.env.NODE_COMPILE_CACHE ??= directory
  const { main } = await import('../src/main.ts')
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
