import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import yauzl from 'yauzl'
import { temporaryFolder } from '../../test/support/small-archive.ts'
import { type ZipEntry, zipStream } from './zip-writer.ts'

const time = new Date('2026-05-06T07:08:10Z')

async function zipped(entries: readonly ZipEntry[]): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of zipStream(entries)) pieces.push(piece)
  return Buffer.concat(pieces)
}

async function read(zip: Buffer): Promise<Map<string, Buffer>> {
  const file = await new Promise<yauzl.ZipFile>((resolve, reject) =>
    yauzl.fromBuffer(zip, { lazyEntries: true }, (error, opened) => (error ? reject(error) : resolve(opened))),
  )
  const found = new Map<string, Buffer>()
  return new Promise((resolve, reject) => {
    file.on('error', reject)
    file.on('end', () => resolve(found))
    file.on('entry', (entry: yauzl.Entry) =>
      file.openReadStream(entry, (error, stream) => {
        if (error) return reject(error)
        const pieces: Buffer[] = []
        stream.on('data', (piece: Buffer) => pieces.push(piece))
        stream.on('end', () => {
          found.set(entry.fileName, Buffer.concat(pieces))
          file.readEntry()
        })
      }),
    )
    file.readEntry()
  })
}

test('zip: another reader finds every file as it was, checksums too', async (t) => {
  const bytes = Buffer.alloc(100_000, 'content ')
  const zip = await zipped([
    { name: 'a/leer.dcm', size: 0, time, content: [] },
    { name: 'a/ü.dcm', size: bytes.byteLength, time, content: [bytes.subarray(0, 7), bytes.subarray(7)] },
  ])
  assert.deepEqual(
    await read(zip),
    new Map([
      ['a/leer.dcm', Buffer.alloc(0)],
      ['a/ü.dcm', bytes],
    ]),
  )
  const folder = temporaryFolder()
  t.after(() => fs.rmSync(folder, { recursive: true }))
  fs.writeFileSync(join(folder, 'x.zip'), zip)
  try {
    execFileSync('python3', ['-m', 'zipfile', '-t', join(folder, 'x.zip')])
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') t.diagnostic('python3 is not here')
    else throw error
  }
})

test('zip: more than 65,535 files need the large directory, and get it', async () => {
  const count = 65_540
  const zip = await zipped(
    Array.from({ length: count }, (_, i) => ({ name: `f${i}`, size: 1, time, content: [Buffer.from('x')] })),
  )
  assert.equal((await read(zip)).size, count)
})

for (const size of [4, 6]) {
  test(`zip: a content of five bytes announced as ${size} is a mistake`, async () => {
    await assert.rejects(zipped([{ name: 'a', size, time, content: [Buffer.from('12345')] }]), RangeError)
  })
}
