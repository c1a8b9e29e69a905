import { Buffer } from 'node:buffer'
import { encodeText } from '#standards/dicom/charset.ts'
import { tagOf, vrOf } from '#standards/dicom/dictionary.ts'
import { type WriteDataSet, type WriteElement, type WriteValue, writePart10 } from '#standards/dicom/write.ts'
import { type Elements, type ElementValue, isFragments } from './demo-patient-elements.ts'

const NUMBER_BYTES: Readonly<Record<string, number>> = { US: 2, SS: 2, UL: 4, SL: 4, AT: 4, FL: 4, FD: 8 }
const TEXT_KINDS: Readonly<Record<string, 'text' | 'pn' | 'single'>> = {
  PN: 'pn',
  LO: 'single',
  SH: 'single',
  UC: 'single',
  ST: 'text',
  LT: 'text',
  UT: 'text',
}

function numbers(values: readonly number[], vr: string): Uint8Array {
  const size = NUMBER_BYTES[vr]
  if (size === undefined) throw new TypeError(`${vr} takes no numbers`)
  const bytes = Buffer.alloc(values.length * size)
  for (const [index, value] of values.entries()) {
    const at = index * size
    if (vr === 'FL') bytes.writeFloatLE(value, at)
    else if (vr === 'FD') bytes.writeDoubleLE(value, at)
    else if (vr === 'AT') bytes.writeUInt32LE((((value & 0xffff) << 16) | (value >>> 16)) >>> 0, at)
    else if (value < 0) bytes.writeIntLE(value, at, size)
    else bytes.writeUIntLE(value, at, size)
  }
  return bytes
}

function isElementsList(value: ElementValue, vr: string): value is readonly Elements[] {
  return vr === 'SQ' && Array.isArray(value)
}

function writeValue(value: ElementValue, vr: string): WriteValue {
  if (value === null) return { is: 'bytes', bytes: new Uint8Array(0) }
  if (value instanceof Uint8Array) return { is: 'bytes', bytes: value }
  if (isFragments(value)) {
    const table = numbers([...(value.offsets ?? [])], 'UL')
    return { is: 'fragments', fragments: [table, ...value.fragments] }
  }
  if (isElementsList(value, vr)) return { is: 'items', items: value.map(writeDataSet) }
  const list = (Array.isArray(value) ? value : [value]) as readonly (string | number)[]
  if (list.every((one) => typeof one === 'number')) return { is: 'bytes', bytes: numbers(list, vr) }
  const text = list.join('\\')
  const kind = TEXT_KINDS[vr]
  const bytes = kind === undefined ? Buffer.from(text, 'latin1') : encodeText(text, ['ISO_IR 192'], kind)
  if (bytes === undefined) throw new TypeError('text that is not well formed')
  return { is: 'bytes', bytes }
}

function writeDataSet(elements: Elements): WriteDataSet {
  const made = new Map<number, WriteElement>()
  for (const [key, value] of Object.entries(elements)) {
    const [name = '', letters] = key.split(' ')
    const tag = /^[0-9A-F]{8}$/.test(name) ? Number.parseInt(name, 16) : tagOf(name)
    if (tag === undefined) throw new TypeError(`no such attribute: ${key}`)
    const vr = letters ?? vrOf(tag)
    made.set(tag, { tag, vr, value: writeValue(value, vr) })
  }
  return made
}

/**
 * Writes a literal in explicit VR little endian. Its text is in UTF-8 (`ISO_IR 192`).
 *
 * @throws TypeError on a keyword the dictionary does not know: a mistake in the literal
 */
export function writeElements(elements: Elements): Uint8Array {
  return writePart10(writeDataSet(elements), {
    sopClassUID: String(elements['SOPClassUID']),
    sopInstanceUID: String(elements['SOPInstanceUID']),
  })
}
