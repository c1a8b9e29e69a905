/** What a request says of the documents it carries: query parameters, and JSON beside the files. */
import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import type { DocumentOwner, DocumentPhase, RelationKind } from '#model/document.ts'
import type { DocumentStatement } from '#model/document-desk.ts'
import type { ValueSetTable } from '#placement/value-sets.ts'
import { metadataSchema, readMetadata, type WrittenMetadata } from '#placement/written-metadata.ts'

const name = z.string().trim().min(1).max(1000)
const identifier = z.string().trim().min(1).max(256)

/** One document as its sender describes it. */
const described = z.strictObject({
  metadata: metadataSchema.default({}),
  patient: z.strictObject({ issuer: z.string().max(1000).default(''), id: name }).optional(),
  studyInstanceUid: z
    .string()
    .regex(/^[0-9.]{1,64}$/, 'expected a UID')
    .optional(),
  uniqueId: identifier.optional(),
  entryUuid: z.uuid('expected a UUID').optional(),
  phase: z.enum(['preliminary', 'final', 'amended']).optional(),
  replaces: identifier.optional(),
  appends: identifier.optional(),
  transforms: identifier.optional(),
  signs: identifier.optional(),
  sha1: z
    .string()
    .regex(/^[0-9A-Fa-f]{40}$/, 'expected a SHA-1 in hexadecimal')
    .optional(),
  mediaType: name.optional(),
  originator: name.max(64).optional(),
  medium: name.max(200).optional(),
  /** Refuse when required metadata is missing. */
  complete: z.boolean().optional(),
})

export type Described = z.output<typeof described>
export const DESCRIBED = described

/** Parameters by which `curl` describes one document, with what they mean. */
export const DESCRIBING_QUERY = {
  patient: 'Patient number.',
  issuer: 'Its issuer; without one the default of the sender.',
  study: 'Study Instance UID: the document belongs to whoever owns the study.',
  accession: 'Accession number.',
  encounter: 'Number of the visit.',
  title: 'Title.',
  class: 'Class: a code of the site, or `system|code`.',
  type: 'Type, likewise.',
  format: 'Format, likewise.',
  specialty: 'Specialty, likewise.',
  facility: 'Type of facility, likewise.',
  event: 'Procedure, modality or body part, likewise.',
  confidentiality: 'Label, likewise.',
  department: 'Department by its local name.',
  author: 'Author as `Family^Given`.',
  language: 'As `de-DE`.',
  created: 'Time of creation.',
  uniqueId: 'Unique id of the document.',
  phase: 'preliminary, final or amended.',
  replaces: 'Any identifier of the document this one takes the place of.',
  appends: 'Of the one it adds to.',
  originator: 'Registered originator.',
  name: 'Name of the file, kept as a label.',
  complete: '`true`: refuse when required metadata is missing.',
} as const

/** @throws ArchiveError 'request.malformed' naming the wrong member */
export function describedBy(given: unknown): Described {
  const result = described.safeParse(given)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const why =
    issue?.code === 'unrecognized_keys' ? `there is no "${issue.keys[0] ?? ''}"` : (issue?.message ?? 'not valid')
  throw new ArchiveError('request.malformed', `metadata: ${[...(issue?.path ?? []), why].join(': ')}`)
}

/** @throws ArchiveError 'request.malformed' */
export function describedByQuery(query: URLSearchParams): Described {
  const unknown = [...query.keys()].find((key) => !Object.hasOwn(DESCRIBING_QUERY, key))
  if (unknown !== undefined) {
    throw new ArchiveError('request.malformed', `query: there is no parameter "${unknown.slice(0, 64)}"`, {
      hint: `There are ${Object.keys(DESCRIBING_QUERY).join(', ')}.`,
    })
  }
  const get = (key: keyof typeof DESCRIBING_QUERY) => query.get(key)?.trim() || undefined
  const said = (entries: { readonly [key: string]: unknown }) =>
    Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined))
  const [accession, encounter, patient, author] = [get('accession'), get('encounter'), get('patient'), get('author')]
  const references = [
    ...(accession === undefined ? [] : [{ type: 'accession', id: accession }]),
    ...(encounter === undefined ? [] : [{ type: 'encounter', id: encounter }]),
  ]
  const list = (key: 'event' | 'confidentiality') => get(key)?.split(',')
  return describedBy(
    said({
      metadata: said({
        ...{ title: get('title'), classCode: get('class'), typeCode: get('type'), formatCode: get('format') },
        ...{ practiceSetting: get('specialty'), facilityType: get('facility'), department: get('department') },
        ...{ eventCodes: list('event'), confidentiality: list('confidentiality'), language: get('language') },
        creationTime: get('created'),
        authors: author === undefined ? undefined : [{ person: author }],
        references: references.length === 0 ? undefined : references,
      }),
      patient: patient === undefined ? undefined : said({ id: patient, issuer: get('issuer') }),
      ...{ studyInstanceUid: get('study'), uniqueId: get('uniqueId'), phase: get('phase'), replaces: get('replaces') },
      ...{ appends: get('appends'), originator: get('originator') },
      complete: get('complete') === undefined ? undefined : get('complete') === 'true',
    }),
  )
}

/** What a file says where its description says nothing. */
export function joined(own: Described, common: Described): Described {
  return { ...common, ...own, metadata: { ...common.metadata, ...own.metadata } }
}

/** @throws ArchiveError 'document.invalid' for a code that is in no value set */
export function statementOf(given: Described, values: ValueSetTable): DocumentStatement {
  const read = readMetadata(given.metadata as WrittenMetadata, values)
  if ('unknown' in read) {
    throw new ArchiveError('document.invalid', `${read.unknown}: this code is in no value set of the site`, {
      hint: 'Write it whole, as {"code", "system", "display"} or `system|code`; GET /api/v1/document-values lists them.',
    })
  }
  const { patient, studyInstanceUid, uniqueId, entryUuid, phase, sha1 } = given
  const owner: DocumentOwner | undefined =
    patient === undefined
      ? undefined
      : { by: 'identifier', issuer: patient.issuer, id: patient.id, issuerAssumed: patient.issuer === '' }
  return {
    metadata: read.metadata,
    ...(owner === undefined ? {} : { owner }),
    ...(studyInstanceUid === undefined ? {} : { studyInstanceUID: studyInstanceUid }),
    ...(uniqueId === undefined ? {} : { uniqueId }),
    ...(entryUuid === undefined ? {} : { entryUuid }),
    ...(phase === undefined ? {} : { phase: phase as DocumentPhase }),
    ...(sha1 === undefined ? {} : { sha1 }),
  }
}

const RELATIONS: readonly (keyof Described & RelationKind)[] = ['replaces', 'appends', 'transforms', 'signs']

/** Relations of one document to what is kept, or to another file of the request by its label. */
export function relationsOf(label: string, given: Described): { kind: RelationKind; from: string; to: string }[] {
  return RELATIONS.flatMap((kind) => {
    const to = given[kind]
    return typeof to === 'string' ? [{ kind, from: label, to }] : []
  })
}
