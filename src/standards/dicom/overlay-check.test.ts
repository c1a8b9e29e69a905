import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changeProblem, vrForChange } from './overlay-check.ts'

// What was decided is applied whenever the object leaves: a change that cannot be written would make it unreadable.
const cases: { name: string; path: string; vr: string; values: readonly string[] | null; wrong: RegExp | null }[] = [
  { name: 'a name', path: '00100010', vr: 'PN', values: ['Doe^Jane=山田^花子'], wrong: null },
  { name: 'a removal', path: '00104000', vr: 'LT', values: null, wrong: null },
  { name: 'the removal of a private attribute', path: '00091001', vr: 'UN', values: null, wrong: null },
  { name: 'the removal of a sequence', path: '00101002', vr: 'SQ', values: null, wrong: null },
  { name: 'an attribute of an item', path: '00400275/0/00400009', vr: 'SH', values: ['x'], wrong: null },
  { name: 'lines in a text', path: '00104000', vr: 'LT', values: ['a\r\nb'], wrong: null },
  { name: 'no value', path: '00100030', vr: 'DA', values: [], wrong: null },
  {
    name: 'signed numbers where the standard leaves a choice',
    path: '00280106',
    vr: 'SS',
    values: ['-1'],
    wrong: null,
  },
  { name: 'a private attribute set', path: '00091001', vr: 'LO', values: ['x'], wrong: /private/ },
  { name: 'an attribute nobody knows', path: '00100001', vr: 'LO', values: ['x'], wrong: /no attribute/ },
  { name: 'the instance UID', path: '00080018', vr: 'UI', values: ['1.2'], wrong: /UID/ },
  { name: 'the study UID', path: '0020000D', vr: 'UI', values: ['1.2'], wrong: /UID/ },
  { name: 'rows', path: '00280010', vr: 'US', values: ['1'], wrong: /cannot be overlaid/ },
  { name: 'the character set', path: '00080005', vr: 'CS', values: ['ISO_IR 192'], wrong: /cannot be overlaid/ },
  { name: 'the record of changes', path: '04000561/0/04000563', vr: 'LO', values: ['x'], wrong: /cannot be overlaid/ },
  { name: 'pixels', path: '7FE00010', vr: 'OW', values: null, wrong: /cannot be overlaid/ },
  { name: 'a character set within an item', path: '00400275/0/00080005', vr: 'CS', values: null, wrong: /cannot be/ },
  { name: 'a group length', path: '00100000', vr: 'UL', values: ['1'], wrong: /cannot be overlaid/ },
  { name: 'a sequence as text', path: '00400275', vr: 'SQ', values: ['x'], wrong: /is a sequence/ },
  {
    name: 'an item of what is no sequence',
    path: '00100010/0/00100020',
    vr: 'LO',
    values: ['x'],
    wrong: /no sequence/,
  },
  { name: 'another VR', path: '00100010', vr: 'LO', values: ['x'], wrong: /VR PN/ },
  { name: 'binary', path: '00281201', vr: 'OW', values: ['x'], wrong: /binary/ },
  { name: 'a name of two lines', path: '00100010', vr: 'PN', values: ['Doe\nJane'], wrong: /characters/ },
  { name: 'a value with a delimiter', path: '00100020', vr: 'LO', values: ['a\\b'], wrong: /characters/ },
  { name: 'a NUL', path: '00104000', vr: 'LT', values: ['a\0b'], wrong: /characters/ },
  { name: 'half a character', path: '00100010', vr: 'PN', values: ['\ud800'], wrong: /half/ },
  { name: 'a long number', path: '00100020', vr: 'LO', values: ['x'.repeat(65)], wrong: /longer than 64/ },
  { name: 'four component groups', path: '00100010', vr: 'PN', values: ['a=b=c=d'], wrong: /three/ },
  { name: 'no date', path: '00100030', vr: 'DA', values: ['19701332'], wrong: /no DA/ },
  { name: 'no number', path: '00101030', vr: 'DS', values: ['heavy'], wrong: /no DS/ },
  { name: 'a number too large', path: '00280301', vr: 'US', values: ['70000'], wrong: /VR|does not hold/ },
  { name: 'no path', path: '0010001', vr: 'PN', values: ['x'], wrong: /no path/ },
  { name: 'a path that ends in an item', path: '00400275/0', vr: 'SQ', values: null, wrong: /no path/ },
  { name: 'small letters', path: '0020000e', vr: 'UI', values: ['1'], wrong: /no path/ },
]

for (const { name, path, vr, values, wrong } of cases) {
  test(`overlay check: ${name}`, () => {
    const problem = changeProblem({ path, vr, values })
    if (wrong === null) assert.equal(problem, null)
    else assert.match(problem ?? 'nothing was said', wrong)
  })
}

test('overlay check: the dictionary gives the VR of a path', () => {
  assert.equal(vrForChange('00100010'), 'PN')
  assert.equal(vrForChange('00400275/0/00400009'), 'SH')
  assert.equal(vrForChange('00091001'), null)
})
