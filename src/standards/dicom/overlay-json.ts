import { memorySource } from '../byte-source.ts'
import { withoutPadding } from './data-set.ts'
import { EXPLICIT_LE } from './encoding.ts'
import { writeDicomJson } from './json.ts'
import { JsonNumber, type JsonValue, parseJson } from './json-parser.ts'
import {
  CONTRIBUTING_EQUIPMENT,
  encodeStrings,
  equipmentOf,
  INSTANCE_COERCION_DATE_TIME,
  MODIFIED_ATTRIBUTES,
  ORIGINAL_ATTRIBUTES,
  type Overlay,
  type OverlayEvent,
  type OverlayValue,
  recordOf,
  refuse,
  UTF8,
} from './overlay.ts'
import {
  copyNode,
  isBulk,
  itemsOf,
  type JsonNode,
  type JsonTree,
  mayHold,
  readJsonTree,
  vrOfNode,
  writeJsonTree,
} from './overlay-json-tree.ts'
import { COMPARED_BYTES_MAX, type OverlayView, parsePath, planOverlay } from './overlay-plan.ts'
import { joinPieces } from './pieces.ts'
import { isSingleText, kindOf } from './value-representation.ts'
import { encodeDataSet, type WriteElement, type WriteValue } from './write.ts'

const SPECIFIC_CHARACTER_SET = 0x00080005
const PATIENT_ID = 0x00100020
const ISSUER_OF_PATIENT_ID = 0x00100021
const UTF8_NODE: JsonNode = { raw: Buffer.from('{"vr":"CS","Value":["ISO_IR 192"]}') }

/**
 * Applies an overlay to the metadata of an object: gives what writeDicomJson gives of the object as it leaves with that
 * overlay (egress.ts), without reading the object. What does not change is copied as it stands.
 * @param json as writeDicomJson made it of the stored object
 * @param bulkDataUri as in JsonOptions: values that are left out and now stand in the record of changes get a new address
 * @returns null when the object already says everything: it leaves as it is
 * @throws DicomError `overlay` as applyOverlay does
 */
export function overlayJson(
  json: Uint8Array,
  overlay: Overlay,
  bulkDataUri: (path: string) => string,
): Uint8Array | null {
  refuse(overlay)
  const tree = readJsonTree(json)
  const plan = planOverlay(new JsonView(tree), overlay)
  if (plan.events.length === 0) return null
  if (plan.utf8) {
    dropCharsets(tree)
    tree.set(SPECIFIC_CHARACTER_SET, UTF8_NODE)
  }
  for (const event of plan.events) applyEvent(tree, event)
  return writeJsonTree(tree, bulkDataUri)
}

function applyEvent(tree: JsonTree, event: OverlayEvent): void {
  const modified: JsonTree = new Map()
  for (const { path, value } of event.changes) {
    const steps = parsePath(path)
    const top = steps[0]!.tag
    if (!modified.has(top)) {
      const held = tree.get(top)
      const vr = steps.length > 1 ? 'SQ' : (value?.vr ?? 'UN')
      modified.set(top, held === undefined ? { raw: Buffer.from(`{"vr":"${vr}"}`) } : copyNode(held))
    }
    applyChange(tree, path, value)
  }
  const issuer = tree.get(ISSUER_OF_PATIENT_ID)
  if (modified.has(PATIENT_ID) && !modified.has(ISSUER_OF_PATIENT_ID) && issuer !== undefined) {
    modified.set(ISSUER_OF_PATIENT_ID, issuer)
  }
  const record = treeOf(ORIGINAL_ATTRIBUTES, { is: 'items', items: [recordOf(event, UTF8)] })
  record.set(MODIFIED_ATTRIBUTES, { items: [modified] })
  append(tree, ORIGINAL_ATTRIBUTES, record)
  if (event.reason !== 'COERCE') return
  append(
    tree,
    CONTRIBUTING_EQUIPMENT,
    treeOf(CONTRIBUTING_EQUIPMENT, { is: 'items', items: [equipmentOf(event, UTF8)] }),
  )
  const time: OverlayValue = { vr: 'DT', strings: [event.time] }
  tree.set(INSTANCE_COERCION_DATE_TIME, nodeOf(INSTANCE_COERCION_DATE_TIME, time))
}

function append(tree: JsonTree, tag: number, item: JsonTree): void {
  tree.set(tag, { items: [...(itemsOf(tree, tag) ?? []), item] })
}

