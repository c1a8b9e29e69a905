import { encodeText } from './charset.ts'
import { decodeStrings } from './data-set.ts'
import { DicomError } from './errors.ts'
import { encodeNumbers } from './number-text.ts'
import { isSingleText, kindOf } from './value-representation.ts'
import { type WriteDataSet, type WriteElement, type WriteValue, writableBytes } from './write.ts'

/** A new value: texts for every VR that has some (numbers and tags as text too), bytes for binary, items for SQ. */
export type OverlayValue =
  | { readonly vr: string; readonly strings: readonly string[] }
  | { readonly vr: string; readonly bytes: Uint8Array }
  | { readonly vr: 'SQ'; readonly items: WriteDataSet[] }

/** One attribute that is served otherwise than stored. */
export interface OverlayChange {
  /** `00100010`, or into a sequence with zero-based item indices: `00400275/0/00400009`. */
  readonly path: string
  /** Null removes the attribute. */
  readonly value: OverlayValue | null
}

/** One coercion or correction: an item of the Original Attributes Sequence. PS3.3 section C.12.1.1.9. */
export interface OverlayEvent {
  readonly reason: 'COERCE' | 'CORRECT'
  readonly modifyingSystem: string
  /** Who the previous values came from; empty when not known. */
  readonly source: string
  /** A DICOM DT. */
  readonly time: string
  readonly changes: readonly OverlayChange[]
}

/** All changes of an object, oldest event first. */
export type Overlay = readonly OverlayEvent[]

const SPECIFIC_CHARACTER_SET = 0x00080005
const INSTANCE_COERCION_DATE_TIME = 0x00080015
const ORIGINAL_ATTRIBUTES = 0x04000561
const UTF8 = ['ISO_IR 192']

/**
 * Applies an overlay to a data set that is about to be written, and records it in the Original Attributes Sequence.
 * When a new text does not fit the character set of the data set, all of its text becomes UTF-8.
 * @param charsets those of the outermost data set
 * @throws DicomError `overlay` for a path or a value that makes no sense
 */
export function applyOverlay(dataSet: WriteDataSet, overlay: Overlay, charsets: readonly string[]): void {
  let current = charsets
  const changes = overlay.flatMap((event) => event.changes)
  const texts = overlay.flatMap((event) => [event.modifyingSystem, event.source])
  const fits =
    changes.every(({ value }) => value === null || canEncode(value, charsets)) &&
    texts.every((text) => encodeText(text, charsets, 'single') !== undefined)
  if (!fits || itemsHaveTheirOwn(dataSet, changes)) {
    toUtf8(dataSet, charsets)
    current = UTF8
  }
  for (const event of overlay) applyEvent(dataSet, event, current)
}

function applyEvent(dataSet: WriteDataSet, event: OverlayEvent, charsets: readonly string[]): void {
  const modified: WriteDataSet = new Map()
  for (const { path, value } of event.changes) {
    const steps = parsePath(path)
    const top = steps[0]!.tag
    if (
      top === ORIGINAL_ATTRIBUTES ||
      top >>> 16 <= 2 ||
      top >>> 16 === 0x7fe0 ||
      steps.some(({ tag }) => tag >>> 16 === 0xfffe)
    ) {
      throw wrong(`${path} cannot be overlaid`)
    }
    if (!modified.has(top)) modified.set(top, previous(dataSet, top, value))
    applyChange(dataSet, steps, value, charsets)
  }
  const item: WriteDataSet = new Map()
  const put = (tag: number, vr: string, text: string) => {
    item.set(tag, { tag, vr, value: { is: 'bytes', bytes: encoded(vr, tag, [text], charsets) } })
  }
  item.set(0x04000550, { tag: 0x04000550, vr: 'SQ', value: { is: 'items', items: [modified] } })
  put(0x04000562, 'DT', event.time)
  put(0x04000563, 'LO', event.modifyingSystem)
  put(0x04000564, 'LO', event.source)
  put(0x04000565, 'CS', event.reason)
  const held = dataSet.get(ORIGINAL_ATTRIBUTES)
  const items = held?.value.is === 'items' ? [...held.value.items, item] : [item]
  dataSet.set(ORIGINAL_ATTRIBUTES, { tag: ORIGINAL_ATTRIBUTES, vr: 'SQ', value: { is: 'items', items } })
  if (event.reason === 'COERCE') {
    const bytes = encoded('DT', INSTANCE_COERCION_DATE_TIME, [event.time], charsets)
    dataSet.set(INSTANCE_COERCION_DATE_TIME, {
      tag: INSTANCE_COERCION_DATE_TIME,
      vr: 'DT',
      value: { is: 'bytes', bytes },
    })
  }
}

interface Step {
  readonly tag: number
  /** Of the item to go into; null at the last step. */
  readonly item: number | null
}

function parsePath(path: string): Step[] {
  const parts = path.split('/')
  const steps: Step[] = []
  for (let i = 0; i < parts.length; i += 2) {
    const item = parts[i + 1]
    if (!/^[\dA-F]{8}$/.test(parts[i]!) || (item !== undefined && !/^\d{1,7}$/.test(item))) {
      throw wrong(`${JSON.stringify(path)} is no path`)
    }
    steps.push({ tag: Number.parseInt(parts[i]!, 16), item: item === undefined ? null : Number(item) })
  }
  if (parts.length % 2 === 0 || steps.length > 64) throw wrong(`${JSON.stringify(path)} is no path`)
  return steps
}

