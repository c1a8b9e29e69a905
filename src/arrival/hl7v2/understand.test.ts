import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LedgerDecision, LedgerPatient, Order } from '#model/identity.ts'
import type { Originator } from '#model/settings.ts'
import { createIssuers } from '#security/issuers.ts'
import { Hl7Error } from '#standards/hl7v2/errors.ts'
import { parseMessage } from '#standards/hl7v2/message.ts'
import { admitStranger, senderOf } from './sender.ts'
import type { MappingTerms } from './terms.ts'
import { understand } from './understand.ts'

const issuers = createIssuers([
  { name: 'CITY', oid: '1.2.3', namespaceId: 'CTY', fhirSystem: 'urn:city', aliases: ['Old City'] },
])
const TERMS: MappingTerms = {
  issuers,
  defaultIssuer: 'home',
  unknownIssuers: 'accept',
  senderZone: null,
  siteZone: 'Europe/Berlin',
  zSegments: {},
  orderStatus: {},
  studyUid: 'generate',
  known: { patient: () => undefined, order: () => undefined, linkOf: () => undefined },
}
const decide = (type: string, segments: readonly string[], terms: Partial<MappingTerms> = {}) => {
  const text = [`MSH|^~\\&|A|B|||2026||${type}|1|P|2.5`, ...segments].join('\r')
  return understand(parseMessage(Buffer.from(text)), { ...TERMS, ...terms }, {}).decisions
}
const firstRegister = (decisions: readonly LedgerDecision[]) => {
  const [first] = decisions
  assert.ok(first?.do === 'register')
  return first
}
const orderOf = (decisions: readonly LedgerDecision[], at = 0): Order => {
  const found = decisions.filter((one) => one.do === 'order')[at]
  assert.ok(found !== undefined)
  return found.order
}

// One authority under two names splits a patient in two; two authorities under one name mix two people.
const authorities: { cx: string; is: string }[] = [
  { cx: '7', is: 'home' },
  { cx: '7^^^CTY', is: 'CITY' },
  { cx: '7^^^old city', is: 'CITY' },
  { cx: '7^^^&1.2.3&ISO', is: 'CITY' },
  { cx: '7^^^&urn:oid:1.2.3&ISO', is: 'CITY' },
  { cx: '7^^^OTHER&1.2.3&ISO', is: 'CITY' },
  { cx: '7^^^OTHER', is: 'OTHER' },
  { cx: '7^^^&9.9&ISO', is: '9.9' },
]
for (const { cx, is } of authorities) {
  test(`issuer of ${cx}`, () => {
    assert.deepEqual(firstRegister(decide('ADT^A08', [`PID|1||${cx}`])).patient, { issuer: is, id: '7' })
  })
}

// A backslash separates values: a number with one would be two patients' numbers at every door.
const misfits: { name: string; pid: string; field: number }[] = [
  { name: 'a number with a backslash', pid: 'PID|1||B\\E\\X^^^CTY', field: 3 },
  { name: 'a number with a line break', pid: 'PID|1||B\\X0D0A\\X^^^CTY', field: 3 },
  { name: 'a number of 65 characters', pid: `PID|1||${'1'.repeat(65)}^^^CTY`, field: 3 },
  { name: 'an authority of 65 characters', pid: `PID|1||1^^^${'C'.repeat(65)}`, field: 3 },
  { name: 'a name of 200,000 letters', pid: `PID|1||1^^^CTY||${'A'.repeat(200_000)}`, field: 5 },
]
for (const { name, pid, field } of misfits) {
  test(`${name} is refused with its place`, () => {
    assert.throws(
      () => decide('ADT^A08', [pid]),
      (error: unknown) => error instanceof Hl7Error && error.condition === 102 && error.location?.field === field,
    )
  })
}

test('a merge that is in force already makes no second entry', () => {
  const prior = { mergedInto: { issuer: 'CITY', id: '1' } } as LedgerPatient
  const known = { ...TERMS.known, patient: () => prior }
  const again = decide('ADT^A40', ['PID|1||1^^^CTY', 'MRG|2^^^CTY'], { known })
  assert.deepEqual(
    again.map((one) => one.do),
    ['register'],
  )
})

