import assert from 'node:assert/strict'
import { test } from 'node:test'
import { corpus, measure } from '../../test/bench/placement-corpus.ts'

test('recognisers on the corpus made by code: what they take and what they miss stays as documented', () => {
  for (const { recogniser, precision, recall, wrong } of measure(corpus(1200, 7))) {
    assert.ok(precision >= 0.98 && recall >= 0.95, `${recogniser} ${precision} ${recall} ${JSON.stringify(wrong)}`)
  }
})
