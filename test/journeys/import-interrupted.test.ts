import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { tinyObject } from '../live/tiny-object.ts'

const root = join(import.meta.dirname, '../..')
const FILES = 2000

function makeFolder(path: string): void {
  mkdirSync(path)
  for (let index = 0; index < FILES; index++) {
    writeFileSync(
      join(path, `I${index}`),
      tinyObject({
        sopInstanceUID: `2.25.77.${index}`,
        studyInstanceUID: `2.25.78.${index % 20}`,
        seriesInstanceUID: `2.25.79.${index % 20}`,
      }),
    )
  }
}

interface Line {
  readonly path?: string
  readonly stored?: boolean
  readonly summary?: { readonly files: number; readonly stored: number; readonly duplicates: number }
}

/** Starts an import and interrupts it after some lines. */
async function interrupted(
  folder: string,
  data: string,
): Promise<{ lines: Line[]; status: number | null; stderr: string }> {
  const child = spawn(process.execPath, ['src/main.ts', 'import', folder, '--data', data, '--json'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const lines: Line[] = []
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push(JSON.parse(text) as Line)
    if (lines.length === 100) child.kill('SIGINT')
  })
  const [status] = (await once(child, 'close')) as [number | null]
  return { lines, status, stderr }
}

for (const beside of ['on its own', 'beside a server'] as const) {
  test(`import ${beside}: an interrupt ends it with a true summary, the next run takes the rest`, async (context) => {
    const place = temporaryDirectory('interrupt')
    context.after(() => place.remove())
    const folder = join(place.path, 'disc')
    const data = join(place.path, 'data')
    makeFolder(folder)
    if (beside === 'beside a server') {
      const server = await startServer({ dataDirectory: data })
      context.after(() => server.stop())
    }
    const { lines, status, stderr } = await interrupted(folder, data)
    const summary = lines.at(-1)?.summary
    assert.ok(summary, stderr)
    assert.equal(status, 1)
    assert.match(stderr, /Interrupted/)
    assert.equal(summary.files, lines.length - 1)
    assert.ok(summary.files < FILES, 'it was over before it could be interrupted')
    const stored = lines.filter((line) => line.stored).length
    assert.equal(summary.stored, stored)

    const next = await runCommand(['import', folder, '--data', data, '--json'])
    const { summary: rest } = next.lines.at(-1) as Line
    assert.equal(next.status, 0)
    assert.deepEqual([rest?.files, rest?.stored, rest?.duplicates], [FILES, FILES - stored, stored])
  })
}
