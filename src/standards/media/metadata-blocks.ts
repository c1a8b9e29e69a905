import zlib from 'node:zlib'
import { type ByteSource, slice } from '../byte-source.ts'
import { TAG, walkExif } from './exif-directories.ts'
import { heifItems } from './heif-items.ts'
import type { Range } from './patch.ts'

/** A stretch of a picture that describes it. */
export interface MetadataBlock {
  /** `exif`: a TIFF structure; `xmp`: an RDF packet; `iptc`: IIM records; `text`: one that is packed, so only told. */
  readonly is: 'exif' | 'xmp' | 'iptc' | 'text'
  /** Of its content, in order. */
  readonly ranges: readonly Range[]
  /** Of the PNG chunk around it: type and data (checked by CRC), and the chunk whole. */
  readonly chunk?: { readonly checked: Range; readonly whole: Range }
}

export interface MetadataBlocks {
  readonly blocks: readonly MetadataBlock[]
  /** False when the structure could not be followed to its end: there may be more. */
  readonly whole: boolean
}

const BLOCKS_MAX = 10_000
const CHUNK_BYTES = 4 * 1024 * 1024
const OVERLAP_BYTES = 128

const EXIF = Buffer.from('Exif\0')
const XMP = Buffer.from('http://ns.adobe.com/xap/1.0/\0')
const XMP_MORE = Buffer.from('http://ns.adobe.com/xmp/extension/\0')
const PHOTOSHOP = Buffer.from('Photoshop 3.0\0')
/** GUID, full length, offset of the chunk: between the name and the packet's part. XMP specification part 3, 1.1.3.1. */
const XMP_MORE_BYTES = 40

/** Where EXIF, XMP and IPTC of a picture are. */
export function metadataBlocks(word: 'jpeg' | 'png' | 'tiff' | 'heic', source: ByteSource): MetadataBlocks {
  if (word === 'jpeg') return jpegBlocks(source)
  if (word === 'png') return pngBlocks(source)
  if (word === 'tiff') return tiffBlocks(source)
  const { items, whole } = heifItems(source)
  const blocks = items.map(({ is, extents }) => (is === 'xmp' ? { is, ranges: extents } : exifItem(source, extents)))
  const found = blocks.filter((block) => block !== null)
  return { blocks: found, whole: whole && found.length === items.length }
}

/** Four bytes say how far behind them the TIFF header is. ISO/IEC 23008-12 annex A.2.1. Only whole items are read. */
function exifItem(source: ByteSource, extents: readonly Range[]): MetadataBlock | null {
  const [only, ...others] = extents
  if (only === undefined || others.length > 0 || only.end - only.start < 12) return null
  const head = source.read(only.start, only.start + 4)
  const skip = new DataView(head.buffer, head.byteOffset, 4).getUint32(0)
  const start = only.start + 4 + skip
  return start + 8 > only.end ? null : { is: 'exif', ranges: [{ start, end: only.end }] }
}

/**
 * Every application segment in the file, wherever it stands: previews and further pictures behind the first have their
 * own. A mark, a length and a name in a row are no chance. JEITA CP-3451 section 4.5.4, CIPA DC-007.
 */
function jpegBlocks(source: ByteSource): MetadataBlocks {
  const blocks: MetadataBlock[] = []
  const more: Range[] = []
  let from = 0
  while (from < source.size && blocks.length + more.length < BLOCKS_MAX) {
    const end = Math.min(source.size, from + CHUNK_BYTES)
    const chunk = Buffer.from(Uint8Array.from(source.read(from, Math.min(source.size, end + OVERLAP_BYTES))))
    for (let at = chunk.indexOf(0xff); at >= 0 && at < end - from; at = chunk.indexOf(0xff, at + 1)) {
      const marker = chunk[at + 1]
      if ((marker !== 0xe1 && marker !== 0xed) || at + 4 > chunk.byteLength) continue
      const length = chunk.readUInt16BE(at + 2)
      const last = Math.min(source.size, from + at + 2 + length)
      const begins = (mark: Buffer) => chunk.subarray(at + 4, at + 4 + mark.byteLength).equals(mark)
      const content = (skip: number): Range => ({ start: Math.min(last, from + at + 4 + skip), end: last })
      if (marker === 0xed) {
        if (begins(PHOTOSHOP)) blocks.push({ is: 'iptc', ranges: [content(PHOTOSHOP.byteLength)] })
      } else if (begins(EXIF)) blocks.push({ is: 'exif', ranges: [content(EXIF.byteLength + 1)] })
      else if (begins(XMP)) blocks.push({ is: 'xmp', ranges: [content(XMP.byteLength)] })
      else if (begins(XMP_MORE)) more.push(content(XMP_MORE.byteLength + XMP_MORE_BYTES))
    }
    from = end
  }
  if (more.length > 0) blocks.push({ is: 'xmp', ranges: more })
  return { blocks, whole: from >= source.size }
}

