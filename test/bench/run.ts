/**
 * `npm run bench`: Diptych beside Orthanc on this machine, in one run.
 *
 *     npm run bench -- [--quick] [--only WORD] [--more STUDIES] [--json]
 *
 * Figures are ratios of two servers measured in turn on the same machine with the same client; CPU is what the server's
 * processes used, memory the growth of their proportional set size. Wall times include the client on the same cores.
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { startServer, temporaryDirectory } from '../live/server.ts'
import { importRow, largeStoreRow, startRows } from './extra-rows.ts'
import { floorRow } from './floor-row.ts'
import { orthancIsHere, type Peer, startOrthanc } from './orthanc.ts'
import { queryFigures } from './query-rows.ts'
import { corpus, type Figures, readRow, storeMultiFrame, storeRow, storeSeries } from './rows.ts'
import { storeFigures } from './store-rows.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    large: { type: 'string', default: '1024' },
    more: { type: 'string', default: '2000' },
  },
})
const figures: Figures[] = []
const scale = values.quick ? 0.2 : 1
const wanted = (row: string) => values.only === '' || row.includes(values.only)
const say = (line: string) => process.stderr.write(`${line}\n`)

async function diptych(): Promise<Peer> {
  const folder = temporaryDirectory('bench')
  const server = await startServer({ dataDirectory: folder.path, args: ['--dimse-port', '0'] })
  return {
    name: 'Diptych',
    pid: server.pid,
    root: `${server.url}/dicom-web`,
    dimse: server.dimse,
    guarantees: 'segment flushed (fdatasync), index committed with synchronous=FULL, screened, audited',
    async stop() {
      await server.stop()
      folder.remove()
    },
  }
}

function keep(taken: Figures): void {
  figures.push(taken)
  say(
    `${taken.peer.padEnd(8)} ${taken.row}: ${taken.perSecond.toFixed(1)}/s, ${taken.cpuMsPerItem.toFixed(2)} ms CPU, p50 ${taken.p50Ms?.toFixed(2)} ms`,
  )
}

async function compare(peer: Peer): Promise<void> {
  const note = async (row: string, work: () => Promise<Figures>) => {
    if (!wanted(row)) return
    keep(await work())
  }
  if (wanted('search')) {
    await storeRow('tiny', peer, corpus('tiny', 200))
    await note('search list', () => readRow('study list, 25 rows', peer, '/studies?limit=25', Math.round(200 * scale)))
    await note('search id', () =>
      readRow(
        'patient id, exact',
        peer,
        (i) => `/studies?PatientID=PT${String(10 + (i % 90)).padStart(6, '0')}&limit=25`,
        Math.round(300 * scale),
      ),
    )
    await note('search prefix', () =>
      readRow(
        'name prefix and date range',
        peer,
        '/studies?PatientName=FIXT*&StudyDate=20240101-20241231&limit=25',
        Math.round(200 * scale),
      ),
    )
  }
  if (wanted('series')) {
    const series = await storeSeries(peer, 500)
    await note('series instances', () =>
      readRow('instances of a 500-slice series', peer, `${series}/instances?limit=500`, Math.round(50 * scale)),
    )
    await note('series metadata', () =>
      readRow('series metadata x 500, gzip', peer, `${series}/metadata`, Math.round(50 * scale), { encoding: 'gzip' }),
    )
    await note('series metadata', () =>
      readRow('series metadata x 500, identity', peer, `${series}/metadata`, Math.round(50 * scale)),
    )
  }
  if (wanted('frame')) {
    const object = await storeMultiFrame(peer, 100)
    const accept = 'multipart/related; type="application/octet-stream"'
    await note('frame one', () =>
      readRow(
        '1 MB frame of a 100 MB object',
        peer,
        (i) => `${object}/frames/${1 + (i % 100)}`,
        Math.round((peer.name === 'Diptych' ? 400 : 60) * scale),
        { accept },
      ),
    )
    await note('frame four', () =>
      readRow(
        '1 MB frame, 4 connections',
        peer,
        (i) => `${object}/frames/${1 + (i % 100)}`,
        Math.round((peer.name === 'Diptych' ? 400 : 60) * scale),
        { accept, connections: 4 },
      ),
    )
  }
  await note('large', () => largeStoreRow(peer, Number(values.large)))
}

/** Rows of `compare`: with `--only query` neither peer is started for them. */
const makers = values.only === 'query' ? [] : orthancIsHere() ? [startOrthanc, diptych] : [diptych]
if (!orthancIsHere()) say('Orthanc is not installed: only our own side is measured')
const guarantees: string[] = []
const running: Peer[] = []
try {
  for (const make of makers) running.push(await make())
  for (const peer of running) guarantees.push(`${peer.name}: ${peer.guarantees}`)
  await storeFigures(running, scale, wanted, keep)
  for (const peer of running) await compare(peer)
} finally {
  for (const peer of running) await peer.stop()
}
if (wanted('store floor')) {
  for (const kind of ['tiny', 'mixed'] as const) {
    for (const group of [1, 10]) keep(floorRow(kind, corpus(kind, 400), group))
  }
}
if (wanted('query')) await queryFigures(scale, Math.round(Number(values.more) * scale), keep)
if (wanted('import')) figures.push(await importRow(Math.round(10_000 * scale)))
if (wanted('start')) for (const row of await startRows(values.quick ? 5 : 15)) keep(row)

if (values.json) {
  for (const one of figures) process.stdout.write(`${JSON.stringify(one)}\n`)
} else {
  process.stdout.write(
    `\n${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}\n`,
  )
  for (const line of guarantees) process.stdout.write(`success means - ${line}\n`)
  process.stdout.write(
    '\n| row | peer | per second | CPU ms/item | p50 ms | p95 ms | growth MB | failed | wall ratio | CPU ratio |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n',
  )
  for (const one of figures) {
    const other = figures.find(({ row, peer }) => row === one.row && peer !== one.peer)
    const of = other?.peer === 'Orthanc' ? '' : ` of ${other?.peer}`
    const ours = one.peer === 'Diptych' && other !== undefined
    process.stdout.write(
      `| ${one.row} | ${one.peer} | ${one.perSecond.toFixed(1)} | ${one.cpuMsPerItem.toFixed(2)} | ${one.p50Ms?.toFixed(2) ?? ''} | ${one.p95Ms?.toFixed(2) ?? ''} | ${one.memoryGrowthMB.toFixed(0)} | ${one.failed} | ${ours ? `${(one.perSecond / other.perSecond).toFixed(1)}x${of}` : ''} | ${ours ? `${(other.cpuMsPerItem / one.cpuMsPerItem).toFixed(1)}x` : ''} |\n`,
    )
  }
}
