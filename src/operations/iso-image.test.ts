import assert from 'node:assert/strict'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { IsoWriter, SECTOR_BYTES } from './iso-image.ts'

const LABEL = { volume: 'FIXTURE_1', time: new Date('2026-01-02T03:04:05Z'), application: 'TEST' }

async function image(fill: (writer: IsoWriter) => Promise<void>): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'diptych-iso-'))
  try {
    const file = await open(join(folder, 'image'), 'wx')
    try {
      const writer = new IsoWriter(file, LABEL)
      await fill(writer)
      await writer.finish()
    } finally {
      await file.close()
    }
    return await readFile(join(folder, 'image'))
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function* content(...pieces: string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece)
}

interface Seen {
  readonly path: string
  readonly bytes: Buffer
}

/** Reads an image by its directory records alone. ECMA-119 section 9.1. */
function read(iso: Buffer): Seen[] {
  const seen: Seen[] = []
  const walk = (extent: number, length: number, path: string) => {
    const at = iso.subarray(extent * SECTOR_BYTES, extent * SECTOR_BYTES + length)
    for (let i = 0; i < length; ) {
      const size = at[i]!
      if (size === 0) {
        i = (Math.floor(i / SECTOR_BYTES) + 1) * SECTOR_BYTES
        continue
      }
      assert.ok((i % SECTOR_BYTES) + size <= SECTOR_BYTES, 'a record over the end of a sector')
      assert.equal(at.readUInt32LE(i + 2), at.readUInt32BE(i + 6))
      const name = at.toString('latin1', i + 33, i + 33 + at[i + 32]!)
      const [start, bytes] = [at.readUInt32LE(i + 2), at.readUInt32LE(i + 10)]
      if (name !== '\0' && name !== '\x01') {
        if ((at[i + 25]! & 2) !== 0) walk(start, bytes, `${path}${name}/`)
        else seen.push({ path: path + name, bytes: iso.subarray(start * SECTOR_BYTES, start * SECTOR_BYTES + bytes) })
      }
      i += size
    }
  }
  const descriptor = iso.subarray(16 * SECTOR_BYTES)
  assert.equal(descriptor.toString('latin1', 1, 6), 'CD001')
  assert.equal(descriptor.readUInt32LE(80) * SECTOR_BYTES, iso.byteLength)
  walk(descriptor.readUInt32LE(158), descriptor.readUInt32LE(166), '')
  return seen
}

test('an image gives back what was put in, in directories of more than a sector too', async () => {
  const names = Array.from({ length: 200 }, (_, i) => `I${String(i).padStart(7, '0')}`)
  const iso = await image(async (writer) => {
    for (const name of names.toReversed()) await writer.add(['DICOM', 'ST1', name], 3, content(name.slice(-3)))
    await writer.add(['README.TXT'], 5, content('he', 'llo'))
    await writer.add(['EMPTY'], 0, content())
    await writer.add(['LONG'], 5000, content('x'.repeat(5000)))
  })
  const seen = read(iso)
  assert.deepEqual(
    seen.map(({ path }) => path),
    [...names.map((name) => `DICOM/ST1/${name}.;1`), 'EMPTY.;1', 'LONG.;1', 'README.TXT;1'],
  )
  for (const { path, bytes } of seen) {
    if (path.startsWith('DICOM')) assert.equal(bytes.toString(), path.slice(-6, -3))
  }
  assert.equal(seen.at(-1)?.bytes.toString(), 'hello')
})

test('a content that fails leaves its place to the next file', async () => {
  const iso = await image(async (writer) => {
    await assert.rejects(writer.add(['A'], 5, content('abc')), RangeError)
    await assert.rejects(writer.add(['B'], 1, content('abc')), RangeError)
    await writer.add(['C'], 3, content('abc'))
  })
  assert.deepEqual(
    read(iso).map(({ path, bytes }) => [path, bytes.toString()]),
    [['C.;1', 'abc']],
  )
})

const wrongNames = ['lower', 'NINELETTER', 'A.LONG', 'A.B.C', '', '.HTM', 'Ä']
for (const name of wrongNames) {
  test(`level 1 has no name ${JSON.stringify(name)}`, async () => {
    await image((writer) => assert.rejects(writer.add([name], 0, content()), RangeError))
    await image((writer) => assert.rejects(writer.add([`${name}X.Y`.slice(1), 'A'], 0, content()), RangeError))
  })
}

test('a name twice, a file of 4 GiB and directories nine deep are refused', async () => {
  await image(async (writer) => {
    await writer.add(['A'], 0, content())
    await assert.rejects(writer.add(['A'], 0, content()), RangeError)
    await assert.rejects(writer.add(['B'], 2 ** 32, content()), RangeError)
    await assert.rejects(writer.add(['1', '2', '3', '4', '5', '6', '7', '8', 'A'], 0, content()), RangeError)
  })
})
