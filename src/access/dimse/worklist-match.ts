import { fold, nameGroups } from '#index/fold.ts'
import type { Match } from '#model/search.ts'
import { type DataSet, elementStrings, readableVr } from '#standards/dicom/data-set.ts'
import { tagText } from '#standards/dicom/dictionary.ts'
import type { AskedKey } from './find-plan.ts'
import { howOf } from './identifier-match.ts'
import { negotiated } from './query-models.ts'
import { DimseRefusal, STATUS } from './refusal.ts'
import { type Attribute, NEVER_FILLED, type WorklistRow } from './worklist-row.ts'

interface Condition {
  /** Tags from the outermost sequence to the attribute, as text. */
  readonly path: readonly string[]
  readonly vr: string
  readonly how: Match['how']
}

/** A worklist query, understood. */
export interface WorklistPlan {
  readonly keys: readonly AskedKey[]
  readonly charsets: readonly string[]
  readonly conditions: readonly Condition[]
}

const CHARSET = 0x00080005
const KEYS_MAX = 256
const DEPTH_MAX = 4
const STEP = '00400100'
const START_DATE = '00400002'
const START_TIME = '00400003'

/**
 * Understands the identifier of a worklist query.
 * @throws DimseRefusal A900 for a value its VR cannot have, and for more keys than anybody needs
 */
export function planWorklist(dataSet: DataSet): WorklistPlan {
  const conditions: Condition[] = []
  let count = 0
  const read = (from: DataSet, path: readonly string[]): AskedKey[] => {
    const keys: AskedKey[] = []
    for (const element of from.elements.values()) {
      const { tag } = element
      if ((tag & 0xffff) === 0 || tag === CHARSET) continue
      if (++count > KEYS_MAX || path.length > DEPTH_MAX) {
        throw new DimseRefusal(STATUS.identifierMismatch, 'too many keys', [tag])
      }
      const vr = readableVr(element)
      const below = [...path, tagText(tag)]
      const [item] = element.items ?? []
      if (vr !== 'SQ' && item === undefined) {
        const how = howOf(tag, vr, elementStrings(from, element), negotiated(undefined))
        if (how.is !== 'universal') conditions.push({ path: below, vr, how })
      }
      keys.push({ tag, key: tagText(tag), vr, items: item === undefined ? [] : read(item, below) })
    }
    return keys.sort((a, b) => a.tag - b.tag)
  }
  return { keys: read(dataSet, []), charsets: dataSet.charsets, conditions: combined(conditions) }
}

/**
 * A range of dates and one of times of the scheduled step are one period: from the first day at the first time to the last
 * day at the last. PS3.4 Table K.6-1.
 */
function combined(conditions: readonly Condition[]): readonly Condition[] {
  const of = (tag: string) => conditions.find(({ path, how }) => path.join() === `${STEP},${tag}` && how.is === 'range')
  const [date, time] = [of(START_DATE), of(START_TIME)]
  if (date?.how.is !== 'range' || time?.how.is !== 'range') return conditions
  const from = date.how.from === null ? null : date.how.from + (time.how.from ?? '')
  const to = date.how.to === null ? null : date.how.to + (time.how.to ?? '')
  const both: Condition = { path: [STEP, PERIOD], vr: 'DT', how: { is: 'range', from, to } }
  return [...conditions.filter((one) => one !== date && one !== time), both]
}

/** Not a tag: date and time of the step together. */
const PERIOD = 'period'

/** Bounds that the index of orders can use; what they let through is still matched. */
export function boundsOf(plan: WorklistPlan): {
  readonly from?: string
  readonly to?: string
  readonly modality?: string
  readonly stationAeTitle?: string
  readonly accessionNumber?: string
  readonly studyInstanceUID?: string
} {
  const single = (path: string): string | undefined => {
    const how = plan.conditions.find((one) => one.path.join() === path)?.how
    return how?.is === 'single' ? how.value : undefined
  }
  const date = plan.conditions.find(({ path }) => path[0] === STEP && (path[1] === START_DATE || path[1] === PERIOD))
  const days = date?.how.is === 'range' ? date.how : undefined
  const day = date?.how.is === 'single' ? date.how.value : undefined
  const found = {
    from: day ?? days?.from?.slice(0, 8),
    to: day ?? days?.to?.slice(0, 8),
    modality: single(`${STEP},00080060`),
    stationAeTitle: single(`${STEP},00400001`),
    accessionNumber: single('00080050'),
    studyInstanceUID: single('0020000D'),
  }
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined))
}

