import { bytesOf, type DataSet, number, numbers, string } from '../dicom/data-set.ts'
import { swapBytes } from '../dicom/value-representation.ts'
import type { Raster } from './raster.ts'

/** A bitmap over an image. PS3.3 section C.9.2. */
export interface OverlayPlane {
  readonly rows: number
  readonly columns: number
  /** Of its upper left corner in the image, from 0; may be negative. */
  readonly top: number
  readonly left: number
  /** 1 bit a pixel, lowest first, beginning at `firstBit`. */
  readonly bits: Uint8Array
  readonly firstBit: number
}

const PLANES_MAX = 16

/**
 * The graphic overlays of a frame that have data of their own. Regions of interest are no graphics, and bits of
 * overlays inside Pixel Data were retired in 2004.
 * @param frame from 1
 */
export function overlayPlanes(dataSet: DataSet, frame: number): OverlayPlane[] {
  return Array.from({ length: PLANES_MAX }, (_, i) => planeOf(dataSet, 0x60000000 + i * 0x20000, frame)).filter(
    (plane) => plane !== null,
  )
}

function planeOf(dataSet: DataSet, group: number, frame: number): OverlayPlane | null {
  const element = dataSet.get(group + 0x3000)
  const rows = number(dataSet, group + 0x0010) ?? 0
  const columns = number(dataSet, group + 0x0011) ?? 0
  if (element === undefined || rows <= 0 || columns <= 0 || string(dataSet, group + 0x0040) === 'R') return null
  const frames = number(dataSet, group + 0x0015) ?? 1
  const index = frame - (number(dataSet, group + 0x0051) ?? 1)
  // Without frames of its own an overlay lies over every frame.
  if (frames > 1 && (index < 0 || index >= frames)) return null
  const [top = 1, left = 1] = numbers(dataSet, group + 0x0050)
  const bits = new Uint8Array(bytesOf(dataSet, element))
  if (dataSet.encoding.bigEndian && element.vr !== 'OB') swapBytes(bits, 2)
  const firstBit = frames > 1 ? index * rows * columns : 0
  if ((firstBit + rows * columns) / 8 > bits.length) return null
  return { rows, columns, top: top - 1, left: left - 1, bits, firstBit }
}

/** Draws overlays in white. */
export function drawOverlays(raster: Raster, planes: readonly OverlayPlane[]): void {
  for (const { rows, columns, top, left, bits, firstBit } of planes) {
    for (let row = Math.max(0, -top); row < rows && row + top < raster.rows; row++) {
      for (let column = Math.max(0, -left); column < columns && column + left < raster.columns; column++) {
        const bit = firstBit + row * columns + column
        if ((((bits[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 0) continue
        const at = ((row + top) * raster.columns + column + left) * raster.channels
        raster.pixels.fill(255, at, at + raster.channels)
      }
    }
  }
}
