import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lookup } from '#standards/dicom/dictionary.ts'
import { levelOf } from './attribute-levels.ts'
import { modalityBit, modalityMask } from './modalities.ts'
import { searchableTable, standardSearchables } from './searchable.ts'

test('declared attributes have the VR and level of the standard', () => {
  for (const { key, path, vr, level } of standardSearchables().byKey.values()) {
    assert.equal(lookup(path.at(-1) ?? 0)?.vr, vr, key)
    assert.equal(levelOf(path[0] ?? 0), key.startsWith('00080051') ? 'study' : level, key)
  }
})

test("a site's attributes are added beside the standard ones and never collide", () => {
  const mine = { id: 1000, path: [0x00091001], vr: 'LO', level: 'series' } as const
  assert.equal(searchableTable([mine]).byKey.get('00091001')?.lookup, true)
  for (const wrong of [
    { ...mine, id: 999 },
    { ...mine, path: [0x00100010] },
  ]) {
    assert.throws(() => searchableTable([wrong]), RangeError)
  }
  assert.throws(() => searchableTable([mine, { ...mine, path: [0x00091002] }]), RangeError)
})

test('the mask has one bit per modality and one for all others', () => {
  assert.equal(modalityMask(['CT', 'MR', 'CT', '']), 3)
  assert.equal(modalityMask(['XYZ', 'ABC']), 2 ** 50)
  assert.equal(modalityBit('XYZ'), undefined)
  assert.ok(modalityMask(['CT', 'XYZ']) < Number.MAX_SAFE_INTEGER)
})
