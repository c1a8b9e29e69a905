import type { ByteSource } from '../byte-source.ts'

/** What the header of a JPEG says. ISO/IEC 10918-1 Annex B. */
export interface JpegHeader {
  /** Start of frame marker, 0xC0 to 0xCF: 0xC0 baseline, 0xC1 extended, 0xC2 progressive, 0xC3 lossless. */
  readonly startOfFrame: number
  readonly bitsPerSample: number
  readonly columns: number
  readonly rows: number
  readonly components: readonly JpegComponent[]
  /** Colour transform of the Adobe segment: 0 none, 1 YCbCr, 2 YCCK; null without that segment. */
  readonly adobeTransform: number | null
  /** A JFIF segment: then colours are YCbCr. ISO/IEC 10918-5. */
  readonly jfif: boolean
  /** EXIF Orientation, 1 to 8; 1 when nothing is said. */
  readonly orientation: number
}

export interface JpegComponent {
  readonly id: number
  /** Sampling factors. */
  readonly horizontal: number
  readonly vertical: number
}

const SEGMENTS_MAX = 10_000

/**
 * Reads the segments of a JPEG up to its first scan.
 * @returns null when it is no JPEG, is cut short or has no frame header
 */
export function readJpegHeader(source: ByteSource, start = 0, end = source.size): JpegHeader | null {
  const mark = source.read(start, start + 2)
  if (mark[0] !== 0xff || mark[1] !== 0xd8) return null
  let adobeTransform: number | null = null
  let jfif = false
  let orientation = 1
  let at = start + 2
  for (let count = 0; count < SEGMENTS_MAX && at + 4 <= end; count++) {
    const head = source.read(at, at + 4)
    const marker = head[1] ?? 0
    if (head[0] !== 0xff) return null
    if (marker === 0xff) {
      at += 1 // fill byte
      continue
    }
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
      at += 2
      continue
    }
    const length = ((head[2] ?? 0) << 8) | (head[3] ?? 0)
    if (length < 2 || at + 2 + length > end || marker === 0xda || marker === 0xd9) return null
    const body = new Uint8Array(source.read(at + 4, at + 2 + length))
    if (isStartOfFrame(marker)) {
      const frame = readFrame(body)
      return frame === null ? null : { startOfFrame: marker, ...frame, adobeTransform, jfif, orientation }
    }
    if (marker === 0xe0 && beginsWith(body, 'JFIF\0')) jfif = true
    else if (marker === 0xee && beginsWith(body, 'Adobe') && body.length >= 12) adobeTransform = body[11] ?? 0
    else if (marker === 0xe1 && beginsWith(body, 'Exif\0\0'))
      orientation = exifOrientation(body.subarray(6)) ?? orientation
    at += 2 + length
  }
  return null
}

/** SOF0 to SOF15 without the tables that share the range: DHT, JPG, DAC. */
function isStartOfFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
}

function beginsWith(bytes: Uint8Array, text: string): boolean {
  for (let index = 0; index < text.length; index++) if (bytes[index] !== text.charCodeAt(index)) return false
  return true
}

function readFrame(body: Uint8Array): Pick<JpegHeader, 'bitsPerSample' | 'columns' | 'rows' | 'components'> | null {
  if (body.length < 6) return null
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const count = body[5] ?? 0
  if (count === 0 || body.length < 6 + 3 * count) return null
  const components = Array.from({ length: count }, (_, index) => {
    const factors = body[7 + 3 * index] ?? 0
    return { id: body[6 + 3 * index] ?? 0, horizontal: factors >>> 4, vertical: factors & 15 }
  })
  const rows = view.getUint16(1)
  const columns = view.getUint16(3)
  return rows === 0 || columns === 0 ? null : { bitsPerSample: body[0] ?? 0, rows, columns, components }
}

/** Orientation (0112) of the first image file directory. EXIF 2.32 section 4.6.4. */
function exifOrientation(tiff: Uint8Array): number | null {
  if (tiff.length < 14) return null
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength)
  const mark = view.getUint16(0)
  if (mark !== 0x4949 && mark !== 0x4d4d) return null
  const little = mark === 0x4949
  const directory = view.getUint32(4, little)
  if (directory + 2 > tiff.length) return null
  const entries = view.getUint16(directory, little)
  for (let index = 0; index < entries; index++) {
    const at = directory + 2 + 12 * index
    if (at + 12 > tiff.length) return null
    if (view.getUint16(at, little) !== 0x0112) continue
    const value = view.getUint16(at + 8, little)
    return value >= 1 && value <= 8 ? value : null
  }
  return null
}
