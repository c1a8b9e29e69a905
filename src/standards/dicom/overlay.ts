import { encodeText } from './charset.ts'
import { decodeStrings, readCharsets } from './data-set.ts'
import { DicomError } from './errors.ts'
import { encodeNumbers } from './number-text.ts'
import { type PlainChange, pathProblem } from './overlay-check.ts'
import { COMPARED_BYTES_MAX, type OverlayView, type PathStep, parsePath, planOverlay } from './overlay-plan.ts'
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

/** An overlay of plain values, as the index keeps it. */
export function overlayFrom(
  stored: readonly (Omit<OverlayEvent, 'changes'> & { readonly changes: readonly PlainChange[] })[],
): Overlay {
  return stored.map(({ reason, modifyingSystem, source, time, changes }) => ({
    reason,
    modifyingSystem,
    source,
    time,
    changes: changes.map(({ path, vr, values }) => ({ path, value: values === null ? null : { vr, strings: values } })),
  }))
}

const SPECIFIC_CHARACTER_SET = 0x00080005
export const INSTANCE_COERCION_DATE_TIME = 0x00080015
export const CONTRIBUTING_EQUIPMENT = 0x0018a001
export const ORIGINAL_ATTRIBUTES = 0x04000561
export const MODIFIED_ATTRIBUTES = 0x04000550
const PATIENT_ID = 0x00100020
const ISSUER_OF_PATIENT_ID = 0x00100021
export const UTF8 = ['ISO_IR 192']

/**
 * Applies an overlay to a data set that is about to be written, and records it in the Original Attributes Sequence.
 * Changes that are none for this data set are left out. When a new text is not ASCII, all text becomes UTF-8, whatever
 * the character set was: what leaves then depends on the overlay alone, so that metadata can be overlaid without the
 * object (overlay-json.ts).
 * @param charsets those of the outermost data set
 * @returns false when the data set already says everything: it is as it was
 * @throws DicomError `overlay` for a path or a value that makes no sense
 */
export function applyOverlay(dataSet: WriteDataSet, overlay: Overlay, charsets: readonly string[]): boolean {
  refuse(overlay)
  const plan = planOverlay(new WritableView(dataSet, charsets), overlay)
  if (plan.events.length === 0) return false
  let current = charsets
  if (plan.utf8) {
    toUtf8(dataSet, charsets)
    current = UTF8
  }
  for (const event of plan.events) applyEvent(dataSet, event, current)
  return true
}

/** @throws DicomError `overlay` when something would be overlaid that never is */
export function refuse(overlay: Overlay): void {
  for (const { changes } of overlay) {
    for (const { path } of changes) {
      const problem = pathProblem(path)
      if (problem !== null) throw wrong(problem)
    }
  }
}

function applyEvent(dataSet: WriteDataSet, event: OverlayEvent, charsets: readonly string[]): void {
  const modified: WriteDataSet = new Map()
  for (const { path, value } of event.changes) {
    const steps = parsePath(path)
    const top = steps[0]!.tag
    if (!modified.has(top)) modified.set(top, previous(dataSet, top, steps.length > 1 ? 'SQ' : (value?.vr ?? 'UN')))
    applyChange(dataSet, steps, value, charsets)
  }
  // An identifier says nothing without who gave it. services: PS3.3 section C.12.1.1.9, IHE import reconciliation
  const issuer = dataSet.get(ISSUER_OF_PATIENT_ID)
  if (modified.has(PATIENT_ID) && !modified.has(ISSUER_OF_PATIENT_ID) && issuer !== undefined) {
    modified.set(ISSUER_OF_PATIENT_ID, issuer)
  }
  append(
    dataSet,
    ORIGINAL_ATTRIBUTES,
    new Map([...recordOf(event, charsets), sequenceOf(MODIFIED_ATTRIBUTES, modified)]),
  )
  if (event.reason === 'COERCE') {
    append(dataSet, CONTRIBUTING_EQUIPMENT, equipmentOf(event, charsets))
    dataSet.set(...textElement(INSTANCE_COERCION_DATE_TIME, 'DT', event.time, charsets))
  }
}

function append(dataSet: WriteDataSet, tag: number, item: WriteDataSet): void {
  const held = dataSet.get(tag)
  const items = held?.value.is === 'items' ? [...held.value.items, item] : [item]
  dataSet.set(tag, { tag, vr: 'SQ', value: { is: 'items', items } })
}

