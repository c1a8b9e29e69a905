/**
 * The process that decodes one picture: the original on standard input, a line of JSON and the pixels on standard
 * output. Started by picture-decoder.ts for a single picture, because a decoder of untrusted files may be made to
 * crash or to run code: here it has no secrets, no open stores, and a limit on everything.
 */
import { buffer } from 'node:stream/consumers'
import sharp from 'sharp'

const pixelsMax = Number(process.argv[2])
sharp.concurrency(1)
sharp.cache(false)
const input = await buffer(process.stdin)
const picture = sharp(input, { limitInputPixels: pixelsMax, failOn: 'error', pages: 1, unlimited: false })
const { format, orientation = 1, space = '', compression = '', pages = 1 } = await picture.metadata()
const grey = space === 'b-w' || space === 'grey16'
// An EXIF orientation is applied, transparency becomes white: DICOM has neither.
const { data, info } = await picture
  .autoOrient()
  .flatten({ background: '#ffffff' })
  .toColourspace(grey ? 'b-w' : 'srgb')
  .raw({ depth: 'uchar' })
  .toBuffer({ resolveWithObject: true })
const { width, height, channels } = info
const head = { format, width, height, channels, orientation, compression, pages }
process.stdout.write(`${JSON.stringify(head)}\n`)
process.stdout.write(data)
