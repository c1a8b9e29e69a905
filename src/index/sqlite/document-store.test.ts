import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DocumentRecord } from '#model/document.ts'
import type { DocumentQuery } from '#model/document-desk.ts'
import { EVERYTHING, type Visibility } from '#model/visibility.ts'
import { NOTHING_SAID } from '#placement/complete-metadata.ts'
import { openDatabase } from './database.ts'
import { createDocumentReader } from './document-reader.ts'
import { createDocumentStore } from './document-store.ts'
import { migrate } from './migrate.ts'

const LOINC = 'http://loinc.org'
const CAUSE = { by: 'ann', reason: 'test' }

function open() {
  const db = openDatabase(':memory:')
  migrate(db)
  return { db, store: createDocumentStore(db), reader: createDocumentReader(db) }
}

function record(n: number, more: Partial<DocumentRecord> = {}): DocumentRecord {
  const id = n.toString(16).padStart(32, '0')
  const sha256 = n.toString(16).padStart(64, '0')
  const time = `2026-01-01T00:00:${String(n % 60).padStart(2, '0')}.000Z`
  return {
    ...{
      format: 1,
      record: 'document',
      objectId: id,
      uniqueId: `urn:oid:1.2.${n}`,
      kind: 'pdf',
      mediaType: 'application/pdf',
    },
    entryUuid: `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`,
    ...{ sha1: n.toString(16).padStart(40, '0'), sha256, studyInstanceUID: null, phase: null },
    patient: { by: 'identifier', issuer: 'HOSP', id: 'A', issuerAssumed: false },
    metadata: {
      ...NOTHING_SAID,
      title: `Report ${n}`,
      typeCode: { code: '11528-7', system: LOINC, display: 'Radiology report' },
      creationTime: `2025-06-${String((n % 28) + 1).padStart(2, '0')}`,
      authors: [
        {
          person: 'Müller^Eva',
          identifier: null,
          institution: null,
          role: null,
          specialty: null,
          telecom: null,
          device: null,
        },
      ],
    },
    sources: {},
    arrival: {
      ...{
        id: `a${n}`,
        sha256,
        size: 10,
        door: 'fhir',
        peer: null,
        originator: null,
        user: 'u',
        address: null,
        medium: null,
      },
      ...{ path: null, time, verdict: 'accept', reason: '', findings: [], sopInstanceUid: null, objectId: id },
      ...{ quarantineId: null, scan: { status: 'not-scanned', engine: null, signatures: null, coverage: null } },
    },
    ...{
      verdict: 'accept',
      findings: [],
      scan: { status: 'not-scanned', engine: null, signatures: null, coverage: null },
    },
    placement: { rule: 'r', ruleVersion: 1, panel: 'document', form: 'native', facts: {}, alternatives: [] },
    time,
    ...more,
  } as DocumentRecord
}

const at = (n: number) => ({ segment: 's1', offset: n * 1024, length: 10 })
const query = (more: Partial<DocumentQuery> = {}): DocumentQuery => ({ order: 'newest', limit: 10, ...more })

test('documents are found by each of their keys, in pages, newest first', async () => {
  const { store, reader } = open()
  for (let n = 1; n <= 25; n++) store.add({ record: record(n), location: at(n) })
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const page = await reader.documents(query(cursor === undefined ? {} : { cursor }), EVERYTHING)
    seen.push(...page.items.map(({ document }) => document.objectId))
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
  assert.equal(new Set(seen).size, 25)
  const found = async (more: Partial<DocumentQuery>) => reader.countDocuments(query(more), EVERYTHING)
  assert.equal(await found({ typeCodes: [{ code: '11528-7', system: LOINC }] }), 25)
  assert.equal(await found({ typeCodes: [{ code: '11528-7', system: 'urn:other' }] }), 0)
  assert.equal(await found({ typeCodes: [{ code: '11528-7', system: '' }] }), 25)
  assert.equal(await found({ author: { family: ['mull'] } }), 25)
  assert.equal(await found({ author: { given: ['Anna'] } }), 0)
  assert.equal(await found({ creation: { from: '2025-06-10', to: '2025-06-12' } }), 2)
  assert.equal(await found({ uniqueIds: ['1.2.7'] }), 1)
  assert.equal(await found({ incomplete: true }), 25)
  assert.equal((await reader.document('urn:oid:1.2.7', EVERYTHING))?.metadata.title, 'Report 7')
  assert.equal((await reader.document('7'.padStart(64, '0'), EVERYTHING))?.metadata.title, 'Report 7')
  await assert.rejects(async () => reader.documents(query({ cursor: 'nonsense' }), EVERYTHING), /cursor/)
})

test('what the caller may not see is neither found nor counted', async () => {
  const { store, reader, db } = open()
  store.add({ record: record(1), location: at(1) })
  const restricted = { ...record(2).metadata, confidentiality: [{ code: 'R', system: 'urn:c', display: '' }] }
  store.add({ record: record(2, { metadata: restricted }), location: at(2) })
  store.add({ record: record(3, { patient: null }), location: at(3) })
  const mine = db.get<{ id: string }>('select id from patient')?.id ?? ''
  const cases: [Visibility, number][] = [
    [EVERYTHING, 3],
    [{ sees: 'nothing' }, 0],
    [{ sees: 'all', hidesDocuments: true }, 0],
    [{ sees: 'all', upTo: 'N' }, 2],
    [{ sees: 'patients', patientIds: [mine], upTo: 'R' }, 2],
    [{ sees: 'patients', patientIds: ['other'] }, 0],
  ]
  for (const [visibility, n] of cases) assert.equal(await reader.countDocuments(query(), visibility), n)
})

test('each decision is a version, and former ones stay readable', async () => {
  const { store, reader } = open()
  store.add({ record: record(1), location: at(1) })
  const { objectId } = record(1)
  store.apply(
    [{ is: 'metadata', objectId, metadata: { title: 'Better' }, source: 'person' }],
    CAUSE,
    '2026-02-01T00:00:00.000Z',
  )
  store.apply([{ is: 'status', objectId, status: 'superseded' }], CAUSE, '2026-02-02T00:00:00.000Z')
  const versions = (await reader.versions(objectId, EVERYTHING)) ?? []
  assert.deepEqual(
    versions.map(({ version, by, document }) => [version, by, document.metadata.title, document.status]),
    [
      [3, 'ann', 'Better', 'superseded'],
      [2, 'ann', 'Better', 'current'],
      [1, 'r', 'Report 1', 'current'],
    ],
  )
  assert.equal(store.delete(objectId, CAUSE, '2026-02-03T00:00:00.000Z', '2026-03-01T00:00:00.000Z'), true)
  assert.equal(await reader.document(objectId, EVERYTHING), undefined)
  store.add({ record: record(1, { objectId: 'f'.repeat(32), entryUuid: '1'.repeat(8) }), location: at(9) })
  assert.equal((await reader.document('1.2.1', EVERYTHING))?.objectId, 'f'.repeat(32))
})
