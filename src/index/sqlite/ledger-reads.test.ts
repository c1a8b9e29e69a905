import assert from 'node:assert/strict'
import { test } from 'node:test'
import { constants, crc32, deflateRawSync } from 'node:zlib'
import type { LedgerDecision } from '#model/identity.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { matching, queryOf } from '../../../test/contracts/archive-index-fixtures.ts'
import { assign, merge, patientKey, register, smallLedger, undo } from '../../../test/support/ledger-fixture.ts'
import { createRenderedMetadata } from './rendered-metadata.ts'

test('metadata are stale until they are rendered, their ETag is that of what is served, and undone it is the first one', async () => {
  const made = smallLedger()
  const scope = { studyInstanceUID: '1.1' }
  const first = await made.reader.metadata(scope, EVERYTHING)
  const [entry = ''] = made.decide(assign('1.1', 'LOCAL|L1'))
  const stale = await made.reader.metadata(scope, EVERYTHING)
  assert.deepEqual(
    stale?.stale?.map(({ index, overlay }) => [index, overlay.length]),
    [[0, 1]],
  )
  const store = createRenderedMetadata(made.db)
  const [open] = store.unrendered('1.1', 10)
  assert.ok(open)
  const text = '{"rendered":true}'
  const deflated = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH })
  const chunk = { crc32: crc32(text), rawLength: text.length, deflated }
  store.putRendered([{ objectId: open.objectId, overlayVersion: open.overlayVersion + 1, chunk }])
  assert.equal(store.unrendered('1.1', 10).length, 1, 'of another version')
  store.putRendered([{ objectId: open.objectId, overlayVersion: open.overlayVersion, chunk }])
  assert.deepEqual(store.unrendered('1.1', 10), [])
  const rendered = await made.reader.metadata(scope, EVERYTHING)
  assert.equal(rendered?.stale, undefined)
  assert.equal(rendered?.chunks[0]?.crc32, chunk.crc32)
  assert.equal(rendered?.etag, stale?.etag)
  assert.notEqual(rendered?.etag, first?.etag)
  made.decide(undo(entry))
  assert.deepEqual(await made.reader.metadata(scope, EVERYTHING), first)
  assert.deepEqual(made.db.all('select * from rendered'), [])
})

test('fields that only metadata hold are answered with their overlay', async () => {
  const made = smallLedger()
  made.decide({
    do: 'overlay',
    scope: { of: 'study', studyInstanceUID: '1.1' },
    reason: 'COERCE',
    changes: [{ path: '00380010', vr: 'LO', values: ['V1'] }],
  })
  const query = queryOf('study', [matching(0x0020000d, '1.1')], { include: [[0x00380010]] })
  const { rows } = await made.reader.search(query, EVERYTHING)
  assert.deepEqual(JSON.parse(rows[0]?.json ?? '')['00380010'], { vr: 'LO', Value: ['V1'] })
})

test('a correction of instances is searched and answered where it holds, also for those that come later', async () => {
  const made = smallLedger()
  made.store({ study: '1.1', patient: 'FOREIGN|F1', uid: '1.1.1.2' })
  const correct = (uid: string | undefined, number: string): LedgerDecision => ({
    do: 'overlay',
    scope: {
      of: 'study',
      studyInstanceUID: '1.1',
      ...(uid === undefined ? {} : { seriesInstanceUID: '1.1.1', sopInstanceUID: uid }),
    },
    reason: 'CORRECT',
    changes: [{ path: '00200013', vr: 'IS', values: [number] }],
  })
  const numbered = async (number: string) => {
    const { rows } = await made.reader.search(queryOf('instance', [matching(0x00200013, number)]), EVERYTHING)
    return rows.map(({ sopInstanceUID }) => sopInstanceUID).sort()
  }
  const [one = ''] = made.decide(correct('1.1.1.2', '7'))
  assert.deepEqual(await numbered('7'), ['1.1.1.2'])
  const [all = ''] = made.decide(correct(undefined, '9'))
  made.store({ study: '1.1', patient: 'FOREIGN|F1', uid: '1.1.1.3' })
  assert.deepEqual(await numbered('9'), ['1.1.1.1', '1.1.1.2', '1.1.1.3'])
  made.decide(undo(all))
  assert.deepEqual([await numbered('9'), await numbered('7')], [[], ['1.1.1.2']])
  made.decide(undo(one))
  assert.deepEqual(await numbered('7'), [])
})

