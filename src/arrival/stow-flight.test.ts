import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { ByteGate, Flight } from './stow-flight.ts'

// Without the gate, every slow sender would add its own buffers to those already waiting for the writer.
test('bytes under way stay within the gate, in the order of arrival', async () => {
  const gate = new ByteGate(100)
  let held = 0
  let most = 0
  const entered: number[] = []
  await Promise.all(
    Array.from({ length: 40 }, async (_, i) => {
      const bytes = 10 + (i % 7) * 10
      await gate.enter(bytes)
      entered.push(i)
      held += bytes
      most = Math.max(most, held)
      await wait(1)
      held -= bytes
      gate.leave(bytes)
    }),
  )
  assert.ok(most <= 100 && most > 50, `${most}`)
  assert.deepEqual(
    entered,
    Array.from({ length: 40 }, (_, i) => i),
  )
})

test('what is larger than the gate passes alone', async () => {
  const gate = new ByteGate(100)
  await gate.enter(1000)
  let second = false
  const waiting = gate.enter(1).then(() => {
    second = true
  })
  await wait(1)
  assert.equal(second, false)
  gate.leave(1000)
  await waiting
})

test('a flight has a bound on its number, and answers in the order of its start', async () => {
  const flight = new Flight<number>(new ByteGate(1e9), 4)
  let under = 0
  let most = 0
  for (let i = 0; i < 30; i++) {
    await flight.start(1, async () => {
      most = Math.max(most, ++under)
      await wait(30 - i)
      under--
      return i
    })
  }
  assert.deepEqual(
    await flight.all(),
    Array.from({ length: 30 }, (_, i) => i),
  )
  assert.equal(most, 4)
})
