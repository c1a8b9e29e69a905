/**
 * Reads of the document panel over a made-up archive, p50 and p95 in milliseconds, through the index reader.
 *
 *     node test/bench/documents.ts [--documents 1000000] [--keep FILE] [--runs 300] [--json]
 *
 * Eight documents a patient, of ten types and fourteen departments; each with about sixty words of which some are
 * common, some rare.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openDatabase } from '../../src/index/sqlite/database.ts'
import { createDocumentReader } from '../../src/index/sqlite/document-reader.ts'
import { createDocumentStore } from '../../src/index/sqlite/document-store.ts'
import { migrate } from '../../src/index/sqlite/migrate.ts'
import type { DocumentRecord } from '../../src/model/document.ts'
import { EVERYTHING, type Visibility } from '../../src/model/visibility.ts'
import { NOTHING_SAID } from '../../src/placement/complete-metadata.ts'

const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '100000' },
    keep: { type: 'string' },
    runs: { type: 'string', default: '300' },
    json: { type: 'boolean' },
  },
})
const documents = Number(values.documents)
const runs = Number(values.runs)
const PER_PATIENT = 8

const TYPES = [
  '11528-7',
  '18747-6',
  '11488-4',
  '18842-5',
  '34133-9',
  '28570-0',
  '72170-4',
  '59284-0',
  '11502-2',
  '11526-1',
]
const DEPARTMENTS = [
  'radiology',
  'cardiology',
  'dermatology',
  'eye clinic',
  'pathology',
  'surgery',
  'neurology',
  'urology',
]
const COMMON =
  'patient history findings without normal right left chest abdomen heart lung contrast examination no sign of'.split(
    ' ',
  )

const patientOf = (n: number) => `P${Math.floor(n / PER_PATIENT)}`
const hexOf = (n: number, length: number) => n.toString(16).padStart(length, '0')
/** Spread over the archive without a random number: the same document always has the same words. */
const mix = (n: number) => Math.imul(n ^ (n >>> 15), 2654435761) >>> 0
const rareOf = (n: number) => `finding${mix(n) % 50_000}`

function textOf(n: number): string {
  const words = Array.from({ length: 56 }, (_, i) => COMMON[mix(n * 64 + i) % COMMON.length] ?? 'no')
  return [...words, rareOf(n), `seldom${mix(n + 7) % 2000}`, `doctor${mix(n + 3) % 300}`].join(' ')
}

function recordOf(n: number): DocumentRecord {
  const id = hexOf(n + 1, 32)
  const day = new Date(Date.UTC(2016, 0, 1) + (mix(n) % 3650) * 86_400_000).toISOString().slice(0, 10)
  const scan = { status: 'not-scanned', engine: null, signatures: null, coverage: null } as const
  const time = new Date(Date.UTC(2026, 0, 1) + n * 10).toISOString()
  const sha256 = hexOf(mix(n) * 4096 + 1, 16).repeat(4)
  const department = DEPARTMENTS[n % DEPARTMENTS.length] ?? ''
  return {
    ...{
      format: 1,
      record: 'document',
      objectId: id,
      uniqueId: `urn:oid:1.2.3.${n}`,
      kind: 'pdf',
      mediaType: 'application/pdf',
    },
    entryUuid: `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`,
    ...{ sha1: hexOf(n, 40), sha256, studyInstanceUID: null, phase: null, sources: {} },
    patient: { by: 'identifier', issuer: 'BENCH', id: patientOf(n), issuerAssumed: false },
    metadata: {
      ...NOTHING_SAID,
      ...{ title: `Document ${n}`, department, creationTime: day, serviceStart: day, language: 'en' },
      typeCode: { code: TYPES[n % TYPES.length] ?? '', system: 'http://loinc.org', display: '' },
      classCode: { code: '11503-0', system: 'http://loinc.org', display: '' },
      practiceSetting: { code: `39491400${n % 8}`, system: 'http://snomed.info/sct', display: '' },
      confidentiality: [{ code: 'N', system: 'c', display: '' }],
      authors: [
        {
          ...{ person: `Doctor${mix(n) % 300}^Ann`, identifier: null, institution: null, role: null },
          ...{ specialty: null, telecom: null, device: null },
        },
      ],
      references: [{ type: 'accession', id: `A${n}`, issuer: 'BENCH' }],
    },
    arrival: {
      ...{
        id: `a${n}`,
        sha256,
        size: 1000,
        door: 'web',
        peer: null,
        originator: null,
        user: 'u',
        address: null,
        medium: null,
      },
      ...{
        path: null,
        time,
        verdict: 'accept',
        reason: '',
        findings: [],
        scan,
        sopInstanceUid: null,
        objectId: id,
        quarantineId: null,
      },
    },
    ...{ verdict: 'accept', findings: [], scan, time },
    placement: { rule: 'as-it-came', ruleVersion: 1, panel: 'document', form: 'native', facts: {}, alternatives: [] },
  } as DocumentRecord
}

const GROUP = 5000

