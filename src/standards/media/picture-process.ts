/**
 * The process that decodes one picture: the original on standard input, a line of JSON and the pixels on standard
 * output, or, where a longest edge is asked for, a small upright JPEG without metadata. Started by picture-decoder.ts for a single picture, because a decoder of untrusted files may be made to
 * crash or to run code: here it has no secrets, no open stores, and a limit on everything.
 */
import { buffer } from 'node:stream/consumers'
import sharp from 'sharp'

const pixelsMax = Number(process.argv[2])
const edgeMax = Number(process.argv[3] ?? 0)
sharp.concurrency(1)
sharp.cache(false)
const input = await buffer(process.stdin)
const picture = sharp(input, { limitInputPixels: pixelsMax, failOn: 'error', pages: 1, unlimited: false })
const { format, orientation = 1, space = '', compression = '', pages = 1 } = await picture.metadata()
// An EXIF orientation is applied, transparency becomes white: DICOM has neither, and a viewer may ignore the first.
const upright = picture.autoOrient().flatten({ background: '#ffffff' })
if (edgeMax > 0) {
  const size = { width: edgeMax, height: edgeMax, fit: 'inside', withoutEnlargement: true } as const
  process.stdout.write(await upright.resize(size).toColourspace('srgb').jpeg({ quality: 85 }).toBuffer())
} else {
  const grey = space === 'b-w' || space === 'grey16'
  const { data, info } = await upright
    .toColourspace(grey ? 'b-w' : 'srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  const { width, height, channels } = info
  const head = { format, width, height, channels, orientation, compression, pages }
  process.stdout.write(`${JSON.stringify(head)}\n`)
  process.stdout.write(data)
}
