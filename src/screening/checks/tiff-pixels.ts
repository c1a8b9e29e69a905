import type { ByteSource } from '#standards/byte-source.ts'
import type { TransferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { readNumbers, type TiffHeader, type TiffIfd, type TiffWalk } from '#standards/media/tiff.ts'
import type { BodyFacts } from '../body-facts.ts'
import type { TiffPlaces } from './dual-personality.ts'

type Range = { readonly start: number; readonly end: number }

/** Most strips or tiles of one directory that are looked at: 4 million tiles. */
const TILES_MAX = 4_000_000

function numbers(
  source: ByteSource,
  header: TiffHeader,
  ifd: TiffIfd,
  tag: number,
  max = TILES_MAX,
): readonly number[] | null {
  const entry = ifd.entries.find((candidate) => candidate.tag === tag)
  return entry === undefined ? null : readNumbers(source, header, entry, max)
}

/** threats.md section 2 rule 6: one of strips or tiles, arrays of one length, every range inside pixels. */
export function pixelProblem(source: ByteSource, header: TiffHeader, ifd: TiffIfd, where: TiffPlaces): string | null {
  const strips = ifd.entries.some(({ tag }) => tag === 273 || tag === 279)
  const tiles = ifd.entries.some(({ tag }) => tag === 324 || tag === 325)
  if (strips === tiles) return strips ? 'strips and tiles in one directory' : 'neither strips nor tiles'
  if (ifd.entries.some(({ tag, count }) => (tag === 273 || tag === 324) && count > TILES_MAX))
    return `more than ${TILES_MAX} tiles`
  const offsets = numbers(source, header, ifd, strips ? 273 : 324)
  const counts = numbers(source, header, ifd, strips ? 279 : 325)
  if (offsets === null || counts === null || offsets.length !== counts.length || offsets.length === 0) {
    return 'offsets and lengths do not match one another'
  }
  for (let i = 0; i < offsets.length; i++) {
    const start = offsets[i] as number
    const length = counts[i] as number
    if (start === 0 && length === 0) continue
    if (!inside(where.pixels, start, start + length) && !inside(where.pyramid, start, start + length)) {
      return `${strips ? 'strip' : 'tile'} ${i + 1} lies at ${start}, outside the pixels`
    }
  }
  return null
}

/** Whether one range of the ascending list holds all of `[start, end)`. Binary search: slides have many fragments. */
function inside(ranges: readonly Range[], start: number, end: number): boolean {
  let low = 0
  let high = ranges.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const range = ranges[middle] as Range
    if (start < range.start) high = middle - 1
    else if (start >= range.end) low = middle + 1
    else return end <= range.end
  }
  return false
}

/** Compression schemes of TIFF by what a DICOM frame may hold. */
function compressionFits(compression: number, syntax: TransferSyntax): boolean {
  if (!syntax.encapsulated) return compression === 1
  switch (syntax.frameMediaType) {
    case 'image/jpeg':
      return compression === 7
    case 'image/jp2':
    case 'image/jpx':
      return compression === 33003 || compression === 33004 || compression === 33005 || compression === 34712
    default:
      return false
  }
}

/** threats.md section 2 rule 7; null when TIFF and image agree. */
export function agreementProblem(
  source: ByteSource,
  header: TiffHeader,
  walk: TiffWalk,
  body: BodyFacts,
  where: TiffPlaces,
  syntax: TransferSyntax,
): string | null {
  const attribute = (tag: number) => body.number.get(tag)
  const rows = attribute(0x00280010)
  const columns = attribute(0x00280011)
  const samples = attribute(0x00280002) ?? 1
  const allocated = attribute(0x00280100)
  const bitsStored = attribute(0x00280101) ?? allocated
  if (
    allocated !== undefined &&
    allocated > 8 &&
    !syntax.encapsulated &&
    header.littleEndian === body.encoding.bigEndian
  ) {
    return 'the byte order of the TIFF is not that of the pixels'
  }
  for (const ifd of walk.ifds) {
    if (ifd.kind !== 'image') continue
    const one = (tag: number) => numbers(source, header, ifd, tag, 1)?.[0]
    const tiled = one(324) !== undefined
    const offsets = numbers(source, header, ifd, tiled ? 324 : 273) ?? []
    const used = offsets.find((offset) => offset !== 0)
    if (used !== undefined && !inside(where.pixels, used, used)) continue // a level of the private pyramid
    const compression = one(259) ?? 1
    if (!compressionFits(compression, syntax)) return `TIFF compression ${compression} over ${syntax.name}`
    if ((one(277) ?? 1) !== samples) return `${one(277) ?? 1} samples in the TIFF, ${samples} in the image`
    for (const bits of numbers(source, header, ifd, 258, 16) ?? []) {
      if (bits !== allocated && bits !== bitsStored) return `${bits} bits in the TIFF, ${allocated} in the image`
    }
    const [width, height] = [one(256), one(257)]
    if (tiled) {
      const [total, totalRows] = [attribute(0x00480006) ?? columns, attribute(0x00480007) ?? rows]
      if (width !== total || height !== totalRows)
        return `${width} x ${height} in the TIFF, ${total} x ${totalRows} in the image`
      if (one(322) !== columns || one(323) !== rows)
        return `tiles of ${one(322)} x ${one(323)} over frames of ${columns} x ${rows}`
    } else if (width !== columns || height !== rows) {
      return `${width} x ${height} in the TIFF, ${columns} x ${rows} in the image`
    }
  }
  return null
}
