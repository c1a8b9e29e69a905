/** Media type of one frame's bytes as PS3.18 Table 8.7.3-5 names it; null when frames are native pixels. */
export type FrameMediaType =
  | 'image/jpeg'
  | 'image/jls'
  | 'image/jp2'
  | 'image/jpx'
  | 'image/jphc'
  | 'image/jxl'
  | 'image/dicom-rle'
  | 'application/x-deflate'
  | 'video/mpeg'
  | 'video/mp4'
  | 'video/H265'

/** How a data set is written. PS3.5 section 10 and Annex A. */
export interface TransferSyntax {
  readonly uid: string
  readonly name: string
  readonly explicit: boolean
  readonly bigEndian: boolean
  readonly deflated: boolean
  readonly encapsulated: boolean
  /** True when the pixels may differ from what was encoded. */
  readonly lossy: boolean
  readonly frameMediaType: FrameMediaType | null
  /** True when all frames are one stream that cannot be cut at fragment boundaries. */
  readonly multiFrameVideo: boolean
}

export const IMPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2'
export const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1'
export const DEFLATED_LITTLE_ENDIAN = '1.2.840.10008.1.2.1.99'
export const EXPLICIT_BIG_ENDIAN = '1.2.840.10008.1.2.2'
export const RLE_LOSSLESS = '1.2.840.10008.1.2.5'

type Kind = 'lossless' | 'lossy' | 'video'

// Last components under 1.2.840.10008.1.2.4; retired ones are still read. PS3.6 Table A-1.
const encapsulated: readonly (readonly [suffix: string, name: string, media: FrameMediaType, kind: Kind])[] = [
  ['50', 'JPEG Baseline (Process 1)', 'image/jpeg', 'lossy'],
  ['51', 'JPEG Extended (Process 2 & 4)', 'image/jpeg', 'lossy'],
  ['52', 'JPEG Extended (Process 3 & 5)', 'image/jpeg', 'lossy'],
  ['53', 'JPEG Spectral Selection, Non-Hierarchical (Process 6 & 8)', 'image/jpeg', 'lossy'],
  ['54', 'JPEG Spectral Selection, Non-Hierarchical (Process 7 & 9)', 'image/jpeg', 'lossy'],
  ['55', 'JPEG Full Progression, Non-Hierarchical (Process 10 & 12)', 'image/jpeg', 'lossy'],
  ['56', 'JPEG Full Progression, Non-Hierarchical (Process 11 & 13)', 'image/jpeg', 'lossy'],
  ['57', 'JPEG Lossless, Non-Hierarchical (Process 14)', 'image/jpeg', 'lossless'],
  ['58', 'JPEG Lossless, Non-Hierarchical (Process 15)', 'image/jpeg', 'lossless'],
  ['59', 'JPEG Extended, Hierarchical (Process 16 & 18)', 'image/jpeg', 'lossy'],
  ['60', 'JPEG Extended, Hierarchical (Process 17 & 19)', 'image/jpeg', 'lossy'],
  ['61', 'JPEG Spectral Selection, Hierarchical (Process 20 & 22)', 'image/jpeg', 'lossy'],
  ['62', 'JPEG Spectral Selection, Hierarchical (Process 21 & 23)', 'image/jpeg', 'lossy'],
  ['63', 'JPEG Full Progression, Hierarchical (Process 24 & 26)', 'image/jpeg', 'lossy'],
  ['64', 'JPEG Full Progression, Hierarchical (Process 25 & 27)', 'image/jpeg', 'lossy'],
  ['65', 'JPEG Lossless, Hierarchical (Process 28)', 'image/jpeg', 'lossless'],
  ['66', 'JPEG Lossless, Hierarchical (Process 29)', 'image/jpeg', 'lossless'],
  ['70', 'JPEG Lossless, Non-Hierarchical, First-Order Prediction', 'image/jpeg', 'lossless'],
  ['80', 'JPEG-LS Lossless', 'image/jls', 'lossless'],
  ['81', 'JPEG-LS Lossy (Near-Lossless)', 'image/jls', 'lossy'],
  ['90', 'JPEG 2000 (Lossless Only)', 'image/jp2', 'lossless'],
  ['91', 'JPEG 2000', 'image/jp2', 'lossy'],
  ['92', 'JPEG 2000 Part 2 Multi-component (Lossless Only)', 'image/jpx', 'lossless'],
  ['93', 'JPEG 2000 Part 2 Multi-component', 'image/jpx', 'lossy'],
  ['100', 'MPEG2 Main Profile / Main Level', 'video/mpeg', 'video'],
  ['100.1', 'Fragmentable MPEG2 Main Profile / Main Level', 'video/mpeg', 'video'],
  ['101', 'MPEG2 Main Profile / High Level', 'video/mpeg', 'video'],
  ['101.1', 'Fragmentable MPEG2 Main Profile / High Level', 'video/mpeg', 'video'],
  ['102', 'MPEG-4 AVC/H.264 High Profile / Level 4.1', 'video/mp4', 'video'],
  ['102.1', 'Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1', 'video/mp4', 'video'],
  ['103', 'MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1', 'video/mp4', 'video'],
  ['103.1', 'Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1', 'video/mp4', 'video'],
  ['104', 'MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video', 'video/mp4', 'video'],
  ['104.1', 'Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video', 'video/mp4', 'video'],
  ['105', 'MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video', 'video/mp4', 'video'],
  ['105.1', 'Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video', 'video/mp4', 'video'],
  ['106', 'MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2', 'video/mp4', 'video'],
  ['106.1', 'Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2', 'video/mp4', 'video'],
  ['107', 'HEVC/H.265 Main Profile / Level 5.1', 'video/H265', 'video'],
  ['108', 'HEVC/H.265 Main 10 Profile / Level 5.1', 'video/H265', 'video'],
  ['110', 'JPEG XL Lossless', 'image/jxl', 'lossless'],
  ['111', 'JPEG XL JPEG Recompression', 'image/jxl', 'lossy'],
  ['112', 'JPEG XL', 'image/jxl', 'lossy'],
  ['201', 'High-Throughput JPEG 2000 (Lossless Only)', 'image/jphc', 'lossless'],
  ['202', 'High-Throughput JPEG 2000 with RPCL Options (Lossless Only)', 'image/jphc', 'lossless'],
  ['203', 'High-Throughput JPEG 2000', 'image/jphc', 'lossy'],
]

