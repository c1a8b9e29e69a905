import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import { securityFixture } from '../../test/support/security-fixture.ts'
import { originatorOf, screeningPolicyFor, trustOf } from './originators.ts'
import { checkOriginator } from './site-settings.ts'

test('settings: default, set, set back; every version kept', async () => {
  const { settings } = securityFixture()
  assert.equal(settings.get('quarantine.retentionDays'), 30)
  await settings.change({ 'quarantine.retentionDays': 90 }, 'ada', null)
  assert.equal(settings.get('quarantine.retentionDays'), 90)
  const before = settings.version()
  await settings.change({ 'quarantine.retentionDays': null }, 'bob', null)
  assert.equal(settings.get('quarantine.retentionDays'), 30)
  assert.ok(settings.version() > before)
  assert.deepEqual(
    settings.history('quarantine.retentionDays').map(({ value, by }) => [value, by]),
    [
      [null, 'bob'],
      [90, 'ada'],
    ],
  )
})

const NO_RULE = { on: true, mode: 'act', threshold: 0, parameters: {}, departments: [], originators: [] }

// A wrong key or value is an error that names it, and then nothing of the request is in force.
const wrong: { name: string; change: Record<string, unknown>; names: string }[] = [
  { name: 'unknown key', change: { 'quarantine.retentiondays': 1 }, names: 'quarantine.retentiondays' },
  { name: 'prototype key', change: JSON.parse('{"__proto__": 1}') as Record<string, unknown>, names: '__proto__' },
  { name: 'wrong type', change: { 'quarantine.retentionDays': '90' }, names: 'quarantine.retentionDays' },
  { name: 'out of range', change: { 'quarantine.retentionDays': 0 }, names: 'quarantine.retentionDays' },
  { name: 'unknown action', change: { 'screening.rules': { P8: 'ignore' } }, names: 'screening.rules.P8' },
  { name: 'a rule there is not', change: { 'screening.rules': { P99: 'keep' } }, names: 'screening.rules.P99' },
  { name: 'what a rule may not be', change: { 'screening.rules': { P2: 'keep' } }, names: 'screening.rules.P2' },
  { name: 'the same of a door', change: { 'screening.doors': { stow: { P2: 'keep' } } }, names: 'doors.stow.P2' },
  { name: 'nothing to act on', change: { 'hl7.messages': { 'ADT^A43': 'act' } }, names: 'hl7.messages.ADT^A43' },
  { name: 'a type nothing acts on', change: { 'hl7.messages': { QBP: 'act' } }, names: 'hl7.messages.QBP' },
  {
    name: 'a placement rule there is not',
    change: { 'placement.policy': { rules: [{ ...NO_RULE, rule: 'none' }], documentSystem: null } },
    names: 'placement.policy.rules[0].rule',
  },
  { name: 'unknown zone', change: { 'site.timeZone': 'Europe/Atlantis' }, names: 'site.timeZone' },
]
for (const { name, change, names } of wrong) {
  test(`settings: ${name} is refused by name`, async () => {
    const { settings } = securityFixture()
    await assert.rejects(
      settings.change({ 'site.name': 'X', ...change }, 'ada', null),
      (error) => error instanceof ArchiveError && error.message.includes(names),
    )
    assert.equal(settings.get('site.name'), 'Diptych')
  })
}

const right: { name: string; change: Record<string, unknown> }[] = [
  { name: 'a rule as its page allows', change: { 'screening.rules': { P2: 'reject', P8: 'quarantine' } } },
  { name: 'for one door', change: { 'screening.doors': { media: { P8: 'sanitise' } } } },
  { name: 'messages', change: { 'hl7.messages': { ADT: 'act', 'ADT^A08': 'act', '*': 'act', 'ADT^A43': 'keep' } } },
]
for (const { name, change } of right) {
  test(`settings: ${name} is taken`, async () => {
    const { settings } = securityFixture()
    await settings.change(change, 'ada', null)
    for (const [key, value] of Object.entries(change)) {
      assert.deepEqual(settings.all().find((each) => each.key === key)?.value, value)
    }
  })
}

