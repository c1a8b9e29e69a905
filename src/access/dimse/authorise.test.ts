import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Peer } from '#model/peer.ts'
import { checkPeer } from '#security/peers.ts'
import { authorise, plainAddress } from './authorise.ts'

const SHA = 'ab'.repeat(32)
const peers: readonly Peer[] = [
  checkPeer({ aeTitle: 'CT1', host: '10.0.0.5', port: 104, allow: ['store'] }),
  checkPeer({ aeTitle: 'WARD', addresses: ['10.1.0.0/16', '2001:db8::/32'], allow: ['find', 'get'] }),
  checkPeer({ aeTitle: 'REMOTE', host: '10.0.0.5', port: 104, certificates: [SHA], allow: ['store'] }),
  checkPeer({ aeTitle: 'LOCAL', host: 'localhost', port: 104, allow: ['store'] }),
]
const register = { get: (aeTitle: string) => peers.find((peer) => peer.aeTitle === aeTitle) }

interface Case {
  readonly name: string
  readonly title: string
  readonly address: string
  readonly certificate?: string
  readonly strangers?: 'refuse'
  readonly is: 'certificate' | 'address' | 'loopback' | 'refused'
}

// Whoever knows a title must not be let in for it.
const cases: readonly Case[] = [
  { name: 'from its host', title: 'CT1', address: '10.0.0.5', is: 'address' },
  { name: 'from another host', title: 'CT1', address: '10.0.0.6', is: 'refused' },
  { name: 'a registered title from this machine is no stranger', title: 'CT1', address: '127.0.0.1', is: 'refused' },
  { name: 'in its block', title: 'WARD', address: '10.1.200.3', is: 'address' },
  { name: 'in its IPv6 block', title: 'WARD', address: '2001:db8::7', is: 'address' },
  { name: 'outside its block', title: 'WARD', address: '10.2.0.1', is: 'refused' },
  {
    name: 'with its certificate, from anywhere',
    title: 'REMOTE',
    address: '192.0.2.1',
    certificate: SHA,
    is: 'certificate',
  },
  { name: 'from its host without the certificate', title: 'REMOTE', address: '10.0.0.5', is: 'refused' },
  {
    name: 'with another certificate',
    title: 'REMOTE',
    address: '10.0.0.5',
    certificate: 'cd'.repeat(32),
    is: 'refused',
  },
  { name: 'a host by name', title: 'LOCAL', address: '127.0.0.1', is: 'address' },
  { name: 'a stranger on this machine', title: 'WHO', address: '127.0.0.1', is: 'loopback' },
  { name: 'a stranger on this machine, IPv6', title: 'WHO', address: '::1', is: 'loopback' },
  { name: 'a stranger from elsewhere', title: 'WHO', address: '10.0.0.9', is: 'refused' },
  {
    name: 'a stranger where the site takes none',
    title: 'WHO',
    address: '127.0.0.1',
    strangers: 'refuse',
    is: 'refused',
  },
  { name: 'titles are told apart by case', title: 'ct1', address: '10.0.0.5', is: 'refused' },
]
for (const { name, title, address, certificate = null, strangers = 'loopback', is } of cases) {
  test(`authorise: ${name}`, async () => {
    const got = await authorise(title, { address, certificate }, register, strangers)
    assert.equal(got.in ? got.caller.provedBy : 'refused', is)
  })
}

test('one that only sends sees nothing; one that asks sees the archive', async () => {
  const sees = async (title: string, address: string) => {
    const got = await authorise(title, { address, certificate: null }, register, 'loopback')
    return got.in ? got.caller.visibility.sees : 'refused'
  }
  assert.equal(await sees('CT1', '10.0.0.5'), 'nothing')
  assert.equal(await sees('WARD', '10.1.0.1'), 'all')
  assert.equal(await sees('WHO', '127.0.0.1'), 'all')
})

test('an IPv4 address in IPv6 clothes is told as what it is', () => {
  assert.equal(plainAddress('::ffff:10.0.0.5'), '10.0.0.5')
  assert.equal(plainAddress('::1'), '::1')
})