test('orders, visits and similar patients are found by what a door knows', () => {
  const made = smallLedger()
  made.decide({
    ...register('LOCAL|L1', 'ROE^RITA'),
    demographics: { name: 'ROE^RITA', birthDate: '19800808', otherIds: [{ issuer: 'NATIONAL', id: 'N1' }] },
    visit: {
      admissionId: 'V1',
      issuer: null,
      location: 'WARD',
      referringPhysician: null,
      admittedAt: null,
      dischargedAt: null,
      status: 'active',
    },
  } as LedgerDecision)
  const step = (id: string, modality: string, startDate: string) => ({
    id,
    modality,
    stationAeTitle: 'CT1',
    stationName: null,
    location: null,
    startDate,
    startTime: '080000',
    description: null,
    codes: [],
    performingPhysician: null,
  })
  const order = {
    id: 'o1',
    patient: patientKey('LOCAL|L1'),
    placerOrderNumber: 'P',
    placerIssuer: null,
    fillerOrderNumber: 'F',
    fillerIssuer: null,
    accessionNumber: 'A1',
    accessionIssuer: null,
    requestedProcedureId: null,
    description: null,
    codes: [],
    studyInstanceUID: '9.1',
    studyUidFrom: 'IPC' as const,
    steps: [step('s1', 'CT', '20260102'), step('s2', 'MR', '20260103')],
    priority: null,
    requestingPhysician: null,
    referringPhysician: null,
    requestingService: null,
    reason: null,
    medicalAlerts: null,
    patientState: null,
    transport: null,
    confidentiality: null,
    department: null,
    admissionId: null,
    status: 'scheduled' as const,
  }
  made.decide({ do: 'order', order })
  made.decide(merge('FOREIGN|F1', 'LOCAL|L1'))
  const { identities } = made
  const ids = (filter: Partial<Parameters<typeof identities.orders>[0]>) =>
    identities.orders({ limit: 10, ...filter }).items.map(({ id }) => id)
  const asked: readonly (readonly [Partial<Parameters<typeof identities.orders>[0]>, boolean])[] = [
    [{}, true],
    [{ patient: patientKey('FOREIGN|F1') }, true],
    [{ patient: patientKey('LOCAL|L2') }, false],
    [{ accessionNumber: 'A1' }, true],
    [{ accessionNumber: 'A2' }, false],
    [{ studyInstanceUID: '9.1' }, true],
    [{ modality: 'CT', from: '20260102', to: '20260102' }, true],
    // No one step is both.
    [{ modality: 'CT', from: '20260103', to: '20260103' }, false],
    [{ stationAeTitle: 'CT1', status: 'scheduled' }, true],
    [{ status: 'completed' }, false],
  ]
  for (const [filter, hit] of asked) assert.deepEqual(ids(filter), hit ? ['o1'] : [], JSON.stringify(filter))
  made.decide({ do: 'order', order: { ...order, status: 'cancelled' } })
  assert.deepEqual([ids({ status: 'scheduled' }), ids({ status: 'cancelled' })], [[], ['o1']])
  made.decide(undo('4.0'))
  assert.deepEqual(ids({ status: 'scheduled' }), ['o1'])

  const patient = identities.patient(patientKey('LOCAL|L1'))
  assert.deepEqual(
    [patient?.visits.map(({ admissionId }) => admissionId), patient?.authority, patient?.aliases],
    [
      ['V1'],
      'adt',
      [
        { issuer: 'FOREIGN', id: 'F1' },
        { issuer: 'NATIONAL', id: 'N1' },
      ],
    ],
  )
  const similar = (person: Parameters<typeof identities.similar>[0]) =>
    identities.similar(person, 5).map(({ id }) => id)
  assert.deepEqual(similar({ id: 'N1' }), ['L1'])
  assert.deepEqual(similar({ name: 'róe' }), ['L1'])
  assert.deepEqual(similar({ birthDate: '19800808' }), ['L1'])
  assert.deepEqual(similar({ name: 'nobody' }), [])
  const { items } = identities.entries({ patient: patientKey('LOCAL|L1'), limit: 2 })
  assert.deepEqual(
    items.map(({ id }) => id),
    ['5.0', '4.0'],
  )
})

test('what a register says again changes nothing that is served', async () => {
  const made = smallLedger()
  made.decide(register('LOCAL|L1', 'ROE^MARGARITA'))
  const served = () => made.reader.metadata({ studyInstanceUID: '1.2' }, EVERYTHING)
  const first = await served()
  assert.equal(first?.stale?.length, 1)
  made.decide(register('LOCAL|L1', 'ROE^MARGARITA'))
  assert.deepEqual(await served(), first)
  made.decide(register('LOCAL|L1', 'ROE^MARGOT'))
  assert.notEqual((await served())?.etag, first?.etag)
})

test('a registered patient is listed before the first study, and not beside who it was merged into', async () => {
  const made = smallLedger()
  made.decide(register('LOCAL|NEW1', 'New^One'))
  made.decide(register('LOCAL|NEW2', 'New^Two'))
  const found = async (identifier: string) =>
    (await made.reader.patients({ identifier, limit: 10 }, EVERYTHING)).items.map((row) => row.identifier)
  assert.deepEqual(await found('NEW1'), ['NEW1'])
  const [entry = ''] = made.decide(merge('LOCAL|NEW1', 'LOCAL|NEW2'))
  assert.deepEqual(await found('NEW1'), ['NEW2'])
  made.decide(undo(entry))
  assert.deepEqual(await found('NEW1'), ['NEW1'])
})
