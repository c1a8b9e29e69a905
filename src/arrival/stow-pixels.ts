import { ArchiveError } from '#errors.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import type { WriteDataSet } from '#standards/dicom/write.ts'
import { type Codestream, readCodestream } from '#standards/dicomweb/codestream.ts'
import type { MediaType } from '#standards/dicomweb/media-type.ts'

/** Compressed pixels of a consumer format, as they go into Pixel Data. */
export interface ConsumerPixels {
  readonly transferSyntaxUID: string
  /** Where the bare code stream is within the part, in bytes. */
  readonly start: number
  readonly length: number
  /** Adds what is missing of the Image Pixel Description; what the sender said stays. */
  describe(dataSet: WriteDataSet): void
}

/** Longest file beginning that is searched for a code stream header, in bytes. */
const HEADER_BYTES_MAX = 1024 * 1024

const ALIASES: { readonly [essence: string]: string } = {
  'image/x-dicom-rle': 'image/dicom-rle',
  'image/x-jls': 'image/jls',
  'image/jpg': 'image/jpeg',
  'video/h265': 'video/H265',
}

/**
 * Takes a consumer format as Pixel Data without touching its pixels. PS3.18 section 10.5 and Table 8.7.3-5.
 *
 * @returns undefined when the part holds native pixels
 * @throws ArchiveError 'request.media-type' for a format that cannot be encapsulated, or is not what it says
 */
export function consumerPixels(type: MediaType | undefined, source: ByteSource): ConsumerPixels | undefined {
  const essence = ALIASES[type?.essence ?? ''] ?? type?.essence ?? 'application/octet-stream'
  const named = transferSyntax(type?.params.get('transfer-syntax') ?? '')
  if (essence === 'application/octet-stream' && named?.encapsulated !== true) return undefined
  const codestream = readCodestream(source.read(0, Math.min(source.size, HEADER_BYTES_MAX)), source.size)
  const syntax = named?.encapsulated === true ? named : transferSyntax(codestream?.transferSyntaxUID ?? '')
  if (syntax?.frameMediaType == null || (essence !== 'application/octet-stream' && essence !== syntax.frameMediaType)) {
    const detail = `pixels of type ${essence} cannot be encapsulated, or are not of that type`
    throw new ArchiveError('request.media-type', detail, {
      hint: 'Send JPEG, JPEG-LS or JPEG 2000, or name the transfer syntax in the Content-Type of the part.',
    })
  }
  return {
    transferSyntaxUID: syntax.uid,
    start: codestream?.start ?? 0,
    length: codestream?.length ?? source.size,
    describe: (dataSet) => {
      if (codestream !== undefined) describe(dataSet, codestream, syntax.lossy)
    },
  }
}

function describe(dataSet: WriteDataSet, image: Codestream, lossy: boolean): void {
  const short = (tag: number, value: number) => {
    if (dataSet.has(tag)) return
    dataSet.set(tag, { tag, vr: 'US', value: { is: 'bytes', bytes: Uint8Array.of(value & 0xff, value >> 8) } })
  }
  const code = (tag: number, text: string) => {
    if (dataSet.has(tag)) return
    dataSet.set(tag, { tag, vr: 'CS', value: { is: 'bytes', bytes: Buffer.from(text, 'latin1') } })
  }
  short(0x00280002, image.samples)
  code(0x00280004, image.photometricInterpretation)
  if (image.samples > 1) short(0x00280006, 0)
  short(0x00280010, image.rows)
  short(0x00280011, image.columns)
  short(0x00280100, image.bits > 8 ? 16 : 8)
  short(0x00280101, image.bits)
  short(0x00280102, image.bits - 1)
  short(0x00280103, image.signed ? 1 : 0)
  if (lossy) code(0x00282110, '01')
}
