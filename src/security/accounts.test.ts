import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArchiveError, type ErrorCode } from '#errors.ts'
import { PASSWORD, securityFixture } from '../../test/support/security-fixture.ts'
import { checkPassword, hashPassword, verifyPassword } from './passwords.ts'

function fails(code: ErrorCode) {
  return (error: unknown) => error instanceof ArchiveError && error.code === code
}

async function withAdministrator() {
  const fixture = securityFixture()
  const token = (await fixture.accounts.beginSetup()) ?? ''
  const signedIn = await fixture.accounts.completeSetup({ token, name: 'Ada', password: PASSWORD }, '127.0.0.1')
  return { ...fixture, signedIn }
}

test('the set-up link works once, and only the newest', async () => {
  const { accounts } = securityFixture()
  const first = (await accounts.beginSetup()) ?? ''
  const second = (await accounts.beginSetup()) ?? ''
  const given = { name: 'ada', password: PASSWORD }
  await assert.rejects(accounts.completeSetup({ ...given, token: first }, null), fails('request.forbidden'))
  await accounts.completeSetup({ ...given, token: second }, null)
  await assert.rejects(
    accounts.completeSetup({ name: 'eve', password: PASSWORD, token: second }, null),
    fails('request.forbidden'),
  )
  assert.equal(await accounts.beginSetup(), undefined)
  assert.deepEqual(
    accounts.list().map(({ name, role }) => [name, role]),
    [['ada', 'administrator']],
  )
})

test('of two who use the link at once, one wins', async () => {
  const { accounts } = securityFixture()
  const token = (await accounts.beginSetup()) ?? ''
  const both = await Promise.allSettled(
    ['ada', 'eve'].map((name) => accounts.completeSetup({ token, name, password: PASSWORD }, null)),
  )
  assert.equal(both.filter(({ status }) => status === 'fulfilled').length, 1)
  assert.equal(accounts.list().length, 1)
})

// A session has to end in four ways; missing one of them leaves a door open on a shared workstation.
const endings: {
  name: string
  end: (f: Awaited<ReturnType<typeof withAdministrator>>) => Promise<unknown> | unknown
}[] = [
  {
    name: 'idle',
    end: ({ clock }) => {
      clock.now += 30 * 60_000
    },
  },
  {
    name: 'sign-out',
    end: ({ accounts, signedIn }) =>
      accounts.signOut(signedIn.cookie, accounts.session(signedIn.cookie)?.subject ?? assert.fail(), null),
  },
  {
    name: 'new password',
    end: ({ accounts }) => accounts.change('ada', { password: 'another long password' }, 'ada', null),
  },
  {
    name: 'disabled',
    async end({ accounts }) {
      await accounts.create({ name: 'bob', role: 'administrator', password: PASSWORD }, 'ada', null)
      await accounts.change('ada', { disabled: true }, 'bob', null)
    },
  },
  {
    name: 'absolute, however busy',
    async end({ accounts, clock, signedIn }) {
      for (let at = 0; at < 12 * 3; at += 1) {
        clock.now += 20 * 60_000
        await accounts.touch(signedIn.cookie)
      }
    },
  },
]
for (const { name, end } of endings) {
  test(`a session ends: ${name}`, async () => {
    const fixture = await withAdministrator()
    assert.equal(fixture.accounts.session(fixture.signedIn.cookie)?.subject.name, 'ada')
    await end(fixture)
    assert.equal(fixture.accounts.session(fixture.signedIn.cookie), undefined)
  })
}

test('a session in use does not end as idle', async () => {
  const { accounts, clock, signedIn } = await withAdministrator()
  for (let at = 0; at < 6; at += 1) {
    clock.now += 20 * 60_000
    await accounts.touch(signedIn.cookie)
    assert.ok(accounts.session(signedIn.cookie))
  }
})

