/** Rows that need more than kept-alive requests: a large upload, an import of many files, the start. */
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { build } from '../../tools/build.ts'
import { runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { tinyObject } from '../live/tiny-object.ts'
import type { Peer } from './orthanc.ts'
import { cpuSeconds, watchMemory } from './process-figures.ts'
import { corpus, type Figures } from './rows.ts'

/** One object of so many MB by STOW-RS, made while it is sent. */
export async function largeStoreRow(peer: Peer, megabytes: number): Promise<Figures> {
  const study = `2.25.8${process.pid}${megabytes}`
  const small = tinyObject({
    sopInstanceUID: `${study}.2.1`,
    studyInstanceUID: study,
    seriesInstanceUID: `${study}.1`,
    patientId: 'LARGE',
    side: 724,
    frames: 2,
  })
  // The head of a two-frame object with its count and length rewritten; 724 x 724 x 2 bytes is one frame.
  const frameBytes = 724 * 724 * 2
  const pixelsAt = small.length - 2 * frameBytes
  const frames = Math.max(2, Math.round((megabytes * 2 ** 20) / frameBytes))
  const head = Buffer.from(small.subarray(0, pixelsAt))
  head.writeUInt32LE(frames * frameBytes, pixelsAt - 4)
  const count = Buffer.from([0x28, 0, 8, 0, 0x49, 0x53, 2, 0])
  const at = head.indexOf(count)
  const digits = Buffer.from(String(frames).padEnd(6, ' '), 'latin1')
  const longer = Buffer.concat([
    head.subarray(0, at),
    Buffer.from([0x28, 0, 8, 0, 0x49, 0x53, 6, 0]),
    digits,
    head.subarray(at + 10),
  ])

  const memory = watchMemory(peer.pid)
  const cpu = cpuSeconds(peer.pid)
  const began = performance.now()
  const status = await new Promise<number>((resolve, reject) => {
    const asked = http.request(`${peer.root}/studies`, {
      method: 'POST',
      headers: {
        'Content-Type': 'multipart/related; type="application/dicom"; boundary=large',
        Accept: 'application/dicom+json',
      },
    })
    asked.on('error', reject)
    asked.on('response', (answer) => {
      answer.resume()
      answer.on('end', () => resolve(answer.statusCode ?? 0))
    })
    asked.write('--large\r\nContent-Type: application/dicom\r\n\r\n')
    asked.write(longer)
    const frame = small.subarray(pixelsAt, pixelsAt + frameBytes)
    let sent = 0
    const more = () => {
      while (sent < frames) {
        sent++
        if (!asked.write(frame)) {
          asked.once('drain', more)
          return
        }
      }
      asked.end('\r\n--large--\r\n')
    }
    more()
  })
  const seconds = (performance.now() - began) / 1000
  const spent = cpuSeconds(peer.pid) - cpu
  const { before, peak } = memory.stop()
  return {
    row: `STOW-RS of one ${megabytes} MB object (per second: MB)`,
    peer: peer.name,
    items: megabytes,
    seconds,
    perSecond: megabytes / seconds,
    cpuMsPerItem: (spent * 1000) / megabytes,
    p50Ms: null,
    p95Ms: null,
    memoryGrowthMB: (peak - before) / 2 ** 20,
    failed: status === 200 ? 0 : 1,
  }
}

/** Import of many files from a folder, with screening, digest and flush, by the command. */
export async function importRow(files: number): Promise<Figures> {
  const [source, data] = [temporaryDirectory('files'), temporaryDirectory('import')]
  try {
    for (let i = 0; i < files; i += 500) {
      mkdirSync(join(source.path, `D${i}`))
      for (const [k, object] of corpus('mixed', Math.min(500, files - i)).entries()) {
        writeFileSync(join(source.path, `D${i}`, `I${k}`), object)
      }
    }
    const began = performance.now()
    const child = spawn(process.execPath, ['bin/diptych.js', 'import', source.path, '--data', data.path, '--json'], {
      cwd: join(import.meta.dirname, '../..'),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const memory = watchMemory(child.pid ?? 0)
    let last = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      last = (last + text).slice(-4096)
    })
    let cpu = 0
    const timer = setInterval(() => {
      cpu = Math.max(cpu, cpuSeconds(child.pid ?? 0))
    }, 50)
    await new Promise((resolve) => child.once('close', resolve))
    clearInterval(timer)
    const seconds = (performance.now() - began) / 1000
    const { before, peak } = memory.stop()
    const summary = JSON.parse(last.trim().split('\n').at(-1) ?? '{}') as { summary?: { stored: number } }
    return {
      row: `import of ${files} files`,
      peer: 'Diptych',
      items: files,
      seconds,
      perSecond: files / seconds,
      cpuMsPerItem: (cpu * 1000) / files,
      p50Ms: null,
      p95Ms: null,
      memoryGrowthMB: (peak - before) / 2 ** 20,
      failed: files - (summary.summary?.stored ?? 0),
    }
  } finally {
    source.remove()
    data.remove()
  }
}

/**
 * From the start of the process to its first answer, from the build that `npm start` makes and from the sources themselves,
 * in turn. The first of each compiles and is left out. CPU is that of the process until the answer.
 */
export async function startRows(times: number): Promise<Figures[]> {
  const data = temporaryDirectory('start')
  try {
    await build(join(import.meta.dirname, '../..'))
    await runCommand(['token', 'create', '--role', 'reader', '--data', data.path, '--json'])
    const rows = [
      { row: 'start to first answer, built', built: true, taken: [] as { ms: number; cpu: number }[] },
      { row: 'start to first answer, from the sources', built: false, taken: [] as { ms: number; cpu: number }[] },
    ]
    for (let i = 0; i <= times; i++) {
      for (const { built, taken } of rows) {
        const began = performance.now()
        const server = await startServer({ dataDirectory: data.path, built })
        await fetch(`${server.url}/health/live`)
        taken.push({ ms: performance.now() - began, cpu: cpuSeconds(server.pid) * 1000 })
        await server.stop()
      }
    }
    return rows.map(({ row, taken }) => {
      const warm = taken.slice(1).map(({ ms }) => ms)
      const sorted = warm.toSorted((a, b) => a - b)
      const p50 = sorted[Math.floor(sorted.length / 2)] ?? 0
      return {
        row,
        peer: 'Diptych',
        items: warm.length,
        seconds: warm.reduce((a, b) => a + b, 0) / 1000,
        perSecond: 1000 / p50,
        cpuMsPerItem: taken.slice(1).reduce((sum, { cpu }) => sum + cpu, 0) / warm.length,
        p50Ms: p50,
        p95Ms: sorted.at(-1) ?? null,
        memoryGrowthMB: 0,
        failed: 0,
      }
    })
  } finally {
    data.remove()
  }
}
