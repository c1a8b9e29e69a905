/** Small valid instances written by hand, fast enough to feed a server at full speed. Explicit VR little endian. */
const te = (text: string) => Buffer.from(text, 'latin1')

function element(group: number, number: number, vr: string, value: Buffer): Buffer {
  const padded =
    value.length % 2 === 0 ? value : Buffer.concat([value, Buffer.from([vr === 'UI' || vr === 'OB' ? 0 : 0x20])])
  const long = ['OB', 'OW', 'SQ', 'UN', 'UT'].includes(vr)
  const head = Buffer.alloc(long ? 12 : 8)
  head.writeUInt16LE(group, 0)
  head.writeUInt16LE(number, 2)
  head.write(vr, 4, 'latin1')
  if (long) head.writeUInt32LE(padded.length, 8)
  else head.writeUInt16LE(padded.length, 6)
  return Buffer.concat([head, padded])
}

export interface TinyOptions {
  readonly sopInstanceUID: string
  readonly studyInstanceUID: string
  readonly seriesInstanceUID: string
  readonly patientId?: string
  readonly patientName?: string
  readonly number?: number
  /** Rows and columns of 16-bit pixels; 0 for an object without pixels. */
  readonly side?: number
  readonly frames?: number
}

/** A Part 10 file: CT image when `side` is given, else an encapsulated-text-like small SR stand-in (Basic Text SR). */
export function tinyObject(options: TinyOptions): Buffer {
  const { side = 0, frames = 1 } = options
  const sopClass =
    side > 0
      ? frames > 1
        ? '1.2.840.10008.5.1.4.1.1.7.3'
        : '1.2.840.10008.5.1.4.1.1.2'
      : '1.2.840.10008.5.1.4.1.1.88.11'
  const meta = [
    element(2, 1, 'OB', Buffer.from([0, 1])),
    element(2, 2, 'UI', te(sopClass)),
    element(2, 3, 'UI', te(options.sopInstanceUID)),
    element(2, 0x10, 'UI', te('1.2.840.10008.1.2.1')),
    element(2, 0x12, 'UI', te('2.25.1')),
  ]
  const length = Buffer.alloc(4)
  length.writeUInt32LE(meta.reduce((sum, piece) => sum + piece.length, 0))
  const us = (value: number) => {
    const two = Buffer.alloc(2)
    two.writeUInt16LE(value)
    return two
  }
  const body = [
    element(8, 0x16, 'UI', te(sopClass)),
    element(8, 0x18, 'UI', te(options.sopInstanceUID)),
    element(8, 0x20, 'DA', te('20240301')),
    element(8, 0x30, 'TM', te('101500')),
    element(8, 0x50, 'SH', te('A123')),
    element(8, 0x60, 'CS', te(side > 0 ? 'CT' : 'SR')),
    element(8, 0x90, 'PN', te('Referring^Doctor')),
    element(0x10, 0x10, 'PN', te(options.patientName ?? 'Test^Patient')),
    element(0x10, 0x20, 'LO', te(options.patientId ?? 'T1')),
    element(0x10, 0x30, 'DA', te('19700101')),
    element(0x10, 0x40, 'CS', te('O')),
    element(0x20, 0x0d, 'UI', te(options.studyInstanceUID)),
    element(0x20, 0x0e, 'UI', te(options.seriesInstanceUID)),
    element(0x20, 0x10, 'SH', te('1')),
    element(0x20, 0x11, 'IS', te('1')),
    element(0x20, 0x13, 'IS', te(String(options.number ?? 1))),
  ]
  if (side > 0) {
    body.push(element(0x28, 2, 'US', us(1)), element(0x28, 4, 'CS', te('MONOCHROME2')))
    if (frames > 1) body.push(element(0x28, 8, 'IS', te(String(frames))))
    body.push(
      element(0x28, 0x10, 'US', us(side)),
      element(0x28, 0x11, 'US', us(side)),
      element(0x28, 0x100, 'US', us(16)),
      element(0x28, 0x101, 'US', us(16)),
      element(0x28, 0x102, 'US', us(15)),
      element(0x28, 0x103, 'US', us(0)),
    )
    const pixels = Buffer.alloc(side * side * 2 * frames)
    for (let i = 0; i < pixels.length; i += 2) pixels.writeUInt16LE(((i * 31) ^ (options.number ?? 0)) & 0x0fff, i)
    body.push(element(0x7fe0, 0x10, 'OW', pixels))
  }
  return Buffer.concat([Buffer.alloc(128), te('DICM'), element(2, 0, 'UL', length), ...meta, ...body])
}