test('an authority nobody registered is refused where the site says so, with its place', () => {
  assert.throws(
    () => decide('ADT^A08', ['PID|1||7^^^OTHER'], { unknownIssuers: 'refuse' }),
    (error) => error instanceof Hl7Error && error.condition === 204 && error.location?.component === 4,
  )
  firstRegister(decide('ADT^A08', ['PID|1||7^^^CTY~8^^^OTHER'], { unknownIssuers: 'refuse' }))
})

test('demographics: absent stays, "" deletes, unknown sex says nothing', () => {
  const said = (pid: string) => firstRegister(decide('ADT^A08', [pid])).demographics
  assert.deepEqual(said('PID|1||7'), {})
  assert.deepEqual(said('PID|1||7||""||""|""'), { name: null, birthDate: null, sex: null })
  assert.deepEqual(said('PID|1||7||A^B||1970|U'), { name: 'A^B' })
  assert.deepEqual(said('PID|1||7~8^^^CTY~7||A||19700102030405|M'), {
    name: 'A',
    birthDate: '19700102',
    sex: 'M',
    otherIds: [{ issuer: 'CITY', id: '8' }],
  })
})

const visits: { event: string; pv1: string; status: string | null }[] = [
  { event: 'A01', pv1: '', status: 'active' },
  { event: 'A03', pv1: '', status: 'ended' },
  { event: 'A05', pv1: '', status: 'planned' },
  { event: 'A08', pv1: '|20260102', status: 'ended' },
  { event: 'A08', pv1: '', status: 'active' },
  { event: 'A11', pv1: '', status: 'cancelled' },
  { event: 'A13', pv1: '|20260102', status: 'active' },
  { event: 'A31', pv1: '', status: null },
]
for (const { event, pv1, status } of visits) {
  test(`visit of ADT^${event} ${pv1}`, () => {
    const { visit } = firstRegister(
      decide(`ADT^${event}`, ['PID|1||7', `PV1|1|I|||||||||||||||||V1${'|'.repeat(25)}20260101${pv1}`]),
    )
    assert.equal(visit?.status ?? null, status)
  })
}

test('a merge names every group, registers who was unknown, and leaves out what both lists hold', () => {
  const groups = ['PID|1||1^^^CTY', 'MRG|2^^^CTY~1^^^CTY', 'PID|1||3', 'MRG|4~5']
  const merges = decide('ADT^A40', groups).flatMap((one) =>
    one.do === 'merge' ? [`${one.from.id}>${one.into.id}`] : [],
  )
  assert.deepEqual(merges, ['2>1', '4>3', '5>3'])
})

const OBR = (n: string) =>
  `OBR|1|P${n}^A|F${n}^B|X^Chest^L^Y^Local^99||||||||||||||A1|RP1|S${n}||||ct|||1^^^202603011015+0000^^S`

test('orders: one per ORC, one UID for all from the ZDS at the end, the same order again merges its steps', () => {
  const decisions = decide('ORM^O01', [
    'PID|1||7',
    'ORC|NW|P1|F1||SC',
    OBR('1'),
    'ORC|NW|P2|F2||SC',
    OBR('2'),
    'ZDS|1.2.3^x',
  ])
  const [a, b] = [orderOf(decisions), orderOf(decisions, 1)]
  assert.deepEqual([a.studyInstanceUID, b.studyInstanceUID, a.studyUidFrom], ['1.2.3', '1.2.3', 'ZDS'])
  assert.notEqual(a.id, b.id)
  assert.deepEqual(
    [a.steps[0]?.modality, a.steps[0]?.startDate, a.steps[0]?.startTime, a.priority, a.accessionNumber],
    ['CT', '20260301', '111500', 'STAT', 'A1'],
  )
  const same = decide('ORM^O01', ['PID|1||7', 'ORC|NW|P1|F1||SC', OBR('1'), OBR('1').replace('S1', 'S2')])
  assert.deepEqual(
    orderOf(same).steps.map(({ id }) => id),
    ['S1', 'S2'],
  )
})

