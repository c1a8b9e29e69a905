import sharp, { type Sharp } from 'sharp'
import type { Raster } from '#standards/pixels/raster.ts'
import type { Picture, PictureWish, SourceRegion, Viewport } from './render-job.ts'

sharp.concurrency(1)
sharp.cache(false)

/** Milliseconds a frame of an animation is shown. */
const FRAME_MS = 66

/**
 * Encodes rasters of one size as one picture; several only as GIF, one after the other. The region of the viewport is
 * cut out and flipped first, then made to fit. PS3.18 section 8.3.5.1.3.
 */
export async function encodePicture(rasters: readonly Raster[], wish: PictureWish): Promise<Picture> {
  const prepared = await Promise.all(rasters.map((raster) => placed(raster, wish.viewport)))
  const [first] = prepared
  if (first === undefined) throw new RangeError('no frame')
  const { width, height, channels } = first.info
  const all = prepared.length === 1 ? first.data : Buffer.concat(prepared.map(({ data }) => data))
  const raw = { width, height: height * prepared.length, channels: channels as 1 | 3 }
  const picture = sharp(all, { raw: prepared.length === 1 ? raw : { ...raw, pageHeight: height } })
  const bytes = await typed(picture, wish).toBuffer()
  return { bytes: new Uint8Array(bytes), type: wish.type, columns: width, rows: height }
}

function placed(raster: Raster, viewport: Viewport | null) {
  const { columns: width, rows: height, channels } = raster
  let picture = sharp(raster.pixels, { raw: { width, height, channels } })
  if (channels === 1) picture = picture.toColourspace('b-w')
  if (viewport !== null) {
    const { region } = viewport
    if (region !== null) picture = cut(picture, region, raster)
    const fit = { fit: 'inside', kernel: 'lanczos3' } as const
    picture = picture.resize(viewport.width, viewport.height, fit)
  }
  return picture.raw().toBuffer({ resolveWithObject: true })
}

function cut(picture: Sharp, region: SourceRegion, { columns, rows }: Raster): Sharp {
  const left = Math.min(region.x, columns - 1)
  const top = Math.min(region.y, rows - 1)
  const width = Math.min(Math.abs(region.width) || columns, columns - left)
  const height = Math.min(Math.abs(region.height) || rows, rows - top)
  return picture
    .extract({ left, top, width, height })
    .flop(region.width < 0)
    .flip(region.height < 0)
}

function typed(picture: Sharp, { type, quality }: PictureWish): Sharp {
  if (type === 'image/png') return picture.png({ compressionLevel: 6 })
  if (type === 'image/gif') return picture.gif({ delay: FRAME_MS, loop: 0 })
  if (type === 'image/webp') return picture.webp({ quality })
  return picture.jpeg({ quality, chromaSubsampling: '4:4:4' })
}