function native(uid: string, name: string, explicit: boolean, bigEndian: boolean, deflated: boolean): TransferSyntax {
  return {
    uid,
    name,
    explicit,
    bigEndian,
    deflated,
    encapsulated: false,
    lossy: false,
    frameMediaType: null,
    multiFrameVideo: false,
  }
}

function compressed(uid: string, name: string, media: FrameMediaType, kind: Kind): TransferSyntax {
  return {
    ...native(uid, name, true, false, false),
    encapsulated: true,
    lossy: kind !== 'lossless',
    frameMediaType: media,
    multiFrameVideo: kind === 'video',
  }
}

const syntaxes = new Map<string, TransferSyntax>()
for (const syntax of [
  native(IMPLICIT_LITTLE_ENDIAN, 'Implicit VR Little Endian', false, false, false),
  native(EXPLICIT_LITTLE_ENDIAN, 'Explicit VR Little Endian', true, false, false),
  // One uncompressed frame per fragment. PS3.5 section A.4.11.
  {
    ...native('1.2.840.10008.1.2.1.98', 'Encapsulated Uncompressed Explicit VR Little Endian', true, false, false),
    encapsulated: true,
  },
  native(DEFLATED_LITTLE_ENDIAN, 'Deflated Explicit VR Little Endian', true, false, true),
  native(EXPLICIT_BIG_ENDIAN, 'Explicit VR Big Endian', true, true, false),
  native('1.2.840.10008.1.20', 'Papyrus 3 Implicit VR Little Endian', false, false, false),
  compressed('1.2.840.10008.1.2.8.1', 'Deflated Image Frame Compression', 'application/x-deflate', 'lossless'),
  compressed(RLE_LOSSLESS, 'RLE Lossless', 'image/dicom-rle', 'lossless'),
  ...encapsulated.map(([suffix, name, media, kind]) => compressed(`1.2.840.10008.1.2.4.${suffix}`, name, media, kind)),
]) {
  syntaxes.set(syntax.uid, syntax)
}

/** What a Transfer Syntax UID means; undefined for one the standard does not define for data sets in files. */
export function transferSyntax(uid: string): TransferSyntax | undefined {
  return syntaxes.get(uid)
}

/** Every transfer syntax read here, for conformance statements and presentation contexts. */
export function transferSyntaxes(): readonly TransferSyntax[] {
  return [...syntaxes.values()]
}
