import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InstanceMetadata } from '#model/reconciliation.ts'
import type { CoercionRules } from '#model/settings.ts'
import { orderOf, studyOf } from '../../test/support/reconciliation-fixture.ts'
import { orderChanges } from './coercion.ts'
import { ruleChanges, studyChanges } from './coercion-rules.ts'

const values = (changes: ReturnType<typeof orderChanges>) =>
  Object.fromEntries(changes.map(({ path, values }) => [path, values]))

test('an order coerces what differs, keeps UIDs and references the study it meant', () => {
  const made = values(orderChanges(studyOf({ accessionNumber: 'OLD', present: ['00080051', '00400275'] }), orderOf()))
  assert.deepEqual(made['00080050'], ['ACC-1'])
  assert.deepEqual(made['00080051/0/00400031'], ['HOSP-RIS'])
  assert.equal(made['00080051'], null, 'the issuer of the old number goes')
  assert.equal(made['00400275'], null, "another hospital's request is not mixed with ours")
  assert.deepEqual(made['00400275/0/00401001'], ['RP-1'])
  assert.deepEqual(made['00081110/0/00081155'], ['1.2.9.9'])
  assert.deepEqual(made['00380010'], ['V-9'])
  assert.deepEqual(made['00081030'], ['Import of foreign CT'])
  assert.deepEqual(made['00081032/0/00080100'], ['IMP'])
  assert.equal(made['0020000D'], undefined)
})

test('an OID issues numbers as a universal entity', () => {
  const made = values(orderChanges(studyOf(), orderOf({ accessionIssuer: '1.2.276.0.1' })))
  assert.deepEqual([made['00080051/0/00400032'], made['00080051/0/00400033']], [['1.2.276.0.1'], ['ISO']])
})

test('an order that says the same changes nothing', () => {
  const order = orderOf({ codes: [], description: null, admissionId: null, studyInstanceUID: '1.2.3.4' })
  const study = studyOf({ accessionNumber: 'ACC-1', accessionIssuer: 'HOSP-RIS', requestedProcedureId: 'RP-1' })
  assert.deepEqual(orderChanges(study, order), [])
})

const RULES: CoercionRules = {
  defaults: [{ path: '00080080', vr: 'LO', values: ['Praxis Nord'] }],
  map: [{ from: '00091001', to: '00180015', vr: 'CS', values: { THX: 'CHEST' } }],
  privateElements: 'keep',
}
const DATA_SET = {
  '00090010': { vr: 'LO', Value: ['ACME'] },
  '00091001': { vr: 'LO', Value: ['THX'] },
  '00091002': { vr: 'LO', Value: ['secret'] },
  '00081140': { vr: 'SQ', Value: [{ '00091003': { vr: 'LO', Value: ['deep'] } }] },
}

// A rule of a site must never reach identity, coding or pixels, and must say nothing when nothing is to be said.
const rules: readonly { name: string; rules: Partial<CoercionRules>; dataSet?: object; is: Record<string, unknown> }[] =
  [
    { name: 'map and default', rules: {}, is: { '00180015': ['CHEST'], '00080080': ['Praxis Nord'] } },
    {
      name: 'a default does not replace',
      rules: { map: [] },
      dataSet: { '00080080': { vr: 'LO', Value: ['Other'] } },
      is: {},
    },
    {
      name: 'a default fills what is empty',
      rules: { map: [] },
      dataSet: { '00080080': { vr: 'LO' } },
      is: { '00080080': ['Praxis Nord'] },
    },
    {
      name: 'a value not in the table stays',
      rules: { defaults: [], map: [{ from: '00091002', to: '00104000', vr: 'LT', values: {} }] },
      is: { '00104000': ['secret'] },
    },
    {
      name: 'mapped already',
      rules: { defaults: [] },
      dataSet: { '00091001': { vr: 'LO', Value: ['THX'] }, '00180015': { vr: 'CS', Value: ['CHEST'] } },
      is: {},
    },
    {
      name: 'UIDs and pixels are out of reach',
      rules: {
        defaults: [
          { path: '0020000D', vr: 'UI', values: ['1'] },
          { path: '7FE00010', vr: 'OW', values: ['1'] },
        ],
        map: [],
      },
      is: {},
    },
    {
      name: 'strip',
      rules: { defaults: [], map: [], privateElements: 'strip' },
      is: { '00090010': null, '00091001': null, '00091002': null, '00081140/0/00091003': null },
    },
    {
      name: 'replace',
      rules: { defaults: [], privateElements: 'replace' },
      is: { '00180015': ['CHEST'], '00091001': null },
    },
  ]
for (const { name, rules: over, dataSet = DATA_SET, is } of rules) {
  test(`coercion rules: ${name}`, () => {
    const changes = ruleChanges({ ...RULES, ...over }, { ...dataSet })
    assert.deepEqual(Object.fromEntries(changes.map(({ path, values }) => [path, values])), is)
  })
}

test('coercion rules: said once for a study, else per series, else per instance', () => {
  const instance = (series: string, sop: string, body: string): InstanceMetadata => ({
    seriesInstanceUID: series,
    sopInstanceUID: sop,
    sender: studyOf().sender,
    dataSet: () => ({ '00091001': { vr: 'LO', Value: [body] } }),
  })
  const scopes = (...instances: InstanceMetadata[]) =>
    studyChanges('1', instances, () => ({ name: 'acme', rules: RULES })).map(({ scope }) => [
      scope.seriesInstanceUID,
      scope.sopInstanceUID,
    ])
  assert.deepEqual(scopes(instance('s1', 'a', 'THX'), instance('s2', 'b', 'THX')), [[undefined, undefined]])
  assert.deepEqual(scopes(instance('s1', 'a', 'THX'), instance('s2', 'b', 'ABD')), [
    ['s1', undefined],
    ['s2', undefined],
  ])
  assert.deepEqual(scopes(instance('s1', 'a', 'THX'), instance('s1', 'b', 'ABD')), [
    ['s1', 'a'],
    ['s1', 'b'],
  ])
  assert.deepEqual(
    studyChanges('1', [instance('s1', 'a', 'THX')], () => undefined),
    [],
  )
})