// A slip of the pen in a policy would otherwise be a policy that nobody has.
const refusedOriginators: { name: string; given: object; names: string }[] = [
  { name: 'a rule there is not', given: { rules: { P99: 'keep' } }, names: 'originator.rules.P99' },
  { name: 'what a rule may not be', given: { rules: { P2: 'keep' } }, names: 'originator.rules.P2' },
  { name: 'milder though untrusted', given: { trust: 'untrusted', rules: { M1: 'keep' } }, names: 'M1' },
]
for (const { name, given, names } of refusedOriginators) {
  test(`originator: ${name} is refused by name, imported too`, async () => {
    const { settings } = securityFixture()
    const isNamed = (error: unknown) => error instanceof ArchiveError && error.message.includes(names)
    await assert.rejects(settings.putOriginator({ name: 'CT', ...given }, 'ada', null), isNamed)
    const file = { format: 1, settings: {}, originators: [{ name: 'CT', ...given }], peers: [] }
    await assert.rejects(settings.import(file, 'ada', null), isNamed)
    assert.deepEqual(settings.originators(), [])
  })
}

test('an export imports elsewhere to the same', async () => {
  const from = securityFixture().settings
  await from.change({ 'screening.rules': { P8: 'quarantine' }, 'site.timeZone': 'Europe/Berlin' }, 'ada', null)
  await from.putOriginator({ name: 'CT 1', aeTitles: ['CT1'], trust: 'trusted' }, 'ada', null)
  const file: unknown = JSON.parse(JSON.stringify(from.export()))
  const to = securityFixture().settings
  await to.import(file, 'bob', null)
  assert.deepEqual(to.export(), from.export())
  await assert.rejects(to.import({ format: 2 }, 'bob', null), ArchiveError)
})

const ct = checkOriginator({ name: 'CT 1', aeTitles: ['CT1'], addresses: ['10.0.0.5'], trust: 'trusted' })
const disc = checkOriginator({
  name: 'Praxis',
  accounts: ['praxis'],
  rules: { P8: 'quarantine' },
  attestation: { document: 'doc', reviewedOn: '2025-01-01', validUntil: '2026-01-01' },
  trust: 'known',
  privateElements: 'strip',
})

const senders = [
  { name: 'title and address', sender: { aeTitle: 'CT1', address: '10.0.0.5' }, is: 'CT 1' },
  { name: 'a title from elsewhere is no proof', sender: { aeTitle: 'CT1', address: '10.0.0.6' }, is: undefined },
  { name: 'account', sender: { account: 'praxis' }, is: 'Praxis' },
  { name: 'named', sender: { named: 'Praxis' }, is: 'Praxis' },
  { name: 'an account beats a name', sender: { account: 'praxis', named: 'CT 1' }, is: 'Praxis' },
  { name: 'unknown is a known state', sender: { address: '192.0.2.1' }, is: undefined },
]
for (const { name, sender, is } of senders) {
  test(`originator: ${name}`, () => assert.equal(originatorOf([ct, disc], sender)?.name, is))
}

test('trust: an attestation that ran out takes a level', () => {
  assert.equal(trustOf(disc, '2026-01-01'), 'known')
  assert.equal(trustOf(disc, '2026-01-02'), 'untrusted')
  assert.equal(trustOf(ct, '2026-01-02'), 'trusted')
  assert.equal(trustOf(undefined, '2026-01-02'), 'unknown')
})

test('policy: site, then door, then originator; the later wins', () => {
  const settings = { 'screening.rules': { P8: 'keep', B2: 'sanitise' }, 'screening.doors': { web: { P8: 'reject' } } }
  assert.deepEqual(screeningPolicyFor(settings, 'dimse', ct, '2026-11-24').rules, { P8: 'keep', B2: 'sanitise' })
  assert.deepEqual(screeningPolicyFor(settings, 'web', ct, '2026-11-24').rules, { P8: 'reject', B2: 'sanitise' })
  const policy = screeningPolicyFor(settings, 'web', disc, '2026-11-24')
  assert.deepEqual(policy.rules, { P8: 'quarantine', B2: 'sanitise' })
  assert.equal(policy.privateElements, 'strip')
  assert.equal(policy.trust, 'untrusted')
})
