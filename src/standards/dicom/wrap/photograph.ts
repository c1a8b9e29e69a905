import type { ByteSource } from '../../byte-source.ts'
import { type JpegHeader, readJpegHeader } from '../../media/jpeg.ts'
import { EXPLICIT_LITTLE_ENDIAN } from '../transfer-syntax.ts'
import { SOP_CLASS } from '../uids.ts'
import { rangeOf } from '../write.ts'
import { type Attributes, type CodedConcept, codeSequence, decimal, shortened } from './attributes.ts'
import { ConversionError } from './conversion-error.ts'
import { type DicomFace, makeFace, VALUE_BYTES_MAX } from './face.ts'
import { commonInstanceReference, type FaceIdentity, type SourceInstance, sourceItems } from './identity.ts'

export const JPEG_BASELINE = '1.2.840.10008.1.2.4.50'
export const JPEG_EXTENDED = '1.2.840.10008.1.2.4.51'

/** What is known of a photograph beside whom it shows. */
export interface PhotographDetails {
  /** CID 4031 and the like. */
  readonly anatomicRegion?: CodedConcept
  readonly laterality?: 'R' | 'L' | 'U' | 'B'
  readonly comments?: string
  /** Whether the pixels show who the patient is, other than by being a picture of them. */
  readonly burnedInAnnotation?: boolean
  /** A face, a tattoo: by this the patient can be recognised. */
  readonly recognizable?: boolean
  readonly acquisitionDateTime?: string
  readonly sources?: readonly SourceInstance[]
}

/** Pixels of a picture that was decoded: 8 bits a sample, RGB or grey, rows from the top. */
export interface DecodedPicture {
  readonly columns: number
  readonly rows: number
  readonly samples: 1 | 3
  readonly pixels: Uint8Array
  /** Set when the original was compressed with loss: its media type and length in bytes. */
  readonly lossy?: { readonly mediaType: 'image/jpeg' | 'image/tiff'; readonly lengthBytes: number }
  /** EXIF orientation that was applied, 2 to 8. */
  readonly turned?: number
}

/** How a picture can become a VL Photographic Image. */
export type PhotographPlan =
  | {
      readonly how: 'as-is'
      readonly transferSyntaxUid: string
      readonly photometric: string
      readonly jpeg: JpegHeader
    }
  | { readonly how: 'decode'; readonly why: string }

/**
 * Says whether a picture can be carried without touching it. Only a JPEG can, and only one that shows itself right way
 * up: DICOM has no attribute for the EXIF orientation, so a viewer would show it lying or mirrored, left for right.
 * Such a picture, and any other, is decoded and turned upright first (picture-decoder.ts).
 *
 * @throws ConversionError `conversion.malformed` for a JPEG without a readable header
 * @see PS3.3 section C.8.12.1 (VL Image) and PS3.5 section 8.2.1
 */
export function planPhotograph(source: ByteSource): PhotographPlan {
  const mark = source.read(0, 3)
  if (mark[0] !== 0xff || mark[1] !== 0xd8) return { how: 'decode', why: 'not a JPEG' }
  const jpeg = readJpegHeader(source)
  if (jpeg === null) throw new ConversionError('conversion.malformed', 'a JPEG without a frame header')
  const { startOfFrame, bitsPerSample, components, orientation } = jpeg
  if (startOfFrame !== 0xc0 && startOfFrame !== 0xc1) {
    return {
      how: 'decode',
      why: startOfFrame === 0xc2 ? 'progressive, which DICOM retired' : 'neither baseline nor extended',
    }
  }
  if (bitsPerSample !== 8) return { how: 'decode', why: `${bitsPerSample} bits a sample` }
  if (components.length !== 1 && components.length !== 3)
    return { how: 'decode', why: `${components.length} components` }
  if (orientation !== 1) return { how: 'decode', why: `EXIF orientation ${orientation}` }
  return {
    how: 'as-is',
    transferSyntaxUid: startOfFrame === 0xc0 ? JPEG_BASELINE : JPEG_EXTENDED,
    photometric: photometricOf(jpeg),
    jpeg,
  }
}

/**
 * Photometric Interpretation of a JPEG: the colour space of its components. For YCbCr the standard has one term,
 * YBR_FULL_422, whatever the sampling factors are; those the codestream says itself. PS3.5 section 8.2.1.
 */
export function photometricOf({
  components,
  adobeTransform,
  jfif,
}: JpegHeader): 'MONOCHROME2' | 'RGB' | 'YBR_FULL_422' {
  if (components.length === 1) return 'MONOCHROME2'
  if (jfif) return 'YBR_FULL_422'
  if (adobeTransform !== null) return adobeTransform === 0 ? 'RGB' : 'YBR_FULL_422'
  const ids = components.map(({ id }) => String.fromCharCode(id)).join('')
  return ids === 'RGB' ? 'RGB' : 'YBR_FULL_422'
}

/** Method of the compression that the pixels went through once, for Lossy Image Compression Method (0028,2114). */
const METHOD = 'ISO_10918_1'

/**
 * Makes a VL Photographic Image around a JPEG, whose bytes stay as they are, metadata included.
 * Extended Offset Table Lengths (7FE0,0002) keeps the exact length, so that unwrapping gives back the same file.
 *
 * @throws ConversionError `conversion.unsupported` for what planPhotograph says must be decoded; `conversion.limit`
 */
