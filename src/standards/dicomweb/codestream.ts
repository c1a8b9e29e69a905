/** What the header of a compressed image says of it: enough for the Image Pixel Description. PS3.3 section C.7.6.3. */
export interface Codestream {
  readonly transferSyntaxUID: string
  /** Where the bare code stream is in the file, in bytes. */
  readonly start: number
  readonly length: number
  readonly rows: number
  readonly columns: number
  readonly samples: number
  readonly bits: number
  readonly signed: boolean
  readonly photometricInterpretation: string
}

const JPEG = '1.2.840.10008.1.2.4'

/**
 * Reads the header of a JPEG, JPEG-LS or JPEG 2000 code stream, bare or in a JP2 file. Reads the header only: whether
 * the rest decodes is not said.
 *
 * @param head the first bytes of the file
 * @param size of the file in bytes
 * @returns undefined for anything else, and for what DICOM cannot carry (more than 16 bits, 0 or over 65,535 pixels)
 */
export function readCodestream(head: Uint8Array, size: number): Codestream | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  let found: Codestream | undefined
  if (view.byteLength < 12) return undefined
  if (view.getUint16(0) === 0xffd8) found = readJpeg(view, size)
  else if (view.getUint32(0) === 0xff4fff51) found = readJpeg2000(view, 0, size)
  else if (view.getUint32(4) === 0x6a502020) found = readJp2(view, size)
  if (found === undefined) return undefined
  const { rows, columns, samples, bits } = found
  const carried = rows > 0 && columns > 0 && rows < 65536 && columns < 65536 && bits >= 1 && bits <= 16
  return carried && (samples === 1 || samples === 3) ? found : undefined
}

interface Frame {
  readonly marker: number
  readonly bits: number
  readonly rows: number
  readonly columns: number
  readonly samples: number
  readonly subsampled: boolean
}

/** ISO/IEC 10918-1 Annex B, and 14495-1 Annex C for JPEG-LS: markers up to the first scan. */
function readJpeg(view: DataView, size: number): Codestream | undefined {
  let frame: Frame | undefined
  let transform: number | undefined
  for (let at = 2; at + 4 <= view.byteLength; ) {
    if (view.getUint8(at) !== 0xff) return undefined
    const marker = view.getUint8(at + 1)
    if (marker === 0xff) {
      at++ // fill byte
      continue
    }
    const length = view.getUint16(at + 2)
    if (length < 2 || at + 2 + length > view.byteLength) return undefined
    if (isFrameMarker(marker) && length >= 11) frame = readFrame(view, at, marker, length)
    else if (marker === 0xee && length >= 14 && view.getUint32(at + 4) === 0x41646f62)
      transform = view.getUint8(at + 15)
    else if (marker === 0xda) {
      const parameters = at + 5 + 2 * view.getUint8(at + 4)
      if (frame === undefined || parameters + 1 >= view.byteLength) return undefined
      // In the scan header: predictor of lossless JPEG, NEAR of JPEG-LS.
      return jpegOf(frame, view.getUint8(parameters), transform, size)
    }
    at += 2 + length
  }
  return undefined
}

/** SOF0 to SOF15 without DHT, JPG and DAC, and SOF55 of JPEG-LS. */
function isFrameMarker(marker: number): boolean {
  return marker === 0xf7 || (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc)
}

function readFrame(view: DataView, at: number, marker: number, length: number): Frame | undefined {
  const samples = view.getUint8(at + 9)
  if (length < 8 + 3 * samples) return undefined
  const subsampled = samples > 1 && view.getUint8(at + 11) !== 0x11
  return {
    marker,
    bits: view.getUint8(at + 4),
    rows: view.getUint16(at + 5),
    columns: view.getUint16(at + 7),
    samples,
    subsampled,
  }
}

function jpegOf(frame: Frame, parameter: number, adobe: number | undefined, size: number): Codestream | undefined {
  const { marker, bits, rows, columns, samples, subsampled } = frame
  let syntax: string
  if (marker === 0xf7) syntax = parameter === 0 ? '80' : '81'
  else if (marker === 0xc0 && bits === 8) syntax = '50'
  else if (marker === 0xc1) syntax = '51'
  else if (marker === 0xc3) syntax = parameter === 1 ? '70' : '57'
  else return undefined // progressive and arithmetic processes are retired in DICOM
  const lossless = marker === 0xf7 || marker === 0xc3
  const colour = lossless || adobe === 0 ? 'RGB' : subsampled ? 'YBR_FULL_422' : 'YBR_FULL'
  return {
    transferSyntaxUID: `${JPEG}.${syntax}`,
    start: 0,
    length: size,
    rows,
    columns,
    samples,
    bits,
    signed: false,
    photometricInterpretation: samples === 1 ? 'MONOCHROME2' : colour,
  }
}

/** ISO/IEC 15444-1 Annex A: SIZ comes first, COD somewhere before the first tile. */
function readJpeg2000(view: DataView, start: number, length: number): Codestream | undefined {
  if (start + 42 > view.byteLength || view.getUint32(start) !== 0xff4fff51) return undefined
  const siz = start + 4
  const columns = view.getUint32(siz + 4) - view.getUint32(siz + 12)
  const rows = view.getUint32(siz + 8) - view.getUint32(siz + 16)
  const samples = view.getUint16(siz + 36)
  const depth = view.getUint8(siz + 38)
  for (let at = siz + view.getUint16(siz); at + 14 <= view.byteLength; ) {
    const marker = view.getUint16(at)
    if (marker === 0xff52) {
      const reversible = view.getUint8(at + 13) === 1
      const transformed = view.getUint8(at + 8) === 1
      const colour = transformed ? (reversible ? 'YBR_RCT' : 'YBR_ICT') : 'RGB'
      return {
        transferSyntaxUID: `${JPEG}.${reversible ? '90' : '91'}`,
        start,
        length,
        rows,
        columns,
        samples,
        bits: (depth & 0x7f) + 1,
        signed: (depth & 0x80) !== 0,
        photometricInterpretation: samples === 1 ? 'MONOCHROME2' : colour,
      }
    }
    const segment = view.getUint16(at + 2)
    if ((marker & 0xff00) !== 0xff00 || marker === 0xff90 || segment < 2) return undefined
    at += 2 + segment
  }
  return undefined
}

/** Boxes of a JP2 file up to the code stream: DICOM carries it without them. PS3.5 section 8.2.4. */
function readJp2(view: DataView, size: number): Codestream | undefined {
  for (let at = 0; at + 8 <= view.byteLength; ) {
    let length = view.getUint32(at)
    let header = 8
    if (length === 1 && at + 16 <= view.byteLength) {
      length = Number(view.getBigUint64(at + 8))
      header = 16
    } else if (length === 0) length = size - at
    if (length < header || at + length > size) return undefined
    if (view.getUint32(at + 4) === 0x6a703263) return readJpeg2000(view, at + header, length - header)
    at += length
  }
  return undefined
}
