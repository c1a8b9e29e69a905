import { Buffer } from 'node:buffer'
import { encodeText } from '../charset.ts'
import { tagOf, vrOf } from '../dictionary.ts'
import { encodeNumbers } from '../number-text.ts'
import { kindOf } from '../value-representation.ts'
import type { WriteDataSet, WriteElement, WriteValue } from '../write.ts'
import { ConversionError } from './conversion-error.ts'

/** What an attribute is given as; undefined leaves it out, null and '' leave it empty. */
export type AttributeValue =
  | string
  | number
  | null
  | undefined
  | Uint8Array
  | readonly string[]
  | readonly number[]
  | readonly Attributes[]
  | WriteValue

/** A data set written down by keyword. A keyword may carry its VR: `WaveformData OW`. Tags (AT) are hexadecimal text. */
export interface Attributes {
  readonly [keyword: string]: AttributeValue
}

/** A coded concept. PS3.3 section 8. */
export interface CodedConcept {
  readonly value: string
  readonly scheme: string
  readonly meaning: string
  readonly version?: string
}

/** Character set of everything that is made here. PS3.3 section C.12.1.1.2. */
const UTF8 = ['ISO_IR 192']

/** A code sequence with one item; values longer than SH holds go to Long Code Value. PS3.3 Table 8.8-1. */
export function codeSequence(concept: CodedConcept): readonly Attributes[] {
  const { value, scheme, meaning, version } = concept
  return [
    {
      ...(value.length <= 16 ? { CodeValue: value } : { LongCodeValue: value }),
      CodingSchemeDesignator: scheme,
      CodingSchemeVersion: version,
      CodeMeaning: shortened(meaning, 64),
    },
  ]
}

/**
 * A description that fits its place: control characters and backslashes become blanks, what is too long is cut.
 * For words that describe only; identifiers are never changed.
 * @param most characters, not bytes
 */
export function shortened(text: string, most: number): string {
  let clean = ''
  for (const character of text)
    clean += character < ' ' || character === '\\' || character === '\u007f' ? ' ' : character
  return [...clean.replace(/\s+/g, ' ').trim()].slice(0, most).join('').trim()
}

/**
 * A number as DS: at most 16 characters. PS3.5 section 6.2.
 * @throws ConversionError `conversion.value` for what is no finite number
 */
export function decimal(value: number): string {
  if (!Number.isFinite(value)) throw new ConversionError('conversion.value', 'a number that is not finite')
  for (let digits = 17; digits > 0; digits--) {
    const text = String(Number(value.toPrecision(digits)))
    if (text.length <= 16) return text
  }
  throw new ConversionError('conversion.value', `${value} does not fit 16 characters`)
}

/**
 * Turns attributes into what write.ts writes; text in UTF-8.
 * @throws ConversionError `conversion.value` for a value its VR does not hold
 * @throws TypeError on a keyword the dictionary does not know: a mistake of the caller
 */
export function writable(attributes: Attributes): WriteDataSet {
  const made = new Map<number, WriteElement>()
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue
    const [keyword = '', letters] = key.split(' ')
    const tag = tagOf(keyword)
    if (tag === undefined) throw new TypeError(`no such attribute: ${key}`)
    const vr = letters ?? vrOf(tag)
    made.set(tag, { tag, vr, value: writeValue(keyword, tag, vr, value) })
  }
  return made
}

function isItems(value: AttributeValue, vr: string): value is readonly Attributes[] {
  return vr === 'SQ' && Array.isArray(value)
}

function writeValue(keyword: string, tag: number, vr: string, value: Exclude<AttributeValue, undefined>): WriteValue {
  if (value === null) return { is: 'bytes', bytes: new Uint8Array(0) }
  if (value instanceof Uint8Array) return { is: 'bytes', bytes: value }
  if (isItems(value, vr)) return { is: 'items', items: value.map(writable) }
  if (typeof value === 'object' && 'is' in value) return value
  const list = ((Array.isArray(value) ? value : [value]) as readonly (string | number)[]).map((one) =>
    typeof one === 'number' && vr === 'DS' ? decimal(one) : String(one),
  )
  if (kindOf(vr) === 'number' || vr === 'AT') return { is: 'bytes', bytes: encodeNumbers(tag, vr, list) }
  return { is: 'bytes', bytes: textBytes(keyword, vr, list) }
}

/** VRs whose value is one text in which a backslash and line ends are ordinary characters. */
const SINGLE_TEXT = new Set(['ST', 'LT', 'UT', 'UR'])

/** Longest value in bytes of VRs that mean something else when they are cut, and what they may hold. PS3.5 section 6.2. */
const SHAPES: { readonly [vr: string]: RegExp } = {
  UI: /^[0-9.]{0,64}$/,
  DA: /^(?:\d{8})?$/,
  TM: /^(?:\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,6})?)?)?)?$/,
  DT: /^(?:\d{4}(?:\d{2}(?:\d{2}(?:\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,6})?)?)?)?)?)?(?:[+-]\d{4})?)?$/,
  CS: /^[A-Z0-9 _]{0,16}$/,
  IS: /^(?:[+-]?\d{1,11})?$/,
  DS: /^[0-9+\-.eE]{0,16}$/,
}

function textBytes(keyword: string, vr: string, values: readonly string[]): Uint8Array {
  const single = SINGLE_TEXT.has(vr)
  for (const value of values) {
    if (!single && hasControl(value)) {
      throw new ConversionError('conversion.value', `${keyword} holds a backslash or a control character`)
    }
    if (SHAPES[vr]?.test(value) === false) throw new ConversionError('conversion.value', `${keyword} is no ${vr}`)
  }
  const text = values.join('\\')
  const kind = kindOf(vr)
  if (kind !== 'text' && kind !== 'name') return Buffer.from(text, 'latin1')
  const bytes = encodeText(text, UTF8, kind === 'name' ? 'pn' : single ? 'text' : 'single')
  if (bytes === undefined) throw new ConversionError('conversion.value', `${keyword} is not well-formed text`)
  return bytes
}

function hasControl(value: string): boolean {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index)
    if (code < 0x20 || code === 0x5c || code === 0x7f) return true
  }
  return false
}
