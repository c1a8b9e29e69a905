import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ArchiveError } from '#errors.ts'
import { openSpooled } from '#storage/spool.ts'
import { DataSetBuffer } from './c-store-buffer.ts'
import { FairSlots, MemoryBudget } from './c-store-fair.ts'

const never = new AbortController().signal

test('a peer that floods waits behind itself: another has the next slot', async () => {
  const slots = new FairSlots(2, 2)
  const order: string[] = []
  const enter = async (peer: string, name: string) => {
    const leave = await slots.enter(peer, never)
    order.push(name)
    return leave
  }
  const held = await Promise.all([enter('FLOOD', 'f1'), enter('FLOOD', 'f2')])
  const waiting = [
    enter('FLOOD', 'f3'),
    enter('FLOOD', 'f4'),
    enter('CT1', 'c1'),
    enter('FLOOD', 'f5'),
    enter('CT1', 'c2'),
  ]
  held[0]?.()
  held[1]?.()
  await sleep(1)
  assert.deepEqual(order, ['f1', 'f2', 'f3', 'c1'])
  for (const each of waiting) (await each)()
  assert.deepEqual(order, ['f1', 'f2', 'f3', 'c1', 'f4', 'c2', 'f5'])
})

test('no peer has all slots, a slot is given back once, and one who gave up is not given one', async () => {
  const slots = new FairSlots(3, 2)
  const [first] = await Promise.all([slots.enter('A', never), slots.enter('A', never)])
  const gone = new AbortController()
  const third = slots.enter('A', gone.signal)
  ;(await slots.enter('B', never))()
  gone.abort(new Error('gone'))
  await assert.rejects(third, /gone/)
  first?.()
  first?.()
  await slots.enter('A', never)
  let entered = false
  slots.enter('A', never).then(
    () => {
      entered = true
    },
    () => assert.fail('nobody gave up'),
  )
  await sleep(1)
  assert.equal(entered, false)
})

const sizes = [0, 1, 16_384, 16_385, 100_000, 1_000_000, 4 * 1024 * 1024, 4 * 1024 * 1024 + 1, 6_000_000]
for (const size of sizes) {
  test(`a data set of ${size} bytes comes out as it went in, wherever it waited`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'c-store-'))
    const budget = new MemoryBudget(64 * 2 ** 20, 64 * 2 ** 20)
    const tools = { spoolDirectory: directory, spool: {}, budget, spools: new FairSlots(1, 1) }
    const sent = Buffer.alloc(size)
    for (let i = 0; i < size; i++) sent[i] = (i * 7 + (i >> 8)) & 255
    for (const step of [size, 65_521, 1_999, 300]) {
      if (step === 0 || size / step > 5_000) continue
      const buffer = new DataSetBuffer(tools, { peer: 'A', signal: never, headBytes: 300 })
      for (let at = 0; at < size; at += step) {
        await buffer.write(Uint8Array.from(sent.subarray(at, at + step)))
      }
      const bytes = await buffer.finish()
      assert.equal(bytes.in, size > 4 * 1024 * 1024 ? 'spool' : 'memory')
      const source = openSpooled(bytes)
      assert.equal(source.size, size)
      for (let at = 0; at < size; at += 200_000) {
        const end = Math.min(size, at + 200_000)
        assert.ok(sent.subarray(at, end).equals(source.read(at, end)), `at ${at}`)
      }
      source.close()
      buffer.release()
      assert.equal(budget.taken, 0)
      if (bytes.in === 'spool') assert.deepEqual([bytes.head.byteLength, bytes.dataStart], [0, 512 + 300])
    }
    rmSync(directory, { recursive: true })
  })
}

test('without memory a large data set goes to the disk early; given up, nothing is left', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'c-store-'))
  const budget = new MemoryBudget(1_000_000, 1_000_000)
  const tools = { spoolDirectory: directory, spool: {}, budget, spools: new FairSlots(1, 1) }
  const of = { peer: 'A', signal: never, headBytes: 300 }
  const buffer = new DataSetBuffer(tools, of)
  for (let i = 0; i < 20; i++) await buffer.write(new Uint8Array(100_000).fill(i))
  assert.equal(budget.taken, 0)
  await buffer.discard()
  assert.deepEqual(readdirSync(directory), [])
  const next = new DataSetBuffer(tools, of)
  await next.write(new Uint8Array(2_000_000))
  assert.equal((await next.finish()).in, 'spool')
  rmSync(directory, { recursive: true })
})

test('more than is taken of one object is refused', () => {
  const tools = {
    spoolDirectory: '',
    spool: { bytesMax: 10 },
    budget: new MemoryBudget(1e6, 1e6),
    spools: new FairSlots(1, 1),
  }
  const buffer = new DataSetBuffer(tools, { peer: 'A', signal: never, headBytes: 0 })
  assert.throws(
    () => buffer.write(new Uint8Array(11)),
    (error) => error instanceof ArchiveError && error.code === 'request.too-large',
  )
})
