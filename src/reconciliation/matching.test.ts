import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LedgerPatient, Order } from '#model/identity.ts'
import type { StudyEvidence } from '#model/reconciliation.ts'
import { orderOf, patientOf, studyOf } from '../../test/support/reconciliation-fixture.ts'
import { compareDates, criteriaOf, scoreOf, WEIGHTS } from './criteria.ts'
import { decideStudy, type Match } from './decide-study.ts'
import { MATCHING_DEFAULTS, proofOf } from './matching.ts'

const stated = (issuer: string, id: string) => ({ patientId: 'p', issuer, id, issuerAssumed: false })
const anna = patientOf('4711')

// What may be decided without a person is the dangerous part: every row that is `certain` names its proof.
const cases: readonly {
  readonly name: string
  readonly study?: Partial<StudyEvidence>
  readonly own?: LedgerPatient
  readonly others?: readonly { patient: LedgerPatient; orders?: readonly Order[] }[]
  readonly automatic?: false
  readonly is: Match['is']
  readonly why?: RegExp
  readonly order?: string | null
}[] = [
  { name: 'nobody is known', others: [], is: 'none' },
  {
    name: 'somebody else is known',
    others: [{ patient: patientOf('1', { name: 'ROE^TIM', birthDate: '19500101', sex: 'M' }) }],
    is: 'none',
  },
  { name: 'name, birth date and sex agree', is: 'unsure', why: /nothing proves/ },
  {
    name: 'name and birth date agree, sex does not',
    others: [{ patient: patientOf('1', { sex: 'M' }) }],
    is: 'unsure',
    why: /sex differs/,
  },
  {
    name: 'the same bare number',
    study: { patient: { patientId: 'p0', issuer: 'assumed:0', id: '4711', issuerAssumed: true } },
    is: 'unsure',
  },
  {
    name: 'the same number with another issuer proves nothing',
    study: { patient: stated('ELSEWHERE', '4711') },
    is: 'unsure',
  },
  {
    name: 'number and issuer',
    study: { patient: stated('HOSP', '4711') },
    is: 'certain',
    why: /number and its issuer/,
  },
  {
    name: 'number and issuer of a merged number',
    study: { patient: stated('HOSP', '9') },
    others: [{ patient: { ...anna, aliases: [{ issuer: 'HOSP', id: '9' }] } }],
    is: 'certain',
  },
  {
    name: 'number and issuer, another name',
    study: { patient: stated('HOSP', '4711'), name: 'ROE^TIM' },
    is: 'unsure',
    why: /name differs/,
  },
  {
    name: 'number and issuer, another birth date',
    study: { patient: stated('HOSP', '4711'), birthDate: '19990101' },
    is: 'unsure',
    why: /birth date differs/,
  },
  {
    name: 'number and issuer alone',
    study: { patient: stated('HOSP', '4711'), name: null, birthDate: null, sex: null },
    is: 'unsure',
  },
  {
    name: 'another number with its issuer',
    study: { otherIds: [{ issuer: 'HOSP', id: '4711' }] },
    is: 'certain',
    why: /another number/,
  },
  {
    name: 'Study Instance UID of an order',
    others: [{ patient: anna, orders: [orderOf({ studyInstanceUID: '1.2.3.4' })] }],
    is: 'certain',
    order: 'o1',
  },
  {
    name: 'Study Instance UID of an order, another person',
    study: { name: 'ROE^TIM', birthDate: '19500101' },
    others: [{ patient: anna, orders: [orderOf({ studyInstanceUID: '1.2.3.4' })] }],
    is: 'unsure',
  },
  {
    name: 'accession number with issuer',
    study: { accessionNumber: 'ACC-1', accessionIssuer: 'HOSP-RIS' },
    others: [{ patient: anna, orders: [orderOf()] }],
    is: 'certain',
    order: 'o1',
  },
  {
    name: 'accession number without issuer',
    study: { accessionNumber: 'ACC-1' },
    others: [{ patient: anna, orders: [orderOf()] }],
    is: 'unsure',
  },
  {
    name: 'accession number with issuer, no birth date',
    study: { accessionNumber: 'ACC-1', accessionIssuer: 'HOSP-RIS', birthDate: null },
    others: [{ patient: anna, orders: [orderOf()] }],
    is: 'unsure',
  },
  {
    name: 'an order that was cancelled',
    others: [{ patient: anna, orders: [orderOf({ studyInstanceUID: '1.2.3.4', status: 'cancelled' })] }],
    is: 'unsure',
  },
  {
    name: 'the number proves the patient, not an order that is near',
    study: { patient: stated('HOSP', '4711') },
    others: [{ patient: anna, orders: [orderOf()] }],
    is: 'certain',
    order: null,
  },
  {
    name: 'two patients are proven',
    study: { patient: stated('HOSP', '4711'), otherIds: [{ issuer: 'HOSP', id: '12' }] },
    others: [{ patient: anna }, { patient: patientOf('12') }],
    is: 'unsure',
    why: /numbers of more than one patient/,
  },
  {
    name: 'a site that decides nothing by itself',
    study: { patient: stated('HOSP', '4711') },
    automatic: false,
    is: 'unsure',
    why: /nothing by itself/,
  },
  { name: 'ours as it came', study: { patient: stated('HOSP', '4711') }, own: anna, is: 'local' },
  {
    name: 'ours by number, somebody else by name',
    study: { patient: stated('HOSP', '4711'), name: 'ROE^TIM', birthDate: '19500101', sex: 'M' },
    own: anna,
    is: 'unsure',
    why: /another's/,
  },
  {
    name: 'ours by number, with the family name before a marriage',
    study: { patient: stated('HOSP', '4711'), name: 'SCHMIDT^ANNA' },
    own: anna,
    is: 'local',
  },
  {
    name: 'ours by number, but the other one of twins',
    study: { patient: stated('HOSP', '4711'), name: 'MUELLER^LENA' },
    own: anna,
    is: 'unsure',
    why: /another's/,
  },
  {
    name: 'ours with the accession number of its order',
    study: { patient: stated('HOSP', '4711'), accessionNumber: 'ACC-1' },
    own: anna,
    others: [{ patient: anna, orders: [orderOf()] }],
    is: 'certain',
    order: 'o1',
  },
  {
    name: 'ours, without order, and one waits',
    study: { patient: stated('HOSP', '4711'), studyDate: '20261124' },
    own: anna,
    others: [{ patient: anna, orders: [orderOf()] }],
    is: 'unsure',
    why: /an order waits/,
  },
  {
    name: 'ours, without order, and one of another modality waits',
    study: { patient: stated('HOSP', '4711'), modalities: ['MR'] },
    own: anna,
    others: [{ patient: anna, orders: [orderOf()] }],
    is: 'local',
  },
  {
    name: 'ours, made for an order, without its number',
    study: { patient: stated('HOSP', '4711') },
    own: anna,
    others: [{ patient: anna, orders: [orderOf({ studyInstanceUID: '1.2.3.4' })] }],
    is: 'certain',
    order: 'o1',
  },
]