test('orders: a ZDS that is not honoured is not looked at; a generated UID is always the same', () => {
  const send = ['PID|1||7', 'ORC|NW|P1|F1', OBR('1'), 'ZDS|1.2.3']
  const first = orderOf(decide('ORM^O01', send, { zSegments: { ZDS: 'inert' } }))
  const second = orderOf(decide('ORM^O01', send.slice(0, 3)))
  assert.equal(first.studyUidFrom, 'generated')
  assert.equal(first.studyInstanceUID, second.studyInstanceUID)
  assert.match(first.studyInstanceUID, /^2\.25\.[1-9]\d{0,38}$/)
  assert.throws(() => decide('ORM^O01', send.slice(0, 3), { studyUid: 'require' }), Hl7Error)
  assert.throws(() => decide('ORM^O01', send, { zSegments: { ZDS: 'refuse' } }), Hl7Error)
})

test('orders: a cancellation by number keeps what is known of the order', () => {
  const known = orderOf(decide('ORM^O01', ['PID|1||7', 'ORC|NW|P1|F1', OBR('1')]))
  const lookUp = { ...TERMS.known, order: (id: string) => (id === known.id ? known : undefined) }
  const after = orderOf(decide('ORM^O01', ['PID|1||7', 'ORC|CA|P1|F1||CA'], { known: lookUp }))
  assert.deepEqual(after, { ...known, status: 'cancelled' })
})

const originator = (given: Partial<Originator>): Originator => ({
  name: 'o',
  kind: 'system',
  addresses: [],
  aeTitles: [],
  certificates: [],
  accounts: [],
  trust: 'known',
  attestation: null,
  issuer: null,
  timeZone: null,
  department: null,
  specialty: null,
  rules: {},
  privateElements: 'keep',
  tiffSopClasses: [],
  hl7Senders: ['A|B'],
  zSegments: {},
  coercion: { defaults: [], map: [], privateElements: 'keep' },
  ...given,
})

// A name in a message is a claim: without address or certificate to it, anybody could merge anybody's patients.
const senders: {
  name: string
  register: Partial<Originator>
  certificate?: string
  address?: string
  found: boolean
}[] = [
  { name: 'by name alone, nothing else registered', register: {}, found: true },
  { name: 'name and address', register: { addresses: ['10.0.0.1'] }, address: '10.0.0.1', found: true },
  { name: 'name from elsewhere', register: { addresses: ['10.0.0.1'] }, address: '10.0.0.2', found: false },
  {
    name: 'another name from its address',
    register: { addresses: ['10.0.0.1'], hl7Senders: ['X|Y'] },
    address: '10.0.0.1',
    found: false,
  },
  { name: 'any facility', register: { hl7Senders: ['A|*'] }, found: true },
  { name: 'certificate', register: { certificates: ['c'] }, certificate: 'c', found: true },
  { name: 'name without the certificate', register: { certificates: ['c'] }, found: false },
  { name: 'another certificate', register: { certificates: ['c'] }, certificate: 'd', found: false },
  {
    name: 'certificate, other name',
    register: { certificates: ['c'], hl7Senders: ['X|Y'] },
    certificate: 'c',
    found: false,
  },
]
for (const { name, register, certificate = null, address = null, found } of senders) {
  test(`sender: ${name}`, () => {
    const said = { application: 'A', facility: 'B' }
    assert.equal(senderOf([originator(register)], said, { certificate, address }) !== undefined, found)
  })
}

test('strangers: on loopback, nowhere, anywhere', () => {
  const admitted = (policy: 'loopback' | 'refuse' | 'any', address: string) => {
    try {
      admitStranger(policy, { door: 'mllp', address })
      return true
    } catch (error) {
      assert.ok(error instanceof Hl7Error)
      return false
    }
  }
  assert.deepEqual(
    ['127.0.0.1', '::1', '10.0.0.1'].map((address) => admitted('loopback', address)),
    [true, true, false],
  )
  assert.equal(admitted('refuse', '127.0.0.1'), false)
  assert.equal(admitted('any', '10.0.0.1'), true)
  admitStranger('refuse', { door: 'import', address: null })
})
