import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type IdentityContext, identityOf, joinStudy, type StatedPatient } from './identity.ts'

const nobody: IdentityContext = { defaultIssuer: null, originator: null, medium: null }
const one: StatedPatient = {
  id: '1',
  issuer: '',
  name: 'DOE^JOHN',
  birthDate: '19700101',
  sex: 'M',
  studyInstanceUID: '1.2.3',
}

// Sharing a patient between two discs by accident mixes two people's images: the worst error an archive can make.
const apart: { name: string; a: [StatedPatient, IdentityContext]; b: [StatedPatient, IdentityContext] }[] = [
  { name: 'two originators', a: [one, { ...nobody, defaultIssuer: 'A' }], b: [one, { ...nobody, defaultIssuer: 'B' }] },
  { name: 'two labelled media', a: [one, { ...nobody, medium: 'disc A' }], b: [one, { ...nobody, medium: 'disc B' }] },
  { name: 'another name', a: [one, nobody], b: [{ ...one, name: 'ROE^JANE' }, nobody] },
  { name: 'another birth date', a: [one, nobody], b: [{ ...one, birthDate: '19710101' }, nobody] },
  {
    name: 'no birth date, another study',
    a: [{ ...one, birthDate: '' }, nobody],
    b: [{ ...one, birthDate: '', studyInstanceUID: '1.2.4' }, nobody],
  },
  { name: 'another stated issuer', a: [{ ...one, issuer: 'X' }, nobody], b: [{ ...one, issuer: 'Y' }, nobody] },
]
for (const { name, a, b } of apart) {
  test(`different patients: ${name}`, () => {
    assert.notEqual(identityOf(...a).patientId, identityOf(...b).patientId)
  })
}

const together: typeof apart = [
  { name: 'read twice', a: [one, nobody], b: [one, nobody] },
  { name: 'spelling noise', a: [one, nobody], b: [{ ...one, name: 'Doe^John^^' }, nobody] },
  { name: 'a second study', a: [one, nobody], b: [{ ...one, studyInstanceUID: '1.2.9' }, nobody] },
]
for (const { name, a, b } of together) {
  test(`same patient: ${name}`, () => assert.equal(identityOf(...a).patientId, identityOf(...b).patientId))
}

test('a study joins its kept patient when only one side states an issuer', () => {
  const kept = identityOf(one, nobody)
  assert.equal(joinStudy(identityOf({ ...one, issuer: 'X' }, nobody), kept), kept)
})

test('another identifier in a kept study is a conflict', () => {
  assert.equal(joinStudy(identityOf({ ...one, id: '2' }, nobody), identityOf(one, nobody)), 'conflict')
})

test('two stated issuers in one study are a conflict', () => {
  const a = identityOf({ ...one, issuer: 'X' }, nobody)
  assert.equal(joinStudy(identityOf({ ...one, issuer: 'Y' }, nobody), a), 'conflict')
})
