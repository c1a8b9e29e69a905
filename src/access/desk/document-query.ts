import { DOCUMENT_KINDS, type DocumentKindWord } from '#model/document.ts'
import type { DocumentQuery } from '#model/document-desk.ts'
import type { Asked } from '#model/route.ts'
import { filtersAsked, oneOf, type PageAsked, pageAsked } from './ask.ts'

/** Filters of `GET /documents`, with what they mean. */
export const DOCUMENT_FILTERS = {
  patient: 'Opaque id of a patient, a patient number, or `issuer|number`.',
  class: 'Class: a code, or `system|code`; several separated by commas.',
  type: 'Type, likewise.',
  format: 'Format, likewise.',
  specialty: 'Specialty (practice setting), likewise.',
  facility: 'Type of facility, likewise.',
  event: 'Procedure, modality or body part, likewise.',
  confidentiality: 'Label, likewise.',
  department: 'Department by its local name.',
  kind: 'pdf, cda, jpeg and so on, told from the bytes; several separated by commas.',
  study: 'Study Instance UID.',
  accession: 'Accession number.',
  reference: 'Order, encounter or any other number it refers to.',
  author: 'Beginning of the family name of an author.',
  title: 'Part of the title.',
  text: 'Words inside the document, all of them.',
  status: 'current (default), superseded, entered-in-error, any.',
  created: 'Time of creation: `2026`, `2026-05`, `2026-05-02`, or `from/to`.',
  incomplete: '`true`: only those with required metadata missing.',
  order: 'newest (default), oldest, updated.',
} as const

const NAMES = Object.keys(DOCUMENT_FILTERS) as (keyof typeof DOCUMENT_FILTERS)[]

/** @throws ArchiveError 'request.malformed' naming what is wrong */
export async function documentQuery(
  asked: Pick<Asked, 'query'>,
  pageMax: number,
  patientIds: (id: string, issuer?: string) => Promise<readonly string[]>,
): Promise<DocumentQuery> {
  const page: PageAsked = pageAsked(asked, pageMax, NAMES)
  const given = filtersAsked(asked, NAMES)
  const { status = 'current', order = 'newest', incomplete, author } = given
  oneOf(status, 'status', ['current', 'superseded', 'entered-in-error', 'any'])
  oneOf(order, 'order', ['newest', 'oldest', 'updated'])
  oneOf(incomplete, 'incomplete', ['true', 'false'])
  const kinds = given.kind?.split(',')
  for (const kind of kinds ?? []) oneOf(kind, 'kind', DOCUMENT_KINDS)
  const references = [
    ...(given.accession === undefined ? [] : [{ id: given.accession, issuer: '', type: 'accession' }]),
    ...(given.reference === undefined ? [] : [{ id: given.reference, issuer: '' }]),
  ]
  return {
    ...page,
    order: order as DocumentQuery['order'],
    ...(status === 'any' ? {} : { statuses: [status as 'current'] }),
    ...(given.patient === undefined ? {} : { patientIds: await personAsked(given.patient, patientIds) }),
    ...(kinds === undefined ? {} : { kinds: kinds as DocumentKindWord[] }),
    ...codes('classCodes', given.class),
    ...codes('typeCodes', given.type),
    ...codes('formatCodes', given.format),
    ...codes('practiceSettings', given.specialty),
    ...codes('facilityTypes', given.facility),
    ...codes('eventCodes', given.event),
    ...codes('confidentiality', given.confidentiality),
    ...(given.department === undefined ? {} : { departments: [given.department] }),
    ...(given.study === undefined ? {} : { studyInstanceUIDs: [given.study] }),
    ...(references.length === 0 ? {} : { references }),
    ...(author === undefined ? {} : { author: { family: [author] } }),
    ...(given.title === undefined ? {} : { title: given.title }),
    ...(given.text === undefined ? {} : { text: given.text }),
    ...(given.created === undefined ? {} : { creation: rangeOf(given.created) }),
    ...(incomplete === 'true' ? { incomplete: true } : {}),
  }
}

/** A patient by the opaque id, or everybody with this number. */
export async function personAsked(
  text: string,
  patientIds: (id: string, issuer?: string) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const bar = text.indexOf('|')
  if (bar >= 0) return patientIds(text.slice(bar + 1), text.slice(0, bar) || undefined)
  return [text, ...(await patientIds(text))]
}

function codes(name: keyof DocumentQuery, text: string | undefined): Partial<DocumentQuery> {
  if (text === undefined) return {}
  const list = text.split(',').map((one) => {
    const bar = one.lastIndexOf('|')
    return bar < 0 ? { code: one, system: '' } : { code: one.slice(bar + 1), system: one.slice(0, bar) }
  })
  return { [name]: list }
}

/** A time with its precision covers all of it: `2026-05` is the month. */
function rangeOf(text: string): { from?: string; to?: string } {
  const [from = '', to] = text.split('/')
  const range: { from?: string; to?: string } = {}
  if (from !== '') range.from = from
  const last = to === undefined ? from : to
  // Behind everything that begins so.
  if (last !== '') range.to = `${last}\u{ffff}`
  return range
}
