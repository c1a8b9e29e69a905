import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fold, nameGroups, nameKeys, nameWords, parsePattern, prefixEnd, trigrams } from './fold.ts'

// Two spellings that fold differently are two patients to whoever searches.
const folded: { text: string; is: string }[] = [
  { text: 'Müller', is: 'MULLER' },
  { text: 'Mu\u0308ller', is: 'MULLER' },
  { text: 'Weiß', is: 'WEISS' },
  { text: 'Łukasz Ørsted', is: 'LUKASZ ORSTED' },
  { text: 'Åse  Æbelø ', is: 'ASE AEBELO' },
  { text: 'Διονυσιος', is: 'ΔΙΟΝΥΣΙΟΣ' },
  { text: 'Люкceмбypг', is: 'ЛЮКCEМБYPГ' },
  { text: 'ﾔﾏﾀﾞ', is: 'ヤマダ' },
  { text: 'が', is: 'が' },
  { text: 'か', is: 'か' },
  { text: '山田', is: '山田' },
]

for (const { text, is } of folded) test(`fold ${text}`, () => assert.equal(fold(text), is))

test('components that are empty at the end do not count', () => {
  assert.equal(nameKeys('Doe^Jane^^^').alphabetic, nameKeys('doe^JANE').alphabetic)
  assert.equal(nameKeys('^^^^').alphabetic, '')
  assert.notEqual(nameKeys('Doe^^Jane').alphabetic, nameKeys('Doe^Jane').alphabetic)
})

test('a name has its groups and words in every script', () => {
  const name = 'Yamada^Tarou=山田^太郎=やまだ^たろう'
  assert.deepEqual(nameGroups(name), ['YAMADA^TAROU', '山田^太郎', 'やまだ^たろう'])
  assert.deepEqual(nameWords('de la Cruz^Ana-María=='), ['DE', 'LA', 'CRUZ', 'ANA', 'MARIA'])
  assert.deepEqual(nameGroups('==やまだ'), ['やまだ'])
})

test('patterns keep characters that mean something to SQL or GLOB as they are', () => {
  assert.deepEqual(parsePattern('AB*'), { glob: 'AB*', prefix: 'AB', prefixOnly: true, literals: ['AB'] })
  assert.deepEqual(parsePattern('A**B?'), { glob: 'A*B?', prefix: 'A', prefixOnly: false, literals: ['A', 'B'] })
  assert.deepEqual(parsePattern('*[x]%_'), { glob: '*[[]x]%_', prefix: '', prefixOnly: false, literals: ['[x]%_'] })
})

test('the end of a prefix range stands above everything with the prefix and below all else', () => {
  for (const [prefix, end] of [
    ['AB', 'AC'],
    ['山', '屲'],
    ['A\u{10ffff}', 'B'],
    ['\ud7ff', '\ue000'],
  ] as const) {
    assert.equal(prefixEnd(prefix), end)
  }
  assert.equal(prefixEnd('\u{10ffff}'), undefined)
})

test('trigrams come from runs between wild cards', () => {
  assert.deepEqual(trigrams(['ABCD', 'XY', '太郎山']), ['ABC', 'BCD', '太郎山'])
})
