import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { LedgerDecision, Order } from '#model/identity.ts'
import { dump, ledgerArchive, patientKey } from '../../../test/support/ledger-fixture.ts'

const RUNS = Number(process.env['LEDGER_RUNS'] ?? 60)
const PATIENTS = ['LOCAL|id-1', 'LOCAL|id-2', 'LOCAL|id-3', 'CLINIC|id-1', 'CLINIC|id-4', 'OTHER|id-5']
const STUDIES = ['1.2.1', '1.2.2', '1.2.3', '1.2.4', '1.2.5', '1.2.6']

type Step =
  | { readonly is: 'decide'; readonly decision: LedgerDecision }
  | { readonly is: 'undo'; readonly pick: number }
  | { readonly is: 'store'; readonly study: string }

const patient = fc.constantFrom(...PATIENTS).map(patientKey)
const study = fc.constantFrom(...STUDIES)
const name = fc.constantFrom('NEW^NAME', 'Family^Id-1^', 'ADT^ANNA', 'FIXED^FIONA')

const changes = fc.constantFrom(
  [{ path: '00080050', vr: 'SH', values: ['ACC-NEW'] }],
  [{ path: '00100010', vr: 'PN', values: ['FIXED^ONCE'] }],
  [{ path: '00080020', vr: 'DA', values: ['20200202'] }],
  [{ path: '0008103E', vr: 'LO', values: ['Fixed series'] }],
  [{ path: '00081030', vr: 'LO', values: null }],
  [{ path: '00200013', vr: 'IS', values: ['7'] }],
  [{ path: '00420010', vr: 'ST', values: ['Fixed title'] }],
)

const decision: fc.Arbitrary<LedgerDecision> = fc.oneof(
  fc.record({
    do: fc.constant('register' as const),
    patient,
    demographics: fc.record(
      {
        name,
        birthDate: fc.constantFrom('19700101', '19800808'),
        otherIds: fc.constant([{ issuer: 'NATIONAL', id: 'N-1' }]),
      },
      { requiredKeys: [] },
    ),
    visit: fc.constantFrom(null, {
      admissionId: 'V1',
      issuer: null,
      location: 'WARD',
      referringPhysician: null,
      admittedAt: null,
      dischargedAt: null,
      status: 'active' as const,
    }),
    authority: fc.constantFrom('adt' as const, 'person' as const),
  }),
  fc.record({
    do: fc.constant('merge' as const),
    from: patient,
    into: patient,
    how: fc.constantFrom('merge' as const, 'change-id' as const),
  }),
  fc.record({ do: fc.constant('link' as const), a: patient, b: patient }),
  fc.record({
    do: fc.constant('assign' as const),
    studyInstanceUID: study,
    patient,
    orderId: fc.constant(null),
    changes: fc.oneof(fc.constant([]), changes),
  }),
  fc.record({
    do: fc.constant('overlay' as const),
    scope: fc.oneof(
      fc.record({ of: fc.constant('patient' as const), patient }),
      fc.record({ of: fc.constant('study' as const), studyInstanceUID: study }),
      study.map((uid) => ({ of: 'study' as const, studyInstanceUID: uid, seriesInstanceUID: `${uid}.1` })),
    ),
    reason: fc.constantFrom('COERCE' as const, 'CORRECT' as const),
    changes,
  }),
  fc.record({ key: patient, accession: fc.constantFrom('ACC-1', 'ACC-2') }).map(({ key, accession }) => ({
    do: 'order' as const,
    order: orderOf(accession, key),
  })),
)

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: decision.map((made) => ({ is: 'decide' as const, decision: made })) },
  { weight: 2, arbitrary: fc.nat(20).map((pick) => ({ is: 'undo' as const, pick })) },
  { weight: 2, arbitrary: study.map((uid) => ({ is: 'store' as const, study: uid })) },
)

