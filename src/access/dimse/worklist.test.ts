import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LedgerPatient, Order, PerformedStep } from '#model/identity.ts'
import { string } from '#standards/dicom/data-set.ts'
import { EXPLICIT_LE } from '#standards/dicom/encoding.ts'
import { joinPieces } from '#standards/dicom/pieces.ts'
import { encodeDataSet, type WriteDataSet } from '#standards/dicom/write.ts'
import { parseMessage } from './identifier.ts'
import { accessionsOf, attributesOf, changedStep, createdStep, encoded, isFinal, orderStatus } from './mpps-step.ts'
import { DimseRefusal } from './refusal.ts'
import { boundsOf, meets, planWorklist, supportsAll } from './worklist-match.ts'
import { worklistRow } from './worklist-row.ts'

const EXPLICIT = '1.2.840.10008.1.2.1'

interface Sketch {
  readonly [key: string]: readonly [vr: string, value: string | readonly Sketch[]]
}

function written(sketch: Sketch): WriteDataSet {
  const set: WriteDataSet = new Map()
  for (const [key, [vr, value]] of Object.entries(sketch)) {
    const tag = Number.parseInt(key, 16)
    if (typeof value === 'string') set.set(tag, { tag, vr, value: { is: 'bytes', bytes: Buffer.from(value, 'utf8') } })
    else set.set(tag, { tag, vr, value: { is: 'items', items: value.map(written) } })
  }
  return set
}

const dataSet = (sketch: Sketch) => parseMessage(joinPieces(encodeDataSet(written(sketch), EXPLICIT_LE)), EXPLICIT)

const STEP: Order['steps'][number] = {
  id: 'SPS1',
  modality: 'CT',
  stationAeTitle: 'CT_ROOM1',
  stationName: 'ROOM1',
  location: null,
  startDate: '20260310',
  startTime: '093000',
  description: 'Thorax',
  codes: [{ value: 'CTTHX', scheme: '99LOCAL', meaning: 'CT thorax' }],
  performingPhysician: 'PERFORM^PIA',
}

const ORDER: Order = {
  id: 'o1',
  patient: { issuer: 'HOSP', id: 'P1' },
  placerOrderNumber: 'PL1',
  placerIssuer: null,
  fillerOrderNumber: 'FL1',
  fillerIssuer: null,
  accessionNumber: 'ACC1',
  accessionIssuer: null,
  requestedProcedureId: 'RP1',
  description: 'CT thorax',
  codes: [],
  studyInstanceUID: '1.2.3.4',
  studyUidFrom: 'IPC',
  steps: [STEP],
  priority: 'STAT',
  requestingPhysician: 'ASK^ANN',
  referringPhysician: null,
  requestingService: null,
  reason: null,
  medicalAlerts: null,
  patientState: null,
  transport: null,
  confidentiality: null,
  department: null,
  admissionId: null,
  status: 'scheduled',
}

const PATIENT: LedgerPatient = {
  patientId: 'p1',
  issuer: 'HOSP',
  id: 'P1',
  issuerAssumed: false,
  demographics: {
    name: 'MÜLLER^ÄNNE',
    birthDate: '19700102',
    sex: 'F',
    otherIds: [{ issuer: 'OTHER', id: 'X9' }],
    address: null,
    telephone: null,
    motherName: null,
  },
  authority: 'adt',
  visits: [],
  mergedInto: null,
  survivor: { issuer: 'HOSP', id: 'P1' },
  aliases: [],
  linked: [],
}

const step = (keys: Sketch): Sketch => ({ '00400100': ['SQ', [keys]] })

