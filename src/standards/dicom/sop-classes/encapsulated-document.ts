import { type DataSet, number, sequence, string, strings } from '../data-set.ts'
import { SOP_CLASS } from '../uids.ts'
import { codeOf } from './content.ts'
import type { Fact, FamilyFinding, ObjectFamily, Summary } from './family.ts'

const ID = 'encapsulated-document'

const TAG = {
  sopClass: 0x00080016,
  contentDate: 0x00080023,
  conversionType: 0x00080064,
  modality: 0x00080060,
  sourceInstances: 0x00420013,
  burnedIn: 0x00280301,
  unitsOfModel: 0x004008ea,
  conceptName: 0x0040a043,
  verification: 0x0040a493,
  documentClass: 0x0040e008,
  hl7InstanceIdentifier: 0x0040e001,
  title: 0x00420010,
  document: 0x00420011,
  mimeType: 0x00420012,
  mimeTypes: 0x00420014,
  length: 0x00420015,
  modelModification: 0x00687001,
  modelMirroring: 0x00687002,
  modelUsage: 0x00687003,
  modelGroup: 0x00687004,
  contentDescription: 0x00700081,
} as const

/** What kind of document a class wraps. PS3.3 A.45 and A.85. */
interface DocumentKind {
  readonly name: string
  readonly mimeTypes: readonly string[]
  readonly model: boolean
}

const KINDS: { readonly [sopClass: string]: DocumentKind } = {
  [SOP_CLASS.encapsulatedPdf]: { name: 'PDF', mimeTypes: ['application/pdf'], model: false },
  [SOP_CLASS.encapsulatedCda]: { name: 'CDA', mimeTypes: ['text/xml', 'application/xml'], model: false },
  [SOP_CLASS.encapsulatedStl]: {
    name: 'STL',
    mimeTypes: ['model/stl', 'model/x.stl-binary', 'application/sla'],
    model: true,
  },
  [SOP_CLASS.encapsulatedObj]: { name: 'OBJ', mimeTypes: ['model/obj'], model: true },
  [SOP_CLASS.encapsulatedMtl]: { name: 'MTL', mimeTypes: ['model/mtl'], model: true },
}

/** Where the wrapped bytes are. */
export interface DocumentRange {
  /** Zero-based byte in the source of the data set. */
  readonly offset: number
  /** In bytes, without the padding of the value field. */
  readonly length: number
  readonly mediaType: string
  /** False when (0042,0015) claims more than the value holds, or less than all but one pad byte. */
  readonly lengthAgrees: boolean
}

/** Bytes looked at behind the document to tell a pad byte from its last one. */
const TAIL_BYTES = 1

/**
 * The document inside an object, cut to its own length. PS3.3 C.24.2: the value field is padded to an even length, and
 * (0042,0015), when present, says how long the document is. Without it one trailing zero byte is taken for padding.
 *
 * @returns undefined when the data set wraps nothing
 */
export function encapsulatedDocument(dataSet: DataSet): DocumentRange | undefined {
  const element = dataSet.get(TAG.document)
  if (element === undefined || element.valueLength <= 0) return undefined
  const { valueOffset: offset, valueLength } = element
  const mediaType = (string(dataSet, TAG.mimeType) ?? '').toLowerCase()
  const claimed = number(dataSet, TAG.length)
  if (claimed !== null && claimed <= valueLength && claimed >= valueLength - 1) {
    return { offset, length: claimed, mediaType, lengthAgrees: true }
  }
  const last = dataSet.source.read(offset + valueLength - TAIL_BYTES, offset + valueLength)[0]
  // A binary STL may end with a zero byte of its own; its size says whether it does: 84 + 50 for each triangle.
  const stl = string(dataSet, TAG.sopClass) === SOP_CLASS.encapsulatedStl
  const ownZero = stl && (valueLength - 84) % 50 === 0
  const padded = last === 0 && valueLength % 2 === 0 && !ownZero
  return { offset, length: padded ? valueLength - 1 : valueLength, mediaType, lengthAgrees: claimed === null }
}

function kindOfDataSet(dataSet: DataSet): DocumentKind | undefined {
  return KINDS[string(dataSet, TAG.sopClass) ?? '']
}

function finding(rule: string, severity: FamilyFinding['severity'], detail: string, tag: number): FamilyFinding {
  return { rule: `${ID}:${rule}`, severity, detail, tag: tag.toString(16).toUpperCase().padStart(8, '0') }
}

/** First bytes by which a format is known; OBJ and MTL have none. */
function startsAsItShould(head: Uint8Array, kind: DocumentKind): boolean {
  const text = Buffer.from(head).toString('latin1')
  if (kind.name === 'PDF') return text.includes('%PDF-')
  if (kind.name === 'CDA') return /^(?:\u00ef\u00bb\u00bf)?\s*<|^\u00ff\u00fe|^\u00fe\u00ff/.test(text)
  return true
}

