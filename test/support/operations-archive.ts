/** What tests of the operations ask of a small archive. */
import fs from 'node:fs'
import { join } from 'node:path'
import { ArchiveError } from '#errors.ts'
import type { Deletion, Scope } from '#model/archive-index.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { compact } from '../../src/operations/compaction.ts'
import { type VerifyFinding, verify } from '../../src/operations/verify.ts'
import { type SmallArchive, smallArchive, temporaryFolder } from './small-archive.ts'

export const isError = (code: string) => (error: unknown) => error instanceof ArchiveError && error.code === code

export async function withArchive(run: (archive: SmallArchive, folder: string) => Promise<void>): Promise<void> {
  const folder = temporaryFolder()
  const archive = await smallArchive(join(folder, 'data'), 24 * 1024)
  try {
    await run(archive, folder)
  } finally {
    await archive.close()
    fs.rmSync(folder, { recursive: true })
  }
}

export async function everything(archive: SmallArchive): Promise<StoredInstance[]> {
  const studies = await archive.reader.search(
    {
      level: 'study',
      scope: {},
      match: [],
      include: [],
      fuzzy: false,
      order: null,
      limit: 100,
      offset: 0,
      after: null,
    },
    EVERYTHING,
  )
  const found: StoredInstance[] = []
  for (const { studyInstanceUID } of studies.rows) {
    for await (const instance of archive.reader.instances({ studyInstanceUID }, EVERYTHING)) found.push(instance)
  }
  return found.sort((a, b) => (a.sopInstanceUID < b.sopInstanceUID ? -1 : 1))
}

export function deletionOf(scope: Scope, purgeAfter = '2026-02-01T00:00:00.000Z'): Deletion {
  return { scope, by: 'archivist', reason: 'wrong patient', time: '2026-01-10T00:00:00.000Z', purgeAfter }
}

export async function check(archive: SmallArchive): Promise<{ summary: object; findings: VerifyFinding[] }> {
  const findings: VerifyFinding[] = []
  const { seconds: _, ...summary } = await verify({
    segments: archive.segments,
    kept: archive.kept,
    onFinding: (finding) => findings.push(finding),
  })
  return { summary, findings }
}

export const compactNow = (archive: SmallArchive, now = '2026-03-01T00:00:00.000Z') =>
  compact({ ...archive, settleMs: 0, now: () => new Date(now) })
