import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DimseService } from '#model/dimse-service.ts'
import { PEER_RIGHTS, type PeerRight } from '#model/peer.ts'
import type { AssociationRequest } from '#standards/dimse/association.ts'
import { APPLICATION_CONTEXT, negotiate, REJECT } from './negotiate.ts'

const CT = '1.2.840.10008.5.1.4.1.1.2'
const FIND = '1.2.840.10008.5.1.4.1.2.2.1'
const [IMPLICIT, EXPLICIT, JPEG] = ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.4.50']

const nothing = async () => undefined
const find: DimseService = {
  standard: 'find',
  needs: 'find',
  serves: (uid) => uid === FIND,
  transferSyntax: (_, proposed) => proposed.find((uid) => uid === EXPLICIT),
  extended: (_, information) => information.subarray(0, 1),
  handle: nothing,
}
const store: DimseService = {
  standard: 'store',
  needs: 'store',
  reversible: true,
  serves: (uid) => uid === CT,
  transferSyntax: (_, proposed) => proposed[0],
  handle: nothing,
}

function request(given: Partial<AssociationRequest>): AssociationRequest {
  return {
    callingAeTitle: 'A',
    calledAeTitle: 'B',
    applicationContext: APPLICATION_CONTEXT,
    contexts: [{ id: 1, abstractSyntax: CT, transferSyntaxes: [IMPLICIT] }],
    pduLengthMax: 16384,
    implementationClassUID: '1.2',
    implementationVersionName: null,
    operations: null,
    roles: [],
    extended: new Map(),
    userIdentity: null,
    ...given,
  }
}

function answer(given: Partial<AssociationRequest>, rights: readonly PeerRight[] = PEER_RIGHTS) {
  return negotiate(request(given), [find, store], { has: (right) => rights.includes(right), operationsMax: 8 })
}

// The number says to the other side why a context cannot be used; the wrong one sends its administrator the wrong way.
const contexts: {
  name: string
  of: [string, string[]]
  rights?: PeerRight[]
  result: number
  syntax: string | null
}[] = [
  { name: 'accepted, the first that is proposed', of: [CT, [JPEG, IMPLICIT]], result: 0, syntax: JPEG },
  { name: 'nobody serves it', of: ['1.2.3', [IMPLICIT]], result: 3, syntax: null },
  { name: 'no transfer syntax in common', of: [FIND, [JPEG]], result: 4, syntax: null },
  { name: 'the caller may not', of: [FIND, [EXPLICIT]], rights: ['store'], result: 1, syntax: null },
]
for (const { name, of, rights, result, syntax } of contexts) {
  test(`context: ${name}`, () => {
    const [abstractSyntax, transferSyntaxes] = of
    const given = answer(
      {
        contexts: [
          { id: 1, abstractSyntax: CT, transferSyntaxes: [IMPLICIT] },
          { id: 3, abstractSyntax, transferSyntaxes },
        ],
      },
      rights,
    )
    assert.ok(given.accept)
    assert.deepEqual(given.contexts[1], { id: 3, result, transferSyntax: syntax })
  })
}

test('nothing in common refuses the association', () => {
  const contexts = [{ id: 1, abstractSyntax: '1.2.3', transferSyntaxes: [IMPLICIT] }]
  assert.deepEqual(answer({ contexts }), REJECT.noReason)
  assert.deepEqual(answer({ contexts: [] }), REJECT.noReason)
})

const roles: { name: string; scu: boolean; scp: boolean; rights: PeerRight[]; is: [boolean, boolean] | null }[] = [
  { name: 'as SCP for C-GET', scu: false, scp: true, rights: ['get'], is: [false, true] },
  { name: 'both', scu: true, scp: true, rights: ['get', 'store'], is: [true, true] },
  { name: 'who may not store is no SCU', scu: true, scp: true, rights: ['get'], is: [false, true] },
  { name: 'who may not get is no SCP', scu: true, scp: true, rights: ['store'], is: [true, false] },
  { name: 'neither', scu: false, scp: true, rights: ['store'], is: null },
]
for (const { name, scu, scp, rights, is } of roles) {
  test(`role selection: ${name}`, () => {
    const given = answer({ roles: [{ sopClass: CT, scu, scp }] }, rights)
    if (is === null) return assert.equal(given.accept, false)
    assert.ok(given.accept)
    assert.deepEqual(given.roles, [{ sopClass: CT, scu: is[0], scp: is[1] }])
  })
}

const windows = [
  { asked: null, is: null },
  { asked: { invoked: 4, performed: 1 }, is: { invoked: 4, performed: 1 } },
  { asked: { invoked: 0, performed: 100 }, is: { invoked: 8, performed: 8 } },
]
for (const { asked, is } of windows) {
  test(`operations window: ${JSON.stringify(asked)}`, () => {
    const given = answer({ operations: asked })
    assert.ok(given.accept)
    assert.deepEqual(given.operations, is)
  })
}

test('extended negotiation is answered for what was accepted, by the service of the class', () => {
  const extended = new Map([
    [FIND, Uint8Array.of(1, 1, 1)],
    [CT, Uint8Array.of(2)],
    ['1.2.3', Uint8Array.of(3)],
  ])
  const contexts = [CT, FIND].map((abstractSyntax, i) => ({
    id: 2 * i + 1,
    abstractSyntax,
    transferSyntaxes: [EXPLICIT],
  }))
  const given = answer({ contexts, extended })
  assert.ok(given.accept)
  assert.deepEqual([...given.extended], [[FIND, Uint8Array.of(1)]])
})
