/** What this machine needs for the promise alone: one digest, one write, one flush and one committed row for each object. */
import { hash } from 'node:crypto'
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { temporaryDirectory } from '../live/server.ts'
import type { Figures } from './rows.ts'

/**
 * No network, no parsing, no index worth the name: nobody who promises the same can be faster by more than this.
 * @param group objects that share a flush and a commit
 */
export function floorRow(kind: string, objects: readonly Buffer[], group: number): Figures {
  const folder = temporaryDirectory('floor')
  const db = new DatabaseSync(join(folder.path, 'index.db'))
  db.exec('pragma journal_mode = wal; pragma synchronous = full; create table kept (id text primary key, at integer)')
  const insert = db.prepare('insert into kept values (?, ?)')
  const fd = openSync(join(folder.path, 'segment'), 'w')
  const times: number[] = []
  const cpu = process.cpuUsage()
  const began = performance.now()
  let at = 0
  for (let i = 0; i < objects.length; i += group) {
    const start = performance.now()
    const together = objects.slice(i, i + group)
    const digests = together.map((object) => hash('sha256', object, 'hex'))
    for (const object of together) at += writeSync(fd, object, 0, object.length, at)
    fdatasyncSync(fd)
    db.exec('begin immediate')
    for (const [k, digest] of digests.entries()) insert.run(`${digest}-${i + k}`, at)
    db.exec('commit')
    times.push(performance.now() - start)
  }
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  closeSync(fd)
  db.close()
  folder.remove()
  times.sort((a, b) => a - b)
  return {
    row: `floor ${kind}, ${group} a flush`,
    peer: 'alone',
    items: objects.length,
    seconds,
    perSecond: objects.length / seconds,
    cpuMsPerItem: (user + system) / 1000 / objects.length,
    p50Ms: times[Math.floor(times.length * 0.5)] ?? null,
    p95Ms: times[Math.floor(times.length * 0.95)] ?? null,
    memoryGrowthMB: 0,
    failed: 0,
  }
}
