import assert from 'node:assert/strict'
import { test } from 'node:test'
import { string, strings } from '#standards/dicom/data-set.ts'
import { tagText } from '#standards/dicom/dictionary.ts'
import { FindAnswers } from './find-answer.ts'
import type { AskedKey, FindPlan } from './find-plan.ts'
import { parseMessage } from './identifier.ts'
import { EXPLICIT, IMPLICIT } from './scu/connector.ts'

const key = (tag: number, vr: string, items: readonly AskedKey[] = []): AskedKey => ({
  tag,
  key: tagText(tag),
  vr,
  items,
})

function planWith(keys: readonly AskedKey[], charsets: readonly string[]): FindPlan {
  return { level: 'STUDY', keys, charsets, query: null, patients: null, unsupported: false, combined: null }
}

const NAME = 0x00100010

// An answer in a repertoire that lacks a sign would hold another name.
const names: { name: string; text: string; charsets: string[]; is: string[] }[] = [
  { name: 'plain, none named', text: 'DOE^JOHN', charsets: [], is: [] },
  { name: 'plain, theirs named', text: 'DOE^JOHN', charsets: ['ISO_IR 100'], is: ['ISO_IR 100'] },
  { name: 'fits theirs', text: 'MÜLLER^ANDRÉ', charsets: ['ISO_IR 100'], is: ['ISO_IR 100'] },
  { name: 'does not fit theirs', text: 'Иванов^Пётр', charsets: ['ISO_IR 100'], is: ['ISO_IR 192'] },
  { name: 'Cyrillic fits', text: 'Иванов^Пётр', charsets: ['ISO_IR 144'], is: ['ISO_IR 144'] },
  { name: 'none named, not plain', text: 'MÜLLER', charsets: [], is: ['ISO_IR 192'] },
  {
    name: 'code extensions',
    text: 'YAMADA^TAROU',
    charsets: ['', 'ISO 2022 IR 87'],
    is: ['', 'ISO 2022 IR 87'],
  },
  { name: 'UTF-8', text: '山田^太郎', charsets: ['ISO_IR 192'], is: ['ISO_IR 192'] },
]

for (const { name, text, charsets, is } of names) {
  for (const syntax of [EXPLICIT, IMPLICIT]) {
    test(`C-FIND answer: ${name}, ${syntax}`, () => {
      const row = { '00100010': { vr: 'PN', Value: [{ Alphabetic: text }] } }
      const answers = new FindAnswers(planWith([key(NAME, 'PN')], charsets), syntax, 'DIPTYCH')
      const dataSet = parseMessage(answers.encode(JSON.stringify(row)), syntax)
      assert.deepEqual(strings(dataSet, 0x00080005), is)
      assert.equal(string(dataSet, NAME), text)
      assert.equal(string(dataSet, 0x00080052), 'STUDY')
      assert.equal(string(dataSet, 0x00080054), 'DIPTYCH')
      assert.equal(string(dataSet, 0x00080056), 'ONLINE')
    })
  }
}

test('only what was asked is answered, what has no value is empty, and items hold the keys asked for', () => {
  const row = {
    '00080061': { vr: 'CS', Value: ['CT', 'SR'] },
    '00100020': { vr: 'LO', Value: ['P1'] },
    '00081032': {
      vr: 'SQ',
      Value: [{ '00080100': { vr: 'SH', Value: ['CTHEAD'] }, '00080102': { vr: 'SH', Value: ['L'] } }],
    },
    '00201208': { vr: 'IS', Value: [12] },
  }
  const keys = [
    key(0x00080050, 'SH'),
    key(0x00080061, 'CS'),
    key(0x00081032, 'SQ', [key(0x00080100, 'SH')]),
    key(0x00201208, 'IS'),
  ]
  const answers = new FindAnswers(planWith(keys, []), EXPLICIT, 'DIPTYCH')
  const dataSet = parseMessage(answers.encode(JSON.stringify(row)), EXPLICIT)
  assert.deepEqual(strings(dataSet, 0x00080061), ['CT', 'SR'])
  assert.equal(dataSet.get(0x00100020), undefined)
  assert.equal(dataSet.get(0x00080050)?.valueLength, 0)
  assert.equal(string(dataSet, 0x00201208), '12')
  const [item] = dataSet.get(0x00081032)?.items ?? []
  assert.ok(item)
  assert.equal(string(item, 0x00080100), 'CTHEAD')
  assert.equal(item.elements.size, 1)
})
