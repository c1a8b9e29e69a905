/**
 * Searches over a made-up archive, p50 and p95 in milliseconds, through the index reader.
 *
 *     node test/bench/search.ts [--studies 1000000] [--keep FILE] [--runs 200]
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { parseSearch } from '../../src/access/dicomweb/search-query.ts'
import { openDatabase } from '../../src/index/sqlite/database.ts'
import { createSqliteReader } from '../../src/index/sqlite/reader.ts'
import type { Query } from '../../src/model/search.ts'
import { EVERYTHING, type Visibility } from '../../src/model/visibility.ts'
import { archiveOf, type LoadedArchive, loadArchive, randomNumbers } from './search-load.ts'

const { values } = parseArgs({
  options: {
    studies: { type: 'string', default: '100000' },
    keep: { type: 'string' },
    runs: { type: 'string', default: '200' },
    only: { type: 'string' },
  },
})
const studies = Number(values.studies)
const runs = Number(values.runs)

const directory = mkdtempSync(join(tmpdir(), 'bench-search-'))
const path = values.keep ?? join(directory, 'index.db')
try {
  let archive: LoadedArchive
  if (existsSync(path)) archive = archiveOf(studies)
  else {
    const began = performance.now()
    const db = openDatabase(path)
    archive = loadArchive(db, studies)
    const pages = db.get<{ n: number }>('select page_count * page_size as n from pragma_page_count, pragma_page_size')
    console.log(
      `loaded ${studies} studies in ${((performance.now() - began) / 1000).toFixed(1)} s, ${((pages?.n ?? 0) / 1e6).toFixed(0)} MB`,
    )
    db.close()
  }
  await measure(archive)
} finally {
  rmSync(directory, { recursive: true, force: true })
}

interface Case {
  readonly name: string
  readonly level?: Query['level']
  readonly scope?: Query['scope']
  readonly visibility?: Visibility
  readonly ask: (random: () => number, a: LoadedArchive) => string
}

function day(offset: number): string {
  return new Date(Date.UTC(2016, 0, 1) + offset * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '')
}

function cases(archive: LoadedArchive): Case[] {
  const study = (random: () => number): number => Math.floor(random() * archive.studies)
  const from = (random: () => number): string => {
    const first = Math.floor(random() * 3500)
    return `StudyDate=${day(first)}-${day(first + 30)}`
  }
  return [
    { name: 'list, newest first', ask: () => '' },
    { name: 'name prefix, 1 letter', ask: (r, a) => `PatientName=${a.nameAt(study(r)).slice(0, 1)}*` },
    { name: 'name prefix, 3 letters', ask: (r, a) => `PatientName=${a.nameAt(study(r)).slice(0, 3)}*` },
    { name: 'name prefix, 4 letters', ask: (r, a) => `PatientName=${a.nameAt(study(r)).slice(0, 4)}*` },
    { name: 'name, whole', ask: (r, a) => `PatientName=${a.nameAt(study(r))}` },
    { name: '30 days', ask: from },
    { name: '30 days + modality', ask: (r) => `${from(r)}&ModalitiesInStudy=MR` },
    { name: 'rare modality', ask: () => 'ModalitiesInStudy=IVOCT' },
    { name: 'rare modality 1 %', ask: () => 'ModalitiesInStudy=PT' },
    {
      name: 'name + rare modality',
      ask: (r, a) => `PatientName=${a.nameAt(study(r)).slice(0, 3)}*&ModalitiesInStudy=PT`,
    },
    {
      name: 'name + rarest modality',
      ask: (r, a) => `PatientName=${a.nameAt(study(r)).slice(0, 2)}*&ModalitiesInStudy=IVOCT`,
    },
    {
      name: 'name + 30 days + modality',
      ask: (r, a) => `PatientName=${a.nameAt(study(r)).slice(0, 2)}*&ModalitiesInStudy=PT&${from(r)}`,
    },
    {
      name: 'nothing matches',
      ask: (r, a) => `PatientName=${a.nameAt(study(r)).slice(0, 3)}*&ModalitiesInStudy=IVOCT&${from(r)}&PatientSex=F`,
    },
    { name: 'patient id', ask: (r, a) => `PatientID=${a.pidAt(study(r))}` },
    { name: 'patient id, any (*id*)', ask: (r, a) => `PatientID=*${a.pidAt(study(r)).slice(2)}*` },
    { name: 'accession', ask: (r) => `AccessionNumber=A${String(study(r)).padStart(9, '0')}` },
    { name: 'accession substring', ask: (r) => `AccessionNumber=*${String(study(r)).padStart(6, '0')}*` },
    { name: 'study UID', ask: (r, a) => `StudyInstanceUID=${a.uidAt(study(r))}` },
    { name: 'name substring', ask: (r, a) => `PatientName=*${a.nameAt(study(r)).slice(1, 6)}*` },
    { name: 'name substring, common', ask: () => 'PatientName=*THAM*' },
    {
      name: 'fuzzy, two words',
      ask: (r, a) => `PatientName=${a.nameAt(study(r)).replace('^', ' ')}&fuzzymatching=true`,
    },
    { name: 'fuzzy, one word', ask: (r, a) => `PatientName=${a.nameAt(study(r)).slice(0, 4)}&fuzzymatching=true` },
    { name: 'description substring', ask: () => 'StudyDescription=*CONTRAST*' },
    {
      name: 'description + name',
      ask: (r, a) => `StudyDescription=*KNEE*&PatientName=${a.nameAt(study(r)).slice(0, 3)}*`,
    },
    { name: 'offset 80 %', ask: () => `offset=${Math.floor(archive.studies * 0.8)}` },
    { name: 'order by name', ask: (r, a) => `orderby=PatientName&PatientName=${a.nameAt(study(r)).slice(0, 1)}*` },
    {
      name: 'list, one patient only',
      visibility: { sees: 'patients', patientIds: [`SITE|${archive.pidAt(5)}`] },
      ask: () => '',
    },
    { name: 'all series, newest', level: 'series', ask: () => '' },
    { name: 'all series, modality', level: 'series', ask: () => 'Modality=PT' },
    { name: 'all instances by UID', level: 'instance', ask: (r) => `SOPInstanceUID=1.2.826.0.3.${study(r)}` },
    {
      name: 'series of a study',
      level: 'series',
      scope: { studyInstanceUID: archive.bigStudy },
      ask: () => '',
    },
    {
      name: '500 instances of a series',
      level: 'instance',
      scope: { studyInstanceUID: archive.bigStudy, seriesInstanceUID: archive.bigSeries },
      ask: () => 'limit=500',
    },
  ]
}

async function measure(archive: LoadedArchive): Promise<void> {
  const db = openDatabase(path, { readOnly: true })
  const reader = createSqliteReader(db)
  console.log(
    `${'query'.padEnd(30)} ${'rows'.padStart(5)} ${'p50'.padStart(8)} ${'p95'.padStart(8)} ${'max'.padStart(8)}`,
  )
  for (const { name, level = 'study', scope = {}, visibility = EVERYTHING, ask } of cases(archive)) {
    if (values.only !== undefined && !name.includes(values.only)) continue
    const random = randomNumbers(99)
    const times: number[] = []
    let rows = 0
    for (let run = -10; run < runs; run++) {
      const params = new URLSearchParams(ask(random, archive))
      if (!params.has('limit')) params.set('limit', '25')
      const began = performance.now()
      const page = await reader.search(parseSearch(level, scope, params).query, visibility)
      const body = `[${page.rows.map(({ json }) => json).join()}]`
      const took = performance.now() - began
      if (body.length < 2) throw new Error('no answer')
      if (run < 0) continue
      times.push(took)
      rows += page.rows.length
    }
    report(name, rows, times)
  }
  const times: number[] = []
  for (let run = -3; run < Math.min(runs, 100); run++) {
    const began = performance.now()
    const scope = { studyInstanceUID: archive.bigStudy, seriesInstanceUID: archive.bigSeries }
    await reader.metadata(scope, EVERYTHING)
    if (run >= 0) times.push(performance.now() - began)
  }
  report('metadata chunks x 500', 500 * times.length, times)
  db.close()
}

function report(name: string, rows: number, times: number[]): void {
  times.sort((a, b) => a - b)
  const at = (share: number): string =>
    (times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0).toFixed(2)
  const mean = (rows / times.length).toFixed(0)
  console.log(
    `${name.padEnd(30)} ${mean.padStart(5)} ${at(0.5).padStart(8)} ${at(0.95).padStart(8)} ${at(1).padStart(8)}`,
  )
}