// Each key narrows: one that did not would show a modality other people's patients.
const cases: { name: string; query: Sketch; is: boolean }[] = [
  { name: 'nothing asked', query: {}, is: true },
  { name: 'an empty sequence', query: { '00400100': ['SQ', []] }, is: true },
  { name: 'station', query: step({ '00400001': ['AE', 'CT_ROOM1'] }), is: true },
  { name: 'another station', query: step({ '00400001': ['AE', 'CT_ROOM2'] }), is: false },
  { name: 'day', query: step({ '00400002': ['DA', '20260310'] }), is: true },
  { name: 'the day after', query: step({ '00400002': ['DA', '20260311'] }), is: false },
  { name: 'days from', query: step({ '00400002': ['DA', '20260310-'] }), is: true },
  { name: 'days until before', query: step({ '00400002': ['DA', '-20260309'] }), is: false },
  { name: 'times', query: step({ '00400003': ['TM', '0900-1000'] }), is: true },
  { name: 'times before', query: step({ '00400003': ['TM', '08-0900'] }), is: false },
  {
    name: 'a period over days, later in the day than its last hour',
    query: step({ '00400002': ['DA', '20260309-20260311'], '00400003': ['TM', '10-08'] }),
    is: true,
  },
  {
    name: 'a period that ends before on the last day',
    query: step({ '00400002': ['DA', '20260309-20260310'], '00400003': ['TM', '10-08'] }),
    is: false,
  },
  { name: 'modality', query: step({ '00080060': ['CS', 'CT'] }), is: true },
  { name: 'another modality', query: step({ '00080060': ['CS', 'MR'] }), is: false },
  { name: 'performing physician with a wild card', query: step({ '00400006': ['PN', 'perform*'] }), is: true },
  { name: 'name without accents', query: { '00100010': ['PN', 'MULLER*'] }, is: true },
  { name: 'whole name', query: { '00080005': ['CS', 'ISO_IR 192'], '00100010': ['PN', 'Müller^Änne'] }, is: true },
  { name: 'a part of a name is not the name', query: { '00100010': ['PN', 'MULLER'] }, is: false },
  { name: 'patient id', query: { '00100020': ['LO', 'P1'] }, is: true },
  { name: 'patient id, one character', query: { '00100020': ['LO', 'P?'] }, is: true },
  { name: 'the dot is no wild card', query: { '00100020': ['LO', '.?'] }, is: false },
  { name: 'accession', query: { '00080050': ['SH', 'ACC1'] }, is: true },
  { name: 'another accession', query: { '00080050': ['SH', 'ACC'] }, is: false },
  { name: 'requested procedure', query: { '00401001': ['SH', 'RP1'] }, is: true },
  { name: 'two keys, one wrong', query: { '00080050': ['SH', 'ACC1'], '00401001': ['SH', 'RP2'] }, is: false },
  { name: 'a pregnancy status of 0 from dcmjs', query: { '001021C0': ['US', '\0\0'] }, is: true },
  { name: 'an attribute no item has', query: { '00104000': ['LT', 'NOTE'] }, is: true },
  { name: 'the same within the step', query: step({ '00400012': ['LO', 'X'] }), is: true },
  { name: 'a code that the order has not', query: { '00321064': ['SQ', [{ '00080100': ['SH', 'X'] }]] }, is: false },
  { name: 'a list of studies', query: { '0020000D': ['UI', '1.2.3\\1.2.3.4'] }, is: true },
]

for (const { name, query, is } of cases) {
  test(`worklist key: ${name}`, () => {
    const plan = planWorklist(dataSet(query))
    assert.equal(meets(worklistRow(ORDER, STEP, PATIENT), plan), is)
    const { from, to, modality, stationAeTitle, accessionNumber, studyInstanceUID } = boundsOf(plan)
    // Bounds may let through too much, never too little.
    if (!is) return
    assert.ok(from === undefined || from <= '20260310')
    assert.ok(to === undefined || to >= '20260310')
    for (const [bound, value] of [
      [modality, 'CT'],
      [stationAeTitle, 'CT_ROOM1'],
      [accessionNumber, 'ACC1'],
      [studyInstanceUID, '1.2.3.4'],
    ]) {
      assert.ok(bound === undefined || bound === value)
    }
  })
}

test('a key that no worklist has is known as such, in a sequence too', () => {
  const row = worklistRow(ORDER, STEP, PATIENT)
  const known = (query: Sketch) => supportsAll(row, planWorklist(dataSet(query)))
  assert.equal(known({ '00100010': ['PN', ''], ...step({ '00400009': ['SH', ''] }) }), true)
  assert.equal(known({ '00101080': ['LO', ''] }), false)
  assert.equal(known({ '001021C0': ['US', ''] }), true, 'returned empty')
  assert.equal(known({ '001021C0': ['US', '\0\0'] }), false, 'not matched')
  assert.equal(known(step({ '00101080': ['LO', ''] })), false)
})

test('a date that is none is refused with the element at fault', () => {
  assert.throws(
    () => planWorklist(dataSet(step({ '00400002': ['DA', 'today'] }))),
    (error) => error instanceof DimseRefusal && error.status === 0xa900 && error.offendingElements[0] === 0x00400002,
  )
})

