import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Provenance } from '#model/arrival.ts'
import type { SubmittedDocument } from '#model/document-desk.ts'
import { derivedSet } from './derived-set.ts'

const provenance: Provenance = {
  ...{ door: 'fhir', peer: null, originator: null, user: 'anna', address: null, medium: null, path: null },
  time: '2026-05-02T10:00:00Z',
}

function sent(label: string, uniqueId: string, text: string, id = '1'): SubmittedDocument {
  return {
    label,
    arrival: { provenance, claims: { document: true }, bytes: { in: 'memory', bytes: Buffer.from(text) } },
    statement: {
      uniqueId,
      owner: { by: 'identifier', issuer: 'HOSP', id, issuerAssumed: false },
      metadata: { title: 'Report' },
    },
  } as SubmittedDocument
}

test('the same documents make the same set, whenever they come; others make another', () => {
  const one = derivedSet([sent('a', 'u1', 'x')], provenance)
  const again = derivedSet([sent('b', 'u1', 'x')], { ...provenance, time: '2027-01-01T00:00:00Z' })
  assert.equal(one?.uniqueId, again?.uniqueId)
  assert.match(one?.uniqueId ?? '', /^urn:oid:2\.25\.\d+$/)
  for (const other of [sent('a', 'u2', 'x'), sent('a', 'u1', 'y'), sent('a', 'u1', 'x', '2')]) {
    assert.notEqual(derivedSet([other], provenance)?.uniqueId, one?.uniqueId)
  }
})

test('who sends is told by an OID of theirs; what is said of one document is said of its set', () => {
  const set = derivedSet([sent('a', 'u1', 'x')], provenance)
  assert.equal(set?.title, 'Report')
  assert.deepEqual(set?.items, ['a'])
  assert.equal(set?.sourceId, derivedSet([sent('z', 'u9', 'z')], provenance)?.sourceId)
  assert.notEqual(set?.sourceId, derivedSet([sent('a', 'u1', 'x')], { ...provenance, user: 'bert' })?.sourceId)
})

test('no set without documents, nor for documents of several patients', () => {
  assert.equal(derivedSet([], provenance), null)
  assert.equal(derivedSet([sent('a', 'u1', 'x', '1'), sent('b', 'u2', 'y', '2')], provenance), null)
})