const PNG_HEAD_BYTES = 8
const XMP_KEYWORD = 'XML:com.adobe.xmp'

/** PNG (third edition) section 5.3, 11.3.3 and 11.3.4; EXIF in eXIf, XMP in iTXt, both in text chunks of old. */
function pngBlocks(source: ByteSource): MetadataBlocks {
  const blocks: MetadataBlock[] = []
  let at = PNG_HEAD_BYTES
  let ended = false
  while (at + 12 <= source.size && !ended && blocks.length < BLOCKS_MAX) {
    const head = Uint8Array.from(source.read(at, at + 8))
    const length = new DataView(head.buffer).getUint32(0)
    const type = String.fromCharCode(...head.subarray(4, 8))
    const data = at + 8
    if (data + length + 4 > source.size) break
    const chunk = { checked: { start: at + 4, end: data + length }, whole: { start: at, end: data + length + 4 } }
    if (type === 'eXIf') blocks.push({ is: 'exif', ranges: [{ start: data, end: data + length }], chunk })
    else if (type === 'iTXt' || type === 'zTXt' || type === 'tEXt') {
      const block = textChunk(type, source, data, data + length)
      if (block !== null) blocks.push({ ...block, chunk })
    }
    ended = type === 'IEND'
    at = data + length + 4
  }
  return { blocks, whole: ended }
}

function textChunk(type: string, source: ByteSource, start: number, end: number): MetadataBlock | null {
  const head = Buffer.from(Uint8Array.from(source.read(start, Math.min(end, start + 512))))
  const zero = head.indexOf(0)
  if (zero < 1) return null
  const keyword = head.toString('latin1', 0, zero)
  if (/^raw profile type/i.test(keyword)) return { is: 'text', ranges: [{ start, end }] }
  if (keyword !== XMP_KEYWORD) return null
  if (type !== 'iTXt' || head[zero + 1] !== 0) return { is: 'text', ranges: [{ start, end }] }
  const language = head.indexOf(0, zero + 3)
  const translated = language < 0 ? -1 : head.indexOf(0, language + 1)
  return translated < 0
    ? { is: 'text', ranges: [{ start, end }] }
    : { is: 'xmp', ranges: [{ start: start + translated + 1, end }] }
}

function tiffBlocks(source: ByteSource): MetadataBlocks {
  const exif = walkExif(source)
  if (exif === null) return { blocks: [], whole: false }
  const blocks: MetadataBlock[] = [{ is: 'exif', ranges: [{ start: 0, end: source.size }] }]
  for (const { fields } of exif.directories) {
    for (const { tag, valueOffset, valueLength } of fields) {
      const ranges = [{ start: valueOffset, end: valueOffset + valueLength }]
      if (tag === TAG.xmp) blocks.push({ is: 'xmp', ranges })
      else if (tag === TAG.iptc) blocks.push({ is: 'iptc', ranges })
    }
  }
  return { blocks, whole: exif.whole }
}

/** The first EXIF structure of a picture, as a source of its own; null when there is none. */
export function firstExif(word: 'jpeg' | 'png' | 'tiff' | 'heic', source: ByteSource): ByteSource | null {
  for (const { is, ranges } of metadataBlocks(word, source).blocks) {
    const [range] = ranges
    if (is === 'exif' && range !== undefined) return slice(source, range.start, range.end)
  }
  return null
}

/** CRC of a PNG chunk, as four bytes. PNG section 5.5. */
export function chunkCrc(checked: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, zlib.crc32(checked))
  return bytes
}
