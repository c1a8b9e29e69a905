import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import { securityFixture } from '../../test/support/security-fixture.ts'
import { checkPeer } from './peers.ts'

const SHA = 'ab'.repeat(32)

// A peer that can be registered by its title alone would be let in by anybody who knows the title.
const refused: { name: string; peer: object; names: string }[] = [
  { name: 'a title alone', peer: { aeTitle: 'CT1' }, names: 'proves nothing' },
  { name: 'no title', peer: { aeTitle: '   ', addresses: ['10.0.0.1'] }, names: 'aeTitle' },
  { name: 'a long title', peer: { aeTitle: 'A'.repeat(17), addresses: ['10.0.0.1'] }, names: 'aeTitle' },
  { name: 'a backslash', peer: { aeTitle: 'A\\B', addresses: ['10.0.0.1'] }, names: 'aeTitle' },
  { name: 'a host without port', peer: { aeTitle: 'CT1', host: 'ct1' }, names: 'go together' },
  { name: 'an address that is none', peer: { aeTitle: 'CT1', addresses: ['10.0.0.300'] }, names: 'addresses.0' },
  { name: 'a block that is none', peer: { aeTitle: 'CT1', addresses: ['10.0.0.0/33'] }, names: 'addresses.0' },
  { name: 'an unknown right', peer: { aeTitle: 'CT1', addresses: ['10.0.0.1'], allow: ['print'] }, names: 'allow.0' },
  { name: 'a short digest', peer: { aeTitle: 'CT1', certificates: ['abcd'] }, names: 'certificates.0' },
  { name: 'an unknown key', peer: { aeTitle: 'CT1', addresses: ['10.0.0.1'], right: [] }, names: '"right"' },
]
for (const { name, peer, names } of refused) {
  test(`peer: ${name} is refused by name`, () => {
    assert.throws(
      () => checkPeer(peer),
      (error) => error instanceof ArchiveError && error.code === 'request.malformed' && error.message.includes(names),
    )
  })
}

test('peer: what is absent has its default; digests are taken as programs print them', () => {
  const colons = SHA.toUpperCase().replace(/..(?!$)/g, '$&:')
  const peer = checkPeer({ aeTitle: ' CT1 ', certificates: [colons], allow: ['store', 'echo'] })
  assert.deepEqual(
    [peer.aeTitle, peer.certificates, peer.allow, peer.associationsMax, peer.host],
    ['CT1', [SHA], ['echo', 'store'], 32, null],
  )
})

test('peers: registered, replaced, removed, each audited; and a version that caches can see', async () => {
  const { peers, store } = securityFixture()
  const before = store.settingsVersion()
  await peers.put({ aeTitle: 'CT1', addresses: ['10.0.0.1'] }, 'ada', null)
  await peers.put({ aeTitle: 'CT1', addresses: ['10.0.0.2'], allow: ['store'] }, 'ada', null)
  assert.ok(store.settingsVersion() > before)
  assert.deepEqual(peers.get('CT1')?.addresses, ['10.0.0.2'])
  assert.equal(peers.get('ct1'), undefined)
  await peers.remove('CT1', 'ada', null)
  assert.deepEqual(peers.all(), [])
  await assert.rejects(peers.remove('CT1', 'ada', null), ArchiveError)
  const { items } = store.entries({ kind: 'peer', limit: 10 })
  assert.deepEqual(
    items.map(({ detail }) => detail),
    ['removed CT1', 'put CT1: store', 'put CT1: echo'],
  )
})
