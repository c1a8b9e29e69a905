import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Match } from '#model/search.ts'
import { planFind } from './find-plan.ts'
import { parseMessage } from './identifier.ts'
import {
  answerExtended,
  type Negotiated,
  negotiated,
  QUERY_CLASS,
  type QueryLevel,
  queryModel,
} from './query-models.ts'
import { DimseRefusal } from './refusal.ts'
import { EXPLICIT, IMPLICIT } from './scu/connector.ts'
import { encodeIdentifier, parseKey } from './scu/identifiers.ts'

const NOTHING = negotiated(undefined)
const RELATIONAL: Negotiated = { ...NOTHING, relational: true }

function plan(sopClass: string, level: QueryLevel, keys: readonly string[], agreed = NOTHING, syntax = EXPLICIT) {
  const model = queryModel(sopClass)
  assert.ok(model)
  const bytes = encodeIdentifier(level, keys.map(parseKey), syntax, false)
  return planFind(parseMessage(bytes, syntax), model, agreed, 50)
}

const STUDY = 'StudyInstanceUID=1.2.3'
const SERIES = 'SeriesInstanceUID=1.2.3.4'

// A key taken for something else widens or empties a search without anybody being told.
const matching: { name: string; keys: string[]; agreed?: Negotiated; is: Match['how'][] }[] = [
  { name: 'empty is universal', keys: ['PatientID='], is: [] },
  { name: 'a lone star is universal', keys: ['PatientID=*', 'StudyDate=*'], is: [] },
  { name: 'single', keys: ['PatientID=P1'], is: [{ is: 'single', value: 'P1' }] },
  { name: 'wild card', keys: ['PatientName=DO?^J*'], is: [{ is: 'wildcard', pattern: 'DO?^J*' }] },
  { name: 'a list of UIDs', keys: ['StudyInstanceUID=1.2\\1.3'], is: [{ is: 'list', values: ['1.2', '1.3'] }] },
  { name: 'a range of dates', keys: ['StudyDate=20260101-'], is: [{ is: 'range', from: '20260101', to: null }] },
  { name: 'an old date', keys: ['StudyDate=2026.01.31'], is: [{ is: 'single', value: '20260131' }] },
  { name: 'times', keys: ['StudyTime=-1012'], is: [{ is: 'range', from: null, to: '1012' }] },
  { name: 'modalities are a list', keys: ['ModalitiesInStudy=CT\\MR'], is: [{ is: 'list', values: ['CT', 'MR'] }] },
  { name: 'two quotes are text', keys: ['AccessionNumber=""'], is: [{ is: 'single', value: '""' }] },
  {
    name: 'two quotes are empty when negotiated',
    keys: ['AccessionNumber=""'],
    agreed: { ...NOTHING, emptyValues: true },
    is: [{ is: 'empty' }],
  },
  {
    name: 'several values when negotiated',
    keys: ['PatientID=A\\B'],
    agreed: { ...NOTHING, multipleValues: true },
    is: [{ is: 'list', values: ['A', 'B'] }],
  },
]

for (const { name, keys, agreed, is } of matching) {
  for (const syntax of [EXPLICIT, IMPLICIT]) {
    test(`C-FIND key: ${name}, ${syntax}`, () => {
      const { query } = plan(QUERY_CLASS.studyFind, 'STUDY', keys, agreed, syntax)
      assert.deepEqual(
        query?.match.map(({ how }) => how),
        is,
      )
    })
  }
}

// What the model does not allow is A900 with the element at fault, never an answer to another question.
const refused: { name: string; sopClass: string; level: QueryLevel; keys: string[]; tag: number }[] = [
  { name: 'SERIES without study', sopClass: QUERY_CLASS.studyFind, level: 'SERIES', keys: [], tag: 0x0020000d },
  { name: 'IMAGE without series', sopClass: QUERY_CLASS.studyFind, level: 'IMAGE', keys: [STUDY], tag: 0x0020000e },
  {
    name: 'two studies above',
    sopClass: QUERY_CLASS.studyFind,
    level: 'SERIES',
    keys: [`${STUDY}\\1`],
    tag: 0x0020000d,
  },
  { name: 'STUDY without patient', sopClass: QUERY_CLASS.patientFind, level: 'STUDY', keys: [STUDY], tag: 0x00100020 },
  { name: 'wild patient', sopClass: QUERY_CLASS.patientFind, level: 'STUDY', keys: ['PatientID=A*'], tag: 0x00100020 },
  { name: 'PATIENT in Study Root', sopClass: QUERY_CLASS.studyFind, level: 'PATIENT', keys: [], tag: 0x00080052 },
  { name: 'no date', sopClass: QUERY_CLASS.studyFind, level: 'STUDY', keys: ['StudyDate=today'], tag: 0x00080020 },
  {
    name: 'no such month',
    sopClass: QUERY_CLASS.studyFind,
    level: 'STUDY',
    keys: ['StudyDate=20261301'],
    tag: 0x00080020,
  },
  { name: 'half past 24', sopClass: QUERY_CLASS.studyFind, level: 'STUDY', keys: ['StudyTime=2430'], tag: 0x00080030 },
  { name: 'an empty range', sopClass: QUERY_CLASS.studyFind, level: 'STUDY', keys: ['StudyDate=-'], tag: 0x00080020 },
]

