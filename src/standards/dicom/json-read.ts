import { vrOf } from './dictionary.ts'
import { DicomError, tagText } from './errors.ts'
import { JsonNumber, type JsonValue, parseJson } from './json-parser.ts'
import { encodeNumbers } from './number-text.ts'
import { isSingleText, isStandardVr, kindOf } from './value-representation.ts'
import type { WriteDataSet, WriteElement, WriteValue } from './write.ts'

/**
 * Gives the bytes a BulkDataURI stands for: parts of the same message, our own store. Nothing is ever fetched (R15).
 * @param path tags and item indices, as JsonOptions.bulkDataUri gets it
 * @returns undefined when the URI names nothing that is there
 */
export type BulkDataResolver = (uri: string, path: string, vr: string) => WriteValue | undefined

const SPECIFIC_CHARACTER_SET = 0x00080005
const PIXEL_DATA = 0x7fe00010
const UTF8 = Buffer.from('ISO_IR 192', 'latin1')
/**
 * Reads one data set of the DICOM JSON Model (PS3.18 Annex F). Text becomes UTF-8, and (0008,0005) says so.
 * Group 0002 elements are kept in the map; encodeDataSet leaves them out.
 * @throws DicomError: `R14` for what is no JSON, else the element at fault by tag
 */
export function jsonToDataSet(json: string | Uint8Array, resolve: BulkDataResolver): WriteDataSet {
  const sets = jsonToDataSets(json, resolve)
  if (sets.length !== 1) throw new DicomError('dicom.malformed', 'json-model', `${sets.length} data sets, not one`, 0)
  return sets[0]!
}

/** Reads a list of data sets, or a single one, of the DICOM JSON Model. */
export function jsonToDataSets(json: string | Uint8Array, resolve: BulkDataResolver): WriteDataSet[] {
  const parsed = parseJson(json)
  const values = Array.isArray(parsed) ? parsed : [parsed]
  return values.map((value) => {
    const reader = new JsonModelReader(resolve)
    const dataSet = reader.dataSet(value, '')
    if (reader.nonAscii || dataSet.has(SPECIFIC_CHARACTER_SET)) dataSet.set(SPECIFIC_CHARACTER_SET, utf8Element())
    return dataSet
  })
}

function utf8Element(): WriteElement {
  return { tag: SPECIFIC_CHARACTER_SET, vr: 'CS', value: { is: 'bytes', bytes: UTF8 } }
}

function wrong(tag: number | null, detail: string): DicomError {
  return new DicomError('dicom.malformed', 'json-model', detail, 0, tag)
}

class JsonModelReader {
  nonAscii = false
  readonly #resolve: BulkDataResolver

  constructor(resolve: BulkDataResolver) {
    this.#resolve = resolve
  }