function orderOf(accession: string, key: Order['patient']): Order {
  const none = {
    placerOrderNumber: null,
    placerIssuer: null,
    fillerOrderNumber: null,
    fillerIssuer: null,
    accessionIssuer: null,
    requestedProcedureId: null,
    description: null,
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
  }
  return {
    ...none,
    id: `o-${accession}`,
    patient: key,
    accessionNumber: accession,
    codes: [],
    studyInstanceUID: `9.${key.id.length}.${accession.length}`,
    studyUidFrom: 'IPC',
    steps: [],
    status: 'scheduled',
  }
}

type Archive = ReturnType<typeof ledgerArchive>

const sketch = (uid: string) => ({ study: uid, patient: PATIENTS[STUDIES.indexOf(uid)] ?? '', attributes: {} })

/** Runs steps that `check` lets through. */
function run(archive: Archive, steps: readonly Step[]): void {
  const stored = new Set<string>()
  for (const one of steps) {
    if (one.is === 'store') {
      if (!stored.has(one.study)) archive.store(sketch(one.study))
      stored.add(one.study)
      continue
    }
    const target = one.is === 'undo' ? archive.taken[one.pick % Math.max(1, archive.taken.length)] : undefined
    const made = one.is === 'decide' ? one.decision : target && ({ do: 'undo', entry: target.id } as const)
    if (made === undefined || archive.ledger.check([made]) !== null) continue
    archive.decide(made)
    standsFirm(archive)
  }
}

/** Merges have no cycle; each study belongs to exactly one patient, who lives on as nobody else; counts are right. */
function standsFirm({ db, identities }: Archive): void {
  for (const text of PATIENTS) {
    const seen = new Set<string>()
    for (let at = identities.patient(patientKey(text)); at?.mergedInto; at = identities.patient(at.mergedInto)) {
      assert.ok(!seen.has(at.patientId), 'a cycle of merges')
      seen.add(at.patientId)
    }
  }
  const lost = db.all('select uid from study where owner not in (select key from patient where survivor is null)')
  assert.deepEqual(lost, [])
  const miscounted = db.all(
    'select id from patient p where studies <> (select count(*) from study where owner = p.key)',
  )
  assert.deepEqual(miscounted, [])
}

test('whatever is decided can be taken back, in any order, and leaves nothing', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), fc.infiniteStream(fc.nat(1000)), (steps, order) => {
      const archive = ledgerArchive()
      run(archive, steps)
      for (;;) {
        const left = archive.identities
          .entries({ limit: 1000 })
          .items.filter(({ undoneBy, decision: { do: what } }) => undoneBy === null && what !== 'undo')
        if (left.length === 0) break
        const one = left[(order.next().value ?? 0) % left.length]
        assert.ok(one)
        const undo: LedgerDecision = { do: 'undo', entry: one.id }
        assert.equal(archive.ledger.check([undo]), null)
        archive.decide(undo)
        standsFirm(archive)
      }
      const untouched = ledgerArchive()
      for (const one of steps) if (one.is === 'store') storeOnce(untouched, one.study)
      assert.deepEqual(dump(archive.db), dump(untouched.db))
    }),
    { numRuns: RUNS },
  )
})

function storeOnce(archive: Archive, uid: string): void {
  if (archive.db.get('select 1 from study where uid = ?', uid) === undefined) archive.store(sketch(uid))
}

test('the ledger replayed over the same objects gives the same index', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const archive = ledgerArchive()
      run(archive, steps)
      const fresh = ledgerArchive()
      for (const one of steps) if (one.is === 'store') storeOnce(fresh, one.study)
      for (const entry of archive.taken) fresh.ledger.apply([entry])
      assert.deepEqual(dump(fresh.db), dump(archive.db))
      // Idempotent: what was applied once has no second effect.
      fresh.ledger.apply(archive.taken)
      assert.deepEqual(dump(fresh.db), dump(archive.db))
      const entries = (one: Archive) => one.identities.entries({ limit: 1000 }).items
      assert.deepEqual(entries(fresh), entries(archive))
    }),
    { numRuns: RUNS },
  )
})
