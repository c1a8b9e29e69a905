import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareNames, type Likeness } from './names.ts'

// One slip or another custom of spelling must not hide a person; another person must not pass for a spelling.
const cases: readonly (readonly [a: string | null, b: string | null, is: Likeness])[] = [
  ['DOE^JANE', 'Doe^Jane', 'equal'],
  ['MÜLLER^ANNA', 'Muller^Anna', 'equal'],
  ['MÜLLER^ANNA', 'MUELLER^ANNA', 'similar'],
  ['DOE^JANE^^Dr', 'DOE^JANE', 'similar'],
  ['DOE^JANE^MARIE', 'DOE^JANE', 'similar'],
  ['DOE^J', 'DOE^JANE', 'similar'],
  ['JANE^DOE', 'DOE^JANE', 'similar'],
  ['VAN DYKE^TOM', 'VANDYKE^TOM', 'similar'],
  ['DOE JANE', 'DOE^JANE', 'similar'],
  ['SCHMIDT^PETRA', 'SCHMITT^PETRA', 'similar'],
  ['SCHMIDT^PETRA', 'SCHMIDT^PAUL', 'different'],
  ['LEE^ANN', 'LEE^AMY', 'different'],
  ['DOE^JANE', 'ROE^JANE', 'different'],
  ['YAMADA^TAROU=山田^太郎', 'Yamada^Tarou', 'equal'],
  ['YAMADA^TAROU=山田^太郎', '=山田^太郎', 'equal'],
  ['YAMADA^TAROU=山田^太郎', 'YAMADA^TAROU=田中^花子', 'similar'],
  ['', 'DOE^JANE', 'missing'],
  [null, null, 'missing'],
  ['^^^', 'DOE^JANE', 'missing'],
]

for (const [a, b, is] of cases) {
  test(`names: ${a} and ${b} are ${is}`, () => {
    assert.equal(compareNames(a, b), is)
    assert.equal(compareNames(b, a), is, 'the order does not count')
  })
}

test('names: a name of a million letters is compared at once', () => {
  const long = 'A'.repeat(1_000_000)
  const started = performance.now()
  compareNames(`${long}^B`, `${long.slice(1)}C^B`)
  assert.ok(performance.now() - started < 2000)
})
