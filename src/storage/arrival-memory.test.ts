import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ArrivalMemory } from './arrival-memory.ts'

const KIB = 1024

test('room is shared memory while there is any, then a buffer of its own', () => {
  const memory = new ArrivalMemory(64 * KIB)
  const shared = memory.take(60 * KIB)
  const own = memory.take(5 * KIB)
  assert.ok(shared.buffer instanceof SharedArrayBuffer)
  assert.ok(own.buffer instanceof ArrayBuffer)
  assert.deepEqual([shared.length, own.length, own.buffer.byteLength], [60 * KIB, 5 * KIB, 5 * KIB])
  memory.give(own)
  assert.equal(memory.freeBytes, 4 * KIB)
})

test('what was given back is used next', () => {
  const memory = new ArrivalMemory(64 * KIB)
  const first = memory.take(10 * KIB)
  const second = memory.take(1)
  memory.give(first)
  assert.equal(memory.take(3 * KIB).byteOffset, first.byteOffset)
  assert.notEqual(second.byteOffset, first.byteOffset)
})

test('what is given back twice is a mistake that is told', () => {
  const memory = new ArrivalMemory(64 * KIB)
  const once = memory.take(KIB)
  memory.give(once)
  assert.throws(() => memory.give(once), RangeError)
})

test('no two of them overlap, and in the end all of it is free', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(40 * KIB), fc.nat(7)), { maxLength: 80 }), (steps) => {
      const memory = new ArrivalMemory(128 * KIB)
      const held: Uint8Array[] = []
      for (const [length, which] of steps) {
        if (which < 3 && held.length > 0) memory.give(held.splice(length % held.length, 1)[0] as Uint8Array)
        else held.push(memory.take(length).fill(held.length + 1))
        const shared = held.filter(({ buffer }) => buffer instanceof SharedArrayBuffer)
        shared.sort((a, b) => a.byteOffset - b.byteOffset)
        for (const [i, { byteOffset, byteLength }] of shared.entries()) {
          const next = shared[i + 1]
          assert.ok(next === undefined || byteOffset + byteLength <= next.byteOffset)
        }
      }
      for (const each of held) memory.give(each)
      assert.equal(memory.freeBytes, 128 * KIB)
    }),
  )
})
