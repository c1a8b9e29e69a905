import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Match } from '#model/search.ts'
import { LIMIT_MAX, parseSearch } from './search-query.ts'

function parse(query: string) {
  return parseSearch('study', {}, new URLSearchParams(query))
}

// A value read as the wrong kind of match finds the wrong patient, or nobody.
const values: { query: string; is: Match['how'] }[] = [
  { query: 'PatientID=1', is: { is: 'single', value: '1' } },
  { query: '00100020=1', is: { is: 'single', value: '1' } },
  { query: 'PatientID=', is: { is: 'universal' } },
  { query: 'PatientName=**', is: { is: 'universal' } },
  { query: 'StudyDate=*', is: { is: 'universal' } },
  { query: 'PatientName=SM*', is: { is: 'wildcard', pattern: 'SM*' } },
  { query: 'PatientID=%25_[a]', is: { is: 'single', value: '%_[a]' } },
  { query: 'StudyInstanceUID=1.2', is: { is: 'single', value: '1.2' } },
  { query: 'StudyInstanceUID=1.2,1.3', is: { is: 'list', values: ['1.2', '1.3'] } },
  { query: 'StudyInstanceUID=1.2%5C1.3,1.2,', is: { is: 'list', values: ['1.2', '1.3'] } },
  { query: 'StudyDate=20260102', is: { is: 'single', value: '20260102' } },
  { query: 'StudyDate=20260102-', is: { is: 'range', from: '20260102', to: null } },
  { query: 'StudyDate=-20260102', is: { is: 'range', from: null, to: '20260102' } },
  { query: 'StudyDate=20250102-20260102', is: { is: 'range', from: '20250102', to: '20260102' } },
  { query: 'StudyTime=10-1159', is: { is: 'range', from: '10', to: '1159' } },
  { query: 'StudyTime=101112.5', is: { is: 'single', value: '101112.5' } },
  { query: 'AcquisitionDateTime=2026-2027', is: { is: 'range', from: '2026', to: '2027' } },
  { query: 'AcquisitionDateTime=20260101120000-0500', is: { is: 'single', value: '20260101120000-0500' } },
  { query: 'ModalitiesInStudy=CT,MR', is: { is: 'list', values: ['CT', 'MR'] } },
  { query: 'ModalitiesInStudy=CT%5CMR', is: { is: 'list', values: ['CT', 'MR'] } },
  { query: 'AccessionNumber=A,B', is: { is: 'single', value: 'A,B' } },
  { query: 'AccessionNumber=A%5CB&multiplevaluematching=true', is: { is: 'list', values: ['A', 'B'] } },
  { query: 'AccessionNumber=%22%22', is: { is: 'single', value: '""' } },
  { query: 'AccessionNumber=%22%22&emptyvaluematching=true', is: { is: 'empty' } },
]

for (const { query, is } of values) {
  test(`search value: ${query}`, () => assert.deepEqual(parse(query).query.match[0]?.how, is))
}

const refused = [
  'PatientID=1&PatientID=2',
  'PatientID=1&00100020=1',
  'limit=1&limit=2',
  'limit=-1',
  'limit=ten',
  'offset=1.5',
  'StudyDate=2026',
  'StudyDate=20261301',
  'StudyDate=-',
  'StudyTime=25',
  `PatientName=${'*a'.repeat(17)}`,
  `PatientID=${'x'.repeat(3000)}`,
]

for (const query of refused) {
  test(`search refused: ${query.slice(0, 40)}`, () => assert.throws(() => parse(query), { code: 'request.malformed' }))
}

test('names that are no attribute are ignored, paths are read step by step', () => {
  const { query } = parse('_=1&foo.bar=2&RequestAttributesSequence.ScheduledProcedureStepID=S1&00400275.00401001=R1')
  assert.deepEqual(
    query.match.map(({ path }) => path),
    [
      [0x00400275, 0x00400009],
      [0x00400275, 0x00401001],
    ],
  )
})

test('fields, order, limit and offset', () => {
  const { query, warnings } = parse(
    'includefield=00081030,PatientSex&includefield=nonsense&orderby=-StudyDate,PatientName,nothing&limit=5000&offset=7&fuzzymatching=TRUE',
  )
  assert.deepEqual(query.include, [[0x00081030], [0x00100040]])
  assert.deepEqual(query.order, [
    { tag: 0x00080020, descending: true },
    { tag: 0x00100010, descending: false },
  ])
  assert.equal(query.limit, LIMIT_MAX)
  assert.equal(query.offset, 7)
  assert.equal(query.fuzzy, true)
  assert.equal(warnings.length, 1)
  assert.equal(parse('includefield=all').query.include, 'all')
  assert.equal(parse('').query.limit, LIMIT_MAX)
})

test('a mistyped attribute is told, a parameter of somebody else is not', () => {
  const { query, warnings } = parse('PatientNmae=Doe&_=17&cachebuster=1')
  assert.deepEqual(query.match, [])
  assert.deepEqual(warnings, ['The attribute PatientNmae is not known. It was ignored.'])
  assert.equal(parse('Aa=1&Ab=1&Ac=1&Ad=1&Ae=1&Af=1').warnings.length, 4)
})
