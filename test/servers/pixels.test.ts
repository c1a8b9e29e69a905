/** Pictures of real files beside those that dcmtk draws with the same window. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import sharp from 'sharp'
import { memorySource } from '#standards/byte-source.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { openFrameDecoder } from '#standards/media/frame-decoder.ts'
import { greyTransformOf } from '#standards/pixels/grey-transform.ts'
import { picturesOf, renderFrame } from '#standards/pixels/render-frame.ts'

const samples = process.env['DIPTYCH_SAMPLES'] ?? '../shared/data'
const folder = mkdtempSync(join(tmpdir(), 'diptych-pixels-'))
const decoder = openFrameDecoder()
after(async () => {
  rmSync(folder, { recursive: true, force: true })
  await decoder.close()
})

/** Most a channel may differ: both round, and colour is converted with other constants. */
const GREY_APART = 1
const COLOUR_APART = 4

// dcm2pnm reads no JPEG-LS and no JPEG 2000 here; its 12-bit and lossless JPEG go through dcmj2pnm.
const files: { path: string; program?: string; apart?: number }[] = [
  { path: 'part10/pixel/SC_rgb_16bit.dcm', apart: COLOUR_APART },
  { path: 'part10/pixel/SC_ybr_full_422_uncompressed.dcm', apart: COLOUR_APART },
  { path: 'part10/pixel/SC_ybr_full_uncompressed.dcm', apart: COLOUR_APART },
  { path: 'part10/pixel/US-PAL-8-10x-echo', apart: COLOUR_APART },
  { path: 'part10/pixel/color-pl.dcm', apart: COLOUR_APART },
  { path: 'part10/pixel/color-px.dcm', apart: COLOUR_APART },
  { path: 'part10/pixel/examples_palette.dcm', apart: COLOUR_APART },
  { path: 'part10/pixel/mlut_18.dcm' },
  { path: 'part10/pixel/vlut_04.dcm' },
  { path: 'part10/pixel/test16signed.dcm' },
  { path: 'part10/pixel/NM-MONO2-16-13x-heart' },
  { path: 'part10/transfer-syntaxes/ExplVR_BigEnd.dcm' },
  { path: 'part10/transfer-syntaxes/MR_small_RLE.dcm' },
  { path: 'part10/transfer-syntaxes/JPEG-LL.dcm', program: 'dcmj2pnm' },
  { path: 'part10/transfer-syntaxes/JPGExtended.dcm', program: 'dcmj2pnm' },
  { path: 'part10/transfer-syntaxes/same-ct/ct_1.2.840.10008.1.2.dcm' },
]

for (const { path, program = 'dcm2pnm', apart = GREY_APART } of files) {
  const file = join(samples, path)
  test(path, { skip: existsSync(file) ? false : `no ${file}` }, async () => {
    const pictures = picturesOf(openPart10(memorySource(readFileSync(file))))
    assert.ok(pictures !== null)
    const ours = await renderFrame(pictures, 1, decoder.decode, { overlays: false })
    const { voi } = greyTransformOf(pictures.dataSet, 1, pictures.format.photometric)
    const window = pictures.format.samples > 1 || voi.is === 'range' ? '+Wm' : voi.is === 'table' ? '+Wl' : '+Wi'
    const values = window === '+Wm' ? [window] : [window, '1']
    const grey = ours.channels === 1 ? values : []
    const png = join(folder, 'theirs.png')
    execFileSync(program, ['-O', '+F', '1', ...grey, '+on', file, png], { stdio: 'pipe', timeout: 60_000 })
    const theirs = await sharp(readFileSync(png)).raw().toBuffer({ resolveWithObject: true })
    assert.deepEqual([theirs.info.width, theirs.info.height], [ours.columns, ours.rows])
    let most = 0
    for (let i = 0; i < ours.rows * ours.columns; i++) {
      for (let c = 0; c < ours.channels; c++) {
        const their = theirs.data[i * theirs.info.channels + Math.min(c, theirs.info.channels - 1)] ?? 0
        most = Math.max(most, Math.abs((ours.pixels[i * ours.channels + c] ?? 0) - their))
      }
    }
    assert.ok(most <= apart, `a channel differs by ${most}`)
  })
}
