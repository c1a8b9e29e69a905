/**
 * What the index costs an arrival: milliseconds of one commit per tiny instance, by group size, flushed.
 *
 *     node test/bench/search-commit.ts [--instances 20000] [--db FILE]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openDatabase } from '../../src/index/sqlite/database.ts'
import { migrate } from '../../src/index/sqlite/migrate.ts'
import { createSqliteWriter } from '../../src/index/sqlite/writer.ts'
import { groupOf, type Sketch } from '../contracts/archive-index-fixtures.ts'

const { values } = parseArgs({
  options: { instances: { type: 'string', default: '8000' }, db: { type: 'string' } },
})
const directory = mkdtempSync(join(tmpdir(), 'bench-commit-'))
const db = openDatabase(values.db ?? join(directory, 'index.db'))
try {
  migrate(db)
  const writer = createSqliteWriter(db)
  const run = Date.now()
  let made = 0
  const sketch = (perStudy: number): Sketch => {
    const n = made++
    const study = Math.floor(n / perStudy)
    return {
      uid: `1.2.840.113619.2.${run}.${n}`,
      study: `1.2.840.113619.3.${run}.${study}`,
      series: `1.2.840.113619.4.${run}.${study}`,
      patient: `P${study}`,
      attributes: {
        '00100010': [`NAME${study}^GIVEN`],
        '00080020': ['20260102'],
        '00080030': ['101112'],
        '00080050': [`A${study}`],
        '00081030': ['HEAD NATIVE'],
        '0008103E': ['AXIAL'],
        '00200013': [String(n % perStudy)],
        '00200011': ['1'],
      },
    }
  }
  console.log('group  per study   ms each (p50)   cpu ms each')
  for (const perStudy of [100, 1]) {
    for (const size of [1, 4, 16, 64]) {
      const groups = Math.max(10, Math.floor(Number(values.instances) / 8 / size))
      const all = Array.from({ length: groups }, () => groupOf(...Array.from({ length: size }, () => sketch(perStudy))))
      const times: number[] = []
      const cpu = process.cpuUsage()
      for (const group of all) {
        const began = performance.now()
        writer.commit(group)
        times.push(performance.now() - began)
      }
      const used = process.cpuUsage(cpu)
      times.sort((a, b) => a - b)
      const each = ((times[Math.floor(times.length / 2)] ?? 0) / size).toFixed(3)
      const cpuEach = ((used.user + used.system) / 1000 / groups / size).toFixed(3)
      console.log(
        `${String(size).padStart(5)} ${String(perStudy).padStart(10)} ${each.padStart(15)} ${cpuEach.padStart(13)}`,
      )
    }
  }
} finally {
  db.close()
  rmSync(directory, { recursive: true, force: true })
}
