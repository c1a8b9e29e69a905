import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import sharp from 'sharp'
import { ConversionError } from '../dicom/wrap/conversion-error.ts'
import type { FrameFormat } from '../pixels/frame-format.ts'
import { openFrameDecoder } from './frame-decoder.ts'

const samples = join(process.env['DIPTYCH_SAMPLES'] ?? '../shared/data', 'codestreams')
const skip = existsSync(samples) ? false : 'real samples are not here: set DIPTYCH_SAMPLES'
const decoder = openFrameDecoder()
after(() => decoder.close())

const format = (more: Partial<FrameFormat> = {}): FrameFormat => ({
  rows: 240,
  columns: 240,
  samples: 3,
  bitsAllocated: 8,
  bitsStored: 8,
  signed: false,
  photometric: 'RGB',
  planar: false,
  highBit: 7,
  float: false,
  ...more,
})
const UID = '1.2.840.10008.1.2.4.'
const grey = { samples: 1, photometric: 'MONOCHROME2' } as const

// The codestreams are of one picture: without loss every one must give the very same pixels.
const lossless: { file: string; syntax: string; of: string; more?: Partial<FrameFormat> }[] = [
  { file: 'JPEG-LS_Lossless_Image_Compression-RGB-8.jls', syntax: '80', of: 'RGB-8' },
  { file: 'JPEG_2000_Image_Compression__Lossless_Only_-RGB-8.jp2', syntax: '90', of: 'RGB-8' },
  { file: 'JPEG_Lossless__Non-Hierarchical__Process_14_-RGB-8.jpg', syntax: '57', of: 'RGB-8' },
  { file: 'JPEG-LS_Lossless_Image_Compression-GRAYSCALE-8.jls', syntax: '80', of: 'GRAYSCALE-8', more: grey },
  { file: 'JPEG_2000_Image_Compression__Lossless_Only_-GRAYSCALE-8.jp2', syntax: '90', of: 'GRAYSCALE-8', more: grey },
]

for (const { file, syntax, of, more } of lossless) {
  test(`frame decoded: ${file}`, { skip }, async () => {
    const wanted = readFileSync(join(samples, `Explicit_VR_Little_Endian-${of}.raw`))
    const { pixels } = await decoder.decode(readFileSync(join(samples, file)), UID + syntax, format(more))
    assert.ok(Buffer.from(pixels).equals(wanted.subarray(0, pixels.length)))
  })
}

test('frame decoder: refuses what it does not know, and what is not what it says', async () => {
  const png = await sharp({ create: { width: 2, height: 2, channels: 3, background: '#fff' } })
    .png()
    .toBuffer()
  const rows = [
    { uid: '1.2.840.10008.1.2.5', format: format(), code: 'conversion.unsupported' },
    { uid: `${UID}90`, format: format(), code: 'conversion.malformed' },
    { uid: `${UID}90`, format: format({ rows: 65_535, columns: 65_535 }), code: 'conversion.limit' },
  ]
  for (const row of rows) {
    const decoding = decoder.decode(png, row.uid, row.format)
    await assert.rejects(decoding, (thrown) => thrown instanceof ConversionError && thrown.code === row.code)
  }
})
