import type { ByteSource } from '#standards/byte-source.ts'
import { readObjReferences } from '#standards/media/obj.ts'
import { findHidden, isText, signatureAt, withArticle } from '#standards/media/signatures.ts'
import { readStlShape } from '#standards/media/stl.ts'
import type { BodyFacts } from '../body-facts.ts'
import { type DocumentVerdict, type Inspect, inspectHere } from '../document-inspection.ts'
import type { Draft } from '../screened.ts'
import { type Rule, rule } from './rule.ts'

const documentSource = 'PS3.3 C.24.2; threat catalogue 3'

export const documentRules: readonly Rule[] = [
  rule(
    'D3',
    documentSource,
    'quarantine',
    ['quarantine', 'reject'],
    'The bytes are not what the MIME type says.',
    'Type comes from bytes, not from names; whoever trusts the name opens the wrong program.',
  ),
  rule(
    'D9',
    documentSource,
    'quarantine',
    ['quarantine', 'reject', 'keep'],
    'Encapsulated Document Length (0042,0015) differs from the value by more than the pad byte.',
    'Only the real length of the value is ever used; a lie about it is looked at.',
  ),
  rule(
    'D10',
    documentSource,
    'quarantine',
    ['quarantine', 'reject'],
    'A binary STL is not 84 + 50 x count bytes long, or begins like a program or an archive.',
    'The count never drives an allocation.',
  ),
  rule(
    'D11',
    documentSource,
    'keep',
    ['keep', 'quarantine', 'reject'],
    'An OBJ or MTL names other files.',
    'The names are text: nothing resolves them.',
  ),
  rule(
    'D12',
    documentSource,
    'reject',
    ['reject', 'quarantine', 'keep'],
    'SVG, HTML or Office as a document.',
    'They carry scripts and macros; a site may accept them as attachments only.',
  ),
]

const DOCUMENT_TAG = '00420011'
const INSPECTED_BYTES_MAX = 64 * 1024 * 1024

/** Types refused as documents. threats.md D12. */
const refusedTypes = [
  'image/svg+xml',
  'text/html',
  'application/xhtml+xml',
  'application/javascript',
  'text/javascript',
  'application/msword',
  'application/rtf',
  'application/vnd.ms-',
  'application/vnd.openxmlformats-',
  'application/vnd.oasis.opendocument',
]

const xmlTypes = new Set(['text/xml', 'application/xml', 'application/hl7-cda+xml', 'text/hl7-cda+xml'])

/** By class, for an instance that says no type. PS3.3 A.45. */
const typeOfClass: Readonly<Record<string, string>> = {
  '1.2.840.10008.5.1.4.1.1.104.1': 'application/pdf',
  '1.2.840.10008.5.1.4.1.1.104.2': 'text/xml',
  '1.2.840.10008.5.1.4.1.1.104.3': 'model/stl',
  '1.2.840.10008.5.1.4.1.1.104.4': 'model/obj',
  '1.2.840.10008.5.1.4.1.1.104.5': 'model/mtl',
}

/** Judges (0042,0011) Encapsulated Document. @throws InspectionNeeded when `inspect` does */
export function checkEncapsulatedDocument(facts: BodyFacts, inspect: Inspect = inspectHere): DocumentVerdict {
  const place = facts.document
  if (place === null || place.valueLength === 0) return { drafts: [], pieces: [] }
  const drafts: Draft[] = []
  const { source } = facts
  let end = place.valueOffset + place.valueLength
  const declared = facts.number.get(0x00420015)
  if (declared !== undefined) {
    const spare = place.valueLength - declared
    if (spare < 0 || spare > 1) {
      const detail = `Encapsulated Document Length says ${declared}, the value has ${place.valueLength} bytes`
      drafts.push({ rule: 'D9', severity: 'quarantine', detail, offset: place.valueOffset, tag: '00420015' })
    } else end -= spare
  }
  const type = (facts.text.get(0x00420012) || typeOfClass[facts.text.get(0x00080016) ?? ''] || '')
    .toLowerCase()
    .split(';')[0]!
    .trim()
  const judged = checkDocument(source, place.valueOffset, end, type, inspect)
  return { drafts: [...drafts, ...judged.drafts], pieces: judged.pieces }
}

/**
 * Judges a document by the type it claims.
 *
 * @param type media type in lower case, without parameters; '' when none is claimed
 */
function checkDocument(
  source: ByteSource,
  start: number,
  end: number,
  type: string,
  inspect: Inspect,
): DocumentVerdict {
  const at = { offset: start, tag: DOCUMENT_TAG }
  const one = (rule: string, severity: Draft['severity'], detail: string): DocumentVerdict => ({
    drafts: [{ rule, severity, detail, ...at }],
    pieces: [],
  })
  if (refusedTypes.some((refused) => type.startsWith(refused)))
    return one('D12', 'reject', `a document of type ${type}`)
  const head = source.read(start, Math.min(end, start + 4096)).slice()
  const mark = signatureAt(head)
  if (type === 'application/pdf' || xmlTypes.has(type)) {
    if (end - start > INSPECTED_BYTES_MAX)
      return one('D5', 'quarantine', `a ${type} of ${end - start} bytes is too large to be inspected`)
    return inspect({ source, start, end, type: type === 'application/pdf' ? 'pdf' : 'xml', tag: DOCUMENT_TAG })
  }
  if (mark !== null && (mark.family === 'executable' || mark.family === 'script' || mark.family === 'archive')) {
    return one(
      'D3',
      'quarantine',
      `the document begins like ${withArticle(mark.name)}, its type is ${type || 'not given'}`,
    )
  }
  if (type === 'model/stl' || type === 'application/sla' || type === 'application/vnd.ms-pki.stl')
    return checkStl(source, start, end)
  if (type === 'model/obj' || type === 'model/mtl') {
    if (!isText(withoutPadding(head))) return one('D3', 'quarantine', `the document is not the text that ${type} is`)
    const names = readObjReferences(latin1(source.read(start, Math.min(end, start + INSPECTED_BYTES_MAX))))
    const count = names.libraries.length + names.maps.length
    return count === 0 ? { drafts: [], pieces: [] } : one('D11', 'info', `${count} names of other files, kept as text`)
  }
  const hidden = findHidden(source, start, end)
  if (hidden !== null && hidden.family !== 'compressed')
    return one('D3', 'quarantine', `the document holds ${withArticle(hidden.name)}`)
  return { drafts: [], pieces: [] }
}

function checkStl(source: ByteSource, start: number, end: number): DocumentVerdict {
  const fail = (detail: string): DocumentVerdict => ({
    drafts: [{ rule: 'D10', severity: 'quarantine', detail, offset: start, tag: DOCUMENT_TAG }],
    pieces: [],
  })
  const shape = readStlShape(source, start, end)
  if (shape === null) return fail(`${end - start} bytes are too few for a binary STL`)
  const spare = shape.length - shape.expectedLength
  if (spare !== 0 && spare !== 1) {
    return fail(`${shape.triangles} triangles need ${shape.expectedLength} bytes, there are ${shape.length}`)
  }
  const head = source.read(start, start + 80)
  const mark = signatureAt(head)
  if (mark !== null && mark.family !== 'image' && mark.family !== 'tiff')
    return fail(`the STL begins like ${withArticle(mark.name)}`)
  return { drafts: [], pieces: [] }
}

function withoutPadding(bytes: Uint8Array): Uint8Array {
  let end = bytes.byteLength
  if (bytes[end - 1] === 0) end--
  return bytes.subarray(0, end)
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
