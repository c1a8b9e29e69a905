/**
 * Failed associations by the thousand, and what they leave behind in memory. threats.md R22 and R23.
 *
 *     node test/soak/associations.ts [--count 100000] [--warm-up 60000] [--parallel 16] [--json]
 *
 * Kinds in turn: refused by called AE title, nothing in common, garbage, half a request, a message that breaks off, an abort
 * while a data set comes, a reset right after connecting. After each tenth the memory of the server is taken; an
 * association must still be let in and answered. A warm-up comes first: a JavaScript heap grows to its working size before it
 * is collected. Flat: from then on it grows by less than 16 MiB.
 */
import { connect } from 'node:net'
import { parseArgs } from 'node:util'
import { memoryBytes } from '../bench/process-figures.ts'
import { startServer, temporaryDirectory } from '../live/server.ts'
import { associateRequest, StoreClient } from '../live/store-client.ts'
import { tinyObject } from '../live/tiny-object.ts'

const SR = '1.2.840.10008.5.1.4.1.1.88.11'
const EXPLICIT_LE = '1.2.840.10008.1.2.1'
const FLAT_BYTES = 16 * 2 ** 20
const CONTEXTS = [{ sopClass: SR, transferSyntaxes: [EXPLICIT_LE] }]

export interface SoakReport {
  readonly associations: number
  readonly seconds: number
  /** Proportional set size after the warm-up and after each tenth, in MiB. */
  readonly memoryMiB: readonly number[]
  readonly grownMiB: number
  readonly flat: boolean
}

export async function soak(options: {
  readonly count: number
  readonly warmUp: number
  readonly parallel: number
  say(line: string): void
}): Promise<SoakReport> {
  const folder = temporaryDirectory('soak')
  const server = await startServer({ dataDirectory: folder.path, args: ['--dimse-port', '0'] })
  const port = server.dimse?.port ?? 0
  const began = Date.now()
  const memory: number[] = []
  try {
    const tenth = Math.ceil(options.count / 10)
    for (let part = 0; part <= 10; part++) {
      let next = part === 0 ? 0 : options.warmUp + (part - 1) * tenth
      const end = part === 0 ? options.warmUp : Math.min(options.warmUp + options.count, next + tenth)
      await Promise.all(
        Array.from({ length: options.parallel }, async () => {
          while (next < end) await fail(port, next++)
        }),
      )
      await stillServes(port, part)
      memory.push(memoryBytes(server.pid) / 2 ** 20)
      options.say(`${end} associations: ${memory.at(-1)?.toFixed(1)} MiB`)
    }
    const grown = (memory.at(-1) ?? 0) - (memory[0] ?? 0)
    return {
      associations: options.count,
      seconds: Math.round((Date.now() - began) / 1000),
      memoryMiB: memory.map((each) => Math.round(each * 10) / 10),
      grownMiB: Math.round(grown * 10) / 10,
      flat: grown * 2 ** 20 < FLAT_BYTES,
    }
  } finally {
    await server.stop()
    folder.remove()
  }
}

const good = (port: number, more: { called?: string; sopClass?: string } = {}) =>
  associateRequest({
    port,
    called: more.called ?? 'DIPTYCH',
    calling: 'SOAK',
    contexts: [{ sopClass: more.sopClass ?? SR, transferSyntaxes: [EXPLICIT_LE] }],
  })

/** The first bytes of a C-STORE message on context 1: a whole command, and of the data set a part. */
function brokenMessage(): Buffer {
  const part = Buffer.alloc(3000, 0x20)
  const head = Buffer.from([4, 0, 0, 0, 0x0f, 0xa0, 0, 0, 0x0f, 0x9c, 1, 1])
  return Buffer.concat([head, part])
}

/** One association that fails; resolves when its connection is over. */
function fail(port: number, n: number): Promise<void> {
  const kinds: readonly (readonly [bytes: Uint8Array, then: 'wait' | 'end' | 'reset'])[] = [
    [good(port, { called: 'NOBODY' }), 'wait'],
    [good(port, { sopClass: '1.2.840.10008.5.1.1.1' }), 'wait'],
    [Buffer.alloc(200, 0xa5), 'wait'],
    [good(port).subarray(0, 100), 'end'],
    [Buffer.concat([good(port), brokenMessage()]), 'end'],
    [Buffer.concat([good(port), brokenMessage(), Buffer.from([7, 0, 0, 0, 0, 4, 0, 0, 0, 0])]), 'wait'],
    [new Uint8Array(0), 'reset'],
  ]
  const [bytes, then] = kinds[n % kinds.length] ?? [new Uint8Array(0), 'end' as const]
  return new Promise((resolve) => {
    const localAddress = `127.${1 + (n % 100)}.${1 + ((n >> 8) % 200)}.${1 + (n % 250)}`
    const socket = connect({ port, host: '127.0.0.1', localAddress }, () => {
      if (then === 'reset') socket.resetAndDestroy()
      else if (then === 'end') socket.end(bytes)
      else socket.write(bytes)
    })
    // Rejected or aborted by the server, which then closes; ours goes too.
    socket.on('data', () => then === 'wait' && socket.destroy())
    socket.on('error', () => resolve())
    socket.on('close', () => resolve())
    socket.setTimeout(60_000, () => socket.destroy())
  })
}

/** @throws when a proper association is not served */
async function stillServes(port: number, part: number): Promise<void> {
  const client = await StoreClient.open({ port, contexts: CONTEXTS })
  const instance = `2.25.66${process.pid}.${part}`
  const file = tinyObject({ sopInstanceUID: instance, studyInstanceUID: '2.25.661', seriesInstanceUID: '2.25.662' })
  const answer = await client.store(SR, EXPLICIT_LE, instance, file.subarray(144 + file.readUInt32LE(140)))
  if (answer.status !== 0) throw new Error(`C-STORE answered ${answer.status.toString(16)}: ${answer.comment}`)
  await client.release()
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '100000' },
      'warm-up': { type: 'string', default: '60000' },
      parallel: { type: 'string', default: '16' },
      json: { type: 'boolean', default: false },
    },
  })
  const report = await soak({
    count: Number(values.count),
    warmUp: Number(values['warm-up']),
    parallel: Number(values.parallel),
    say: (line) => process.stderr.write(`${line}\n`),
  })
  process.stdout.write(`${JSON.stringify(report, null, values.json ? 0 : 2)}\n`)
  process.exitCode = report.flat ? 0 : 1
}
