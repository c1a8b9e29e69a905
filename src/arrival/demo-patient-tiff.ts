import { Buffer } from 'node:buffer'

/** The TIFF side of a dual-personality file. PS3.10 section 7.1; layout as in threats.md section 2. */
export interface TiffPersonality {
  readonly byteOrder: 'II' | 'MM'
  /** BigTIFF: 64-bit offsets. */
  readonly big: boolean
  readonly width: number
  readonly height: number
  readonly tileWidth: number
  readonly tileHeight: number
  readonly samplesPerPixel: number
  readonly bitsPerSample: number
  /** TIFF 6.0: 1 black is zero, 2 RGB, 6 YCbCr. */
  readonly photometric: number
  /** 1 none, 7 JPEG, 33003 and 33005 JPEG 2000. */
  readonly compression: number
  /** Bytes of each tile in the file, row by row. */
  readonly tiles: readonly { readonly offset: number; readonly length: number }[]
  /** More entries, or other values for those above; for making wrong files. */
  readonly entries?: readonly TiffEntry[]
}

/** `type` as in TIFF 6.0 and BigTIFF: 2 ASCII, 3 SHORT, 4 LONG, 5 RATIONAL (two values each), 16 LONG8. */
export interface TiffEntry {
  readonly tag: number
  readonly type: number
  readonly values: readonly number[]
  /** What the entry claims when that is not the number of values. */
  readonly count?: number
}

const TYPE_BYTES: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 16: 8 }

class Packer {
  readonly bytes: Buffer
  readonly #little: boolean

  constructor(length: number, little: boolean) {
    this.bytes = Buffer.alloc(length)
    this.#little = little
  }

  put(value: number, at: number, size: number): void {
    if (size === 8) {
      if (this.#little) this.bytes.writeBigUInt64LE(BigInt(value), at)
      else this.bytes.writeBigUInt64BE(BigInt(value), at)
    } else if (this.#little) this.bytes.writeUIntLE(value, at, size)
    else this.bytes.writeUIntBE(value, at, size)
  }
}

function standardEntries(tiff: TiffPersonality): TiffEntry[] {
  const offsetType = tiff.big ? 16 : 4
  const bits = Array<number>(tiff.samplesPerPixel).fill(tiff.bitsPerSample)
  return [
    { tag: 256, type: 4, values: [tiff.width] },
    { tag: 257, type: 4, values: [tiff.height] },
    { tag: 258, type: 3, values: bits },
    { tag: 259, type: 3, values: [tiff.compression] },
    { tag: 262, type: 3, values: [tiff.photometric] },
    { tag: 277, type: 3, values: [tiff.samplesPerPixel] },
    { tag: 282, type: 5, values: [20000, 1] },
    { tag: 283, type: 5, values: [20000, 1] },
    { tag: 284, type: 3, values: [1] },
    { tag: 296, type: 3, values: [3] },
    { tag: 322, type: 4, values: [tiff.tileWidth] },
    { tag: 323, type: 4, values: [tiff.tileHeight] },
    { tag: 324, type: offsetType, values: tiff.tiles.map(({ offset }) => offset) },
    { tag: 325, type: 4, values: tiff.tiles.map(({ length }) => length) },
    ...(tiff.photometric === 6 ? [{ tag: 530, type: 3, values: [2, 1] }] : []),
  ]
}

/**
 * One image file directory with its out-of-line values behind it.
 *
 * @param at file offset at which it will stand, a multiple of 2
 */
export function imageFileDirectory(tiff: TiffPersonality, at: number, nextIfd = 0): Buffer {
  const own = tiff.entries ?? []
  const entries = [...standardEntries(tiff).filter(({ tag }) => !own.some((entry) => entry.tag === tag)), ...own]
  if (own.every(({ tag }, index) => index === 0 || tag >= own[index - 1]!.tag)) entries.sort((a, b) => a.tag - b.tag)
  const wide = tiff.big ? 8 : 4
  const entryBytes = tiff.big ? 20 : 12
  const headBytes = tiff.big ? 8 : 2
  const fixed = headBytes + entries.length * entryBytes + wide
  const sizes = entries.map(({ type, values }) => (TYPE_BYTES[type] ?? 1) * values.length)
  const extra = sizes.reduce((sum, size) => sum + (size > wide ? size + (size % 2) : 0), 0)
  const packer = new Packer(fixed + extra, tiff.byteOrder === 'II')
  packer.put(entries.length, 0, headBytes)
  let free = fixed
  entries.forEach(({ tag, type, values, count }, index) => {
    const start = headBytes + index * entryBytes
    const size = TYPE_BYTES[type] ?? 1
    packer.put(tag, start, 2)
    packer.put(type, start + 2, 2)
    packer.put(count ?? (type === 5 ? values.length / 2 : values.length), start + 4, wide)
    let where = start + 4 + wide
    if (sizes[index]! > wide) {
      packer.put(at + free, where, wide)
      where = free
      free += sizes[index]! + (sizes[index]! % 2)
    }
    for (const [which, value] of values.entries()) packer.put(value, where + which * size, size)
  })
  packer.put(nextIfd, headBytes + entries.length * entryBytes, wide)
  return packer.bytes
}

/** The header that goes to the start of the preamble. TIFF 6.0 section 2; BigTIFF. */
export function tiffHeader(byteOrder: 'II' | 'MM', big: boolean, firstIfd: number): Buffer {
  const packer = new Packer(big ? 16 : 8, byteOrder === 'II')
  packer.bytes.write(byteOrder, 0, 'latin1')
  packer.put(big ? 43 : 42, 2, 2)
  if (big) packer.put(8, 4, 2)
  packer.put(firstIfd, big ? 8 : 4, big ? 8 : 4)
  return packer.bytes
}

/**
 * Gives a Part 10 file a TIFF side: header in the preamble, directory in Data Set Trailing Padding (FFFC,FFFC).
 *
 * @param file in explicit VR little endian, not deflated, ending with its data set; no element over (FFFC,FFFC)
 */
export function withTiffPersonality(file: Uint8Array, tiff: TiffPersonality): Buffer {
  const at = file.length + 12
  const directory = imageFileDirectory(tiff, at)
  const header = Buffer.from([0xfc, 0xff, 0xfc, 0xff, 0x4f, 0x42, 0, 0, 0, 0, 0, 0])
  header.writeUInt32LE(directory.length, 8)
  const whole = Buffer.concat([file, header, directory])
  tiffHeader(tiff.byteOrder, tiff.big, at).copy(whole, 0)
  return whole
}