/** What an attribute was: as it is, or empty when it is not there. A sequence is copied, because it will change. */
function previous(dataSet: WriteDataSet, tag: number, value: OverlayValue | null): WriteElement {
  const held = dataSet.get(tag)
  if (held === undefined) {
    return { tag, vr: value?.vr ?? 'UN', value: { is: 'bytes', bytes: new Uint8Array(0) } }
  }
  return held.value.is === 'items' ? { ...held, value: { is: 'items', items: held.value.items.map(copy) } } : held
}

function copy(dataSet: WriteDataSet): WriteDataSet {
  const copied: WriteDataSet = new Map()
  for (const [tag, element] of dataSet) {
    const { value } = element
    copied.set(
      tag,
      value.is === 'items' ? { ...element, value: { is: 'items', items: value.items.map(copy) } } : element,
    )
  }
  return copied
}

function applyChange(
  dataSet: WriteDataSet,
  steps: readonly Step[],
  value: OverlayValue | null,
  charsets: readonly string[],
): void {
  let within = dataSet
  for (const { tag, item } of steps) {
    if (item === null) {
      if (value === null) within.delete(tag)
      else within.set(tag, { tag, vr: value.vr, value: writeValue(tag, value, charsets) })
      return
    }
    let sequence = within.get(tag)
    if (sequence?.value.is !== 'items') {
      if (value === null) return
      sequence = { tag, vr: 'SQ', value: { is: 'items', items: [] } }
      within.set(tag, sequence)
    }
    const { items } = sequence.value as Extract<WriteValue, { is: 'items' }>
    if (item > items.length) throw wrong(`there is no item ${item}`)
    if (item === items.length) {
      if (value === null) return
      items.push(new Map())
    }
    within = items[item]!
  }
}

function writeValue(tag: number, value: OverlayValue, charsets: readonly string[]): WriteValue {
  if ('items' in value) return { is: 'items', items: value.items }
  if ('bytes' in value) return { is: 'bytes', bytes: value.bytes }
  return { is: 'bytes', bytes: encoded(value.vr, tag, value.strings, charsets) }
}

function encoded(vr: string, tag: number, values: readonly string[], charsets: readonly string[]): Uint8Array {
  const bytes = encodeStrings(vr, tag, values, charsets)
  if (bytes === undefined) throw wrong(`a text of ${vr} that cannot be written`)
  return bytes
}

/**
 * Encodes the values of an element.
 * @returns undefined when a text does not fit the character sets
 */
export function encodeStrings(
  vr: string,
  tag: number,
  values: readonly string[],
  charsets: readonly string[],
): Uint8Array | undefined {
  const kind = kindOf(vr)
  if (kind === 'number' || kind === 'tag') return encodeNumbers(tag, vr, values)
  const text = values.join('\\')
  if (kind === 'text' || kind === 'name') {
    return encodeText(text, charsets, kind === 'name' ? 'pn' : isSingleText(vr) ? 'text' : 'single')
  }
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return undefined
  return Buffer.from(text, 'latin1')
}

function canEncode(value: OverlayValue, charsets: readonly string[]): boolean {
  if (!('strings' in value)) return true
  const kind = kindOf(value.vr)
  if (kind !== 'text' && kind !== 'name') return true
  return encodeStrings(value.vr, 0, value.strings, charsets) !== undefined
}

/** True when a change goes into an item with a character set of its own. */
function itemsHaveTheirOwn(dataSet: WriteDataSet, changes: readonly OverlayChange[]): boolean {
  return changes.some(({ path }) => {
    let within: WriteDataSet | undefined = dataSet
    for (const { tag, item } of parsePath(path)) {
      if (item === null) return false
      const value: WriteValue | undefined = within?.get(tag)?.value
      within = value?.is === 'items' ? value.items[item] : undefined
      if (within?.has(SPECIFIC_CHARACTER_SET) === true) return true
    }
    return false
  })
}

/** Re-encodes all text of a data set and its items. */
function toUtf8(dataSet: WriteDataSet, charsets: readonly string[]): void {
  reencode(dataSet, charsets)
  const bytes = Buffer.from(UTF8[0]!, 'latin1')
  dataSet.set(SPECIFIC_CHARACTER_SET, { tag: SPECIFIC_CHARACTER_SET, vr: 'CS', value: { is: 'bytes', bytes } })
}

function reencode(dataSet: WriteDataSet, outer: readonly string[]): void {
  const own = dataSet.get(SPECIFIC_CHARACTER_SET)
  let charsets = outer
  if (own !== undefined) {
    const terms = decodeStrings('CS', writableBytes('CS', own.value) ?? new Uint8Array(0), [], false)
    charsets = terms.every((term) => term === '') ? [] : terms
    dataSet.delete(SPECIFIC_CHARACTER_SET) // the outermost one holds for all
  }
  for (const [tag, element] of dataSet) {
    const { vr, value } = element
    if (value.is === 'items') for (const item of value.items) reencode(item, charsets)
    const kind = kindOf(vr)
    if (kind !== 'text' && kind !== 'name') continue
    const bytes = writableBytes(vr, value)
    if (bytes === null || bytes.every((byte) => byte < 0x80 && byte !== 0x1b && byte !== 0x5c && byte !== 0x7e))
      continue
    const text = decodeStrings(vr, bytes, charsets, false).join('\\')
    dataSet.set(tag, { tag, vr, value: { is: 'bytes', bytes: Buffer.from(text.toWellFormed(), 'utf8') } })
  }
}

function wrong(detail: string): DicomError {
  return new DicomError('dicom.malformed', 'overlay', detail, 0)
}
