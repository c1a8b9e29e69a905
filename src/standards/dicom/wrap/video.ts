import type { ByteSource } from '../../byte-source.ts'
import { tellDocumentType } from '../../media/document-type.ts'
import { type CodecProfile, type Mp4Video, readMp4 } from '../../media/mp4.ts'
import { type Mpeg2Video, readMpeg2 } from '../../media/mpeg2.ts'
import { SOP_CLASS } from '../uids.ts'
import type { ValueRange } from '../write.ts'
import { type Attributes, decimal } from './attributes.ts'
import { ConversionError } from './conversion-error.ts'
import { type DicomFace, makeFace, VALUE_BYTES_MAX } from './face.ts'
import { commonInstanceReference, type FaceIdentity, sourceItems } from './identity.ts'
import { type PhotographDetails, sceneAttributes } from './photograph.ts'

/** What a video is to DICOM. */
export interface VideoShape {
  readonly transferSyntaxUid: string
  readonly columns: number
  readonly rows: number
  readonly frames: number
  readonly framesPerSecond: number
  readonly bitsStored: 8 | 10
  /** Height to width of one pixel, for Pixel Aspect Ratio (0028,0034); absent for square ones. */
  readonly pixelAspect?: readonly [vertical: number, horizontal: number]
  /** Lossy Image Compression Method. PS3.3 section C.7.6.1.1.5.1. */
  readonly method: 'ISO_13818_2' | 'ISO_14496_10' | 'ISO_23008_2'
}

const MPEG2_MAIN = '1.2.840.10008.1.2.4.100'
const MPEG2_HIGH = '1.2.840.10008.1.2.4.101'
const AVC_41 = '1.2.840.10008.1.2.4.102'
const AVC_42_2D = '1.2.840.10008.1.2.4.104'
const AVC_STEREO = '1.2.840.10008.1.2.4.106'
const HEVC_MAIN = '1.2.840.10008.1.2.4.107'
const HEVC_MAIN10 = '1.2.840.10008.1.2.4.108'

/** Sound that may stand beside pictures: LPCM, AC-3, AAC, MP3, MPEG-1 layer II. PS3.5 section 8.2.12. */
const SOUND = new Set(['mp4a', 'ac-3', '.mp3', 'lpcm', 'sowt', 'twos', 'ipcm'])

function refuse(reason: string): never {
  throw new ConversionError('conversion.unsupported', reason)
}

/**
 * Says which transfer syntax a video has.
 *
 * H.264: Constrained Baseline, Main and High to level 4.1 (a decoder of High Profile reads all three), above it to 4.2;
 * Stereo High to 4.2. H.265: Main and Main 10, main tier, to level 5.1. MPEG-2: Main Profile at Main Level in the two
 * television formats, at High Level in 1920 by 1080 and 1280 by 720. PS3.5 sections 8.2.5 to 8.2.11 and Annex A.4.
 *
 * @throws ConversionError `conversion.unsupported` with the reason for a video that fits none; `conversion.type` for
 *   what is no video; `conversion.malformed` for one whose headers do not lead anywhere
 */
export function videoShape(source: ByteSource): VideoShape {
  const type = tellDocumentType(source)?.is
  if (type === 'quicktime') refuse('a QuickTime file: DICOM takes MP4 and MPEG transport streams')
  if (type === 'mp4') return mp4Shape(source)
  if (type === 'mpeg') return mpeg2Shape(source)
  throw new ConversionError('conversion.type', 'the bytes are of no known video type')
}

function mp4Shape(source: ByteSource): VideoShape {
  const video = readMp4(source)
  if (video === null) throw new ConversionError('conversion.malformed', 'an MP4 without a movie box of a video')
  if (video.fragmented) refuse('a fragmented MP4: its movie box does not count the frames')
  if (video.videoTracks !== 1) refuse(`${video.videoTracks} video tracks`)
  for (const sound of video.audio) if (!SOUND.has(sound)) refuse(`sound of kind ${printable(sound)}`)
  if (video.profile === null) refuse(`coding ${printable(video.coding)}: neither H.264 nor H.265`)
  if (video.frames === 0 || video.columns === 0 || video.rows === 0 || video.framesPerSecond === 0) {
    throw new ConversionError('conversion.malformed', 'a movie without frames, size or duration')
  }
  const [horizontal, vertical] = video.pixelAspect
  // Pixel Aspect Ratio is absent for H.264 and H.265: their samples are square. PS3.5 sections 8.2.7 to 8.2.11.
  if (horizontal !== vertical) refuse(`pixels of ${horizontal} to ${vertical}: DICOM takes square ones`)
  const { profile } = video
  const avc = profile.codec === 'avc'
  return {
    transferSyntaxUid: avc ? avcSyntax(profile) : hevcSyntax(profile),
    ...shapeOf(video),
    bitsStored: !avc && profile.idc === 2 ? 10 : 8,
    method: avc ? 'ISO_14496_10' : 'ISO_23008_2',
  }
}

