import { type DataSet, number, sequence, string, text } from '../data-set.ts'
import type { Code } from './family.ts'

const TAG = {
  codeValue: 0x00080100,
  codingScheme: 0x00080102,
  codeMeaning: 0x00080104,
  longCodeValue: 0x00080119,
  urnCodeValue: 0x00080120,
  valueType: 0x0040a040,
  conceptName: 0x0040a043,
  conceptCode: 0x0040a168,
  contentSequence: 0x0040a730,
  relationship: 0x0040a010,
  measuredValue: 0x0040a300,
  numericValue: 0x0040a30a,
  units: 0x004008ea,
  textValue: 0x0040a160,
  uid: 0x0040a124,
  dateTime: 0x0040a120,
  date: 0x0040a121,
  time: 0x0040a122,
  personName: 0x0040a123,
} as const

/** Reports are trees that somebody else wrote; the walk ends somewhere. threats.md section 4: sequence depth. */
const DEPTH_MAX = 64
/** Items read of one report. The longest real ones, of interventions over hours, have some ten thousand. */
const ITEMS_MAX = 200_000

/** The first item of a code sequence; undefined when there is none. PS3.3 section 8. */
export function codeOf(dataSet: DataSet, tag: number): Code | undefined {
  const item = sequence(dataSet, tag)[0]
  if (item === undefined) return undefined
  const value = string(item, TAG.codeValue) ?? string(item, TAG.longCodeValue) ?? text(item, TAG.urnCodeValue) ?? ''
  const meaning = string(item, TAG.codeMeaning) ?? ''
  if (value === '' && meaning === '') return undefined
  return { value, scheme: string(item, TAG.codingScheme) ?? '', meaning }
}

/** One content item of a structured report, read far enough to be compared. PS3.3 C.17.3. */
export interface ContentItem {
  readonly type: string
  readonly relationship: string
  readonly concept: Code | undefined
  /** Of NUM. */
  readonly number: number | undefined
  readonly unit: Code | undefined
  /** Of CODE. */
  readonly code: Code | undefined
  /** Of TEXT, UIDREF, DATETIME, DATE, TIME, PNAME. */
  readonly text: string | undefined
  /** Item numbers from 1, joined by `.`. */
  readonly path: string
  readonly children: readonly ContentItem[]
}

/** How many items may still be read. */
interface Budget {
  items: number
}

function textOf(item: DataSet, type: string): string | undefined {
  switch (type) {
    case 'TEXT':
      return text(item, TAG.textValue) ?? undefined
    case 'UIDREF':
      return string(item, TAG.uid) ?? undefined
    case 'DATETIME':
      return string(item, TAG.dateTime) ?? undefined
    case 'DATE':
      return string(item, TAG.date) ?? undefined
    case 'TIME':
      return string(item, TAG.time) ?? undefined
    case 'PNAME':
      return string(item, TAG.personName) ?? undefined
    default:
      return undefined
  }
}

function readItem(item: DataSet, path: string, depth: number, budget: Budget): ContentItem {
  const type = string(item, TAG.valueType) ?? ''
  const measured = type === 'NUM' ? sequence(item, TAG.measuredValue)[0] : undefined
  const value = measured === undefined ? null : number(measured, TAG.numericValue)
  return {
    type,
    relationship: string(item, TAG.relationship) ?? '',
    concept: codeOf(item, TAG.conceptName),
    number: value ?? undefined,
    unit: measured === undefined ? undefined : codeOf(measured, TAG.units),
    code: type === 'CODE' ? codeOf(item, TAG.conceptCode) : undefined,
    text: textOf(item, type),
    path,
    children: depth >= DEPTH_MAX ? [] : readChildren(item, path, depth + 1, budget),
  }
}

function readChildren(item: DataSet, path: string, depth: number, budget: Budget): ContentItem[] {
  const items = sequence(item, TAG.contentSequence)
  const read = items.slice(0, budget.items)
  budget.items -= read.length
  return read.map((one, index) =>
    readItem(one, path === '' ? String(index + 1) : `${path}.${index + 1}`, depth, budget),
  )
}

/** Facts, validation and summary ask for the same tree one after the other. */
const trees = new WeakMap<DataSet, ContentItem>()

/** The content tree of a structured report; its root is the data set itself. What is beyond the limits is left out. */
export function contentTree(dataSet: DataSet): ContentItem {
  let tree = trees.get(dataSet)
  if (tree === undefined) {
    tree = readItem(dataSet, '', 0, { items: ITEMS_MAX })
    trees.set(dataSet, tree)
  }
  return tree
}

/** True when the concept of an item is this code of DCM, PS3.16 Annex D. */
export function isConcept(item: ContentItem, value: string): boolean {
  return item.concept?.value === value && item.concept.scheme === 'DCM'
}

/** The first child with a concept, or undefined. */
export function child(item: ContentItem, value: string): ContentItem | undefined {
  return item.children.find((one) => isConcept(one, value))
}

/** Every item below one with a concept, however deep, the item itself left out; not below what was found. */
export function descendants(item: ContentItem, value: string): ContentItem[] {
  const found: ContentItem[] = []
  collect(item, value, found)
  return found
}

/** As deep as the tree was read: DEPTH_MAX. */
function collect(item: ContentItem, value: string, found: ContentItem[]): void {
  for (const one of item.children) {
    if (isConcept(one, value)) found.push(one)
    else collect(one, value, found)
  }
}
