import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EVERYTHING, type Visibility } from '#model/visibility.ts'
import { groupOf, matching, queryOf, sha } from '../../../test/contracts/archive-index-fixtures.ts'
import { openDatabase } from './database.ts'
import { migrate } from './migrate.ts'
import { createSqliteReader } from './reader.ts'
import { createSqliteWriter } from './writer.ts'

const PDF = '1.2.840.10008.5.1.4.1.1.104.1'

function archive() {
  const db = openDatabase(':memory:')
  migrate(db)
  createSqliteWriter(db).commit(
    groupOf(
      { uid: '1.1', study: '1.2.1', patient: 'P1' },
      { uid: '1.2', study: '1.2.2', patient: 'P1' },
      { uid: '1.3', study: '1.2.2', patient: 'P1', series: '1.2.2.9', sopClass: PDF },
      { uid: '1.4', study: '1.2.3', patient: 'P2', sopClass: PDF },
    ),
  )
  return createSqliteReader(db)
}

// `patient/ImagingStudy.rs` without `DocumentReference` must not reveal PDFs inside a study, nor that there are any.
const hiding: { name: string; visibility: Visibility; studies: string[] }[] = [
  { name: 'everything', visibility: EVERYTHING, studies: ['1.2.1', '1.2.2', '1.2.3'] },
  { name: 'no documents', visibility: { sees: 'all', hidesDocuments: true }, studies: ['1.2.1'] },
  { name: 'a patient', visibility: { sees: 'patients', patientIds: ['HOSPITAL|P1'] }, studies: ['1.2.1', '1.2.2'] },
  {
    name: 'a patient, no documents',
    visibility: { sees: 'patients', patientIds: ['HOSPITAL|P1'], hidesDocuments: true },
    studies: ['1.2.1'],
  },
]
for (const { name, visibility, studies } of hiding) {
  test(`documents inside studies: ${name}`, async () => {
    const reader = archive()
    for (const level of ['study', 'series', 'instance'] as const) {
      for (const match of [[], [matching(0x00100020, 'P*')], [matching(0x00080060, 'CT')]]) {
        const { rows } = await reader.search(queryOf(level, match), visibility)
        assert.deepEqual([...new Set(rows.map(({ studyInstanceUID }) => studyInstanceUID))].sort(), studies, level)
        assert.equal(await reader.count(queryOf(level, match), visibility), rows.length, level)
      }
    }
    for (const [uid, study] of [
      ['1.2', '1.2.2'],
      ['1.3', '1.2.2'],
      ['1.4', '1.2.3'],
    ] as const) {
      const seen = studies.includes(study)
      for (const identifier of [uid, `object-${uid}`, sha(`kept ${uid}`)]) {
        assert.equal((await reader.find(identifier, visibility)) !== undefined, seen)
      }
      assert.equal((await reader.metadata({ studyInstanceUID: study }, visibility)) !== undefined, seen)
      const scope = {
        studyInstanceUID: study,
        seriesInstanceUID: uid === '1.3' ? '1.2.2.9' : `${study}.1`,
        sopInstanceUID: uid,
      }
      assert.equal((await reader.instance(scope, visibility)) !== undefined, seen)
    }
    const timeline = await reader.timeline('HOSPITAL|P1', visibility, 10)
    assert.deepEqual(
      timeline.map(({ studyInstanceUID }) => studyInstanceUID).sort(),
      studies.filter((study) => study !== '1.2.3'),
    )
  })
}
