import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PERMISSIONS, type Permission, ROLES, type Role, type Subject } from '#model/permission.ts'
import { decide, type Labels, NO_LABELS, type Purpose, visibilityOf } from './decide.ts'
import { ROLE_PERMISSIONS } from './roles.ts'
import { grantedBy, parseScope } from './scopes.ts'

function subject(role: Role, more: Partial<Subject> = {}): Subject {
  return { kind: 'token', name: 't', role, scopes: [], patientIds: null, ...more }
}

// A role that gains a right by accident is a breach nobody notices: each right names who has it.
const holders: { readonly [permission in Permission]: readonly Role[] } = {
  'object.read': ['administrator', 'archivist', 'clinician', 'technologist', 'front-desk', 'reader'],
  'object.store': ['administrator', 'archivist', 'technologist', 'front-desk', 'sender'],
  'object.delete': ['administrator', 'archivist'],
  'object.export': ['administrator', 'archivist', 'clinician'],
  'document.read': ['administrator', 'archivist', 'clinician', 'technologist', 'reader'],
  'document.store': ['administrator', 'archivist', 'clinician', 'technologist', 'front-desk', 'sender'],
  'document.write': ['administrator', 'archivist'],
  'document.original': ['administrator', 'archivist'],
  'capture.link': ['administrator', 'archivist', 'clinician', 'technologist', 'front-desk'],
  'placement.decide': ['administrator', 'archivist'],
  'quarantine.read': ['administrator', 'archivist', 'technologist', 'front-desk', 'auditor'],
  'quarantine.decide': ['administrator', 'archivist'],
  'quarantine.original': ['administrator'],
  'arrival.read': ['administrator', 'archivist', 'technologist', 'front-desk', 'auditor'],
  'identity.read': ['administrator', 'archivist', 'technologist', 'front-desk', 'auditor'],
  'identity.decide': ['administrator', 'archivist', 'front-desk'],
  'worklist.read': ['administrator', 'archivist', 'technologist', 'front-desk'],
  'message.read': ['administrator', 'archivist', 'auditor'],
  'peer.write': ['administrator', 'archivist'],
  'originator.write': ['administrator', 'archivist'],
  'settings.read': ['administrator', 'archivist', 'auditor'],
  'settings.write': ['administrator'],
  'account.write': ['administrator'],
  'audit.read': ['administrator', 'auditor'],
  'jobs.read': ['administrator', 'archivist', 'technologist'],
  'system.read': ['administrator', 'archivist', 'auditor'],
}

for (const permission of PERMISSIONS) {
  test(`right ${permission}: exactly its holders`, () => {
    const have = ROLES.filter((role) => visibilityOf(subject(role), permission) !== 'forbidden')
    assert.deepEqual(have, holders[permission])
    assert.deepEqual(
      ROLES.filter((role) => ROLE_PERMISSIONS[role].includes(permission)),
      holders[permission],
    )
  })
}

const visibilities: { name: string; subject: Subject; permission: Permission; is: unknown }[] = [
  { name: 'a reader sees all', subject: subject('reader'), permission: 'object.read', is: { sees: 'all' } },
  {
    name: 'limited to patients',
    subject: subject('reader', { patientIds: ['p1'] }),
    permission: 'object.read',
    is: { sees: 'patients', patientIds: ['p1'] },
  },
  {
    name: 'limited to a patient nobody knows yet: nobody, not everybody',
    subject: subject('administrator', { patientIds: [] }),
    permission: 'object.read',
    is: { sees: 'patients', patientIds: [] },
  },
  {
    name: 'limited: no list of arrivals',
    subject: subject('administrator', { patientIds: ['p1'] }),
    permission: 'arrival.read',
    is: 'forbidden',
  },
  {
    name: 'limited: no audit trail',
    subject: subject('administrator', { patientIds: ['p1'] }),
    permission: 'audit.read',
    is: 'forbidden',
  },
  {
    name: 'limited: no delete',
    subject: subject('archivist', { patientIds: ['p1'] }),
    permission: 'object.delete',
    is: 'forbidden',
  },
  {
    name: 'a sender stores and sees nothing',
    subject: subject('sender'),
    permission: 'object.store',
    is: { sees: 'nothing' },
  },
  { name: 'a sender reads nothing', subject: subject('sender'), permission: 'object.read', is: 'forbidden' },
  {
    name: 'anonymous holds nothing',
    subject: subject('administrator', { kind: 'anonymous' }),
    permission: 'object.read',
    is: 'forbidden',
  },
  {
    name: 'image scope without documents hides documents',
    subject: subject('reader', { scopes: ['user/ImagingStudy.rs'] }),
    permission: 'object.read',
    is: { sees: 'all', hidesDocuments: true },
  },
  {
    name: 'a role without documents sees no study that holds one',
    subject: subject('front-desk'),
    permission: 'object.read',
    is: { sees: 'all', hidesDocuments: true },
  },
  {
    name: 'whose a study is has to be decided for all',
    subject: subject('front-desk'),
    permission: 'identity.decide',
    is: { sees: 'all' },
  },
  {
    name: 'both scopes hide nothing',
    subject: subject('reader', { scopes: ['user/ImagingStudy.rs', 'user/DocumentReference.rs'] }),
    permission: 'object.read',
    is: { sees: 'all' },
  },
  {
    name: 'patient scope of a token without patient',
    subject: subject('reader', { scopes: ['patient/*.read'] }),
    permission: 'object.read',
    is: { sees: 'patients', patientIds: [] },
  },
  {
    name: 'patient scope with patient',
    subject: subject('reader', { scopes: ['patient/*.rs'], patientIds: ['p1'] }),
    permission: 'object.read',
    is: { sees: 'patients', patientIds: ['p1'] },
  },
  {
    name: 'scope of another type',
    subject: subject('reader', { scopes: ['user/Observation.rs'] }),
    permission: 'object.read',
    is: 'forbidden',
  },
  {
    name: 'read without search',
    subject: subject('reader', { scopes: ['user/ImagingStudy.r'] }),
    permission: 'object.read',
    is: 'forbidden',
  },
  {
    name: 'a scope never widens a role',
    subject: subject('reader', { scopes: ['system/*.*'] }),
    permission: 'object.delete',
    is: 'forbidden',
  },
  {
    name: 'one permission as scope',
    subject: subject('administrator', { scopes: ['object.read'] }),
    permission: 'audit.read',
    is: 'forbidden',
  },
  {
    name: 'unknown scopes grant nothing',
    subject: subject('administrator', { scopes: ['everything'] }),
    permission: 'object.read',
    is: 'forbidden',
  },
]

