import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import type { FrameFormat } from './frame-format.ts'
import { decodedFrame } from './render-frame.ts'

const format: FrameFormat = {
  ...{ rows: 2, columns: 3, samples: 1, bitsAllocated: 8, bitsStored: 8, highBit: 7 },
  ...{ signed: false, float: false, photometric: 'MONOCHROME2', planar: false },
}
const DEFLATED_FRAMES = '1.2.840.10008.1.2.8.1'
const none = () => assert.fail('no codec is needed')

test('deflated frames are inflated', async () => {
  const pixels = Uint8Array.of(1, 2, 3, 4, 5, 6)
  const { bytes } = await decodedFrame(deflateRawSync(pixels), DEFLATED_FRAMES, format, none)
  assert.deepEqual([...bytes], [...pixels])
})

for (const [name, frame] of [
  ['no deflate stream', Uint8Array.of(255, 255, 255)],
  ['more than its pixels', deflateRawSync(new Uint8Array(100_000))],
] as const) {
  test(`a deflated frame is refused: ${name}`, async () => {
    await assert.rejects(decodedFrame(frame, DEFLATED_FRAMES, format, none), { code: 'dicom.malformed' })
  })
}
