import assert from 'node:assert/strict'
import { test } from 'node:test'
import { storeProposals } from './store-target.ts'

const EXPLICIT = '1.2.840.10008.1.2.1'
const IMPLICIT = '1.2.840.10008.1.2'
const BIG = '1.2.840.10008.1.2.2'
const JPEG = '1.2.840.10008.1.2.4.50'

// An acceptor takes one transfer syntax of each context: what is stored needs a context of its own.
const cases: { name: string; classes: [string, string[]][]; is: [string, string[]][] }[] = [
  { name: 'compressed', classes: [['1.1', [JPEG]]], is: [['1.1', [JPEG]]] },
  {
    name: 'uncompressed may become another uncompressed',
    classes: [['1.1', [BIG]]],
    is: [
      ['1.1', [BIG]],
      ['1.1', [EXPLICIT, IMPLICIT]],
    ],
  },
  {
    name: 'two forms of one class',
    classes: [['1.1', [EXPLICIT, JPEG]]],
    is: [
      ['1.1', [EXPLICIT]],
      ['1.1', [JPEG]],
      ['1.1', [EXPLICIT, IMPLICIT]],
    ],
  },
]

for (const { name, classes, is } of cases) {
  test(`contexts proposed for storing: ${name}`, () => {
    const groups = storeProposals(new Map(classes.map(([uid, syntaxes]) => [uid, new Set(syntaxes)])))
    assert.deepEqual(
      groups.map((group) =>
        group.map(({ abstractSyntax, transferSyntaxes }) => [abstractSyntax, [...transferSyntaxes]]),
      ),
      [is],
    )
  })
}

test('more classes than one association has contexts for need several, each within 128', () => {
  const classes = new Map(Array.from({ length: 150 }, (_, i) => [`1.${i}`, new Set([EXPLICIT])] as const))
  const groups = storeProposals(classes)
  assert.equal(groups.length, 3)
  assert.ok(groups.every((group) => group.length <= 128))
  assert.equal(new Set(groups.flat().map(({ abstractSyntax }) => abstractSyntax)).size, 150)
})
