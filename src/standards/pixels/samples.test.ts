/** Pixels of real files, decoded, against what another toolkit decoded (EXPECTED-PIXELS.tsv beside the samples). */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { memorySource } from '../byte-source.ts'
import { openPart10 } from '../dicom/open.ts'
import { openFrameDecoder } from '../media/frame-decoder.ts'
import { nativeFrame, type Pictures, picturesOf, renderFrame } from './render-frame.ts'

const samples = process.env.DIPTYCH_SAMPLES ?? '../shared/data'
const expected = join(samples, 'EXPECTED-PIXELS.tsv')
const decoder = openFrameDecoder()
after(() => decoder.close())

const { decode } = decoder

/** One bit behind the other, lowest first, of frames that each begin in a byte of their own. */
function packBits(frames: readonly Uint8Array[], { format }: Pictures): Buffer {
  const count = format.rows * format.columns
  const out = Buffer.alloc(Math.ceil((count * frames.length) / 8))
  for (const [frame, bytes] of frames.entries()) {
    for (let i = 0; i < count; i++) {
      const bit = ((bytes[i >>> 3] ?? 0) >>> (i & 7)) & 1
      const at = frame * count + i
      out[at >>> 3] = (out[at >>> 3] ?? 0) | (bit << (at & 7))
    }
  }
  return out
}

const rows = existsSync(expected)
  ? readFileSync(expected, 'utf8')
      .split('\n')
      .slice(1)
      .filter((line) => line !== '')
      .map((line) => line.split('\t'))
  : []

test('samples are there', { skip: rows.length === 0 ? `no ${expected}` : false }, () => assert.ok(rows.length > 30))

for (const [path = '', , lossless, , size, digest] of rows) {
  test(path, async () => {
    const source = memorySource(readFileSync(join(samples, path)))
    const pictures = picturesOf(openPart10(source, { bare: true }))
    assert.ok(pictures !== null)
    const frames: Uint8Array[] = []
    for (let frame = 1; frame <= pictures.table.count; frame++) {
      frames.push((await nativeFrame(pictures, frame, decode)).bytes)
    }
    // The other toolkit gives the whole value: packed bits across frames, and an even length.
    const packed =
      pictures.format.bitsAllocated === 1 && pictures.table.kind === 'native'
        ? packBits(frames, pictures)
        : Buffer.concat(frames)
    const pixels = Buffer.concat([packed, Buffer.alloc(packed.length === Number(size) - 1 ? 1 : 0)])
    const found = createHash('sha256').update(pixels).digest('hex')
    if (lossless === 'yes') assert.deepEqual([pixels.length, found], [Number(size), digest])
    else assert.equal(pixels.length, Number(size))
    const raster = await renderFrame(pictures, 1, decode)
    assert.equal(raster.pixels.length, raster.rows * raster.columns * raster.channels)
    assert.ok(new Set(raster.pixels).size > 1, 'a picture of one grey')
  })
}