export function wrapJpeg(source: ByteSource, identity: FaceIdentity, details: PhotographDetails = {}): DicomFace {
  const plan = planPhotograph(source)
  if (plan.how === 'decode') throw new ConversionError('conversion.unsupported', `must be decoded first: ${plan.why}`)
  if (source.size > VALUE_BYTES_MAX)
    throw new ConversionError('conversion.limit', 'longer than a fragment can be: 4 GiB')
  const { jpeg, photometric } = plan
  const samples = jpeg.components.length
  const ratio = (jpeg.rows * jpeg.columns * samples) / source.size
  return photograph(identity, details, plan.transferSyntaxUid, {
    ...pixelAttributes(jpeg.rows, jpeg.columns, samples, photometric),
    ImageType: ['ORIGINAL', 'PRIMARY'],
    ...lossy(ratio),
    ExtendedOffsetTable: number64(0),
    ExtendedOffsetTableLengths: number64(source.size),
    PixelData: {
      is: 'fragments',
      fragments: [new Uint8Array(0), { source, offset: 0, length: source.size, bigEndian: false }],
    },
  })
}

/**
 * Makes an uncompressed VL Photographic Image of decoded pixels.
 * @throws ConversionError `conversion.malformed` when the pixels do not fill the picture; `conversion.limit`
 */
export function wrapPixels(
  picture: DecodedPicture,
  identity: FaceIdentity,
  details: PhotographDetails = {},
): DicomFace {
  const { columns, rows, samples, pixels } = picture
  if (!isSide(columns) || !isSide(rows)) throw new ConversionError('conversion.limit', 'a side above 65535 pixels')
  if (pixels.length !== columns * rows * samples) {
    throw new ConversionError('conversion.malformed', `${pixels.length} bytes for ${columns} by ${rows} pixels`)
  }
  const turned = picture.turned === undefined ? [] : [`turned upright, EXIF orientation ${picture.turned}`]
  const from = picture.lossy === undefined ? [] : [`decoded from ${picture.lossy.mediaType}`]
  const derived = [...from, ...turned]
  return photograph(identity, details, EXPLICIT_LITTLE_ENDIAN, {
    ...pixelAttributes(rows, columns, samples, samples === 1 ? 'MONOCHROME2' : 'RGB'),
    ImageType: [derived.length === 0 ? 'ORIGINAL' : 'DERIVED', 'PRIMARY'],
    DerivationDescription: derived.length === 0 ? undefined : derived.join('; '),
    ...(picture.lossy === undefined
      ? { LossyImageCompression: '00' }
      : lossy(pixels.length / picture.lossy.lengthBytes)),
    'PixelData OB': { is: 'range', range: rangeOf(pixels) },
  })
}

function isSide(pixels: number): boolean {
  return Number.isInteger(pixels) && pixels > 0 && pixels <= 0xffff
}

function lossy(ratio: number): Attributes {
  return {
    LossyImageCompression: '01',
    LossyImageCompressionRatio: decimal(Math.max(0.01, Math.round(ratio * 100) / 100)),
    LossyImageCompressionMethod: METHOD,
  }
}

/** One 64-bit number, little endian, for OV. */
function number64(value: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true)
  return bytes
}

/** Image Pixel and VL Image modules. PS3.3 sections C.7.6.3 and C.8.12.1. */
function pixelAttributes(rows: number, columns: number, samples: number, photometric: string): Attributes {
  return {
    SamplesPerPixel: samples,
    PhotometricInterpretation: photometric,
    PlanarConfiguration: samples === 1 ? undefined : 0,
    Rows: rows,
    Columns: columns,
    BitsAllocated: 8,
    BitsStored: 8,
    HighBit: 7,
    PixelRepresentation: 0,
  }
}

function photograph(
  identity: FaceIdentity,
  details: PhotographDetails,
  transferSyntaxUid: string,
  image: Attributes,
): DicomFace {
  const sources = details.sources ?? []
  return makeFace(identity, {
    sopClassUid: SOP_CLASS.vlPhotographic,
    transferSyntaxUid,
    modality: 'XC',
    face: 'vl-photographic',
    attributes: () => ({
      ...sceneAttributes(details),
      ...image,
      SourceImageSequence: sources.length === 0 ? undefined : sourceItems(sources),
      ...(sources.length === 0 ? {} : commonInstanceReference(identity.study.uid, sources)),
    }),
  })
}

/** General Image, Acquisition Context and anatomy, for photographs and videos. PS3.3 C.7.6.1, C.7.6.14, C.8.12.1. */
export function sceneAttributes(details: PhotographDetails): Attributes {
  const flag = (value: boolean | undefined) => (value === undefined ? undefined : value ? 'YES' : 'NO')
  return {
    PatientOrientation: '',
    AcquisitionContextSequence: [],
    AcquisitionDateTime: details.acquisitionDateTime,
    AnatomicRegionSequence: details.anatomicRegion === undefined ? undefined : codeSequence(details.anatomicRegion),
    // One of the two must be there; an empty one says that nobody knows. PS3.3 section C.7.3.1.
    ...(details.laterality === undefined ? { Laterality: '' } : { ImageLaterality: details.laterality }),
    ImageComments: details.comments === undefined ? undefined : shortened(details.comments, 10_240),
    BurnedInAnnotation: flag(details.burnedInAnnotation),
    RecognizableVisualFeatures: flag(details.recognizable),
  }
}
