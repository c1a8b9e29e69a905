import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressShare } from './address-share.ts'

test('a share: one address is stopped at it, others are not, and what is given back can be taken again', () => {
  const share = new AddressShare(3)
  assert.deepEqual(
    [share.take('a', 2), share.take('a', 2), share.take('a'), share.take('a')],
    [true, false, true, false],
  )
  assert.equal(share.take('b', 3), true)
  share.give('a', 3)
  assert.equal(share.take('a', 3), true)
})