test('nothing kept lets a reader of the database in', async () => {
  const { db, signedIn, tokens } = await withAdministrator()
  const { token } = await tokens.create({ role: 'reader' }, 'ada', null)
  const dump = JSON.stringify(
    ['account', 'session', 'token', 'setup', 'audit'].map((table) => db.all(`select * from ${table}`)),
    (_key, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value),
  )
  for (const secret of [PASSWORD, signedIn.cookie, signedIn.csrf, token.split('_')[2] ?? '']) {
    assert.ok(!dump.includes(secret))
  }
})

test('wrong passwords are slowed per account, and no other account is', async () => {
  const { accounts, clock } = await withAdministrator()
  await accounts.create({ name: 'bob', role: 'reader', password: PASSWORD }, 'ada', null)
  for (let at = 0; at < 5; at += 1) {
    await assert.rejects(accounts.signIn('ada', 'wrong password', '10.0.0.1'), fails('request.unauthenticated'))
  }
  await assert.rejects(accounts.signIn('ada', PASSWORD, '10.0.0.1'), fails('request.too-many'))
  await accounts.signIn('bob', PASSWORD, '10.0.0.1')
  clock.now += 31_000
  await accounts.signIn('ADA ', PASSWORD, '10.0.0.1')
})

test('an unknown account and a wrong password cannot be told apart', async () => {
  const { accounts } = await withAdministrator()
  const told = async (name: string) =>
    accounts.signIn(name, 'wrong password', null).catch((error: unknown) => String(error))
  assert.equal(await told('ada'), await told('nobody'))
})

// Nobody who has not signed in may make the trail grow with every request.
test('refusals of strangers are counted, those of an account are written one by one', async () => {
  const { accounts, tokens, store, auditor } = await withAdministrator()
  const before = store.entries({ limit: 100 }).items.length
  for (let at = 0; at < 4; at += 1) {
    await assert.rejects(accounts.signIn(`stranger-${at}`, 'wrong password', null))
    await assert.rejects(accounts.completeSetup({ token: 'x', name: 'eve', password: PASSWORD }, null))
    await assert.rejects(accounts.signIn('ada', 'wrong password', null))
  }
  assert.equal(store.entries({ limit: 100 }).items.length - before, 1 + 1 + 4)
  assert.equal(await tokens.verify('nothing'), undefined)
  await auditor.flush(true)
  const counts = store.entries({ limit: 2 }).items.map(({ count }) => count)
  assert.deepEqual(counts, [3, 3])
})

test('the last administrator stays', async () => {
  const { accounts } = await withAdministrator()
  await assert.rejects(accounts.change('ada', { role: 'reader' }, 'ada', null), fails('request.conflict'))
  await assert.rejects(accounts.change('ada', { disabled: true }, 'ada', null), fails('request.conflict'))
})

const passwords: { password: string; good: boolean }[] = [
  { password: 'x'.repeat(11), good: false },
  { password: 'eleven char', good: false },
  { password: 'twelve chars', good: true },
  { password: 'aaaaaaaaaaaaaaaa', good: false },
  { password: 'my name is Ada indeed', good: false },
  { password: 'a'.repeat(252) + 'bcdefg', good: false },
  { password: 'pässwörter 🩻 sind gut', good: true },
]
for (const { password, good } of passwords) {
  test(`password of ${[...password].length} characters is ${good ? 'taken' : 'refused'}`, () => {
    if (good) checkPassword(password, 'ada')
    else assert.throws(() => checkPassword(password, 'ada'), fails('request.malformed'))
  })
}

test('argon2id: hashes say their parameters, verify in any normal form, and differ each time', async () => {
  const phc = await hashPassword('pa\u0308sswort lang')
  assert.match(phc, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  assert.equal(await verifyPassword('p\u00e4sswort lang', phc), true)
  assert.equal(await verifyPassword('passwort lang', phc), false)
  assert.equal(await verifyPassword('p\u00e4sswort lang', undefined), false)
  assert.notEqual(await hashPassword('pa\u0308sswort lang'), phc)
})