const BEGUN: Sketch = {
  '00080060': ['CS', 'CT'],
  '00100010': ['PN', 'MÜLLER^ÄNNE'],
  '00080005': ['CS', 'ISO_IR 192'],
  '00400241': ['AE', 'CT_ROOM1'],
  '00400244': ['DA', '20260310'],
  '00400245': ['TM', '0931'],
  '00400252': ['CS', 'IN PROGRESS'],
  '00400253': ['SH', 'PPS1'],
  '00400270': ['SQ', [{ '0020000D': ['UI', '1.2.3.4'], '00080050': ['SH', 'ACC1'], '00400009': ['SH', 'SPS1'] }]],
}

const begun = (changes: Sketch = {}): PerformedStep =>
  createdStep('1.9', attributesOf(dataSet({ ...BEGUN, ...changes })))
const refusedWith = (status: number) => (error: unknown) => error instanceof DimseRefusal && error.status === status

test('a performed step begins IN PROGRESS and names its study', () => {
  assert.deepEqual(begun().studyInstanceUIDs, ['1.2.3.4'])
  assert.deepEqual(accessionsOf(begun()), ['ACC1'])
  assert.throws(() => begun({ '00400252': ['CS', 'COMPLETED'] }), refusedWith(0x0106))
  assert.throws(() => begun({ '00400252': ['CS', 'DONE'] }), refusedWith(0x0106))
  for (const tag of ['00400252', '00400253', '00400241', '00400244', '00400245', '00080060']) {
    assert.throws(() => begun({ [tag]: ['SH', ''] }), refusedWith(0x0120), tag)
  }
  assert.throws(() => begun({ '00400270': ['SQ', [{ '00080050': ['SH', 'ACC1'] }]] }), refusedWith(0x0120))
})

test('a change replaces what it names and leaves alone who the patient is', () => {
  const changes = attributesOf(dataSet({ '00400252': ['CS', 'COMPLETED'], '00400250': ['DA', '20260310'] }))
  const { step: after, partly } = changedStep(begun(), changes)
  assert.equal(partly, false)
  assert.equal(after.status, 'COMPLETED')
  assert.equal(isFinal(after), true)
  const name = attributesOf(dataSet({ '00100010': ['PN', 'SOMEBODY^ELSE'] }))
  const other = changedStep(begun(), name)
  assert.equal(other.partly, true)
  assert.deepEqual(other.step.attributes['00100010'], begun().attributes['00100010'])
  const back = parseMessage(encoded(after.attributes, [0x00100010, 0x00400252], EXPLICIT), EXPLICIT)
  assert.equal(string(back, 0x00100010), 'MÜLLER^ÄNNE')
  assert.equal(string(back, 0x00400252), 'COMPLETED')
  assert.equal(string(back, 0x00400253), null)
})

const done = (status: PerformedStep['status'], id = 'SPS1'): PerformedStep => {
  const made = begun({ '00400270': ['SQ', [{ '0020000D': ['UI', '1.2.3.4'], '00400009': ['SH', id] }]] })
  return { ...made, status }
}
const TWO: Order = { ...ORDER, steps: [STEP, { ...STEP, id: 'SPS2' }] }
const CANCELLED: Order = { ...ORDER, status: 'cancelled' }

const statuses: [name: string, order: Order, steps: PerformedStep[], is: Order['status']][] = [
  ['nothing performed', ORDER, [], 'scheduled'],
  ['begun', ORDER, [done('IN PROGRESS')], 'in-progress'],
  ['completed', ORDER, [done('COMPLETED')], 'completed'],
  ['discontinued', ORDER, [done('DISCONTINUED')], 'discontinued'],
  ['discontinued, then done', ORDER, [done('DISCONTINUED'), done('COMPLETED')], 'completed'],
  ['one of two', TWO, [done('COMPLETED')], 'in-progress'],
  ['both', TWO, [done('COMPLETED'), done('COMPLETED', 'SPS2')], 'completed'],
  ['another one begun', ORDER, [done('COMPLETED'), done('IN PROGRESS')], 'in-progress'],
  ['cancelled stays', CANCELLED, [done('COMPLETED')], 'cancelled'],
]
for (const [name, order, steps, is] of statuses)
  test(`order status: ${name}`, () => assert.equal(orderStatus(order, steps), is))
