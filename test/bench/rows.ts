/** The rows of the benchmark: each does the same work against a peer and says what it took. */
import http from 'node:http'
import { request, stow } from '../live/stow-client.ts'
import { realisticObject } from '../live/template-object.ts'
import { tinyObject } from '../live/tiny-object.ts'
import type { Peer } from './orthanc.ts'
import { cpuSeconds, watchMemory } from './process-figures.ts'

export interface Figures {
  readonly row: string
  readonly peer: string
  readonly items: number
  readonly seconds: number
  readonly perSecond: number
  readonly cpuMsPerItem: number
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly memoryGrowthMB: number
  readonly failed: number
}

let serial = 0
/**
 * Objects no run has sent before. `tiny`: dose reports, each in a study of its own, as reports arrive. `mixed`: studies
 * of five series of twenty; three in five are CT slices of 490 KB, the rest small slices and reports: 300 KB in the mean.
 */
export function corpus(kind: 'tiny' | 'mixed', count: number): Buffer[] {
  return Array.from({ length: count }, () => {
    serial++
    if (kind === 'tiny') {
      return realisticObject('report', process.pid, {
        study: serial,
        series: serial,
        instance: serial,
        patient: serial >> 1,
      })
    }
    const study = 1_000_000 + Math.floor(serial / 100)
    const series = 1_000_000 + Math.floor(serial / 20)
    const which = serial % 5 < 3 ? 'ct' : serial % 5 === 3 ? 'small-ct' : 'report'
    // A report has a series of its own.
    const own = which === 'report' ? 5_000_000 + study : series
    return realisticObject(which, process.pid, { study, series: own, instance: serial, patient: study })
  })
}

/** The next mixed objects begin a study of their own. */
export function beginStudy(): void {
  serial = Math.ceil((serial + 1) / 100) * 100 - 1
}

/** Runs `work` for each item over so many connections, and takes the figures of the peer meanwhile. */
export async function measure<T>(
  row: string,
  peer: Peer,
  items: readonly T[],
  connections: number,
  perItem: number,
  work: (item: T, agent: http.Agent) => Promise<boolean>,
): Promise<Figures> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
  const times: number[] = []
  const memory = watchMemory(peer.pid)
  const cpu = cpuSeconds(peer.pid)
  const began = performance.now()
  let [next, failed] = [0, 0]
  await Promise.all(
    Array.from({ length: connections }, async () => {
      for (let i = next++; i < items.length; i = next++) {
        const start = performance.now()
        const item = items[i]
        if (item !== undefined && !(await work(item, agent))) failed++
        times.push(performance.now() - start)
      }
    }),
  )
  const seconds = (performance.now() - began) / 1000
  const spent = cpuSeconds(peer.pid) - cpu
  const { before, peak } = memory.stop()
  agent.destroy()
  times.sort((a, b) => a - b)
  const count = items.length * perItem
  return {
    row,
    peer: peer.name,
    items: count,
    seconds,
    perSecond: count / seconds,
    cpuMsPerItem: (spent * 1000) / count,
    p50Ms: times[Math.floor(times.length * 0.5)] ?? null,
    p95Ms: times[Math.floor(times.length * 0.95)] ?? null,
    memoryGrowthMB: (peak - before) / 2 ** 20,
    failed,
  }
}

export function storeRow(kind: 'tiny' | 'mixed', peer: Peer, objects: readonly Buffer[]): Promise<Figures> {
  const batches: Buffer[][] = []
  for (let i = 0; i < objects.length; i += 10) batches.push(objects.slice(i, i + 10))
  return measure(`STOW-RS ${kind}, 4 connections x 10`, peer, batches, 4, 10, async (batch, agent) => {
    const answer = await stow(agent, peer.root, batch)
    return answer.status === 200
  })
}

export function readRow(
  row: string,
  peer: Peer,
  path: string | ((i: number) => string),
  times: number,
  options: { connections?: number; accept?: string; encoding?: string } = {},
): Promise<Figures> {
  const paths = Array.from({ length: times }, (_, i) => (typeof path === 'string' ? path : path(i)))
  return measure(row, peer, paths, options.connections ?? 1, 1, async (one, agent) => {
    const answer = await request(agent, `${peer.root}${one}`, {
      headers: {
        Accept: options.accept ?? 'application/dicom+json',
        'Accept-Encoding': options.encoding ?? 'identity',
      },
    })
    // 204: a search that finds nothing was answered too.
    return answer.status === 200 || answer.status === 204
  })
}

/** A series of so many slices, stored; its path under the DICOMweb root. */
export async function storeSeries(peer: Peer, slices: number): Promise<string> {
  const study = `2.25.6${process.pid}`
  const agent = new http.Agent({ keepAlive: true })
  for (let i = 0; i < slices; i += 20) {
    const objects = Array.from({ length: Math.min(20, slices - i) }, (_, k) =>
      tinyObject({
        sopInstanceUID: `${study}.2.${i + k + 1}`,
        studyInstanceUID: study,
        seriesInstanceUID: `${study}.1`,
        patientId: 'SERIES',
        number: i + k + 1,
        side: 64,
      }),
    )
    const answer = await stow(agent, peer.root, objects)
    if (answer.status !== 200) throw new Error(`${peer.name} answered ${answer.status} to the series`)
  }
  agent.destroy()
  return `/studies/${study}/series/${study}.1`
}

/** One multi-frame object of so many 1 MB frames, stored; its path under the DICOMweb root. */
export async function storeMultiFrame(peer: Peer, frames: number): Promise<string> {
  const study = `2.25.7${process.pid}`
  const agent = new http.Agent({ keepAlive: true })
  const object = tinyObject({
    sopInstanceUID: `${study}.2.1`,
    studyInstanceUID: study,
    seriesInstanceUID: `${study}.1`,
    patientId: 'FRAMES',
    side: 724,
    frames,
  })
  const answer = await stow(agent, peer.root, [object])
  agent.destroy()
  if (answer.status !== 200)
    throw new Error(
      `${peer.name} answered ${answer.status} to the multi-frame object: ${answer.body.toString().slice(0, 500)}`,
    )
  return `/studies/${study}/series/${study}.1/instances/${study}.2.1`
}
