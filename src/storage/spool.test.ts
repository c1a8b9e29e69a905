import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import type { ArrivedBytes } from '#model/arrival.ts'
import { buildHead } from '#standards/dicom/write.ts'
import { ctFiles, temporaryFolder } from '../../test/support/small-archive.ts'
import { nodeDisk } from './disk.ts'
import { openFileSegments } from './file-segments.ts'
import { ArrivalBuffer, clearSpool, MEMORY_BYTES_MAX, openSpooled, placeHead, SpoolWriter } from './spool.ts'

type Spooled = Extract<ArrivedBytes, { in: 'spool' }>

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const [ct = new Uint8Array(0)] = ctFiles(1)
/** A Part 10 file that is too large for memory: a CT with a long tail. */
const large = Buffer.concat([ct, Buffer.alloc(MEMORY_BYTES_MAX + 12_345, 'not zero ')])

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = temporaryFolder()
  try {
    await run(folder)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

async function spooled(folder: string, bytes: Uint8Array, chunk = 65_536): Promise<Spooled> {
  const writer = new SpoolWriter(join(folder, 'spool'))
  for (let at = 0; at < bytes.byteLength; at += chunk) await writer.write(bytes.subarray(at, at + chunk))
  const arrived = await writer.finish()
  assert.equal(arrived.in, 'spool')
  return arrived as Spooled
}

const bodies: { name: string; bytes: Uint8Array; isPart10: boolean }[] = [
  { name: 'a Part 10 file', bytes: large, isPart10: true },
  { name: 'a small Part 10 file', bytes: ct, isPart10: true },
  { name: 'an executable', bytes: Buffer.concat([Buffer.from('MZ'), large]), isPart10: false },
  { name: 'ten bytes', bytes: Buffer.from('ten bytes.'), isPart10: false },
  { name: 'nothing', bytes: Buffer.alloc(0), isPart10: false },
  { name: 'a file that ends within its group 0002', bytes: ct.subarray(0, 200), isPart10: false },
]

for (const { name, bytes, isPart10 } of bodies) {
  test(`spool: ${name} reads back as it came`, async () => {
    await withFolder(async (folder) => {
      const arrived = await spooled(folder, bytes)
      assert.equal(arrived.sha256, sha(bytes))
      assert.equal(arrived.size, bytes.byteLength)
      assert.equal(arrived.head.byteLength > 0, isPart10)
      const source = openSpooled(arrived)
      const cuts = [0, 1, 130, arrived.head.byteLength, 300_000, bytes.byteLength, bytes.byteLength + 10]
      for (const start of cuts) {
        for (const end of cuts) {
          assert.deepEqual(
            Buffer.from(source.read(start, end)),
            Buffer.from(bytes.subarray(start, Math.max(start, end))),
          )
        }
      }
      source.close()
    })
  })
}

// A chunk may end anywhere, also within an element header of the head.
test('spool: a file dribbled byte by byte through its head', async () => {
  await withFolder(async (folder) => {
    const arrived = await spooled(folder, ct, 1)
    assert.equal(arrived.sha256, sha(ct))
    assert.ok(arrived.head.byteLength > 132)
  })
})

test('spool: our own head fits before the data set, and the file becomes a segment without a copy', async () => {
  await withFolder(async (folder) => {
    const arrived = await spooled(folder, large)
    const inode = fs.statSync(arrived.path).ino
    const own = ownHead(arrived)
    const end = large.byteLength - 345
    const placed = await placeHead(arrived, own, [{ start: arrived.head.byteLength, end }])
    assert.deepEqual(placed, {
      path: arrived.path,
      contentStart: 512,
      contentLength: own.byteLength + end - arrived.head.byteLength,
    })
    const store = openFileSegments(join(folder, 'segments'))
    const name = `objects/1.2/${'a'.repeat(64)}.dcm`
    const [at] = await store.adopt({ ...placed, name, followedBy: [] }, 'default')
    assert.ok(at)
    assert.equal(fs.statSync(join(folder, 'segments', at.segment)).ino, inode)
    const expected = Buffer.concat([own, large.subarray(arrived.head.byteLength, end)])
    assert.equal(sha((await store.read(at)) ?? Buffer.alloc(0)), sha(expected))
    await store.close()
  })
})

test('spool: another head, or a hole in what is kept, makes a copy and leaves the arrival as it is', async () => {
  await withFolder(async (folder) => {
    const arrived = await spooled(folder, large)
    const own = Buffer.concat([ownHead(arrived), Buffer.from('longer')])
    const start = arrived.head.byteLength
    const keep = [
      { start, end: 1000 },
      { start: 5000, end: large.byteLength },
    ]
    const placed = await placeHead(arrived, own, keep)
    assert.notEqual(placed.path, arrived.path)
    const bytes = fs.readFileSync(placed.path).subarray(placed.contentStart, placed.contentStart + placed.contentLength)
    assert.equal(sha(bytes), sha(Buffer.concat([own, large.subarray(start, 1000), large.subarray(5000)])))
    const source = openSpooled(arrived)
    assert.deepEqual(Buffer.from(source.read(0, 100_000)), large.subarray(0, 100_000))
    source.close()
  })
})

function ownHead({ head }: Spooled): Buffer {
  const text = Buffer.from(head).toString('latin1')
  const value = (element: number) => {
    const at = text.indexOf(String.fromCharCode(2, 0, element, 0, 0x55, 0x49), 132)
    const length = head[at + 6] ?? 0
    return text.slice(at + 8, at + 8 + length).replace(/\0$/, '')
  }
  return Buffer.from(buildHead({ sopClassUID: value(2), sopInstanceUID: value(3), transferSyntaxUID: value(0x10) }))
}

test('arrival buffer: up to 4 MiB stays in memory, in a buffer that can be handed over', async () => {
  await withFolder(async (folder) => {
    const buffer = new ArrivalBuffer(join(folder, 'spool'))
    const bytes = Buffer.alloc(MEMORY_BYTES_MAX, 'abc')
    for (let at = 0; at < bytes.byteLength; at += 100_000) await buffer.write(bytes.subarray(at, at + 100_000))
    const arrived = await buffer.finish()
    assert.ok(arrived.in === 'memory')
    assert.equal(arrived.bytes.byteLength, arrived.bytes.buffer.byteLength)
    assert.equal(sha(arrived.bytes), sha(bytes))
    assert.equal(fs.existsSync(join(folder, 'spool')), false)
  })
})

test('arrival buffer: one byte more is spooled; discarding leaves nothing', async () => {
  await withFolder(async (folder) => {
    const spool = join(folder, 'spool')
    for (const finish of [true, false]) {
      const buffer = new ArrivalBuffer(spool)
      await buffer.write(large.subarray(0, MEMORY_BYTES_MAX))
      await buffer.write(large.subarray(MEMORY_BYTES_MAX, MEMORY_BYTES_MAX + 1))
      if (finish) assert.equal((await buffer.finish()).in, 'spool')
      else await buffer.discard()
    }
    assert.equal(fs.readdirSync(spool).length, 1)
    assert.equal(clearSpool(spool), 1)
    assert.deepEqual(fs.readdirSync(spool), [])
    assert.equal(clearSpool(join(folder, 'never made')), 0)
  })
})

test('spool: an arrival longer than allowed is refused while it comes', async () => {
  await withFolder(async (folder) => {
    const buffer = new ArrivalBuffer(join(folder, 'spool'), { bytesMax: 5_000_000 })
    const writing = async () => {
      for (let i = 0; i < 100; i++) await buffer.write(Buffer.alloc(65_536))
    }
    await assert.rejects(writing(), (error) => error instanceof ArchiveError && error.code === 'request.too-large')
    await buffer.discard()
    assert.deepEqual(fs.readdirSync(join(folder, 'spool')), [])
  })
})

for (const [name, options] of [
  ['on the spool thread', { reserveBytes: Number.MAX_SAFE_INTEGER }],
  ['on this thread', { reserveBytes: 1, disk: { ...nodeDisk, free: () => 0 } }],
] as const) {
  test(`spool: a full disk is told as such (${name}), and nothing stays`, async () => {
    await withFolder(async (folder) => {
      const writer = new SpoolWriter(join(folder, 'spool'), options)
      const writing = async () => {
        for (let i = 0; i < 400; i++) await writer.write(large.subarray(0, 65_536))
        await writer.finish()
      }
      await assert.rejects(writing(), (error) => error instanceof ArchiveError && error.code === 'storage.full')
      await writer.abort()
      assert.deepEqual(fs.readdirSync(join(folder, 'spool')), [])
    })
  })
}