  dataSet(value: JsonValue, path: string): WriteDataSet {
    if (!(value instanceof Map)) throw wrong(null, 'a data set is an object')
    const dataSet: WriteDataSet = new Map()
    for (const [key, element] of value) {
      if (!/^[\dA-Fa-f]{8}$/.test(key)) throw wrong(null, `${JSON.stringify(key.slice(0, 64))} is no tag`)
      const tag = Number.parseInt(key, 16)
      if (dataSet.has(tag)) throw wrong(tag, 'the same element a second time')
      if (tag >>> 16 === 0xfffe) throw wrong(tag, 'a delimiter is no element')
      if ((tag & 0xffff) === 0) continue // group lengths are not carried. PS3.18 section F.2.2
      dataSet.set(tag, this.#element(tag, element, path))
    }
    if (path !== '' && dataSet.has(SPECIFIC_CHARACTER_SET)) dataSet.set(SPECIFIC_CHARACTER_SET, utf8Element())
    return dataSet
  }

  #element(tag: number, value: JsonValue, above: string): WriteElement {
    if (!(value instanceof Map)) throw wrong(tag, 'an element is an object')
    const vr = value.get('vr') ?? vrOf(tag)
    if (typeof vr !== 'string' || !isStandardVr(vr)) throw wrong(tag, 'no value representation')
    if (tag === PIXEL_DATA && kindOf(vr) !== 'binary') throw wrong(tag, `Pixel Data as ${vr}`)
    const forms = ['Value', 'InlineBinary', 'BulkDataURI'].filter((form) => value.has(form))
    if (forms.length > 1) throw wrong(tag, `${forms.join(' and ')} at once`)
    const path = above + tagText(tag)
    return { tag, vr, value: this.#content(tag, vr, value, path) }
  }

  #content(tag: number, vr: string, element: Map<string, JsonValue>, path: string): WriteValue {
    const uri = element.get('BulkDataURI')
    if (uri !== undefined) {
      if (typeof uri !== 'string') throw wrong(tag, 'a BulkDataURI is a string')
      const found = vr === 'SQ' ? undefined : this.#resolve(uri, path, vr)
      if (found === undefined) throw wrong(tag, 'a BulkDataURI that names nothing in this message')
      return found
    }
    const binary = element.get('InlineBinary')
    if (binary !== undefined) {
      if (kindOf(vr) !== 'binary' || typeof binary !== 'string') throw wrong(tag, `InlineBinary in ${vr}`)
      return { is: 'bytes', bytes: fromBase64(tag, binary) }
    }
    const values = element.get('Value') ?? []
    if (!Array.isArray(values)) throw wrong(tag, 'Value is a list')
    if (vr === 'SQ') {
      return { is: 'items', items: values.map((item, index) => this.dataSet(item ?? new Map(), `${path}/${index}/`)) }
    }
    return { is: 'bytes', bytes: this.#bytes(tag, vr, values) }
  }

  #bytes(tag: number, vr: string, values: readonly JsonValue[]): Uint8Array {
    if (values.length === 0) return new Uint8Array(0)
    const kind = kindOf(vr)
    if (kind === 'number' || kind === 'tag') {
      return encodeNumbers(
        tag,
        vr,
        values.map((value) => valueText(tag, value)),
      )
    }
    if (kind === 'binary') throw wrong(tag, `${vr} has no Value`)
    if (isSingleText(vr) && values.length > 1) throw wrong(tag, `${vr} has one value`)
    const texts = values.map((value) => (kind === 'name' ? nameText(tag, value) : valueText(tag, value)))
    const text = texts.join('\\')
    if (!text.isWellFormed()) throw wrong(tag, 'half of a surrogate pair')
    // Specific Character Set does not reach these VRs (PS3.5 section 6.1.2.3): bytes of an ill-formed original come and
    // go as Latin 1, and what has no such byte is refused rather than garbled.
    if (kind === 'ascii' || kind === 'decimal') {
      if (/[^\0-\xff]/.test(text)) throw wrong(tag, `${vr} has characters beyond its repertoire`)
      return Buffer.from(text, 'latin1')
    }
    // An ESC is no code extension here: as UTF-8 it stays what it is (PS3.5 section 6.1.2.5).
    for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f || text[i] === '\x1b') this.nonAscii = true
    return Buffer.from(text, 'utf8')
  }
}

function valueText(tag: number, value: JsonValue): string {
  if (value === null) return ''
  if (typeof value === 'string') return value
  if (value instanceof JsonNumber) return value.text
  throw wrong(tag, 'a value that is neither a string nor a number')
}

function nameText(tag: number, value: JsonValue): string {
  if (!(value instanceof Map)) return valueText(tag, value)
  const groups = ['Alphabetic', 'Ideographic', 'Phonetic'].map((key) => valueText(tag, value.get(key) ?? null))
  while (groups.at(-1) === '') groups.pop()
  return groups.join('=')
}

function fromBase64(tag: number, text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  // Buffer ignores what is no base64; a text that was longer than its bytes need had something else in it.
  if (
    text.length % 4 !== 0 ||
    bytes.length !== (text.length / 4) * 3 - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0)
  ) {
    throw wrong(tag, 'InlineBinary that is not base64')
  }
  return bytes
}
