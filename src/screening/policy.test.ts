import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Finding } from '#model/finding.ts'
import type { RulePolicy } from '#model/settings.ts'
import { PLAIN_POLICY } from '../../test/support/screening-fixture.ts'
import { decide } from './policy.ts'
import type { Draft } from './screened.ts'

const draft = (rule: string, severity: Finding['severity'], more: Partial<Draft> = {}): Draft => ({
  rule,
  severity,
  detail: 'x',
  offset: null,
  tag: null,
  ...more,
})

// Policy is data that a person edits: it must never open what no policy may open.
const rows: { name: string; drafts: Draft[]; rules?: RulePolicy; trust?: 'untrusted'; verdict: string }[] = [
  { name: 'nothing found', drafts: [], verdict: 'accept' },
  {
    name: 'worst wins',
    drafts: [draft('B1', 'sanitise'), draft('M4', 'reject'), draft('P2', 'quarantine')],
    verdict: 'reject',
  },
  { name: 'alert is a quarantine', drafts: [draft('P2', 'alert')], verdict: 'quarantine' },
  {
    name: 'milder, allowed',
    drafts: [draft('B2', 'quarantine', { remove: { start: 1, end: 2 } })],
    rules: { B2: 'sanitise' },
    verdict: 'sanitise',
  },
  {
    name: 'milder, firm',
    drafts: [draft('B2', 'quarantine', { firm: true })],
    rules: { B2: 'sanitise' },
    verdict: 'quarantine',
  },
  {
    name: 'milder, not among the choices',
    drafts: [draft('P2', 'quarantine')],
    rules: { P2: 'keep' },
    verdict: 'quarantine',
  },
  {
    name: 'milder, untrusted sender',
    drafts: [draft('P8', 'sanitise')],
    rules: { P8: 'keep' },
    trust: 'untrusted',
    verdict: 'sanitise',
  },
  {
    name: 'stricter, firm',
    drafts: [draft('P2', 'quarantine', { firm: true })],
    rules: { P2: 'reject' },
    verdict: 'reject',
  },
  {
    name: 'stricter, untrusted sender',
    drafts: [draft('P8', 'sanitise')],
    rules: { P8: 'quarantine' },
    trust: 'untrusted',
    verdict: 'quarantine',
  },
  {
    name: 'sanitise what cannot be cut out',
    drafts: [draft('B6', 'quarantine')],
    rules: { B6: 'sanitise' },
    verdict: 'quarantine',
  },
  {
    name: 'a remark of a holding rule stays one',
    drafts: [draft('M8', 'info')],
    rules: { M8: 'quarantine' },
    verdict: 'accept',
  },
  {
    name: 'a rule of another room is left alone',
    drafts: [draft('conflict', 'quarantine')],
    rules: { conflict: 'keep' },
    verdict: 'quarantine',
  },
  { name: 'M10 alone', drafts: [draft('M10', 'warning')], verdict: 'accept' },
  {
    name: 'M10 with P5 that a site sanitises',
    drafts: [draft('P5', 'quarantine'), draft('M10', 'warning')],
    rules: { P5: 'sanitise' },
    verdict: 'quarantine',
  },
]

for (const { name, drafts, rules = {}, trust = 'unknown', verdict } of rows) {
  test(`policy: ${name}`, () => {
    assert.equal(decide(drafts, { ...PLAIN_POLICY, rules, trust }).verdict, verdict)
  })
}

test('policy: removals are joined; elements go only when sanitised', () => {
  const drafts = [
    draft('B3', 'sanitise', { remove: { start: 10, end: 20 }, removesElements: true }),
    draft('B1', 'sanitise', { remove: { start: 20, end: 30 } }),
    draft('B6', 'quarantine', { remove: { start: 0, end: 5 }, removesElements: true }),
  ]
  const { remove, elementsDiscarded } = decide(drafts, PLAIN_POLICY)
  assert.deepEqual(remove, [{ start: 10, end: 30 }])
  assert.equal(elementsDiscarded, true)
})