for (const { name, study, own, others = [{ patient: anna }], automatic = true, is, why, order } of cases) {
  test(`matching: ${name}`, () => {
    const suspects = others.map(({ patient, orders = [] }) => ({ patient, orders }))
    const match = decideStudy(studyOf(study), own, suspects, { ...MATCHING_DEFAULTS, automatic })
    assert.equal(match.is, is, match.why)
    if (why !== undefined) assert.match(match.why, why)
    if (order !== undefined && match.is === 'certain') assert.equal(match.chosen.order?.id ?? null, order)
  })
}

const dates: readonly (readonly [string | null, string | null, string])[] = [
  ['19710412', '19710412', 'equal'],
  ['19710412', '19711204', 'similar'],
  ['19710412', '19710421', 'similar'],
  ['19710412', '19720412', 'similar'],
  ['19710412', '19720413', 'different'],
  ['19710412', '1971', 'missing'],
  [null, '19710412', 'missing'],
]
for (const [a, b, is] of dates) {
  test(`dates: ${a} and ${b} are ${is}`, () => {
    assert.equal(compareDates(a, b), is)
    assert.equal(compareDates(b, a), is)
  })
}

test('weights: a better likeness never has fewer points', () => {
  for (const [name, { equal, similar, missing, different }] of Object.entries(WEIGHTS)) {
    assert.ok(equal >= similar && similar >= missing && missing >= different, name)
  }
})

test('score: making any one criterion agree never lowers it, and it stays within 0 and 100', () => {
  const order = orderOf()
  const agreeing: Partial<StudyEvidence> = {
    patient: stated('HOSP', '4711'),
    otherIds: [{ issuer: 'HOSP', id: '4711' }],
    name: 'MUELLER^ANNA',
    birthDate: '19710412',
    sex: 'F',
    accessionNumber: 'ACC-1',
    requestedProcedureId: 'RP-1',
    admissionId: 'V-9',
    studyDate: '20261124',
    modalities: ['CT'],
    description: 'Import of foreign CT, Import',
    studyInstanceUID: '1.2.9.9',
  }
  const keys = Object.keys(agreeing) as (keyof StudyEvidence)[]
  const other: Partial<StudyEvidence> = {
    ...studyOf(),
    name: 'ROE^TIM',
    birthDate: '19500101',
    sex: 'M',
    modalities: ['MR'],
    accessionNumber: 'X',
  }
  // Every subset of what may agree, and one more criterion on top of it.
  for (let subset = 0; subset < 2 ** keys.length; subset += 7) {
    const pick = (bits: number) =>
      Object.fromEntries(keys.filter((_, at) => bits & (1 << at)).map((key) => [key, agreeing[key]]))
    const base = studyOf({ ...other, ...pick(subset) })
    const score = (study: StudyEvidence) => scoreOf(criteriaOf(study, anna, order, MATCHING_DEFAULTS))
    const before = score(base)
    assert.ok(before >= 0 && before <= 100)
    for (const key of keys) assert.ok(score({ ...base, [key]: agreeing[key] }) >= before, `${key} on ${subset}`)
  }
})

test('proof: never with a contradiction, whatever else agrees', () => {
  const study = studyOf({
    patient: stated('HOSP', '4711'),
    accessionNumber: 'ACC-1',
    accessionIssuer: 'HOSP-RIS',
    studyInstanceUID: '1.2.9.9',
  })
  assert.notEqual(proofOf(criteriaOf(study, anna, orderOf(), MATCHING_DEFAULTS)), null)
  for (const wrong of [{ name: 'ROE^TIM' }, { birthDate: '19500101' }, { sex: 'M' }]) {
    assert.equal(proofOf(criteriaOf({ ...study, ...wrong }, anna, orderOf(), MATCHING_DEFAULTS)), null)
  }
})
