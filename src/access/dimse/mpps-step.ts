/** What a performed procedure step says, and what it may still say. PS3.4 section F.7.2. */
import type { Order, OrderStatus, PerformedStep } from '#model/identity.ts'
import type { DataSet } from '#standards/dicom/data-set.ts'
import { encodingOf } from '#standards/dicom/encoding.ts'
import { jsonToDataSet, writeDicomJson } from '#standards/dicom/json.ts'
import { joinPieces } from '#standards/dicom/pieces.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { encodeDataSet, type WriteDataSet } from '#standards/dicom/write.ts'
import { DimseRefusal } from './refusal.ts'

export type Attributes = PerformedStep['attributes']

const STATUS_TAG = '00400252'
const SCHEDULED = '00400270'
const STUDY = '0020000D'
/** Performed Procedure Step ID, Performed Station AE Title, start date and time, Modality: type 1 at creation. */
const NEEDED: readonly string[] = ['00400253', '00400241', '00400244', '00400245', '00080060', STATUS_TAG, SCHEDULED]
/** What N-SET may not change: who, what for, where and when it began. PS3.4 Table F.7.2-1. */
const FIXED: ReadonlySet<string> = new Set([
  ...['00100010', '00100020', '00100021', '00100030', '00100040', '00081120', '00080060', '00200010'],
  ...['00400241', '00400242', '00400243', '00400244', '00400245', '00400253', SCHEDULED],
])
const INLINE_MAX = 64 * 1024

export const INVALID_VALUE = 0x0106
export const MISSING_ATTRIBUTE = 0x0120
/** Warning: some attributes of the list were not taken. PS3.7 section C.4.2. */
export const ATTRIBUTE_LIST_ERROR = 0x0107

export function attributesOf(dataSet: DataSet): Attributes {
  const { source, encoding } = dataSet
  const { json } = writeDicomJson({ dataSet: source, encoding }, { bulkDataUri: () => '', inlineMax: INLINE_MAX })
  const parsed = JSON.parse(Buffer.from(json).toString('utf8')) as Record<string, unknown>
  return Object.fromEntries(Object.entries(parsed).filter(([tag]) => tag !== '00080005' && !tag.endsWith('0000')))
}

/** Attributes as a data set for a response; UTF-8 where a text needs it. */
export function encoded(attributes: Attributes, asked: readonly number[], transferSyntaxUID: string): Uint8Array {
  const syntax = transferSyntax(transferSyntaxUID)
  if (syntax === undefined) throw new RangeError(`nobody negotiated ${transferSyntaxUID}`)
  const all = jsonToDataSet(JSON.stringify(attributes), () => undefined)
  const wanted: WriteDataSet = asked.length === 0 ? all : new Map()
  for (const tag of asked.length === 0 ? [] : [0x00080005, ...asked]) {
    const element = all.get(tag)
    if (element !== undefined) wanted.set(tag, element)
  }
  return joinPieces(encodeDataSet(wanted, encodingOf(syntax)))
}

function valuesOf(attributes: Attributes, tag: string): readonly unknown[] {
  const attribute = attributes[tag]
  if (typeof attribute !== 'object' || attribute === null || !('Value' in attribute)) return []
  return Array.isArray(attribute.Value) ? attribute.Value : []
}

/** First text of an attribute; empty when it has none. */
export function textOf(attributes: Attributes, tag: string): string {
  const [value] = valuesOf(attributes, tag)
  return typeof value === 'string' ? value : ''
}

export function itemsOf(attributes: Attributes, tag: string): readonly Attributes[] {
  return valuesOf(attributes, tag).filter((item): item is Attributes => typeof item === 'object' && item !== null)
}

/** @throws DimseRefusal 0106 */
function statusOf(attributes: Attributes): PerformedStep['status'] {
  const status = textOf(attributes, STATUS_TAG)
  if (status === 'IN PROGRESS' || status === 'COMPLETED' || status === 'DISCONTINUED') return status
  throw new DimseRefusal(INVALID_VALUE, 'no status of a performed procedure step', [0x00400252])
}

/**
 * A step as N-CREATE makes it.
 * @throws DimseRefusal 0120 for what is missing, 0106 when it does not begin IN PROGRESS
 */
export function createdStep(sopInstanceUID: string, attributes: Attributes): PerformedStep {
  const missing = NEEDED.filter((tag) => valuesOf(attributes, tag).length === 0)
  if (missing.length > 0) {
    const tags = missing.map((tag) => Number.parseInt(tag, 16))
    throw new DimseRefusal(MISSING_ATTRIBUTE, 'a performed procedure step needs more attributes', tags)
  }
  const status = statusOf(attributes)
  if (status !== 'IN PROGRESS') {
    throw new DimseRefusal(INVALID_VALUE, 'a performed procedure step begins IN PROGRESS', [0x00400252])
  }
  const studies = itemsOf(attributes, SCHEDULED).map((item) => textOf(item, STUDY))
  const studyInstanceUIDs = [...new Set(studies)].filter((uid) => uid !== '')
  if (studyInstanceUIDs.length === 0) {
    throw new DimseRefusal(MISSING_ATTRIBUTE, 'the scheduled step names no study', [0x00400270, 0x0020000d])
  }
  return { sopInstanceUID, status, attributes, orderId: null, studyInstanceUIDs }
}

/**
 * A step after N-SET. What may not change is left as it is and told by `partly`.
 * @throws DimseRefusal 0106
 */
export function changedStep(step: PerformedStep, changes: Attributes): { step: PerformedStep; partly: boolean } {
  const taken = Object.entries(changes).filter(([tag]) => !FIXED.has(tag))
  const attributes = { ...step.attributes, ...Object.fromEntries(taken) }
  const partly = taken.length < Object.keys(changes).length
  return { step: { ...step, attributes, status: statusOf(attributes) }, partly }
}

/** True when a step can say no more. */
export function isFinal({ status }: PerformedStep): boolean {
  return status !== 'IN PROGRESS'
}

/** Ids of the scheduled steps that a performed one answers. */
export function scheduledIds(step: PerformedStep): readonly string[] {
  return itemsOf(step.attributes, SCHEDULED).map((item) => textOf(item, '00400009'))
}

/** What of accession numbers a step names. */
export function accessionsOf(step: PerformedStep): readonly string[] {
  return itemsOf(step.attributes, SCHEDULED)
    .map((item) => textOf(item, '00080050'))
    .filter((accession) => accession !== '')
}

/**
 * Status of an order given all performed steps that answer it: it is completed when every scheduled step was. An order that
 * was cancelled stays so.
 */
export function orderStatus(order: Order, steps: readonly PerformedStep[]): OrderStatus {
  if (order.status === 'cancelled' || steps.length === 0) return order.status
  if (steps.some(({ status }) => status === 'IN PROGRESS')) return 'in-progress'
  const completed = steps.filter(({ status }) => status === 'COMPLETED')
  if (completed.length === 0) return 'discontinued'
  const done = new Set(completed.flatMap(scheduledIds))
  const open = order.steps.length > 1 && order.steps.some(({ id }) => !done.has(id))
  return open ? 'in-progress' : 'completed'
}
