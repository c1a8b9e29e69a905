import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import type { Receipt } from '#model/arrival.ts'
import { comment, faultAnswer, storeAnswer } from './c-store-answer.ts'

const ID = '4b4b0d3a-7a0f-4ad6-a5f7-2f3b1c1d9e10'
const finding = (rule: string, severity: 'quarantine' | 'reject' | 'info') => ({
  rule,
  severity,
  detail: 'd',
  offset: null,
  tag: null,
})

function receipt(given: Partial<Receipt>): Receipt {
  return {
    arrivalId: 'a',
    sha256: '0',
    size: 1,
    verdict: 'accept',
    stored: false,
    duplicate: false,
    sopClassUID: null,
    sopInstanceUID: null,
    seriesInstanceUID: null,
    studyInstanceUID: null,
    objectId: null,
    quarantineId: null,
    reason: '',
    findings: [],
    scan: { status: 'not-scanned', engine: null, signatures: null, coverage: null },
    failure: null,
    elementsDiscarded: false,
    ...given,
  }
}

const held = { verdict: 'quarantine', failure: 'screening.held', quarantineId: ID } as const

// A success that is none makes the sender delete its copy.
const answers: { name: string; of: Partial<Receipt>; status: number; says?: string }[] = [
  { name: 'stored', of: { stored: true }, status: 0x0000 },
  { name: 'kept already', of: { stored: true, duplicate: true }, status: 0x0000 },
  { name: 'stored without some elements', of: { stored: true, elementsDiscarded: true }, status: 0xb006 },
  {
    name: 'held',
    of: { ...held, findings: [finding('charset', 'info'), finding('P2', 'quarantine')] },
    status: 0xc000,
    says: `quarantine ${ID}: P2`,
  },
  {
    name: 'the command contradicts the data set',
    of: { ...held, findings: [finding('M5', 'quarantine')] },
    status: 0xa900,
    says: `quarantine ${ID}: M5`,
  },
  {
    name: 'another content under the UID',
    of: { ...held, failure: 'identity.conflict', findings: [finding('conflict', 'quarantine')] },
    status: 0xc000,
    says: `quarantine ${ID}: conflict`,
  },
  {
    name: 'held by a rule with a long name: the number is whole, the name is cut',
    of: { ...held, findings: [finding('study-patient-conflict', 'quarantine')] },
    status: 0xc000,
    says: `quarantine ${ID}: study-patient-conflict`.slice(0, 64),
  },
  {
    name: 'refused',
    of: { verdict: 'reject', failure: 'screening.rejected', findings: [finding('B7', 'reject')] },
    status: 0xc000,
    says: 'refused: B7',
  },
  {
    name: 'a class the site refuses',
    of: { verdict: 'reject', failure: 'screening.class-refused', findings: [finding('sop-class', 'reject')] },
    status: 0x0122,
    says: 'refused: sop-class',
  },
]
for (const { name, of, status, says } of answers) {
  test(`C-STORE answer: ${name}`, () => {
    const answer = storeAnswer(receipt(of))
    assert.equal(answer.status, status)
    if (says !== undefined) assert.equal(answer.errorComment, says)
  })
}

const faults = [
  { name: 'a full disk', error: new ArchiveError('storage.full', 'x'), status: 0xa700 },
  { name: 'a store that is read-only', error: new ArchiveError('storage.read-only', 'x'), status: 0xa700 },
  { name: 'an object that is too large', error: new ArchiveError('request.too-large', 'x'), status: 0xa700 },
  { name: 'what nobody planned', error: new TypeError('secret detail'), status: 0x0110 },
]
for (const { name, error, status } of faults) {
  test(`C-STORE answer: ${name}`, () => {
    const answer = faultAnswer(error)
    assert.equal(answer.status, status)
    assert.ok(!answer.errorComment?.includes('secret'))
  })
}

test('a comment is 64 characters without what ends or breaks a text', () => {
  assert.equal(comment(`a\\b\r\n${'x'.repeat(100)}`), `a?b??${'x'.repeat(59)}`)
})