function load(path: string): void {
  const began = performance.now()
  const db = openDatabase(path)
  db.exec('pragma synchronous = off')
  migrate(db)
  const store = createDocumentStore(db)
  for (let from = 0; from < documents; from += GROUP) {
    db.transaction(() => {
      for (let n = from; n < Math.min(from + GROUP, documents); n++) {
        store.add({ record: recordOf(n), location: { segment: 'bench', offset: n * 2048, length: 1000 } })
        db.run(
          `insert into words (rowid, scope, title, body) select key, 'p' || patient, title, ? from document where id = ?`,
          ...[textOf(n), hexOf(n + 1, 32)],
        )
      }
    })
  }
  db.exec('pragma wal_checkpoint(truncate)')
  const pages = db.get<{ n: number }>('select page_count * page_size as n from pragma_page_count, pragma_page_size')
  const seconds = (performance.now() - began) / 1000
  process.stderr.write(
    `loaded ${documents} documents in ${seconds.toFixed(1)} s, ${((pages?.n ?? 0) / 1e6).toFixed(0)} MB\n`,
  )
  db.close()
}

interface Row {
  readonly name: string
  readonly p50: number
  readonly p95: number
}

async function measure(path: string): Promise<readonly Row[]> {
  const db = openDatabase(path, { readOnly: true })
  const reader = createDocumentReader(db)
  const idOf = (n: number) =>
    db.get<{ id: string }>('select id from patient where identifier = ?', patientOf(n))?.id ?? ''
  let seed = 1
  const any = () => mix(seed++) % documents
  const ofPatient = (n: number): Visibility => ({ sees: 'patients', patientIds: [idOf(n)] })
  const list = { order: 'newest', limit: 50 } as const
  const cases: { readonly [name: string]: () => Promise<unknown> } = {
    'documents of a patient': () => reader.documents({ ...list, patientIds: [idOf(any())] }, EVERYTHING),
    'the same, as that patient': () => {
      const n = any()
      return reader.documents({ ...list, patientIds: [idOf(n)] }, ofPatient(n))
    },
    'of a patient, by type and status': () =>
      reader.documents(
        {
          ...list,
          patientIds: [idOf(any())],
          statuses: ['current'],
          typeCodes: [{ code: TYPES[3] ?? '', system: 'http://loinc.org' }],
        },
        EVERYTHING,
      ),
    'one by entryUUID': () => reader.document(recordOf(any()).entryUuid, EVERYTHING),
    'one by uniqueId': () => reader.document(`1.2.3.${any()}`, EVERYTHING),
    'by accession number': () =>
      reader.documents({ ...list, references: [{ id: `A${any()}`, issuer: '' }] }, EVERYTHING),
    'newest of all': () => reader.documents(list, EVERYTHING),
    'words: rare': () => reader.searchText({ text: rareOf(any()), limit: 20 }, EVERYTHING),
    'words: two seldom': () =>
      reader.searchText({ text: `seldom${any() % 2000} doctor${any() % 300}`, limit: 20 }, EVERYTHING),
    'words: common': () => reader.searchText({ text: 'contrast chest', limit: 20 }, EVERYTHING),
    'words: beginning of a common one': () => reader.searchText({ text: 'exam', limit: 20 }, EVERYTHING),
    'words: beginning of a rare one': () =>
      reader.searchText({ text: `${rareOf(any()).slice(0, 9)}`, limit: 20 }, EVERYTHING),
    'words: beginning of very many': () => reader.searchText({ text: 'findin', limit: 20 }, EVERYTHING),
    'list with a rare word': () => reader.documents({ ...list, text: rareOf(any()) }, EVERYTHING),
    'list with common words': () => reader.documents({ ...list, text: 'contrast chest' }, EVERYTHING),
    'words of one patient': () =>
      reader.searchText({ text: 'contrast', patientIds: [idOf(any())], limit: 20 }, EVERYTHING),
    'common words, as one patient': () => reader.searchText({ text: 'contrast chest', limit: 20 }, ofPatient(any())),
  }
  const rows: Row[] = []
  for (const [name, run] of Object.entries(cases)) {
    const times: number[] = []
    for (let i = 0; i < runs + 20; i++) {
      const began = performance.now()
      await run()
      if (i >= 20) times.push(performance.now() - began)
    }
    times.sort((a, b) => a - b)
    rows.push({ name, p50: times[Math.floor(runs * 0.5)] ?? 0, p95: times[Math.floor(runs * 0.95)] ?? 0 })
  }
  db.close()
  return rows
}

const directory = mkdtempSync(join(tmpdir(), 'bench-documents-'))
try {
  const path = values.keep ?? join(directory, 'index.db')
  if (!existsSync(path)) load(path)
  const rows = await measure(path)
  if (values.json === true) process.stdout.write(`${JSON.stringify({ documents, rows })}\n`)
  else
    for (const { name, p50, p95 } of rows)
      process.stdout.write(
        `${name.padEnd(36)} p50 ${p50.toFixed(2).padStart(8)} ms  p95 ${p95.toFixed(2).padStart(8)} ms\n`,
      )
} finally {
  rmSync(directory, { recursive: true, force: true })
}