for (const { name, subject: who, permission, is } of visibilities) {
  test(`visibility: ${name}`, () => assert.deepEqual(visibilityOf(who, permission), is))
}

// Scopes with a search part would narrow in a way that is not enforced: taking them for the whole would grant more.
const scopes: { text: string; known: boolean }[] = [
  { text: 'patient/ImagingStudy.rs', known: true },
  { text: 'patient/ImagingStudy.read', known: true },
  { text: 'user/*.*', known: true },
  { text: 'system/*.cruds', known: true },
  { text: 'object.read', known: true },
  { text: 'patient/ImagingStudy.sr', known: false },
  { text: 'patient/ImagingStudy.', known: false },
  { text: 'patient/ImagingStudy.rs?modality=CT', known: false },
  { text: 'patient/imagingstudy.rs', known: false },
  { text: 'launch/patient', known: false },
  { text: 'user/__proto__.rs', known: false },
  { text: '', known: false },
]

for (const { text, known } of scopes) {
  test(`scope "${text}" is ${known ? 'known' : 'not known'}`, () => assert.equal(parseScope(text) !== undefined, known))
}

test('interactions add up within a context', () => {
  assert.equal(grantedBy(['user/ImagingStudy.r', 'user/*.s'], 'object.read'), 'yes')
  assert.equal(grantedBy(['user/ImagingStudy.r', 'patient/*.s'], 'object.read'), 'patient')
})

const decisions: {
  name: string
  who: Subject
  purpose?: Purpose
  patient?: string | null
  labels?: Partial<Labels>
  rule: string
  permitted: boolean
  alert?: boolean
}[] = [
  { name: 'ordinary', who: subject('clinician'), rule: 'role', permitted: true },
  { name: 'no right', who: subject('auditor'), rule: 'role', permitted: false },
  { name: 'other patient', who: subject('clinician', { patientIds: ['p2'] }), rule: 'other-patient', permitted: false },
  { name: 'own patient', who: subject('clinician', { patientIds: ['p1'] }), rule: 'role', permitted: true },
  {
    name: 'no patient known',
    who: subject('clinician', { patientIds: ['p1'] }),
    patient: null,
    rule: 'other-patient',
    permitted: false,
  },
  { name: 'consent denied', who: subject('clinician'), labels: { consent: 'deny' }, rule: 'consent', permitted: false },
  {
    name: 'consent denied, glass broken',
    who: subject('clinician'),
    purpose: 'break-glass',
    labels: { consent: 'deny' },
    rule: 'break-glass',
    permitted: true,
    alert: true,
  },
  {
    name: 'a reader cannot break glass',
    who: subject('reader'),
    purpose: 'break-glass',
    labels: { consent: 'deny' },
    rule: 'consent',
    permitted: false,
  },
  {
    name: 'breaking glass opens no other patient',
    who: subject('clinician', { patientIds: ['p2'] }),
    purpose: 'break-glass',
    labels: { consent: 'deny' },
    rule: 'other-patient',
    permitted: false,
  },
  {
    name: 'restricted, treats',
    who: subject('clinician'),
    labels: { confidentiality: ['R'] },
    rule: 'role',
    permitted: true,
  },
  {
    name: 'restricted, does not treat',
    who: subject('reader'),
    labels: { confidentiality: ['R'] },
    rule: 'restricted',
    permitted: false,
  },
  {
    name: 'very restricted',
    who: subject('clinician'),
    labels: { confidentiality: ['V'] },
    rule: 'very-restricted',
    permitted: false,
  },
  {
    name: 'watched record alerts',
    who: subject('clinician'),
    labels: { vip: true },
    rule: 'role',
    permitted: true,
    alert: true,
  },
  {
    name: 'document without its scope',
    who: subject('clinician', { scopes: ['user/ImagingStudy.rs'] }),
    labels: { document: true },
    rule: 'document',
    permitted: false,
  },
]

for (const { name, who, purpose = 'treatment', patient = 'p1', labels, rule, permitted, alert = false } of decisions) {
  test(`decide: ${name}`, () => {
    const decision = decide(who, purpose, patient, { ...NO_LABELS, ...labels }, 'object.read')
    assert.equal(decision.rule, rule)
    assert.equal(decision.is === 'permit', permitted)
    if (decision.is === 'permit') assert.equal(decision.alert, alert)
  })
}