function validate(dataSet: DataSet): FamilyFinding[] {
  const found: FamilyFinding[] = []
  const kind = kindOfDataSet(dataSet)
  const document = encapsulatedDocument(dataSet)
  if (kind === undefined) return found
  if (document === undefined) {
    return [finding('empty', 'warning', 'the object wraps no document', TAG.document)]
  }
  if (!document.lengthAgrees) {
    const detail = `claims ${number(dataSet, TAG.length)} bytes, the value ends after ${document.length}`
    found.push(finding('length', 'warning', detail, TAG.length))
  }
  if (document.mediaType === '') found.push(finding('media-type-missing', 'warning', 'no media type', TAG.mimeType))
  else if (!kind.mimeTypes.includes(document.mediaType.split(';')[0]!.trim())) {
    const detail = `${document.mediaType} inside an object of class Encapsulated ${kind.name}`
    found.push(finding('media-type', 'warning', detail, TAG.mimeType))
  }
  const head = dataSet.source.read(document.offset, document.offset + Math.min(document.length, 1024))
  if (!startsAsItShould(head, kind)) {
    found.push(finding('content', 'warning', `the bytes do not begin as ${kind.name} does`, TAG.document))
  }
  if (string(dataSet, TAG.burnedIn) === null) {
    found.push(finding('burned-in-annotation', 'info', 'Burned In Annotation is missing', TAG.burnedIn))
  }
  if (kind.name === 'CDA' && string(dataSet, TAG.hl7InstanceIdentifier) === null) {
    found.push(
      finding('hl7-instance-identifier', 'warning', 'a CDA without its instance identifier', TAG.hl7InstanceIdentifier),
    )
  }
  if (kind.model && codeOf(dataSet, TAG.unitsOfModel) === undefined && kind.name !== 'MTL') {
    found.push(finding('units', 'warning', 'a model without its unit of length', TAG.unitsOfModel))
  }
  return found
}

function facts(dataSet: DataSet): Fact[] {
  const found: Fact[] = []
  const add = (name: string, value: string | number | null | undefined, more: Partial<Fact> = {}) => {
    if (value !== null && value !== undefined && value !== '') found.push({ family: ID, name, value, ...more })
  }
  const document = encapsulatedDocument(dataSet)
  add('document-title', string(dataSet, TAG.title), { path: '00420010' })
  const concept = codeOf(dataSet, TAG.conceptName)
  if (concept !== undefined) add('document-type', concept.meaning || concept.value, { code: concept, path: '0040A043' })
  const documentClass = codeOf(dataSet, TAG.documentClass)
  if (documentClass !== undefined) {
    add('document-class', documentClass.meaning || documentClass.value, { code: documentClass, path: '0040E008' })
  }
  add('media-type', document?.mediaType, { path: '00420012' })
  for (const type of strings(dataSet, TAG.mimeTypes)) add('contained-media-type', type, { path: '00420014' })
  add('document-length', document?.length, { unit: 'By', path: '00420011' })
  add('conversion-type', string(dataSet, TAG.conversionType), { path: '00080064' })
  add('verification', string(dataSet, TAG.verification), { path: '0040A493' })
  add('hl7-instance-identifier', string(dataSet, TAG.hl7InstanceIdentifier), { path: '0040E001' })
  for (const source of sequence(dataSet, TAG.sourceInstances)) {
    add('source-instance', string(source, 0x00081155), { path: '00420013' })
  }
  if (kindOfDataSet(dataSet)?.model === true) {
    const unit = codeOf(dataSet, TAG.unitsOfModel)
    if (unit !== undefined) add('model-unit', unit.value, { code: unit, path: '004008EA' })
    add('model-modified', string(dataSet, TAG.modelModification), { path: '00687001' })
    add('model-mirrored', string(dataSet, TAG.modelMirroring), { path: '00687002' })
    add('model-group', string(dataSet, TAG.modelGroup), { path: '00687004' })
    const usage = codeOf(dataSet, TAG.modelUsage)
    if (usage !== undefined) add('model-usage', usage.meaning || usage.value, { code: usage, path: '00687003' })
  }
  return found
}

function summary(dataSet: DataSet): Summary {
  const kind = kindOfDataSet(dataSet)
  const document = encapsulatedDocument(dataSet)
  const title =
    string(dataSet, TAG.title) ?? codeOf(dataSet, TAG.conceptName)?.meaning ?? `${kind?.name ?? ''} document`
  const lines = [`${kind?.name ?? 'Document'}, ${document?.length ?? 0} bytes`]
  if (kind?.model === true) {
    const unit = codeOf(dataSet, TAG.unitsOfModel)?.value
    if (unit !== undefined) lines.push(`Unit ${unit}`)
    // A mirrored model looks right and is of the other side: it is always said.
    if (string(dataSet, TAG.modelMirroring) === 'YES') lines.push('Mirrored')
    if (string(dataSet, TAG.modelModification) === 'YES') lines.push('Changed after it was derived from the patient')
    const description = string(dataSet, TAG.contentDescription)
    if (description !== null) lines.push(description)
  }
  return { title, lines }
}

/** PDF, CDA, STL, OBJ and MTL inside DICOM. PS3.3 A.45, A.85; Supplements 104, 205. */
export const encapsulatedDocuments: ObjectFamily = {
  id: ID,
  version: 1,
  recognise: (sopClassUID) => Object.hasOwn(KINDS, sopClassUID),
  validate,
  facts,
  summary,
}