function sequenceOf(tag: number, ...items: WriteDataSet[]): [number, WriteElement] {
  return [tag, { tag, vr: 'SQ', value: { is: 'items', items } }]
}

function textElement(tag: number, vr: string, text: string, charsets: readonly string[]): [number, WriteElement] {
  return [tag, { tag, vr, value: { is: 'bytes', bytes: encoded(vr, tag, text === '' ? [] : [text], charsets) } }]
}

/** What an item of the Original Attributes Sequence says besides the previous values. */
export function recordOf(event: OverlayEvent, charsets: readonly string[]): WriteDataSet {
  return new Map([
    textElement(0x04000562, 'DT', event.time, charsets),
    textElement(0x04000563, 'LO', event.modifyingSystem, charsets),
    textElement(0x04000564, 'LO', event.source, charsets),
    textElement(0x04000565, 'CS', event.reason, charsets),
  ])
}

/** An item of the Contributing Equipment Sequence: that we modified the object. PS3.3 section C.12.1, CID 7005. */
export function equipmentOf(event: OverlayEvent, charsets: readonly string[]): WriteDataSet {
  const purpose: WriteDataSet = new Map([
    textElement(0x00080100, 'SH', '109103', charsets),
    textElement(0x00080102, 'SH', 'DCM', charsets),
    textElement(0x00080104, 'LO', 'Modifying Equipment', charsets),
  ])
  return new Map([
    textElement(0x00080070, 'LO', 'Diptych', charsets),
    textElement(0x0018a002, 'DT', event.time, charsets),
    textElement(0x0018a003, 'ST', `Attributes coerced by ${event.modifyingSystem}`, charsets),
    sequenceOf(0x0040a170, purpose),
  ])
}

/** What an attribute was: as it is, or empty when it is not there. A sequence is copied, because it will change. */
function previous(dataSet: WriteDataSet, tag: number, vr: string): WriteElement {
  const held = dataSet.get(tag)
  if (held === undefined) {
    const value: WriteValue = vr === 'SQ' ? { is: 'items', items: [] } : { is: 'bytes', bytes: new Uint8Array(0) }
    return { tag, vr, value }
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
  steps: readonly PathStep[],
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
      sequence = { tag, vr: 'SQ', value: { is: 'items', items: [] } }
      within.set(tag, sequence)
    }
    const { items } = sequence.value as Extract<WriteValue, { is: 'items' }>
    if (item === items.length) items.push(new Map())
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

/** A data set about to be written, as an overlay looks at it. */
class WritableView implements OverlayView {
  readonly #dataSet: WriteDataSet
  readonly #charsets: readonly string[]

  constructor(dataSet: WriteDataSet, charsets: readonly string[]) {
    this.#dataSet = dataSet
    this.#charsets = charsets
  }

  itemCount(path: string): number {
    const { element } = this.#find(path)
    return element?.value.is === 'items' ? element.value.items.length : 0
  }

  values(path: string): readonly string[] | null | undefined {
    const { element, charsets } = this.#find(path)
    if (element === undefined) return null
    const { vr, value } = element
    const kind = kindOf(vr)
    if (kind === 'binary' || kind === 'sequence') return undefined
    const length = value.is === 'bytes' ? value.bytes.length : value.is === 'range' ? value.range.length : -1
    if (length < 0 || length > COMPARED_BYTES_MAX) return undefined
    return decodeStrings(vr, writableBytes(vr, value)!, charsets, false)
  }

  hasOwnCharset(path: string): boolean {
    return this.#find(path).own
  }

  #find(path: string): { element: WriteElement | undefined; charsets: readonly string[]; own: boolean } {
    let within: WriteDataSet | undefined = this.#dataSet
    let charsets = this.#charsets
    let own = false
    for (const { tag, item } of parsePath(path)) {
      const element: WriteElement | undefined = within?.get(tag)
      if (item === null) return { element, charsets, own }
      within = element?.value.is === 'items' ? element.value.items[item] : undefined
      const set = within?.get(SPECIFIC_CHARACTER_SET)
      if (set === undefined) continue
      own = true
      charsets = readCharsets(writableBytes('CS', set.value) ?? new Uint8Array(0))
    }
    return { element: undefined, charsets, own }
  }
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
    charsets = readCharsets(writableBytes('CS', own.value) ?? new Uint8Array(0))
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