for (const { name, sopClass, level, keys, tag } of refused) {
  test(`C-FIND refused: ${name}`, () => {
    assert.throws(
      () => plan(sopClass, level, keys),
      (error) =>
        error instanceof DimseRefusal &&
        error.status === 0xa900 &&
        error.offendingElements[0] === tag &&
        error.message.length <= 64,
    )
  })
}

test('relational queries need no keys above', () => {
  const { query } = plan(QUERY_CLASS.studyFind, 'IMAGE', ['SOPInstanceUID=1.9'], RELATIONAL)
  assert.deepEqual(query?.scope, {})
  assert.equal(query?.level, 'instance')
})

test('unique keys above are the scope', () => {
  const { query } = plan(QUERY_CLASS.studyFind, 'IMAGE', [STUDY, SERIES])
  assert.deepEqual(query?.scope, { studyInstanceUID: '1.2.3', seriesInstanceUID: '1.2.3.4' })
})

// FF01 says that a key was not supported; without it the asker takes a wide answer for a narrow one.
const support: { keys: string[]; unsupported: boolean }[] = [
  { keys: ['PatientName', 'StudyDate', 'ModalitiesInStudy', 'NumberOfStudyRelatedInstances'], unsupported: false },
  { keys: ['Modality=CT'], unsupported: true },
  { keys: ['Modality'], unsupported: true },
  { keys: ['SOPClassesInStudy'], unsupported: true },
  { keys: ['NumberOfPatientRelatedStudies'], unsupported: true },
  { keys: ['EthnicGroup=X'], unsupported: true },
  { keys: ['EthnicGroup'], unsupported: false },
]

for (const { keys, unsupported } of support) {
  test(`C-FIND support of ${keys.join()}`, () => {
    assert.equal(plan(QUERY_CLASS.studyFind, 'STUDY', keys).unsupported, unsupported)
  })
}

test('a range of dates and one of times are one range when negotiated', () => {
  const keys = ['StudyDate=20260101-20260103', 'StudyTime=1000-1200']
  const together = plan(QUERY_CLASS.studyFind, 'STUDY', keys, { ...NOTHING, combinedDateTime: true })
  assert.deepEqual(together.combined, { from: '202601011000', to: '202601031200~' })
  assert.equal(together.query?.match.length, 1)
  const apart = plan(QUERY_CLASS.studyFind, 'STUDY', keys)
  assert.equal(apart.combined, null)
  assert.equal(apart.query?.match.length, 2)
})

test('PATIENT level is asked of the patients', () => {
  const { patients, query } = plan(QUERY_CLASS.patientFind, 'PATIENT', ['PatientName=A*', 'StudyDate'])
  assert.equal(query, null)
  assert.equal(patients?.match.length, 1)
})

const extended: { sopClass: string; asked: number[]; is: number[] | undefined }[] = [
  { sopClass: QUERY_CLASS.studyFind, asked: [1, 1, 1], is: [1, 1, 1] },
  { sopClass: QUERY_CLASS.studyFind, asked: [1, 0, 0, 1, 1, 1, 1, 9], is: [1, 0, 0, 0, 0, 1, 1] },
  { sopClass: QUERY_CLASS.patientFind, asked: [0], is: [0] },
  { sopClass: QUERY_CLASS.studyMove, asked: [1, 1], is: [1, 0] },
  { sopClass: QUERY_CLASS.studyGet, asked: [], is: [] },
  { sopClass: '1.2.840.10008.1.1', asked: [1], is: undefined },
]

for (const { sopClass, asked, is } of extended) {
  test(`extended negotiation of ${sopClass}: ${asked.join()}`, () => {
    const answer = answerExtended(sopClass, Uint8Array.from(asked))
    assert.deepEqual(answer === undefined ? undefined : [...answer], is)
  })
}
