import { type ByteSource, slice } from '../byte-source.ts'
import { walkBoxes } from './boxes.ts'

/** What the movie box of an MP4 says of its video. ISO/IEC 14496-12, -14 and -15. */
export interface Mp4Video {
  /** Four characters of the sample entry: avc1, hvc1, mp4v ... */
  readonly coding: string
  readonly columns: number
  readonly rows: number
  readonly frames: number
  /** Mean, per second. */
  readonly framesPerSecond: number
  /** Of avcC or hvcC; null for other codings. */
  readonly profile: CodecProfile | null
  /** Width to height of one pixel. */
  readonly pixelAspect: readonly [horizontal: number, vertical: number]
  /** Degrees clockwise that a player turns the pictures; null for a transformation that is more than that. */
  readonly rotation: 0 | 90 | 180 | 270 | null
  /** Sample entries of sound tracks. */
  readonly audio: readonly string[]
  readonly videoTracks: number
  /** A fragmented movie counts its frames elsewhere. */
  readonly fragmented: boolean
  readonly brands: readonly string[]
}

export interface CodecProfile {
  readonly codec: 'avc' | 'hevc'
  readonly idc: number
  /** AVC: ten times the level. HEVC: thirty times. */
  readonly levelIdc: number
  /** AVC: the constraint flags byte. */
  readonly constraints: number
  /** HEVC: false for the main tier. */
  readonly highTier: boolean
  /** AVC has it here in High profiles only; null when not said. 1 is 4:2:0. */
  readonly chromaFormat: number | null
  readonly bitDepth: number | null
}

/** Movie boxes are small beside their media; a larger one is not believed. */
const MOVIE_BYTES_MAX = 32 * 1024 * 1024
const TRACKS_MAX = 64

interface Box {
  readonly type: string
  readonly body: ByteSource
}

function children(source: ByteSource, skip = 0): Box[] {
  return walkBoxes(source, skip).boxes.map(({ type, offset, length }) => {
    const header = new Uint8Array(source.read(offset, offset + 4))
    const long = header[0] === 0 && header[1] === 0 && header[2] === 0 && header[3] === 1
    return { type, body: slice(source, offset + (long ? 16 : 8), offset + length) }
  })
}

function child(source: ByteSource, ...path: readonly string[]): ByteSource | null {
  let at: ByteSource = source
  for (const type of path) {
    const found = children(at).find((box) => box.type === type)
    if (found === undefined) return null
    at = found.body
  }
  return at
}

function view(source: ByteSource, start: number, length: number): DataView | null {
  const bytes = new Uint8Array(source.read(start, start + length))
  return bytes.length < length ? null : new DataView(bytes.buffer)
}

function letters(source: ByteSource, start: number): string {
  return String.fromCharCode(...source.read(start, start + 4))
}

/**
 * Reads what an MP4 is made of.
 * @returns null when there is no movie box, or none that makes sense
 */
export function readMp4(source: ByteSource): Mp4Video | null {
  const outer = walkBoxes(source)
  const [first] = outer.boxes
  const movieBox = outer.boxes.find(({ type }) => type === 'moov')
  if (first?.type !== 'ftyp' || movieBox === undefined || movieBox.length > MOVIE_BYTES_MAX) return null
  const movie = child(source, 'moov')
  if (movie === null) return null
  const boxes = children(movie)
  const tracks = boxes.filter(({ type }) => type === 'trak').slice(0, TRACKS_MAX)
  const kinds = tracks.map(({ body }) => ({ body, handler: handlerOf(body) }))
  const videos = kinds.filter(({ handler }) => handler === 'vide')
  const video = videos[0]?.body
  if (video === undefined) return null
  const read = readVideoTrack(video)
  if (read === null) return null
  const fragmented = boxes.some(({ type }) => type === 'mvex') || outer.boxes.some(({ type }) => type === 'moof')
  const audio = kinds.filter(({ handler }) => handler === 'soun').map(({ body }) => entryOf(body)?.type ?? '')
  return { ...read, videoTracks: videos.length, fragmented, audio, brands: brandsOf(source, first.length) }
}

function brandsOf(source: ByteSource, length: number): string[] {
  const brands: string[] = []
  for (let at = 8; at + 4 <= Math.min(length, 1024); at += 4) if (at !== 12) brands.push(letters(source, at))
  return brands
}

function handlerOf(track: ByteSource): string {
  const handler = child(track, 'mdia', 'hdlr')
  return handler === null ? '' : letters(handler, 8)
}

function entryOf(track: ByteSource): Box | undefined {
  const descriptions = child(track, 'mdia', 'minf', 'stbl', 'stsd')
  return descriptions === null ? undefined : children(descriptions, 8)[0]
}

