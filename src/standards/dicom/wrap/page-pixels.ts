import type { PdfPage } from '../../media/pdf-of-images.ts'
import { ConversionError } from './conversion-error.ts'

/** How the samples of a frame are to be understood. PS3.3 section C.7.6.3. */
export interface PixelFormat {
  readonly rows: number
  readonly columns: number
  readonly samples: number
  readonly bitsAllocated: number
  readonly bitsStored: number
  readonly signed: boolean
  readonly photometric: string
  /** Colour by plane. */
  readonly planar: boolean
  /** In stored values; null: the range of the values themselves. */
  readonly window: { readonly center: number; readonly width: number } | null
  readonly palette: readonly [Lut, Lut, Lut] | null
}

/** One colour of a palette. PS3.3 section C.7.9. */
export interface Lut {
  readonly entries: number
  /** First stored value that is mapped. */
  readonly first: number
  readonly bits: number
  /** 8 or 16 bits an entry, little endian. */
  readonly bytes: Uint8Array
}

/**
 * Turns the native bytes of a frame (little endian) into what a PDF shows: 1 bit stays 1 bit, the rest becomes 8-bit
 * grey or RGB. More than 8 bits go through the window of the object, else from their least to their greatest value.
 *
 * @throws ConversionError `conversion.malformed` when there are too few bytes, `conversion.unsupported` for colour
 *   spaces that are none of paper
 */
export function toPage(bytes: Uint8Array, format: PixelFormat): PdfPage {
  const { rows, columns, samples, bitsAllocated, photometric } = format
  const grey = photometric === 'MONOCHROME1' || photometric === 'MONOCHROME2'
  const half = photometric === 'YBR_FULL_422'
  const bits = rows * columns * (half ? 2 : samples) * bitsAllocated
  if (rows === 0 || columns === 0 || bytes.length < Math.ceil(bits / 8)) {
    throw new ConversionError('conversion.malformed', `${bytes.length} bytes for ${columns} by ${rows} pixels`)
  }
  const page = { kind: 'pixels', columns, rows } as const
  if (grey && samples === 1) {
    const inverted = photometric === 'MONOCHROME1'
    if (bitsAllocated === 1) return { ...page, samples: 1, bits: 1, inverted, pixels: bitRows(bytes, rows, columns) }
    return { ...page, samples: 1, bits: 8, inverted, pixels: greyBytes(bytes, format) }
  }
  if (photometric === 'PALETTE COLOR' && format.palette !== null) {
    return { ...page, samples: 3, bits: 8, pixels: paletteBytes(bytes, format, format.palette) }
  }
  if (samples !== 3 || bitsAllocated !== 8) {
    const reason = `${samples} samples of ${bitsAllocated} bits in ${photometric || 'no colour space'}`
    throw new ConversionError('conversion.unsupported', reason)
  }
  return { ...page, samples: 3, bits: 8, pixels: colourBytes(bytes, format) }
}

