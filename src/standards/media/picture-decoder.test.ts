import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import sharp from 'sharp'
import { memorySource } from '../byte-source.ts'
import { ConversionError } from '../dicom/wrap/conversion-error.ts'
import { DECODE_LIMITS, decodePicture } from './picture-decoder.ts'

/** Red on the left, blue on the right: a picture that shows which way it lies. */
const flag = Buffer.from(Array.from({ length: 8 * 4 }, (_, at) => (at % 8 < 4 ? [255, 0, 0] : [0, 0, 255])).flat())
const raw = () => sharp(flag, { raw: { width: 8, height: 4, channels: 3 } })

test('decode: PNG and TIFF give back the pixels they were made of', async () => {
  for (const encoded of [raw().png(), raw().tiff({ compression: 'lzw' })]) {
    const picture = await decodePicture(memorySource(await encoded.toBuffer()))
    assert.deepEqual([picture.columns, picture.rows, picture.samples, picture.lossy], [8, 4, 3, undefined])
    assert.deepEqual(Buffer.from(picture.pixels), flag)
  }
})

test('decode: a lying JPEG is turned upright, and says that it was compressed with loss', async () => {
  const bytes = await raw().jpeg({ quality: 100, progressive: true }).withMetadata({ orientation: 6 }).toBuffer()
  const picture = await decodePicture(memorySource(bytes))
  assert.deepEqual([picture.columns, picture.rows, picture.turned], [4, 8, 6])
  assert.equal(picture.lossy?.lengthBytes, bytes.length)
  // Turned by 90 degrees clockwise, left comes to stand above.
  assert.ok((picture.pixels[0] ?? 0) > 200 && (picture.pixels.at(-1) ?? 0) > 200)
})

test('decode: grey stays one sample, transparency becomes white', async () => {
  const grey = await sharp(Buffer.from([0, 50, 100, 255]), { raw: { width: 2, height: 2, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer()
  const picture = await decodePicture(memorySource(grey))
  assert.deepEqual([picture.samples, [...picture.pixels]], [1, [0, 50, 100, 255]])
  const clear = await sharp({
    create: { width: 1, height: 1, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
  })
    .png()
    .toBuffer()
  assert.deepEqual([...(await decodePicture(memorySource(clear))).pixels], [255, 255, 255])
})

// What is sent to be decoded comes from outside: nothing of it may take the archive down with it.
test('decode refuses', async () => {
  const png = await raw().png().toBuffer()
  const rows = [
    { bytes: Buffer.from('no picture at all'), limits: {}, code: 'conversion.malformed' },
    { bytes: png.subarray(0, 50), limits: {}, code: 'conversion.malformed' },
    { bytes: png, limits: { pixelsMax: 31 }, code: 'conversion.limit' },
    { bytes: png, limits: { inputBytesMax: 10 }, code: 'conversion.limit' },
    { bytes: png, limits: { timeMs: 1 }, code: 'conversion.limit' },
  ]
  for (const { bytes, limits, code } of rows) {
    const decoding = decodePicture(memorySource(bytes), { ...DECODE_LIMITS, ...limits })
    await assert.rejects(decoding, (thrown) => thrown instanceof ConversionError && thrown.code === code)
  }
})