function readVideoTrack(track: ByteSource): Omit<Mp4Video, 'videoTracks' | 'fragmented' | 'audio' | 'brands'> | null {
  const entry = entryOf(track)
  const sizes = child(track, 'mdia', 'minf', 'stbl', 'stsz') ?? child(track, 'mdia', 'minf', 'stbl', 'stz2')
  const media = child(track, 'mdia', 'mdhd')
  const header = child(track, 'tkhd')
  if (entry === undefined || sizes === null || media === null || header === null) return null
  const shape = view(entry.body, 24, 4)
  const count = view(sizes, 8, 4)?.getUint32(0)
  const time = mediaTime(media)
  if (shape === null || count === undefined || time === null) return null
  const boxes = children(entry.body, 78)
  const aspect = boxes.find(({ type }) => type === 'pasp')?.body
  const pixel = aspect === undefined ? null : view(aspect, 0, 8)
  const seconds = time.duration / time.timescale
  return {
    coding: entry.type,
    columns: shape.getUint16(0),
    rows: shape.getUint16(2),
    frames: count,
    framesPerSecond: seconds > 0 ? count / seconds : 0,
    profile: profileOf(boxes),
    pixelAspect: pixel === null ? [1, 1] : [pixel.getUint32(0), pixel.getUint32(4)],
    rotation: rotationOf(header),
  }
}

function mediaTime(media: ByteSource): { timescale: number; duration: number } | null {
  const version = media.read(0, 1)[0]
  const fields = version === 1 ? view(media, 20, 12) : view(media, 12, 8)
  if (fields === null) return null
  const timescale = fields.getUint32(0)
  const duration = version === 1 ? Number(fields.getBigUint64(4)) : fields.getUint32(4)
  return timescale === 0 ? null : { timescale, duration }
}

/** By the transformation matrix of the track header, 16.16 fixed point. */
function rotationOf(header: ByteSource): Mp4Video['rotation'] {
  const matrix = view(header, header.read(0, 1)[0] === 1 ? 52 : 40, 20)
  if (matrix === null) return null
  const [a, b, c, d] = [matrix.getInt32(0), matrix.getInt32(4), matrix.getInt32(12), matrix.getInt32(16)].map(
    (value) => value / 65_536,
  )
  const is = (...wanted: readonly number[]) => wanted[0] === a && wanted[1] === b && wanted[2] === c && wanted[3] === d
  if (is(1, 0, 0, 1)) return 0
  if (is(0, 1, -1, 0)) return 90
  if (is(-1, 0, 0, -1)) return 180
  return is(0, -1, 1, 0) ? 270 : null
}

/** AVC and HEVC decoder configuration records. ISO/IEC 14496-15 sections 5.3.3 and 8.3.3. */
function profileOf(boxes: readonly Box[]): CodecProfile | null {
  const avc = boxes.find(({ type }) => type === 'avcC')?.body
  if (avc !== undefined) {
    const fields = view(avc, 0, 4)
    if (fields === null) return null
    const more = avcExtension(avc)
    return {
      codec: 'avc',
      idc: fields.getUint8(1),
      constraints: fields.getUint8(2),
      levelIdc: fields.getUint8(3),
      highTier: false,
      ...more,
    }
  }
  const hevc = boxes.find(({ type }) => type === 'hvcC')?.body
  const fields = hevc === undefined ? null : view(hevc, 0, 19)
  if (fields === null) return null
  return {
    codec: 'hevc',
    idc: fields.getUint8(1) & 31,
    highTier: (fields.getUint8(1) & 32) !== 0,
    constraints: 0,
    levelIdc: fields.getUint8(12),
    chromaFormat: fields.getUint8(16) & 3,
    bitDepth: (fields.getUint8(17) & 7) + 8,
  }
}

/** Chroma format and bit depth stand behind the parameter sets. */
function avcExtension(avc: ByteSource): { chromaFormat: number | null; bitDepth: number | null } {
  const unknown = { chromaFormat: null, bitDepth: null }
  let at = 5
  for (const mask of [31, 255]) {
    const sets = avc.read(at, at + 1)[0]
    if (sets === undefined) return unknown
    at += 1
    for (let index = 0; index < (sets & mask); index++) {
      const length = view(avc, at, 2)?.getUint16(0)
      if (length === undefined) return unknown
      at += 2 + length
    }
  }
  const tail = view(avc, at, 2)
  return tail === null ? unknown : { chromaFormat: tail.getUint8(0) & 3, bitDepth: (tail.getUint8(1) & 7) + 8 }
}