function applyChange(tree: JsonTree, path: string, value: OverlayValue | null): void {
  let within = tree
  for (const { tag, item } of parsePath(path)) {
    if (item === null) {
      if (value === null) within.delete(tag)
      else within.set(tag, nodeOf(tag, value))
      return
    }
    let items = itemsOf(within, tag)
    if (items === undefined) {
      items = []
      within.set(tag, { items })
    }
    if (item === items.length) items.push(new Map())
    within = items[item]!
  }
}

/** An element as writeDicomJson writes it: by writing it. */
function nodeOf(tag: number, value: OverlayValue): JsonNode {
  return written({ tag, vr: value.vr, value: writeValue(tag, value) }).get(tag)!
}

function treeOf(tag: number, value: WriteValue): JsonTree {
  return itemsOf(written({ tag, vr: 'SQ', value }), tag)![0]!
}

function written(element: WriteElement): JsonTree {
  const charset: WriteElement = {
    tag: SPECIFIC_CHARACTER_SET,
    vr: 'CS',
    value: { is: 'bytes', bytes: Buffer.from('ISO_IR 192') },
  }
  const dataSet = new Map([charset, element].map((each) => [each.tag, each]))
  const source = memorySource(joinPieces(encodeDataSet(dataSet, EXPLICIT_LE)))
  const options = { bulkDataUri: (path: string) => path, inlineMax: COMPARED_BYTES_MAX }
  return readJsonTree(writeDicomJson({ dataSet: source, encoding: EXPLICIT_LE }, options).json)
}

function writeValue(tag: number, value: OverlayValue): WriteValue {
  if ('items' in value) return { is: 'items', items: value.items }
  if ('bytes' in value) return { is: 'bytes', bytes: value.bytes }
  const bytes = encodeStrings(value.vr, tag, value.strings, UTF8)
  if (bytes === undefined) throw new RangeError(`a text of ${value.vr} that cannot be written`)
  return { is: 'bytes', bytes }
}

/** Character sets of items go, as in the object: the outermost one holds for all. */
function dropCharsets(tree: JsonTree): void {
  tree.delete(SPECIFIC_CHARACTER_SET)
  for (const [tag, node] of tree) {
    if (mayHold(node, SPECIFIC_CHARACTER_SET)) for (const item of itemsOf(tree, tag) ?? []) dropCharsets(item)
  }
}

/** Metadata as an overlay looks at them. */
class JsonView implements OverlayView {
  readonly #tree: JsonTree

  constructor(tree: JsonTree) {
    this.#tree = tree
  }

  itemCount(path: string): number {
    const { within, tag } = this.#find(path)
    return (within === undefined ? undefined : itemsOf(within, tag))?.length ?? 0
  }

  values(path: string): readonly string[] | null | undefined {
    const { within, tag } = this.#find(path)
    const node = within?.get(tag)
    if (node === undefined) return null
    const kind = kindOf(vrOfNode(node))
    return kind === 'binary' || kind === 'sequence' || isBulk(node) || 'items' in node ? undefined : textsOf(node.raw)
  }

  hasOwnCharset(path: string): boolean {
    return this.#find(path).own
  }

  #find(path: string): { within: JsonTree | undefined; tag: number; own: boolean } {
    let within: JsonTree | undefined = this.#tree
    let own = false
    let last = 0
    for (const { tag, item } of parsePath(path)) {
      last = tag
      if (item === null) break
      within = within === undefined ? undefined : itemsOf(within, tag)?.[item]
      own ||= within?.has(SPECIFIC_CHARACTER_SET) === true
    }
    return { within, tag: last, own }
  }
}

/** The values of an element as data-set.ts decodes them. */
function textsOf(raw: Buffer): readonly string[] {
  const element = parseJson(raw)
  if (!(element instanceof Map)) throw new RangeError('an element of metadata is an object')
  const values = element.get('Value')
  const single = isSingleText(String(element.get('vr')))
  return Array.isArray(values) ? values.map((value) => withoutPadding(textOf(value), single)) : []
}

function textOf(value: JsonValue): string {
  if (typeof value === 'string') return value
  if (value instanceof JsonNumber) return value.text
  if (!(value instanceof Map)) return ''
  const groups = ['Alphabetic', 'Ideographic', 'Phonetic'].map((key) => textOf(value.get(key) ?? null))
  return groups.join('=').replace(/=+$/, '')
}
