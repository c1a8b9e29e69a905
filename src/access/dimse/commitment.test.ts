import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import { checkCommitment } from './commitment-check.ts'
import {
  encodeCommitmentReport,
  encodeCommitmentRequest,
  readCommitmentReport,
  readCommitmentRequest,
} from './commitment-message.ts'
import { parseMessage } from './identifier.ts'
import { DimseRefusal } from './refusal.ts'
import { EXPLICIT, IMPLICIT } from './scu/connector.ts'

const CT = '1.2.840.10008.5.1.4.1.1.2'
const references = [
  { sopClassUID: CT, sopInstanceUID: '1.2.1' },
  { sopClassUID: CT, sopInstanceUID: '1.2.2' },
]

for (const syntax of [EXPLICIT, IMPLICIT]) {
  test(`a commitment request and its report come through as they were, ${syntax}`, () => {
    const request = { transactionUID: '2.25.7', references }
    const requested = readCommitmentRequest(parseMessage(encodeCommitmentRequest(request, syntax), syntax))
    assert.deepEqual(requested, request)
    const [good, bad] = references
    assert.ok(good && bad)
    const report = { transactionUID: '2.25.7', committed: [good], failed: [{ ...bad, reason: 0x0112 }] }
    const told = readCommitmentReport(parseMessage(encodeCommitmentReport(report, 'DIPTYCH', syntax), syntax))
    assert.deepEqual(told, report)
  })
}

const wrong: { name: string; transactionUID: string; references: typeof references }[] = [
  { name: 'no transaction', transactionUID: '', references },
  { name: 'no references', transactionUID: '2.25.7', references: [] },
  {
    name: 'a reference without instance',
    transactionUID: '2.25.7',
    references: [{ sopClassUID: CT, sopInstanceUID: '' }],
  },
]

for (const { name, ...request } of wrong) {
  test(`a commitment request is refused: ${name}`, () => {
    const dataSet = parseMessage(encodeCommitmentRequest(request, EXPLICIT), EXPLICIT)
    assert.throws(() => readCommitmentRequest(dataSet), DimseRefusal)
  })
}

// "Committed" is what lets a sender delete its own copy: each failure has its reason. PS3.3 section C.14.1.1.
const checks: { name: string; found: Partial<StoredInstance> | undefined; damaged?: true; reason: number | null }[] = [
  { name: 'kept and unharmed', found: { sopInstanceUID: '1.2.1', sopClassUID: CT }, reason: null },
  { name: 'never came, or held', found: undefined, reason: 0x0112 },
  { name: 'another by the same digest', found: { sopInstanceUID: '9', sopClassUID: CT }, reason: 0x0112 },
  { name: 'another class', found: { sopInstanceUID: '1.2.1', sopClassUID: '1.2' }, reason: 0x0119 },
  { name: 'damaged', found: { sopInstanceUID: '1.2.1', sopClassUID: CT }, damaged: true, reason: 0x0110 },
]

for (const { name, found, damaged, reason } of checks) {
  test(`commitment: ${name}`, async () => {
    const report = await checkCommitment(
      {
        reader: { find: async () => found as StoredInstance | undefined },
        data: {
          async verify() {
            if (damaged) throw new ArchiveError('storage.damaged', 'changed')
          },
        },
      },
      { transactionUID: '2.25.7', references: references.slice(0, 1) },
      new AbortController().signal,
    )
    assert.deepEqual(
      report.failed.map((each) => each.reason),
      reason === null ? [] : [reason],
    )
    assert.equal(report.committed.length, reason === null ? 1 : 0)
  })
}