/** DICOM packs pixels one after the other, lowest bit first; a PDF begins rows with a byte, highest bit first. */
function bitRows(bytes: Uint8Array, rows: number, columns: number): Uint8Array {
  const rowBytes = Math.ceil(columns / 8)
  const out = new Uint8Array(rowBytes * rows)
  for (let row = 0, bit = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, bit++) {
      if ((((bytes[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 0) continue
      const at = row * rowBytes + (column >>> 3)
      out[at] = (out[at] ?? 0) | (0x80 >>> (column & 7))
    }
  }
  return out
}

/** Stored value of each pixel, without the bits that are not stored. */
function* storedValues(bytes: Uint8Array, format: PixelFormat): Generator<number> {
  const { rows, columns, bitsAllocated, bitsStored, signed } = format
  if (bitsAllocated !== 8 && bitsAllocated !== 16) {
    throw new ConversionError('conversion.unsupported', `${bitsAllocated} bits allocated`)
  }
  const mask = 2 ** bitsStored - 1
  const sign = 2 ** (bitsStored - 1)
  for (let pixel = 0; pixel < rows * columns; pixel++) {
    const raw = bitsAllocated === 8 ? (bytes[pixel] ?? 0) : (bytes[2 * pixel] ?? 0) | ((bytes[2 * pixel + 1] ?? 0) << 8)
    const value = raw & mask
    yield signed && value >= sign ? value - 2 * sign : value
  }
}

function greyBytes(bytes: Uint8Array, format: PixelFormat): Uint8Array {
  const { rows, columns, bitsAllocated, bitsStored, signed, window } = format
  if (bitsAllocated === 8 && bitsStored === 8 && !signed && window === null) return bytes.slice(0, rows * columns)
  let [low, high] = bitsStored <= 8 && !signed ? [0, 2 ** bitsStored - 1] : [Infinity, -Infinity]
  if (window !== null) {
    // The linear function of PS3.3 section C.11.2.1.2.1.
    low = window.center - 0.5 - (window.width - 1) / 2
    high = window.center - 0.5 + (window.width - 1) / 2
  } else if (low === Infinity) {
    for (const value of storedValues(bytes, format)) {
      low = Math.min(low, value)
      high = Math.max(high, value)
    }
  }
  const range = high - low
  const out = new Uint8Array(rows * columns)
  let at = 0
  for (const value of storedValues(bytes, format)) {
    const level = range > 0 ? (value - low) / range : value > low ? 1 : 0
    out[at++] = Math.round(Math.min(1, Math.max(0, level)) * 255)
  }
  return out
}

function paletteBytes(bytes: Uint8Array, format: PixelFormat, palette: readonly [Lut, Lut, Lut]): Uint8Array {
  const out = new Uint8Array(format.rows * format.columns * 3)
  const colours = palette.map((lut) => {
    const wide = lut.bytes.length >= lut.entries * 2
    return (value: number) => {
      const index = Math.min(lut.entries - 1, Math.max(0, value - lut.first))
      if (!wide) return lut.bytes[index] ?? 0
      // Of 16 bits the upper half counts; with 8 bits an entry that is stored in 16 the lower.
      return lut.bytes[2 * index + (lut.bits > 8 ? 1 : 0)] ?? 0
    }
  })
  let at = 0
  for (const value of storedValues(bytes, format)) for (const colour of colours) out[at++] = colour(value)
  return out
}

function colourBytes(bytes: Uint8Array, format: PixelFormat): Uint8Array {
  const { rows, columns, photometric, planar } = format
  const count = rows * columns
  if (photometric === 'RGB' && !planar) return bytes.slice(0, count * 3)
  const half = photometric === 'YBR_FULL_422'
  if (photometric !== 'RGB' && photometric !== 'YBR_FULL' && !half) {
    throw new ConversionError('conversion.unsupported', `colour space ${photometric || 'not told'}`)
  }
  const out = new Uint8Array(count * 3)
  for (let pixel = 0; pixel < count; pixel++) {
    const pair = (pixel >>> 1) * 4
    const [a = 0, b = 0, c = 0] = half
      ? [bytes[pair + (pixel & 1)], bytes[pair + 2], bytes[pair + 3]]
      : planar
        ? [bytes[pixel], bytes[count + pixel], bytes[2 * count + pixel]]
        : [bytes[3 * pixel], bytes[3 * pixel + 1], bytes[3 * pixel + 2]]
    const colour = photometric === 'RGB' ? [a, b, c] : rgbOf(a, b - 128, c - 128)
    for (let sample = 0; sample < 3; sample++) out[3 * pixel + sample] = colour[sample] ?? 0
  }
  return out
}

/** PS3.3 section C.7.6.3.1.2, YBR_FULL. */
function rgbOf(y: number, blue: number, red: number): number[] {
  const colours = [y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue]
  return colours.map((value) => Math.round(Math.min(255, Math.max(0, value))))
}