function printable(coding: string): string {
  return coding.replace(/[^\x20-\x7e]/g, '?')
}

function shapeOf({ columns, rows, frames, framesPerSecond }: Mp4Video | Mpeg2Video) {
  return { columns, rows, frames, framesPerSecond }
}

function avcSyntax({ idc, constraints, levelIdc, chromaFormat, bitDepth }: CodecProfile): string {
  const level = `${Math.floor(levelIdc / 10)}.${levelIdc % 10}`
  if (bitDepth !== null && bitDepth !== 8) refuse(`H.264 with ${bitDepth} bits a sample`)
  if (chromaFormat !== null && chromaFormat !== 1) refuse('H.264 with another chroma format than 4:2:0')
  if (levelIdc > 42) refuse(`H.264 level ${level}: the highest that DICOM takes is 4.2`)
  if (idc === 128) return AVC_STEREO
  // Baseline has tools that Main and High lack; constraint set 1 says that they are not used.
  const constrained = idc === 66 && (constraints & 0x40) !== 0
  if (idc !== 100 && idc !== 77 && !constrained) refuse(`H.264 profile ${idc}: DICOM takes High and what it contains`)
  return levelIdc <= 41 ? AVC_41 : AVC_42_2D
}

function hevcSyntax({ idc, levelIdc, highTier, chromaFormat, bitDepth }: CodecProfile): string {
  if (idc !== 1 && idc !== 2) refuse(`H.265 profile ${idc}: DICOM takes Main and Main 10`)
  if (highTier) refuse('H.265 of the high tier: DICOM takes the main tier')
  if (levelIdc > 153) refuse(`H.265 level ${levelIdc / 30}: the highest that DICOM takes is 5.1`)
  if (chromaFormat !== 1) refuse('H.265 with another chroma format than 4:2:0')
  if (bitDepth !== 8 && (idc === 1 || bitDepth !== 10)) refuse(`H.265 with ${bitDepth} bits a sample`)
  return idc === 1 ? HEVC_MAIN : HEVC_MAIN10
}

/** Columns, rows and frames per second that Main Level and High Level are taken in. PS3.5 Tables 8.2.5-1 and 8.2.6-1. */
const FORMATS: {
  readonly [uid: string]: readonly (readonly [columns: number, rows: number, rates: readonly number[]])[]
} = {
  [MPEG2_MAIN]: [
    [720, 480, [30]],
    [720, 576, [25]],
  ],
  [MPEG2_HIGH]: [
    [1920, 1080, [25, 30]],
    [1280, 720, [25, 30, 50, 60]],
  ],
}

function mpeg2Shape(source: ByteSource): VideoShape {
  const video = readMpeg2(source)
  if (video === null) refuse('no MPEG-2 video in the stream')
  const { profile, level, chromaFormat, columns, rows } = video
  if (profile !== 'main') refuse(`MPEG-2 ${profile ?? 'unknown'} profile: DICOM takes Main`)
  if (chromaFormat !== 1) refuse('MPEG-2 with another chroma format than 4:2:0')
  if (video.frames === 0) throw new ConversionError('conversion.malformed', 'a stream without pictures')
  const uid = level === 'main' ? MPEG2_MAIN : level === 'high' || level === 'high-1440' ? MPEG2_HIGH : null
  if (uid === null) refuse(`MPEG-2 ${level ?? 'unknown'} level: DICOM takes Main and High`)
  // 30 stands for 29.97 too.
  const rate = Math.round(video.framesPerSecond)
  const fits = FORMATS[uid]?.some(([c, r, rates]) => c === columns && r === rows && rates.includes(rate))
  if (fits !== true) refuse(`MPEG-2 of ${columns} by ${rows} at ${rate} frames a second is no format of DICOM`)
  return {
    transferSyntaxUid: uid,
    ...shapeOf(video),
    bitsStored: 8,
    method: 'ISO_13818_2',
    ...mpeg2Aspect(video),
  }
}

