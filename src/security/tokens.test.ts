import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import { securityFixture } from '../../test/support/security-fixture.ts'
import type { NewToken } from './tokens.ts'
import { parseDuration } from './tokens.ts'

test('a token stands for its role, scopes and patients', async () => {
  const { tokens } = securityFixture()
  const { token, view } = await tokens.create(
    {
      role: 'reader',
      scopes: ['patient/*.rs'],
      patients: [
        { id: '1', issuer: null },
        { id: '2', issuer: 'H' },
      ],
    },
    'ada',
    null,
  )
  assert.match(token, /^dpt_[0-9a-z]{16}_[A-Za-z0-9_-]{43}$/)
  assert.deepEqual(await tokens.verify(token), {
    kind: 'token',
    name: view.id,
    role: 'reader',
    scopes: ['patient/*.rs'],
    patientIds: ['opaque-1', 'opaque-2'],
  })
})

test('revoked and expired count at once', async () => {
  const { tokens, clock } = securityFixture()
  const revoked = await tokens.create({ role: 'reader' }, 'ada', null)
  await tokens.revoke(revoked.view.id, 'ada', null)
  assert.equal(await tokens.verify(revoked.token), undefined)
  const expiring = await tokens.create({ role: 'reader', expires: '1h' }, 'ada', null)
  clock.now += 3_599_999
  assert.ok(await tokens.verify(expiring.token))
  clock.now += 1
  assert.equal(await tokens.verify(expiring.token), undefined)
  assert.deepEqual(
    tokens
      .list()
      .map(({ state }) => state)
      .sort(),
    ['expired', 'revoked'],
  )
})

test('guessing is slowed, and its owner is never kept out', async () => {
  const { tokens } = securityFixture()
  const { token, view } = await tokens.create({ role: 'reader' }, 'ada', null)
  const guess = `dpt_${view.id}_${'A'.repeat(43)}`
  for (let at = 0; at < 10; at += 1) assert.equal(await tokens.verify(guess), undefined)
  await assert.rejects(
    tokens.verify(guess),
    (error) => error instanceof ArchiveError && error.code === 'request.too-many',
  )
  assert.ok(await tokens.verify(token))
})

for (const text of [
  '',
  'dpt_',
  'dpt_x_y',
  `dpt_${'0'.repeat(16)}_${'A'.repeat(43)}`,
  `dpt_${'0'.repeat(16)}_${'A'.repeat(44)}`,
]) {
  test(`not a token: "${text.slice(0, 30)}"`, async () =>
    assert.equal(await securityFixture().tokens.verify(text), undefined))
}

const wrong: { name: string; given: NewToken; names: string }[] = [
  { name: 'scope', given: { role: 'reader', scopes: ['patient/Imaging Study.rs'] }, names: 'scope' },
  { name: 'patient scope, no patient', given: { role: 'reader', scopes: ['patient/*.rs'] }, names: 'patient' },
  { name: 'no patients at all', given: { role: 'reader', patients: [] }, names: 'patients' },
  { name: 'expiry', given: { role: 'reader', expires: 'soon' }, names: 'expires' },
  { name: 'role', given: { role: 'root' as 'reader' }, names: 'role' },
]
for (const { name, given, names } of wrong) {
  test(`a wrong token is refused and says why: ${name}`, async () => {
    await assert.rejects(
      securityFixture().tokens.create(given, 'ada', null),
      (error) => error instanceof ArchiveError && error.code === 'request.malformed' && error.message.includes(names),
    )
  })
}

for (const [text, ms] of [
  ['1h', 3_600_000],
  ['30d', 2_592_000_000],
  ['90m', 5_400_000],
  ['0h', undefined],
  ['1', undefined],
  ['-1h', undefined],
  ['1y', undefined],
] as const) {
  test(`duration ${text}`, () => assert.equal(parseDuration(text), ms))
}