/**
 * True when an item meets every key. A value for an optional key that is not matched here narrows nothing: some clients
 * fill what they want returned with zeros. PS3.4 section K.2.2.1 with C.2.2.2; section C.2.2.1.3.
 */
export function meets(row: WorklistRow, plan: WorklistPlan): boolean {
  return plan.conditions.every(({ path, vr, how }) => {
    if (!isMatched(row, path)) return true
    const values = valuesAt(row, path)
    if (how.is === 'universal') return true
    if (how.is === 'empty') return values.length === 0
    return values.some((value) => matches(value, vr, how))
  })
}

/** True when every key is returned and, where it has a value, matched: else the answer is told with FF01. */
export function supportsAll(row: WorklistRow, plan: WorklistPlan): boolean {
  return knowsAll(row, plan.keys) && plan.conditions.every(({ path }) => isMatched(row, path))
}

function isMatched(row: WorklistRow, [first = '', ...rest]: readonly string[]): boolean {
  if (first === PERIOD) return true
  const attribute = row[first]
  if (attribute === undefined || NEVER_FILLED.has(first)) return false
  const item = attribute.Value?.[0]
  // An empty sequence has nothing that would meet a key within.
  return rest.length === 0 || !isRow(item) || isMatched(item, rest)
}

/** True when every key is an attribute that worklist items have. */
function knowsAll(row: WorklistRow, keys: readonly AskedKey[]): boolean {
  return keys.every(({ key, items }) => {
    const attribute = row[key]
    if (attribute === undefined) return false
    const item = attribute.Value?.[0]
    return items.length === 0 || !isRow(item) || knowsAll(item, items)
  })
}

function isRow(value: unknown): value is WorklistRow {
  return typeof value === 'object' && value !== null && !('Alphabetic' in value)
}

function valuesAt(row: WorklistRow, [first = '', ...rest]: readonly string[]): string[] {
  if (first === PERIOD) {
    const date = textsOf(row[START_DATE])[0]
    return date === undefined ? [] : [date + (textsOf(row[START_TIME])[0] ?? '')]
  }
  if (rest.length === 0) return textsOf(row[first])
  return (row[first]?.Value ?? []).filter(isRow).flatMap((item) => valuesAt(item, rest))
}

function textsOf(attribute: Attribute | undefined): string[] {
  return (attribute?.Value ?? []).flatMap((value) => {
    if (typeof value === 'string') return [value]
    if (typeof value === 'number') return [String(value)]
    if (typeof value !== 'object' || value === null || isRow(value)) return []
    const { Alphabetic = '', Ideographic = '', Phonetic = '' } = value as { readonly [group: string]: string }
    return [`${Alphabetic}=${Ideographic}=${Phonetic}`]
  })
}

function matches(value: string, vr: string, how: Match['how']): boolean {
  switch (how.is) {
    case 'single':
      return vr === 'PN' ? sameName(value, how.value) : vr === 'TM' ? value.startsWith(how.value) : value === how.value
    case 'list':
      return how.values.includes(value)
    case 'wildcard': {
      const texts = vr === 'PN' ? nameGroups(value) : [value]
      const pattern = expression(vr === 'PN' ? fold(how.pattern) : how.pattern)
      return texts.some((text) => pattern.test(text))
    }
    case 'range': {
      const { from, to } = how
      // A bound with less precision takes in all that begins with it: `~` stands behind every digit.
      if (vr === 'DT' && value.length === 8) return (from ?? '').slice(0, 8) <= value && value <= (to ?? '~')
      return (from ?? '') <= value && value <= `${to ?? ''}~`
    }
    default:
      return false
  }
}

function sameName(value: string, asked: string): boolean {
  const groups = nameGroups(value)
  return nameGroups(asked).every((group) => groups.includes(group))
}

/** `*` is any run, `?` one character. PS3.4 section C.2.2.2.4. The count of wild cards is bounded, runs are lazy. */
function expression(pattern: string): RegExp {
  const parts = pattern.replace(/\*{2,}/g, '*').replace(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${parts.replaceAll('*', '.*?').replaceAll('?', '.')}$`, 'su')
}