/** From the shape of the picture to that of one pixel. */
function mpeg2Aspect({ aspect, columns, rows }: Mpeg2Video): Pick<VideoShape, 'pixelAspect'> {
  const picture = aspect === 2 ? [4, 3] : aspect === 3 ? [16, 9] : null
  const [across = 1, down = 1] = picture ?? []
  const [vertical, horizontal] = [columns * down, rows * across]
  if (picture === null || vertical === horizontal) return {}
  const divisor = greatestCommonDivisor(vertical, horizontal)
  return { pixelAspect: [vertical / divisor, horizontal / divisor] }
}

function greatestCommonDivisor(a: number, b: number): number {
  let [larger, smaller] = [a, b]
  while (smaller > 0) [larger, smaller] = [smaller, larger % smaller]
  return larger
}

export interface WrapVideoOptions {
  /** Longest fragment in bytes, even; smaller than the limit of the format only in tests. */
  readonly fragmentBytesMax?: number
}

/**
 * Makes a Video Photographic Image around a video, whose bytes stay as they are. A stream above 4 GiB is cut into
 * fragments, in the fragmentable twin of its transfer syntax where there is one.
 * Encapsulated Pixel Data Value Total Length (7FE0,0003) keeps the exact length. A rotation that the movie box asks
 * for stays in the stream: Rows and Columns are those that are coded.
 *
 * @throws ConversionError as videoShape does
 * @see PS3.3 A.32.7 and C.7.6.3.1.8
 */
export function wrapVideo(
  source: ByteSource,
  identity: FaceIdentity,
  details: PhotographDetails = {},
  { fragmentBytesMax = VALUE_BYTES_MAX }: WrapVideoOptions = {},
): DicomFace {
  const shape = videoShape(source)
  const fragments: ValueRange[] = []
  for (let offset = 0; offset < source.size; offset += fragmentBytesMax) {
    fragments.push({ source, offset, length: Math.min(fragmentBytesMax, source.size - offset), bigEndian: false })
  }
  // The transfer syntaxes of H.265 are fragmentable as they are. PS3.5 sections 8.2.10 and 8.2.11.
  const twin = fragments.length > 1 && shape.method !== 'ISO_23008_2'
  const sources = details.sources ?? []
  return makeFace(identity, {
    sopClassUid: SOP_CLASS.videoPhotographic,
    transferSyntaxUid: twin ? `${shape.transferSyntaxUid}.1` : shape.transferSyntaxUid,
    modality: 'XC',
    face: 'video-photographic',
    attributes: () => ({
      ...sceneAttributes(details),
      ...videoAttributes(shape, source.size),
      SourceImageSequence: sources.length === 0 ? undefined : sourceItems(sources),
      ...(sources.length === 0 ? {} : commonInstanceReference(identity.study.uid, sources)),
      PixelData: { is: 'fragments', fragments: [new Uint8Array(0), ...fragments] },
    }),
  })
}

/** Image Pixel, Cine, Multi-frame and VL Image modules. PS3.3 sections C.7.6.3, C.7.6.5, C.7.6.6 and C.8.12.1. */
function videoAttributes(shape: VideoShape, lengthBytes: number): Attributes {
  const { columns, rows, frames, framesPerSecond, bitsStored, pixelAspect } = shape
  const ratio = (columns * rows * 3 * frames * bitsStored) / 8 / lengthBytes
  const length = new Uint8Array(8)
  new DataView(length.buffer).setBigUint64(0, BigInt(lengthBytes), true)
  return {
    ImageType: ['ORIGINAL', 'PRIMARY'],
    SamplesPerPixel: 3,
    PhotometricInterpretation: 'YBR_PARTIAL_420',
    PlanarConfiguration: 0,
    Rows: rows,
    Columns: columns,
    PixelAspectRatio: pixelAspect?.map(String),
    BitsAllocated: bitsStored === 8 ? 8 : 16,
    BitsStored: bitsStored,
    HighBit: bitsStored - 1,
    PixelRepresentation: 0,
    NumberOfFrames: String(frames),
    FrameIncrementPointer: '00181063',
    FrameTime: decimal(Math.round(1e9 / framesPerSecond) / 1e6),
    CineRate: String(Math.max(1, Math.round(framesPerSecond))),
    LossyImageCompression: '01',
    LossyImageCompressionRatio: decimal(Math.max(0.01, Math.round(ratio * 100) / 100)),
    LossyImageCompressionMethod: shape.method,
    EncapsulatedPixelDataValueTotalLength: length,
  }
}
