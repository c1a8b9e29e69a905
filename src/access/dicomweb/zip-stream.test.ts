import assert from 'node:assert/strict'
import { test } from 'node:test'
import yauzl from 'yauzl'
import { type ZipEntry, zipStream } from './zip-stream.ts'

async function* streamed<T>(...items: T[]): AsyncGenerator<T> {
  yield* items
}

async function zipped(entries: readonly ZipEntry[]): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of zipStream(streamed(...entries))) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** Another program's reading: names and contents, checksums verified. */
function unzipped(bytes: Buffer): Promise<{ [name: string]: string }> {
  return new Promise((resolve, reject) => {
    yauzl.fromBuffer(bytes, { lazyEntries: true }, (error, zip) => {
      if (error !== null) return reject(error)
      const found: { [name: string]: string } = {}
      zip.on('error', reject)
      zip.on('end', () => resolve(found))
      zip.on('entry', (entry: yauzl.Entry) => {
        zip.openReadStream(entry, async (failed, stream) => {
          if (failed !== null) return reject(failed)
          try {
            found[entry.fileName] = Buffer.concat(await stream.toArray()).toString()
            zip.readEntry()
          } catch (unreadable) {
            reject(unreadable)
          }
        })
      })
      zip.readEntry()
    })
  })
}

const entry = (name: string, large: boolean, ...texts: string[]): ZipEntry => ({
  name,
  large,
  pieces: streamed(...texts.map((text) => Buffer.from(text))),
})

test('a ZIP written as a stream is read by another program', async () => {
  const bytes = await zipped([
    entry('1.2/3.dcm', false, 'one', ' and two'),
    entry('empty', false),
    entry('announced-large', true, 'small after all'),
  ])
  assert.deepEqual(await unzipped(bytes), {
    '1.2/3.dcm': 'one and two',
    empty: '',
    'announced-large': 'small after all',
  })
})

test('a ZIP of nothing is a ZIP', async () => assert.deepEqual(await unzipped(await zipped([])), {}))

// 65,535 in the short field means "look at the long one".
test('more entries than the short directory can count', async () => {
  const names = Array.from({ length: 65_536 }, (_, i) => `${i}`)
  const bytes = await zipped(names.map((name) => entry(name, false)))
  const count = await new Promise<number>((resolve, reject) => {
    yauzl.fromBuffer(bytes, { lazyEntries: true }, (error, zip) =>
      error === null ? resolve(zip.entryCount) : reject(error),
    )
  })
  assert.equal(count, 65_536)
})
