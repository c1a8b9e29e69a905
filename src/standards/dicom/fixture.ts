// Builds DICOM objects by code, for tests of this room and of those above it.
import { encodeStrings } from './overlay.ts'
import { type WriteDataSet, type WriteElement, type WriteValue, writePart10 } from './write.ts'

/** An element of text, numbers or tags; US, AT and the like as text too. */
export function el(tag: number, vr: string, ...values: string[]): WriteElement {
  const bytes = values.length === 0 ? new Uint8Array(0) : encodeStrings(vr, tag, values, ['ISO_IR 192'])
  if (bytes === undefined) throw new RangeError(`${values.join()} is no ${vr}`)
  return { tag, vr, value: { is: 'bytes', bytes } }
}

export function binary(tag: number, vr: string, bytes: Uint8Array): WriteElement {
  return { tag, vr, value: { is: 'bytes', bytes } }
}

export function items(tag: number, ...content: WriteElement[][]): WriteElement {
  return { tag, vr: 'SQ', value: { is: 'items', items: content.map(dataSetOf) } }
}

/** Encapsulated Pixel Data; the first fragment is the Basic Offset Table. */
export function fragments(...content: Uint8Array[]): WriteElement {
  const value: WriteValue = { is: 'fragments', fragments: content }
  return { tag: 0x7fe00010, vr: 'OB', value }
}

export function dataSetOf(elements: readonly WriteElement[]): WriteDataSet {
  return new Map(elements.map((element) => [element.tag, element]))
}

export const FIXTURE_CLASS = '1.2.840.10008.5.1.4.1.1.7'
export const FIXTURE_UID = '2.25.1'

/** A Part 10 file with these elements; class and instance UID are added. */
export function part10Of(elements: readonly WriteElement[], transferSyntaxUID = '1.2.840.10008.1.2.1'): Uint8Array {
  const dataSet = dataSetOf([el(0x00080016, 'UI', FIXTURE_CLASS), el(0x00080018, 'UI', FIXTURE_UID), ...elements])
  return writePart10(dataSet, { sopClassUID: FIXTURE_CLASS, sopInstanceUID: FIXTURE_UID, transferSyntaxUID })
}

/** Bytes of hexadecimal text; spaces are for the reader. */
export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))
}
