import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Cause, effectiveOverlay, eventsFor, type OverlayInput, overlayVersion } from './effective-overlay.ts'

const cause = (order: number): Cause => ({
  entry: `${order}.0`,
  order,
  time: new Date(Date.UTC(2026, 0, 1, 0, 0, order)).toISOString(),
  by: 'person',
  rule: 'desk',
})
const study = {
  issuer: 'FOREIGN',
  id: 'F1',
  statedId: 'F1',
  statedIssuer: 'FOREIGN',
  name: 'DOE^JANE',
  birthDate: '19700101',
  sex: 'F',
}
const nobody = { name: null, birthDate: null, sex: null }
const own: OverlayInput = {
  study,
  owner: { issuer: 'FOREIGN', id: 'F1', stated: null, told: nobody, toldBy: {} },
  same: true,
  moves: [],
  assigned: null,
  corrections: [],
}
const moved = (more: Partial<OverlayInput['owner']>): OverlayInput => ({
  ...own,
  owner: { issuer: 'LOCAL', id: 'L1', stated: null, told: nobody, toldBy: {}, ...more },
  same: false,
  moves: [cause(5)],
})
const IDENTIFIERS = [
  '00100020=L1',
  '00100021=LOCAL',
  '00100024=',
  '00101002=',
  '00101002/0/00100020=F1',
  '00101002/0/00100021=FOREIGN',
  '00101002/0/00100022=TEXT',
]

const cases: readonly { name: string; input: OverlayInput; events: readonly (readonly string[])[] }[] = [
  { name: 'nothing was decided', input: own, events: [] },
  {
    name: 'ADT says the same in other letters',
    input: { ...own, owner: { ...own.owner, told: { ...nobody, name: 'Doe^Jane^^' }, toldBy: { name: cause(1) } } },
    events: [],
  },
  {
    name: 'ADT says otherwise',
    input: { ...own, owner: { ...own.owner, told: { ...nobody, name: 'ROE^JANE' }, toldBy: { name: cause(1) } } },
    events: [['00100010=ROE^JANE']],
  },
  {
    name: 'ADT tells what the object left empty',
    input: {
      ...own,
      study: { ...study, sex: null },
      owner: { ...own.owner, told: { ...nobody, sex: 'F' }, toldBy: { sex: cause(1) } },
    },
    events: [['00100040=F']],
  },
  {
    name: 'what objects of the same patient said is no authority',
    input: { ...own, owner: { ...own.owner, stated: { ...nobody, name: 'OTHER^NAME' } } },
    events: [],
  },
  {
    name: 'a birth date that is none is not served',
    input: { ...own, owner: { ...own.owner, told: { ...nobody, birthDate: '1970' }, toldBy: { birthDate: cause(1) } } },
    events: [],
  },
  { name: 'another owner of whom nothing is known', input: moved({}), events: [IDENTIFIERS] },
  {
    name: 'another owner known by objects',
    input: moved({ stated: { name: 'ROE^RITA', birthDate: '19700101', sex: null } }),
    events: [['00100010=ROE^RITA', ...IDENTIFIERS]],
  },
  {
    name: 'what was told outranks what was stated',
    input: moved({
      stated: { ...nobody, name: 'ROE^R' },
      told: { ...nobody, name: 'ROE^RITA' },
      toldBy: { name: cause(1) },
    }),
    events: [['00100010=ROE^RITA', ...IDENTIFIERS]],
  },
  {
    name: 'an owner whose issuer is made up names none',
    input: moved({ issuer: 'assumed:0123' }),
    events: [['00100020=L1', '00100021=', ...IDENTIFIERS.slice(2)]],
  },
  {
    name: 'an issuer that is an OID is universal',
    input: moved({ issuer: '1.2.3' }),
    events: [
      [
        '00100020=L1',
        '00100021=1.2.3',
        '00100024=',
        '00100024/0/00400032=1.2.3',
        '00100024/0/00400033=ISO',
        ...IDENTIFIERS.slice(3),
      ],
    ],
  },
  {
    name: 'assignment with an order is one event',
    input: {
      ...moved({}),
      assigned: { cause: cause(5), changes: [{ path: '00080050', vr: 'SH', values: ['A1'] }] },
      corrections: [{ cause: cause(6), reason: 'CORRECT', changes: [{ path: '00081030', vr: 'LO', values: ['Hip'] }] }],
    },
    events: [[...IDENTIFIERS, '00080050=A1'], ['00081030=Hip']],
  },
  {
    name: 'what was decided later stands later',
    input: {
      ...moved({}),
      assigned: { cause: cause(5), changes: [{ path: '00080050', vr: 'SH', values: ['A1'] }] },
      corrections: [{ cause: cause(2), reason: 'CORRECT', changes: [{ path: '00080050', vr: 'SH', values: ['A0'] }] }],
    },
    events: [IDENTIFIERS, ['00080050=A0'], ['00080050=A1']],
  },
]
for (const { name, input, events } of cases) {
  test(`effective overlay: ${name}`, () => {
    const found = effectiveOverlay(input).map(({ changes }) =>
      changes.map(({ path, values }) => `${path}=${values?.join('\\') ?? ''}`),
    )
    assert.deepEqual(found, events)
    assert.equal(overlayVersion(effectiveOverlay(input)) === 0, events.length === 0)
    assert.equal(overlayVersion(effectiveOverlay(input)), overlayVersion(effectiveOverlay({ ...input })))
  })
}

test('an event says when, who and from whom the values before came', () => {
  const [event] = effectiveOverlay(moved({}))
  assert.deepEqual(
    { ...event, changes: null },
    {
      reason: 'COERCE',
      modifyingSystem: 'Diptych',
      source: 'FOREIGN',
      time: '20260101000005.000000+0000',
      changes: null,
      entry: '5.0',
      by: 'person',
      rule: 'desk',
    },
  )
})

test('a correction of one series or instance is served with no other', () => {
  const changes = [{ path: '00080050', vr: 'SH', values: ['A1'] }]
  const events = effectiveOverlay({
    ...own,
    corrections: [
      { cause: cause(1), reason: 'CORRECT', changes },
      { cause: cause(2), reason: 'CORRECT', changes, series: '1.1' },
      { cause: cause(3), reason: 'CORRECT', changes, series: '1.1', instance: '1.1.1' },
    ],
  })
  assert.deepEqual(
    [eventsFor(events, '1.2', '1.2.1'), eventsFor(events, '1.1', '1.1.2'), eventsFor(events, '1.1', '1.1.1')].map(
      (list) => list.length,
    ),
    [1, 2, 3],
  )
})
